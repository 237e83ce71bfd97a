from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.dialogues import read_turns, turns_text

TURNS = st.lists(st.none() | st.text())


@given(TURNS)
def test_turns_are_read_as_they_were_written(turns: list[str | None]):
    assert read_turns(turns_text(turns)) == turns


@given(TURNS)
def test_lists_of_python_are_read_as_python_reads_them(turns: list[str | None]):
    assert read_turns(str(turns)) == turns


@pytest.mark.parametrize(
    ("cell", "turns"),
    [(None, []), ("What is it?", ["What is it?"]), (7, ["7"]), ("('a', 'b')", ["a", "b"]), (" [1, 'x']", ["1", "x"])],
)
def test_other_cells(cell: str | int | None, turns: list[str]):
    assert read_turns(cell) == turns


@pytest.mark.parametrize("cell", ["['a', 'b", "[a]", "(1)"])
def test_what_only_looks_like_a_list_is_an_error(cell: str):
    with pytest.raises(ValueError, match=r"literal|list"):
        read_turns(cell)


@given(st.text() | st.text("[]()'\",\\n1"))
def test_no_text_is_the_end_of_it(text: str):
    try:
        turns = read_turns(text)
    except (ValueError, DataError):
        return
    assert all(turn is None or isinstance(turn, str) for turn in turns)
