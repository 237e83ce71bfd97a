from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.reading import UNREADABLE, Page, Piece, answer, level


def page(*rows: str | Sequence[tuple[str, float]]) -> Page:
    """A row is a text at the left edge, or texts with the x of their middles."""
    pieces = []
    for k, row in enumerate(rows):
        for text, x in [(row, 60.0)] if isinstance(row, str) else row:
            pieces.append(Piece(text, x, 30.0 * k, 9.0 * len(text), 18))
    return Page(reversed(pieces))


RECEIPT = page("SHOP", [("Tea", 20), ("4.20", 200)], [("Soap", 20), ("1.15", 200)], [("TOTAL", 24), ("5.35", 200)])
TABLE = page(
    [("Town", 20), ("Train", 120), ("Leaves", 220)],
    [("Ely", 20), ("8451", 120), ("9:40", 220)],
    [("Derby", 20), ("3327", 120), ("12:05", 220)],
)
BARS = page([("40", 120)], [("31", 60), ("12", 180)], [("Jan", 60), ("Feb", 120), ("Mar", 180)])


@pytest.mark.parametrize(
    ("question", "read", "wanted"),
    [
        ("What is the total of the receipt?", RECEIPT, "5.35"),
        ("How much does the item Soap cost?", RECEIPT, "1.15"),
        ("Which item costs 4.20?", RECEIPT, "Tea"),
        ("What stands in the column Leaves for Derby?", TABLE, "12:05"),
        ("What is the train of Ely?", TABLE, "8451"),
        ("What is the value of the bar Feb?", BARS, "40"),
        ("Which bar has the value 12?", BARS, "Mar"),
        ('What is written after "Room"?', page("Room: 127", "Name: Ann"), "127"),
        ("What is the name?", page("Room: 127", "Name: Ann Lee"), "Ann Lee"),
        ("What does line 2 of the chart show?", page("E", "F P", "T O Z"), "F P"),
        ("What does line 2 show? Write it without spaces.", page("E", "F P", "T O Z"), "FP"),
        ("Read the third line.", page("E", "F P", "T O Z"), "T O Z"),
        ("What does the last row say?", page("E", "F P", "T O Z"), "T O Z"),
        ("What does row 1 from the bottom say?", page("E", "F P", "T O Z"), "T O Z"),
        ("What does line 9 show?", page("E"), UNREADABLE),
        ("What does the sign say?", page("Mind", "the step"), "Mind the step"),
        ("What does the sign say?", page(), UNREADABLE),
        ("What is the totl?", page([("Totol", 20), ("7", 90)]), "7"),
        ("What is the value of Jan?", page([("Jun", 20), ("7", 90)]), "Jun 7"),  # short labels must be right
    ],
)
def test_open_questions(question: str, read: Page, wanted: str) -> None:
    assert answer(question, read) == wanted
    assert answer(f"{question}\nAnswer the question using a single word or phrase.", read) == wanted


def chosen(question: str, options: Sequence[str], read: Page) -> str:
    lines = [
        f"Question: {question}",
        "Options:",
        *(f"{letter}. {o}" for letter, o in zip("ABCD", options, strict=False)),
    ]
    lines.append("Please select the correct answer from the options above. \n")
    return answer("\n".join(lines), read)


def test_options() -> None:
    assert chosen("What does the sign say?", ["Wet paint", "Wet point", "Vet paint"], page("WET  POlNT")) == "B"
    assert chosen("What does the sign say?", ["Wet paint", "Wet point"], page()) == UNREADABLE
    assert chosen("What does the sign say?", ["Wet paint", "Wet point"], page("xyzzy 1234")) == UNREADABLE
    # All of them are there: the one that belongs to the label counts.
    assert chosen("What is the value of the bar Feb?", ["31", "12", "40"], BARS) == "C"
    # One option alone is a sentence of the question.
    assert answer("What is on it?\nA. Smith", page("Mr A. Smith")) == "Mr A. Smith"


def quad(text: str, x: float, y: float, degrees: float) -> tuple[str, list[tuple[float, float]]]:
    width, height = 10.0 * len(text), 16.0
    turn = math.radians(degrees)
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return text, [
        (a * math.cos(turn) - b * math.sin(turn), a * math.sin(turn) + b * math.cos(turn)) for a, b in corners
    ]


@given(st.floats(-85, 85))
def test_turned_lines_are_read_in_order(degrees: float) -> None:
    quads = [
        quad("four", 60, 40, degrees),
        quad("one", 0, 0, degrees),
        quad("three", 0, 40, degrees),
        quad("two", 60, 0, degrees),
    ]
    assert Page(level(quads)).lines == ["one two", "three four"]


def test_a_second_picture_stands_under_the_first() -> None:
    first, second = level([quad("one", 0, 500, 0)]), level([quad("two", 0, 0, 0)], below=2000)
    assert Page([*second, *first]).lines == ["one", "two"]
    assert level([]) == level([quad("  ", 0, 0, 0)]) == []


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_any_question_on_any_page_has_an_answer(question: str, texts: list[str]) -> None:
    assert answer(question, page(*[[(text, 50.0)] for text in texts]))
