"""Draws a benchmark of twelve questions about coloured shapes, in the TSV layout that eyechart reads.

    python examples/make_tiny_benchmark.py FOLDER

writes FOLDER/Shapes.tsv (multiple choice, since it has columns A to D) and FOLDER/answers.json, a script for
`eyechart mock-server` that answers ten of the twelve questions right.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "black")
SHAPES = ("circle", "square", "triangle")
COLUMNS = ("index", "image", "question", "A", "B", "C", "D", "answer")


@dataclass(frozen=True)
class Question:
    """One picture and the question about it."""

    number: int
    colour: str
    shape: str

    @property
    def text(self) -> str:
        """What is asked."""
        return f"Which colour is the {self.shape} in picture {self.number}?"

    @property
    def letter(self) -> str:
        """The right option."""
        return "ABCD"[COLOURS.index(self.colour)]


def questions() -> Iterator[Question]:
    """Yields every colour with every shape."""
    for number, (colour, shape) in enumerate(product(COLOURS, SHAPES), 1):
        yield Question(number, colour, shape)


def draw(question: Question) -> bytes:
    """Returns the picture as the bytes of a PNG file, 96 pixels a side."""
    picture = Image.new("RGB", (96, 96), "white")
    pen = ImageDraw.Draw(picture)
    box = (16, 16, 80, 80)
    match question.shape:
        case "circle":
            pen.ellipse(box, fill=question.colour)
        case "square":
            pen.rectangle(box, fill=question.colour)
        case _:
            pen.polygon([(48, 16), (16, 80), (80, 80)], fill=question.colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def write_benchmark(folder: Path) -> Path:
    """Writes the benchmark and the mock server's answers into a folder; returns the path of the TSV."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Shapes.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for question in questions():
            picture = base64.b64encode(draw(question)).decode()
            table.writerow([question.number, picture, question.text, *COLOURS, question.letter])
    answers = {q.text: f"{q.letter}. {q.colour}" if q.number % 6 else "I cannot tell." for q in questions()}
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")
    return path


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Draws a benchmark of twelve questions about coloured shapes.")
    parser.add_argument("folder", type=Path, help="where Shapes.tsv and answers.json go")
    print(write_benchmark(parser.parse_args().folder))


if __name__ == "__main__":
    main()
