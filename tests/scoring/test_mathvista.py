from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.records import Cell
from eyechart.scoring.mathvista import same_typed_answer, typed_number


@pytest.mark.parametrize(
    ("cell", "answer_type", "number"),
    [
        ("4", "integer", 4),
        (" +4\n", "integer", 4),
        ("1_000", "integer", 1000),
        ("\uff19", "integer", 9),
        ("03", "integer", 3),
        (3.7, "integer", 3),
        (True, "integer", 1),
        ("4.0", "integer", None),
        ("14.", "integer", None),
        ("1,000", "integer", None),
        ("14 cm", "integer", None),
        (float("inf"), "integer", None),
        (float("nan"), "integer", None),
        ("9" * 5000, "integer", None),
        ("1.20", "float", 1.2),
        ("5.2e1", "float", 52.0),
        ("1_0.5", "float", 10.5),
        (7, "float", 7.0),
        ("1,5", "float", None),
        ("5/2", "float", None),
        (10**400, "float", None),
        (None, "float", None),
        (None, "integer", None),
        ("4", "text", None),
        ("[4]", "list", None),
        ("4", None, None),
    ],
)
def test_numbers_as_python_reads_them(cell: Cell, answer_type: Cell, number: float | None):
    assert typed_number(cell, answer_type) == number


def test_infinite_floats_are_numbers_to_python():
    assert typed_number("inf", "float") == float("inf")


@pytest.mark.parametrize(
    ("answer", "right", "answer_type", "precision", "same"),
    [
        ("14.", "14", "integer", None, True),
        ("1,000", "1000", "integer", None, True),
        ("-7.0", "-7", "integer", None, True),
        ("0", "0", "integer", None, True),
        ("3.7", "3", "integer", "0", False),
        ("1.25", "1.2", "float", "1.0", True),
        ("1.25", "1.2", "float", 1.0, True),
        ("\\frac{5}{4}", "1.2", "float", "1", True),
        ("1.26", "1.2", "float", "1.0", False),
        ("1.25", "1.2", "float", "2.0", False),
        ("1.25", "1.2", "float", None, False),
        ("1.25", "1.2", "float", "-1", False),
        ("1.25", "1.2", "float", "many", False),
        ("1.25", "1.2", "integer", "1.0", False),
        ("word", "1.2", "float", "1.0", False),
        ("(-8)^{1/3}", "1.2", "float", "1.0", False),
        ("[1,2, 3.0]", "[1, 2, 3]", "list", None, True),
        ("[1, 2]", "[1, 2, 3]", "list", None, False),
        ("yes", "Yes", "text", None, True),
        ("no", "Yes", "text", None, False),
    ],
)
def test_answers_by_value(answer: str, right: str, answer_type: Cell, precision: Cell, same: bool):
    assert same_typed_answer(answer, right, answer_type, precision) == same


CELLS: st.SearchStrategy[Cell] = st.none() | st.text() | st.integers() | st.floats() | st.booleans()


@given(CELLS, CELLS | st.sampled_from(["integer", "float"]))
def test_any_cell_is_a_number_or_none(cell: Cell, answer_type: Cell):
    assert isinstance(typed_number(cell, answer_type), int | float | None)


@given(st.text(), st.text(), st.sampled_from(["integer", "float", "list", "text"]), CELLS)
def test_any_answers_can_be_compared(answer: str, right: str, answer_type: str, precision: Cell):
    assert isinstance(same_typed_answer(answer, right, answer_type, precision), bool)
    assert same_typed_answer(right, right, answer_type, precision)
