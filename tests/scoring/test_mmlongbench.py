from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.records import Cell
from eyechart.scoring.mmlongbench import answer_score, cleaned, must_be_equal

ANY_CELL = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60))
FORMATS = st.sampled_from(["Int", "Float", "Str", "List", "None", None, 3])
BRACKETS = st.text(alphabet="[](){}'\",0123456789ab.%$ \\\n", max_size=60)


def score(answer: Cell, prediction: Cell, answer_format: Cell, *, bare: bool = True) -> float:
    return answer_score(answer, prediction, answer_format, bare_numbers=bare)


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("12", "12", 1.0),
        ("12", "12.7", 1.0),
        ("12", " 12 ", 1.0),
        ("12", "1.2e1", 1.0),
        (12, 12.0, 1.0),
        (12.0, "12", 1.0),
        ("12.0", "12", 0.0),  # a right answer that is no whole number
        ("7", "seven", 0.0),
        ("7", "", 0.0),
        ("7", None, 0.0),
        (None, "7", 0.0),
        (None, None, 0.0),
        ("7", "inf", 0.0),
        ("7", "nan", 0.0),
        ("seven", "seven", 0.0),
        ("12", "12%", 0.0),
        ("1000", "1,000", 0.0),
    ],
)
def test_whole_numbers(answer: Cell, prediction: Cell, value: float):
    assert score(answer, prediction, "Int") == value


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("0.5", "50%", 1.0),
        ("12.34", "$12.3", 1.0),
        ("100", "1", 1.0),
        ("1", "100", 1.0),
        ("3.14", "pi", 0.0),
        ("3.14", "", 0.0),
        ("100", "101", 1.0),
        ("100", "101.1", 0.0),
        ("0.004", "0.0", 1.0),  # equal after rounding to two places
        ("0.4", "0.0", 1.0),  # a percentage that rounds to it
        ("0.6", "0.0", 0.0),
        ("$5", "(about) 5", 1.0),
        ("inf", "inf", 1.0),
        ("nan", "nan", 0.0),
        (None, None, 0.0),
        (12.34, 12.34, 1.0),
        ("1e308", "1e308", 1.0),
        ("1,000.5", "1000.5", 0.0),
        ("text", "text", 0.0),
    ],
)
def test_numbers(answer: Cell, prediction: Cell, value: float):
    assert score(answer, prediction, "Float") == value


@pytest.mark.parametrize(
    ("answer", "prediction", "answer_format"),
    [
        ("1,000.5", "1000.5", "Float"),
        ("1000.5", "1,000.5", "Float"),
        ("1000", "1,000", "Int"),
        ("1,234,567", "1234567", "Int"),
        ("12", "12%", "Int"),
        ("12%", "12", "Int"),
        ("5", "$5", "Int"),
    ],
)
def test_signs_about_numbers_do_not_matter_where_they_are_not_to(answer: str, prediction: str, answer_format: str):
    assert score(answer, prediction, answer_format, bare=True) == 0.0
    assert score(answer, prediction, answer_format, bare=False) == 1.0


