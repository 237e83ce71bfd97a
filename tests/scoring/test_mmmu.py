from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.mmmu import is_open_answer_right


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        ("2.5", "2.5", True),
        ("The answer is 2.50.", "2.5", True),
        ("2.51", "2.5", False),
        ("2.501", "2.5", True),  # two places
        ("1,234 dollars", "1234", True),
        ("12.5", "2.5", False),
        ("-3", "3", False),
        ("There are 3 on the left. So the answer is 4.", "3", False),
        ("There are 3 on the left. So the answer is 4.", "4", True),
        ("First I count 7.\n5", "7", False),
        ("Bromine", "bromine", True),
        ("It shows chlorine", "bromine", False),
        ("none", "one", False),
        ("5/2", "['2.5', '5/2']", True),
        ("2.5", "['2.5', '5/2']", True),
        ("5cm", "5", True),
        ("version 1.2.3", "1.2", False),
        (".5", "0.5", True),
        ("1e3", "1000", True),
        ("E0", "0", False),
        ("", "x", False),
        ("x", "", False),
        ("nan", "[]", False),
    ],
)
def test_conclusions(answer: str, accepted: str, right: bool):
    assert is_open_answer_right(answer, accepted) is right


def test_a_list_beyond_all_bounds_is_refused():
    with pytest.raises(DataError):
        is_open_answer_right("x", "[" + "'a', " * 400_000 + "]")


@given(st.text(), st.text())
def test_any_text_is_compared(answer: str, accepted: str):
    assert is_open_answer_right(answer, accepted) in (True, False)


def test_a_long_answer_is_read_from_its_end():
    assert is_open_answer_right("so " * 1_000_000 + "the answer is 4", "4")
