"""Answers a question from text that was read off a picture: plain rules over words and where they stand.

The rules know layouts, not pictures: lines of text, a label with its value beside, under or over it, a table with a
head row and a first column, and options of which one is written there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeAlias

from rapidfuzz.distance import Levenshtein

__all__ = ["UNREADABLE", "Page", "Piece", "answer", "level"]

UNREADABLE: Final = "I cannot read it."
"""Said where nothing was read, or nothing that answers the question."""

Point: TypeAlias = tuple[float, float]

_OPTION: Final = re.compile(r"^\s*\(?([A-Z])[.):]\s+(\S.*?)\s*$")
_BOILERPLATE: Final = re.compile(
    r"^\s*(?:options|choices)\s*:?\s*$|^\s*(?:please\b|answer the question\b)", re.IGNORECASE
)
_LEAD: Final = re.compile(r"^\s*(?:question|hint)\s*:\s*", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"\b(?:line|row)\s+(?:no\.?\s*)?(\d{1,3})\b", re.IGNORECASE)
_ORDINAL: Final = re.compile(r"\b(\w+)\s+(?:line|row)\b", re.IGNORECASE)
_ORDINALS: Final = {
    "first": 0, "top": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "sixth": 5, "seventh": 6, "eighth": 7,
    "last": -1, "bottom": -1,
}  # fmt: skip
_WORD: Final = re.compile(r"\w+(?:[.,:/'-]\w+)*")
_FILLERS: Final = frozenset(
    _WORD.findall(
        "a after an and are at be before by did do does for from had has have how in is it many much no not of on one "
        "or shown shows show say says stand stands that the their them there this to was were what when where which "
        "who why will with write written you"
    )
)
_LONGEST_LABEL: Final = 4
_SAME_ROW: Final = 0.6
_LEAST_ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text that was read in one go; x and y of its middle, in pixels, x to the right and y downwards."""

    text: str
    x: float
    y: float
    width: float
    height: float

    @property
    def is_number(self) -> bool:
        """Whether it is a figure rather than words: mostly digits."""
        signs = re.sub(r"[\s.,:%$€£+-]", "", self.text)
        return bool(signs) and 2 * sum(sign.isdigit() for sign in signs) > len(signs)


def level(quads: Iterable[tuple[str, Sequence[Point]]], *, below: float = 0.0) -> list[Piece]:
    """Turns what was read so that its lines run level.

    Args:
        quads: texts with the corners of their boxes, from the text's upper left clockwise.
        below: added to y, to put a second picture under a first.
    """
    found = [(text, [(float(x), float(y)) for x, y in corners]) for text, corners in quads]
    found = [(text, corners) for text, corners in found if text.strip()]
    if not found:
        return []
    angle = _common_angle([corners for _, corners in found])
    cos, sin = math.cos(-angle), math.sin(-angle)
    pieces = []
    for text, corners in found:
        x = sum(corner[0] for corner in corners) / len(corners)
        y = sum(corner[1] for corner in corners) / len(corners)
        width, height = math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])
        pieces.append(Piece(text.strip(), x * cos - y * sin, x * sin + y * cos + below, width, height))
    return pieces