@pytest.mark.parametrize("prediction", ["1,00", "10,00", "1,0000", "1000,000", "0.1,000", ",100"])
def test_commas_that_group_no_thousands_make_no_number(prediction: str):
    assert score(prediction.replace(",", ""), prediction, "Int", bare=False) == 0.0


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("Blue Ocean", "blue ocean", 1.0),
        ("Blue Ocean", "Blue Ocan", 0.9),
        ("Blue Ocean", None, 0.0),
        ("page 12", "page 13", 0.0),
        ("https://a.b/c", "https://a.b/d", 0.0),
        ("main.py", "main.py", 1.0),
        ("main.py", "main.pi", 0.0),
        ("10:30 a.m.", "10:30 a.m", 0.0),
        ("2020-05", "2020 05", 0.0),
        ("me@x.org", "me@x.org", 1.0),
        ("me@x.org", "me@x.com", 0.0),
        ("Tall (very) tree", '"tall tree"', 1.0),
        ("5 miles", "5", 0.0),
        ("42", "42", 1.0),
        ("42", "42.", 0.0),
        ("42", 42, 1.0),
        ("", "", 1.0),
        ("nan", None, 1.0),
    ],
)
def test_texts(answer: Cell, prediction: Cell, value: float):
    assert score(answer, prediction, "Str") == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("['a', 'b']", "['b', 'a']", 1.0),
        ("['cat', 'dog']", "['cat', 'dig']", 2 / 3),
        ("['cat', 'dog']", "['cat']", 0.0),
        ("['1', '2']", "[2, 1]", 1.0),
        ("['1', '2']", "['1', '3']", 0.0),
        ("['1.5', 'abcdef']", "['1.5', 'abcdeg']", 0.0),  # all must be equal where the first is a number
        ("['x']", "x", 1.0),
        ("x", "['x']", 1.0),
        ("['x', 'y']", "['x'", 0.0),
        ("['x']", "[x]", 0.0),
        ("[]", "[]", 0.0),
        ("['x']", " ['x']", 0.0),  # a list begins with its bracket
        ("['a'], ['b']", "['a'], ['b']", 1.0),  # a tuple is one item
        ("Not answerable", "not answerable", 1.0),
        ("Not answerable", "Paris", 0.0),
        (None, None, 1.0),
        (12, "12", 1.0),
        (12.0, "12", 0.0),
    ],
)
@pytest.mark.parametrize("answer_format", ["List", "None", None])
def test_lists_and_answers_without_a_format(answer: Cell, prediction: Cell, value: float, answer_format: Cell):
    assert score(answer, prediction, answer_format) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" 'A b' ", "a b"),
        ("''", ""),
        ("'", ""),
        ('"it\'s"', "it's"),
        ("$$ 12 %%", "12"),
        ("12 (a) 13 (b)", "12 13"),
        ("a  (b (c) d)", "a d)"),
        ("a (b", "a (b"),
        ("(a) b", "b"),
        ("a) (b", "a) (b"),
        ("5 million", "5 million"),
        (None, "nan"),
        (1.5, "1.5"),
        (["x"], "['x']".strip("'")),
    ],
)
def test_what_is_taken_off_a_text(value: object, text: str):
    assert cleaned(value) == text


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("see https://a.b", True),
        ("http://a.b", False),
        ("run.py", True),
        ("notes.ipynb", True),
        ("page", True),
        ("the page", False),
        ("12", True),
        ("12-13", True),
        ("12 13", True),
        ("12 - 13", False),
        ("12.5", False),
        ("2020-05-06", True),
        ("2020 05", True),
        ("20-05-06", False),
        ("at 9 p.m.", True),
        ("9 pm", False),
        ("a.b+c@d.ef", True),
        ("a@b", False),
        ("write to a@b.cd", False),
        ("", False),
    ],
)
def test_what_must_be_equal(text: str, exact: bool):
    assert must_be_equal(text) is exact


@given(st.one_of(ANY_CELL, BRACKETS), st.one_of(ANY_CELL, BRACKETS), FORMATS, st.booleans())
def test_any_cells_have_a_score(answer: Cell, prediction: Cell, answer_format: Cell, bare: bool):
    assert 0.0 <= score(answer, prediction, answer_format, bare=bare) <= 1.0


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, " " * 100_000 + "x", "a@" + "b." * 50_000, "1,111" * 20_000, "[" * 2_000_000, "9" * 100_000],
)
@pytest.mark.parametrize("answer_format", ["Int", "Float", "Str", "List"])
def test_long_texts_take_no_long_time(text: str, answer_format: str):
    began = time.perf_counter()
    assert score("12", text, answer_format, bare=False) == 0.0
    score(text, "12", answer_format, bare=False)
    assert time.perf_counter() - began < 2.0
