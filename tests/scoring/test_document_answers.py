from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.document_answers import SlideScores, anls, slide_scores, word_f1

TEXT = st.text(max_size=40)


@pytest.mark.parametrize(
    ("answer", "prediction", "value"),
    [
        ("42", "42", 1.0),
        ("", "", 1.0),
        ("", "a", 0.0),
        ("a", "", 0.0),
        ("abcdef", "abcxyz", 0.0),  # one half exactly
        ("abcdefg", "abcdxyz", 4 / 7),
        ("Amsterdam", "Amsterdm", 8 / 9),
        ("ABC DEF", "abc def", 0.0),  # case counts
        ("abcd", " abcd ", 4 / 6),  # so do spaces
        ("年度報告", "年度报告", 0.75),
    ],
)
def test_anls(answer: str, prediction: str, value: float):
    assert anls(answer, prediction) == pytest.approx(value, abs=1e-12)
    assert anls(prediction, answer) == anls(answer, prediction)


@pytest.mark.parametrize(
    ("answer", "prediction", "as_reference", "own"),
    [
        ("plan, build, test", "build, test, plan", 1 / 3, 1 / 3),
        ("yes", "yes yes yes", 1.5, 0.5),
        ("yes yes", "yes", 2 / 3, 2 / 3),
        ("a a b", "a a a c", 6 / 7, 4 / 7),
        ("", "a", 0.0, 0.0),
        ("a", " ", 0.0, 0.0),
        ("a", "b", 0.0, 0.0),
        ("a\tb\nc", "c b a", 1.0, 1.0),
    ],
)
def test_f1_of_words(answer: str, prediction: str, as_reference: float, own: float):
    assert word_f1(answer, prediction, repeated_words=True) == pytest.approx(as_reference)
    assert word_f1(answer, prediction, repeated_words=False) == pytest.approx(own)


def scores(answer: str, prediction: str, *, reference: bool = False) -> SlideScores:
    return slide_scores(answer, prediction, glued_lines=reference, repeated_words=reference)


def test_slides_are_compared_in_lower_case_and_exactly_but_for_outer_space():
    assert scores("The Best", " the best ").em
    assert scores("the best", "THE BEST") == SlideScores(1.0, True, 1.0)
    assert not scores("the best", "best").em


def test_the_reference_glues_lines_of_the_right_answer_together():
    assert scores("Ana\nLopez", "ana lopez", reference=True) == SlideScores(8 / 9, False, 0.0)
    assert scores("Ana\nLopez", "analopez", reference=True) == SlideScores(1.0, True, 1.0)
    assert scores("Ana\nLopez", "ana lopez") == SlideScores(1.0, True, 1.0)
    assert scores("Ana Lopez", "ana\nlopez") == SlideScores(1.0, True, 1.0)


@given(TEXT, TEXT)
def test_figures_stay_in_their_range(answer: str, prediction: str):
    found = scores(answer, prediction)
    assert 0 <= found.anls <= 1
    assert 0 <= found.f1 <= 1
    if found.em and answer.split():
        assert found.f1 == pytest.approx(1.0)
    assert math.isfinite(scores(answer, prediction, reference=True).f1)