def _common_angle(boxes: Sequence[Sequence[Point]]) -> float:
    """Returns the angle of most of the text; wide boxes know theirs best."""
    widest = sorted(boxes, key=lambda corners: -math.dist(corners[0], corners[1]))[: max(1, (len(boxes) + 1) // 2)]
    return median(math.atan2(c[1][1] - c[0][1], c[1][0] - c[0][0]) for c in widest)


class Page:
    """Pieces of text in reading order."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.rows: list[list[Piece]] = []
        for piece in sorted(pieces, key=lambda p: (p.y, p.x)):
            row = self.rows[-1] if self.rows else None
            if row and abs(piece.y - _middle(row)) < _SAME_ROW * min(piece.height, median(p.height for p in row)):
                row.append(piece)
            else:
                self.rows.append([piece])
        for row in self.rows:
            row.sort(key=lambda p: p.x)
        self.pieces = [piece for row in self.rows for piece in row]

    @property
    def lines(self) -> list[str]:
        """The text of each row."""
        return [" ".join(piece.text for piece in row) for row in self.rows]

    def row_of(self, piece: Piece) -> list[Piece]:
        """Returns the row that a piece stands in."""
        return next(row for row in self.rows if piece in row)

    def column_of(self, piece: Piece) -> list[Piece]:
        """Returns the pieces over and under a piece, the nearest first."""
        row = self.row_of(piece)
        column = [other for other in self.pieces if other not in row and _overlap(piece, other)]
        return sorted(column, key=lambda other: abs(other.y - piece.y))


def _middle(row: Sequence[Piece]) -> float:
    return sum(piece.y for piece in row) / len(row)


def _overlap(one: Piece, other: Piece) -> bool:
    return abs(one.x - other.x) < (one.width + other.width) / 2


def answer(prompt: str, page: Page) -> str:
    """Answers a question.

    Args:
        prompt: the question as a benchmark asks it; lines such as ``A. text`` are options.
        page: what was read.

    Returns:
        The letter of an option where there are options, else a text; `UNREADABLE` where the page does not tell.
    """
    options, question, instructions = _parse(prompt)
    found = _line_asked_for(question, page) or _field_asked_for(question, page)
    if options:
        return _choose(options, found, page) or UNREADABLE
    found = found or " ".join(page.lines)
    if "without spaces" in instructions.lower():
        found = "".join(found.split())
    return found or UNREADABLE


def _parse(prompt: str) -> tuple[dict[str, str], str, str]:
    """Splits a prompt into options, the question itself, and everything but the options."""
    options: dict[str, str] = {}
    rest = []
    for line in prompt.splitlines():
        option = _OPTION.match(line)
        if option and option[1] == chr(ord("A") + len(options)):
            options[option[1]] = option[2]
        elif not _BOILERPLATE.match(line):
            rest.append(_LEAD.sub("", line))
    text = "\n".join(rest)
    if len(options) == 1:
        return {}, _question(prompt), prompt
    return options, _question(text), text


def _question(text: str) -> str:
    end = text.rfind("?")
    return text if end < 0 else text[: end + 1]


def _line_asked_for(question: str, page: Page) -> str | None:
    """Returns the line of a number, where the question names one."""
    lines = page.lines
    place: int | None = None
    if numbered := _NUMBERED.search(question):
        place = int(numbered[1]) - 1
    else:
        named = (_ORDINALS.get(word.lower()) for word in _ORDINAL.findall(question))
        place = next((found for found in named if found is not None), None)
    if place is None:
        return None
    if re.search(r"\bfrom (?:the )?(?:bottom|below|end)\b", question, re.IGNORECASE):
        place = -1 - place
    return lines[place] if -len(lines) <= place < len(lines) else UNREADABLE


@dataclass(frozen=True, slots=True)
class _Label:
    """A piece that the question names: words `begin` to `end` of it; `rest` is what stands behind in the same piece."""

    piece: Piece
    begin: int
    end: int
    rest: str
    distance: int

    @property
    def weight(self) -> tuple[int, int]:
        """The more words of the question the better, then the fewer errors."""
        return self.begin - self.end, self.distance


def _field_asked_for(question: str, page: Page) -> str | None:
    """Returns the value that belongs to the label, or the two labels, that the question names."""
    labels: list[_Label] = []
    for label in sorted(_labels(question, page), key=lambda found: found.weight):
        if not any(label.begin < other.end and other.begin < label.end for other in labels):
            labels.append(label)
    for one in labels:
        for other in labels:
            cell = _crossing(one.piece, other.piece, page)
            if cell is not None:
                return cell.text
    for label in labels:
        if label.rest:
            return label.rest
        value = _value_of(label.piece, page)
        if value is not None:
            return value.text
    return None


def _labels(question: str, page: Page) -> Iterator[_Label]:
    words = _WORD.findall(question)
    for piece in page.pieces:
        read = piece.text.split()
        for size in range(1, min(_LONGEST_LABEL, len(read)) + 1):
            label, rest = " ".join(read[:size]), " ".join(read[size:])
            for begin in range(len(words) - size + 1):
                asked = words[begin : begin + size]
                if all(word.lower() in _FILLERS for word in asked):
                    continue
                distance = _distance(" ".join(asked), label)
                if distance is not None:
                    yield _Label(piece, begin, begin + size, rest, distance)


def _distance(asked: str, label: str) -> int | None:
    """Counts the errors in a label; None when there are too many for it to be the same. Figures must be right."""
    wanted, found = _plain(asked), _plain(label)
    if not wanted or not found:
        return None
    allowed = 0 if any(sign.isdigit() for sign in wanted) else len(wanted) // 4
    distance = Levenshtein.distance(wanted, found, score_cutoff=allowed)
    return distance if distance <= allowed else None


def _plain(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _crossing(left: Piece, head: Piece, page: Page) -> Piece | None:
    """Returns the cell in the row of one label and the column of the other."""
    if left is head or head.y >= left.y or head.x <= left.x:
        return None
    row = [piece for piece in page.row_of(left) if piece.x > left.x + left.width / 2]
    under = [piece for piece in row if _overlap(piece, head)]
    return min(under, key=lambda piece: abs(_left(piece) - _left(head)), default=None)


def _left(piece: Piece) -> float:
    return piece.x - piece.width / 2


def _value_of(label: Piece, page: Page) -> Piece | None:
    """Returns what a label stands for: a figure for words and words for a figure, beside it or over or under it."""
    row = page.row_of(label)
    right = [piece for piece in row if piece.x > label.x]
    left = [piece for piece in reversed(row) if piece.x < label.x]
    column = page.column_of(label)
    near = [*left, *column, *right] if label.is_number else [*right, *column]
    of_other_kind = [piece for piece in near if piece.is_number != label.is_number]
    under = [piece for piece in column if piece.y > label.y]
    return next(iter([*of_other_kind, *right, *under]), None)


def _choose(options: Mapping[str, str], found: str | None, page: Page) -> str | None:
    """Returns the letter of the option that is most like what was found, or like anything on the page."""
    if found is not None:
        alike = {letter: _similarity(text, found) for letter, text in options.items()}
        best = max(alike, key=lambda letter: alike[letter])
        if alike[best] >= _LEAST_ALIKE:
            return best
    words = [word for line in page.lines for word in line.split()]
    alike = {letter: _best_window(text, words) for letter, text in options.items()}
    best = max(alike, key=lambda letter: alike[letter])
    return best if alike[best] >= _LEAST_ALIKE else None


def _best_window(option: str, words: Sequence[str]) -> float:
    """Returns how much an option is like the run of words that is most like it."""
    size = len(option.split())
    windows = (
        " ".join(words[begin : begin + length])
        for length in range(max(1, size - 1), size + 2)
        for begin in range(max(1, len(words) - length + 1))
    )
    return max((_similarity(option, window) for window in windows), default=0.0)


def _similarity(one: str, other: str) -> float:
    return Levenshtein.normalized_similarity(_plain(one), _plain(other)) if _plain(one) and _plain(other) else 0.0
