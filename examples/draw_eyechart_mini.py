"""Draws EyechartMini, the benchmark of 72 reading questions that comes with eyechart.

    python examples/draw_eyechart_mini.py EyechartMini.tsv

Like an eye chart it has lines that are harder and harder to read, 1 to 8, with nine kinds of pictures on each: the
letters grow smaller, or fainter, or turn, or drown in noise, or blur. The same script draws the same file everywhere:
nothing in it is random, and the font is the one inside Pillow (Aileron, CC0). Another release of FreeType may shade the
edge of a letter differently; a test holds the shipped file against this script.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

LINES = range(1, 9)
COLUMNS = ("index", "image", "question", "A", "B", "C", "D", "answer", "category", "kind")
LETTERS = "ABCDEFHKLMNPRTUVXYZ"
CODE = LETTERS + "234679"
SIZES = (30, 22, 17, 13, 10, 8, 6.5, 5.5)
"""Height of the type on each line, in pixels."""
STREETS = (
    ("Harbour Street", "Harvest Street", "Harbour Square", "Hawthorn Street"),
    ("Museum closed", "Museum closes", "Museum corner", "Masonry closed"),
    ("Boat hire 200 m", "Boat hire 300 m", "Boat fire 200 m", "Coat hire 200 m"),
    ("No entry after 9", "No entry after 6", "No entry before 9", "No exit after 9"),
    ("Wet paint", "Wet point", "Wet patio", "Vet point"),
    ("Ferry to Marlow", "Ferry to Harlow", "Ferry to Barlow", "Ferry from Marlow"),
    ("Keep left here", "Keep lift here", "Keep left there", "Kept left here"),
    ("Mind the step", "Mind the stop", "Mind the steep", "Find the step"),
)
GOODS = ("Bread", "Butter", "Coffee", "Honey", "Lemons", "Milk", "Onions", "Pasta", "Rice", "Soap", "Tea", "Walnuts")
TOWNS = ("Arden", "Bexley", "Corby", "Derby", "Ely", "Frome", "Goole", "Hythe", "Leek", "Malton", "Oakham", "Thirsk")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun")


@dataclass(frozen=True)
class Question:
    """A picture and the question about it; without options the answer is open."""

    kind: str
    line: int
    picture: Image.Image
    text: str
    answer: str
    options: tuple[str, ...] = ()


class Dice:
    """Choices that are the same everywhere: of Python's generator only `random()` is promised never to change."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed).random  # noqa: S311 (nothing secret)

    def below(self, n: int) -> int:
        """Returns a whole number from 0 to n - 1."""
        return int(self._random() * n)

    def some(self, items: tuple[str, ...], n: int) -> list[str]:
        """Returns n different items in a mixed order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(n)]

    def word(self, letters: str, n: int) -> str:
        """Returns n letters, no two neighbours alike."""
        word = ""
        while len(word) < n:
            letter = letters[self.below(len(letters))]
            word += "" if word.endswith(letter) else letter
        return word

    def price(self, least: int = 1, most: int = 19) -> str:
        """Returns an amount with two decimals."""
        return f"{least + self.below(most - least)}.{5 * self.below(20):02}"

    def noise(self, size: tuple[int, int], deviation: float) -> Image.Image:
        """Returns bell-shaped noise around the middle grey: four dice a pixel, whose sum has deviation 1 / sqrt(3)."""
        factor = deviation * math.sqrt(3)
        thrown = (sum(self._random() for _ in range(4)) - 2 for _ in range(size[0] * size[1]))
        return Image.frombytes("L", size, bytes(min(255, max(0, round(128 + factor * value))) for value in thrown))


def font(size: float) -> ImageFont.FreeTypeFont:
    """Returns the font inside Pillow at a size in pixels."""
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return found


def sheet(width: int, height: int, paper: str | int = "white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Returns an empty picture and a pen."""
    picture = Image.new("RGB" if isinstance(paper, str) else "L", (width, height), paper)
    return picture, ImageDraw.Draw(picture)


def options_around(right: str, dice: Dice) -> tuple[str, ...]:
    """Returns a code among three others that differ from it in one letter."""
    found = [right]
    while len(found) < 4:  # noqa: PLR2004 (A to D)
        place = dice.below(len(right))
        other = right[:place] + CODE[dice.below(len(CODE))] + right[place + 1 :]
        if other not in found:
            found.append(other)
    return tuple(dice.some(tuple(found), 4))


# -- nine kinds of pictures ----------------------------------------------------------------------------------------


