from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.mtvqa import contains_answer, language_table
from eyechart.scoring.substrings import stands_in
from eyechart.scoring.tables import Row


@pytest.mark.parametrize(
    ("prediction", "answer", "right"),
    [
        ("HÔTEL DE VILLE", "Hôtel de Ville", True),
        ("it is 12052020!", "12.05.2020", True),
        ("usa", " U.S.A. ", True),
        ("112%", "12", True),
        ("via  roma", "Via Roma", False),
        ("a\nb", "a b", False),
        ("hauptstrasse", "Hauptstraße", False),
        ("٥", "5", False),
        ("", "x", False),
    ],
)
def test_an_answer_contains_the_accepted_one(prediction: str, answer: str, right: bool):
    for everywhere in (True, False):
        assert contains_answer(prediction, answer, empty_everywhere=everywhere) == right


@pytest.mark.parametrize(
    ("prediction", "answer", "right"),
    [
        ("anything", ".", False),
        (".", ".", True),
        ("a. b", ".", True),
        ("a.", "..", False),
        ("x", " ", False),
        (" ", "", True),
    ],
)
def test_an_accepted_answer_of_full_stops(prediction: str, answer: str, right: bool):
    assert contains_answer(prediction, answer, empty_everywhere=True)
    assert contains_answer(prediction, answer, empty_everywhere=False) == right


def test_an_empty_text_stands_in_an_empty_one():
    assert stands_in("", "x", empty_everywhere=True)
    assert not stands_in("", "x", empty_everywhere=False)
    assert stands_in("", "", empty_everywhere=False)
    assert stands_in("b", "abc", empty_everywhere=False)


def test_languages_stand_in_their_order_and_the_average_after_the_first():
    languages = ["KO", "AR", "KO", None, "FR"]
    rows = [Row(float(k % 2), str(k // 2), {"category": language}) for k, language in enumerate(languages)]
    table = language_table(rows)
    assert table.columns == ("KO", "Average", "AR", "FR")
    assert table.rows == ({"KO": 0.0, "Average": 40.0, "AR": 100.0, "FR": 0.0},)
    average = next(m.estimate for m in table.metrics if m.name == "Average")
    assert (average.n, average.clusters) == (5, 3)


def test_tables_of_little():
    assert language_table([]).rows == ({"Average": None},)
    assert language_table([Row(1.0, "p", {})]).rows == ({"Average": 100.0},)
    assert language_table([Row(1.0, "p", {"category": 7})]).columns == ("7", "Average")


@given(st.text(), st.text())
def test_any_text_is_some_answer(prediction: str, answer: str):
    strict = contains_answer(prediction, answer, empty_everywhere=False)
    assert strict <= contains_answer(prediction, answer, empty_everywhere=True)
    assert not answer.strip() or contains_answer(f"{prediction} {answer}", answer, empty_everywhere=False)