def eye_chart(line: int, dice: Dice) -> Question:
    """The chart itself: one picture for all lines."""
    del dice
    same = Dice("chart")
    picture, pen = sheet(400, 300, 255)
    top = 12.0
    words: list[str] = []
    for size in (44, *SIZES[:4], 7.5, 6, 5):
        words.append(same.word(LETTERS, 3 + min(len(words), 4)))
        pen.text((200, top), words[-1], font=font(size), fill=0, anchor="mt")
        top += size * 0.75 + 14
    text = f"What letters does line {line} of the chart show, from the top? Write them without spaces."
    return Question("chart", line, picture, text, words[line - 1])


def sign(line: int, dice: Dice) -> Question:
    """A sign on its post, from farther and farther away."""
    size = SIZES[line - 1]
    right, *others = STREETS[line - 1]
    colour = ("#0a5c36", "#1b3f8b", "#8b1a1a", "#333333")[line % 4]
    picture, pen = sheet(320, 160, "#cfe3ee")
    pen.rectangle((0, 120, 320, 160), fill="#7d9a6b")
    half = font(size).getlength(right) / 2 + size * 0.7
    pen.rectangle((157, 70, 163, 140), fill="#6b6b6b")
    pen.rounded_rectangle((160 - half, 66 - size, 160 + half, 66 + size), size * 0.4, fill=colour, outline="white")
    pen.text((160, 66), right, font=font(size), fill="white", anchor="mm")
    return Question("sign", line, picture, "What does the sign say?", right, tuple(dice.some((right, *others), 4)))


def receipt(line: int, dice: Dice) -> Question:
    """A till receipt: the total or one of the goods."""
    size = (20, 17, 14, 12, 10, 8, 6, 4.8)[line - 1]
    goods = dice.some(GOODS, 5)
    prices = [dice.price() for _ in goods]
    total = f"{sum(map(float, prices)):.2f}"
    picture, pen = sheet(240, 280, 250)
    left, right, step, top = 120 - 5.2 * size, 120 + 5.2 * size, 1.55 * size, 18.0
    pen.text((120, top), "CORNER SHOP", font=font(size), fill=20, anchor="mm")
    rows = [*zip(goods, prices, strict=True), ("TOTAL", total), ("Cash", f"{float(total) + 5:.2f}")]
    for k, (name, amount) in enumerate(rows, 1):
        y = top + step * (k + 0.3)
        if name == "TOTAL":
            pen.line((left, y - step / 2, right, y - step / 2), fill=120)
        pen.text((left, y), name, font=font(size), fill=30, anchor="lm")
        pen.text((right, y), amount, font=font(size), fill=30, anchor="rm")
    if line % 2:
        return Question("receipt", line, picture, "What is the total of the receipt?", total)
    asked = dice.below(5)
    return Question("receipt", line, picture, f"How much does the item {goods[asked]} cost?", prices[asked])


def bars(line: int, dice: Dice) -> Question:
    """A bar chart with a number over each bar."""
    size = (18, 16, 14, 12, 10, 8, 6.5, 5.5)[line - 1]
    values: list[int] = []
    while len(values) < len(MONTHS):
        value = 12 + dice.below(86)
        values += [] if value in values else [value]
    picture, pen = sheet(360, 220, "white")
    pen.line((24, 190, 344, 190), fill="black")
    for k, (month, value) in enumerate(zip(MONTHS, values, strict=True)):
        x = 52 + 52 * k
        pen.rectangle((x - 15, 190 - value * 1.6, x + 15, 189), fill="#4477aa")
        pen.text((x, 190 - value * 1.6 - 2), str(value), font=font(size), fill="black", anchor="mb")
        pen.text((x, 194), month, font=font(size), fill="black", anchor="mt")
    asked = dice.below(len(MONTHS))
    if line % 2:
        text = f"What is the value of the bar {MONTHS[asked]}?"
        others = [str(values[(asked + k) % len(values)]) for k in range(4)]
        return Question("bars", line, picture, text, str(values[asked]), tuple(dice.some(tuple(others), 4)))
    return Question("bars", line, picture, f"Which bar has the value {values[asked]}?", MONTHS[asked])


def table(line: int, dice: Dice) -> Question:
    """A timetable: a town's cell in one of three columns."""
    size = (19, 16, 14, 12, 10, 8, 6.5, 5.5)[line - 1]
    towns = dice.some(TOWNS, 5)
    heads = ("Train", "Leaves", "Platform")
    rows = [(dice.word("23456789", 4), f"{6 + k * 3}:{10 + dice.below(50)}", str(2 + dice.below(7))) for k in range(5)]
    picture, pen = sheet(400, 200, "white")
    width, step = 5 * size, 1.6 * size
    left, top = 200 - 2 * width, 100 - 3 * step
    for k, cells in enumerate((("Town", *heads), *((t, *r) for t, r in zip(towns, rows, strict=True)))):
        y = top + step * k
        pen.rectangle((left, y, left + 4 * width, y + step), fill=("#dde6f0" if k == 0 else "white"), outline="#888888")
        for column, cell in enumerate(cells):
            pen.text((left + width * (column + 0.08), y + step / 2), cell, font=font(size), fill="black", anchor="lm")
    row, column = dice.below(5), dice.below(3)
    text = f"What stands in the column {heads[column]} for {towns[row]}?"
    return Question("table", line, picture, text, rows[row][column])


def turned(line: int, dice: Dice) -> Question:
    """A label that was put on askew."""
    code = dice.word(CODE, 6)
    size = (30, 24, 19, 15, 12, 10, 8, 6.5)[line - 1]
    angle = (4, -9, 16, -27, 40, -58, 76, 145)[line - 1]
    label, pen = sheet(round(size * 8), round(size * 3), "#fff6c8")
    pen.rectangle((1, 1, label.width - 2, label.height - 2), outline="#555555")
    pen.text((label.width / 2, label.height / 2), code, font=font(size), fill="black", anchor="mm")
    picture, _ = sheet(280, 280, "#b08d57")
    mask = Image.new("L", label.size, 255).rotate(angle, Image.Resampling.BICUBIC, expand=True)
    label = label.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    picture.paste(label, ((280 - label.width) // 2, (280 - label.height) // 2), mask)
    return Question("turned", line, picture, "Which code is on the label?", code, options_around(code, dice))


def noisy(line: int, dice: Dice) -> Question:
    """A code in the noise of a dark room."""
    code = dice.word(CODE, 6)
    deviation = (10, 20, 30, 40, 48, 56, 66, 80)[line - 1]
    picture, pen = sheet(240, 100, 180)
    pen.text((120, 50), code, font=font(28), fill=70, anchor="mm")
    picture = ImageChops.add(picture, dice.noise(picture.size, deviation), offset=-128)
    levels = [v // 17 * 17 for v in range(256)]
    return Question("noisy", line, picture.point(levels), "Which code is shown? Write it without spaces.", code)


def faint(line: int, dice: Dice) -> Question:
    """Print that fades into its paper."""
    code = dice.word(CODE, 6)
    contrast = (110, 60, 40, 32, 26, 20, 14, 8)[line - 1]
    picture, pen = sheet(280, 100, 190)
    pen.text((140, 50), code, font=font(24), fill=190 - contrast, anchor="mm")
    return Question("faint", line, picture, "Which code is printed here?", code, options_around(code, dice))


def blurred(line: int, dice: Dice) -> Question:
    """A note without the right glasses."""
    room, code = str(100 + dice.below(900)), dice.word(LETTERS, 5)
    radius = (0.6, 1.2, 1.7, 2.2, 2.7, 3.2, 3.8, 4.5)[line - 1]
    picture, pen = sheet(280, 130, 245)
    pen.text((30, 40), f"Room: {room}", font=font(26), fill=10, anchor="lm")
    pen.text((30, 90), f"Name: {code}", font=font(26), fill=10, anchor="lm")
    picture = picture.filter(ImageFilter.GaussianBlur(radius))
    asked, answer = ("Room", room) if line % 2 else ("Name", code)
    return Question("blurred", line, picture, f'What is written after "{asked}"?', answer)


KINDS: tuple[Callable[[int, Dice], Question], ...] = (
    eye_chart,
    sign,
    receipt,
    bars,
    table,
    turned,
    noisy,
    faint,
    blurred,
)


def questions() -> Iterator[Question]:
    """Yields all questions, line by line."""
    for line in LINES:
        for kind in KINDS:
            yield kind(line, Dice(f"{kind.__name__} {line}"))


def encoded(picture: Image.Image) -> str:
    """Returns the base64 text of the picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def write_benchmark(path: Path) -> Path:
    """Writes the benchmark as a TSV; a picture that was shown before stands as the index of its first row."""
    first: dict[str, int] = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n")
        rows.writerow(COLUMNS)
        for index, question in enumerate(questions(), 1):
            picture = encoded(question.picture)
            shown = first.setdefault(picture, index)
            options = question.options or ("",) * 4
            answer = "ABCD"[options.index(question.answer)] if question.options else question.answer
            image = picture if shown == index else str(shown)
            category = f"line {question.line}"
            rows.writerow([index, image, question.text, *options, answer, category, question.kind])
    return path


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Draws the benchmark EyechartMini.")
    parser.add_argument("file", type=Path, help="where it goes, e.g. EyechartMini.tsv")
    print(write_benchmark(parser.parse_args().file))


if __name__ == "__main__":
    main()
