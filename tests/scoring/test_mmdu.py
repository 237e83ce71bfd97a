from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyechart.records import Cell
from eyechart.scoring.mmdu import GradedTurn, grade_value, read_grades, turn_table
from eyechart.scoring.rubrics.mmdu import DIMENSIONS, prompt

OVERALL = "Overall Score"


def read(reply: str, *, between_braces: bool = False) -> dict[str, Cell] | str:
    try:
        return dict(read_grades(reply, between_braces=between_braces))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("between_braces", [True, False])
@pytest.mark.parametrize(
    ("reply", "grades"),
    [
        ("Good. {'Creativity': 7}", {"Creativity": 7}),
        ('{"Creativity": "7", "Extra": 1.5}\nThanks', {"Creativity": "7", "Extra": 1.5}),
        ("{'Creativity': None}", {"Creativity": None}),
        ("{'Creativity': 15/2, 'Richness': 'ok'}", {"Creativity": 7.5, "Richness": "ok"}),
        ("{'Creativity': [7]}", {"Creativity": None}),
    ],
)
def test_a_dictionary_is_read(reply: str, grades: dict[str, Cell], *, between_braces: bool):
    assert read(reply, between_braces=between_braces) == grades


@pytest.mark.parametrize(
    ("reply", "told", "corrected"),
    [
        ("a {plain set} and {'Creativity': 7}", "invalid syntax", {"Creativity": 7}),
        ("{{'Creativity': 7}}", "unhashable", {"Creativity": 7}),
        ("{'Creativity': 2}, no: {'Creativity': 7} {ok}", "invalid syntax", {"Creativity": 7}),
        ('{"Creativity": null, "Richness": 3}', "name 'null' is not defined", {"Creativity": None, "Richness": 3}),
        ("{'note': 'a: null', 'Richness': 3}", None, {"note": "a: null", "Richness": 3}),
        ("{1, 2}", "'set' object is no dictionary", "the reply has no dictionary of grades"),
        ("nothing", "invalid syntax (<string>, line 0)", "the reply has no dictionary of grades"),
        ("{'other': 1}", None, "the reply has no dictionary of grades"),
        ("{'Creativity': print(1)}", "name 'print' is not defined", "the reply has no dictionary of grades"),
    ],
)
def test_braces_of_the_reference_and_of_a_reader(reply: str, told: str | None, corrected: object):
    reference = read(reply, between_braces=True)
    assert isinstance(reference, dict) if told is None else told in reference
    assert read(reply) == corrected


@given(st.text() | st.text("{}'\":, 1null/*"), st.booleans())
@example("{'Creativity': '\\d'}", True)
@example("{'Creativity': 5or 6}", True)
@example("{" * 2000, False)
@example("{" + '"Creativity": ' + "[" * 50_000 + "}", False)
@example("{1: 1+1, " + "2: 1+1, " * 50_000 + "}", True)
@example("{'Creativity': 9**9**9**9}", True)
def test_whatever_the_judge_says(reply: str, between_braces: bool):
    grades = read(reply, between_braces=between_braces)
    assert isinstance(grades, str) or all(
        grade_value(value, whole=whole) is None or 0 <= (grade_value(value, whole=whole) or 0) <= 10
        for value in grades.values()
        for whole in (True, False)
    )


@pytest.mark.parametrize(
    ("grade", "whole", "fraction"),
    [
        (7, 7, 7), ("7", 7, 7), (7.9, 7, 7.9), ("7.9", None, 7.9), (15, 10, 10), (-3, 0, 0), (-0.5, 0, 0), (True, 1, 1),
        (None, None, None), ("", None, None), ("ten", None, None), (math.nan, None, None), ("nan", None, None),
        (math.inf, None, 10), ("9" * 5000, None, None), (10**400, 10, None),
    ],
)  # fmt: skip
def test_what_a_grade_is_worth(grade: Cell, whole: float | None, fraction: float | None):
    assert (grade_value(grade, whole=True), grade_value(grade, whole=False)) == (whole, fraction)


def turn(overall: float | None, cluster: str) -> GradedTurn:
    return GradedTurn(dict.fromkeys(DIMENSIONS, 5.0) | {OVERALL: overall}, cluster)


@pytest.mark.parametrize(("unread_count", "mean", "n"), [(True, 40.0, 3), (False, 60.0, 2)])
def test_turns_count_alike_whatever_dialogue_they_are_of(unread_count: bool, mean: float, n: int):
    table = turn_table([turn(8.0, "a"), turn(None, "a"), turn(4.0, "b")], unread_count=unread_count)
    assert table.columns == ("set", *DIMENSIONS)
    assert [row["set"] for row in table.rows] == ["all", "valid"]
    assert [row[OVERALL] for row in table.rows] == [pytest.approx(mean), 60.0]
    (metric,) = (m for m in table.metrics if (m.row, m.name) == ("all", OVERALL))
    assert (metric.estimate.mean, metric.estimate.n, metric.estimate.clusters) == (pytest.approx(mean), n, 2)
    assert metric.estimate.stderr


def test_a_dimension_without_grades_has_none():
    table = turn_table([turn(None, "a")], unread_count=True)
    assert [row[OVERALL] for row in table.rows] == [0.0, None]
    assert {(m.row, m.name) for m in table.metrics if m.name == OVERALL} == {("all", OVERALL)}


def test_the_rubric_shows_what_it_asks_for():
    text = prompt("What {now}?", "ref {1}", "my answer")
    assert text.index("[Question]\nWhat {now}?\n") < text.index("[The Start of Reference Answer]\nref {1}\n")
    assert text.rstrip().endswith("my answer\n[The End of Assistant's Answer]")
    assert read(prompt("", "", ""))[OVERALL] == 5
    assert list(read(prompt("", "", ""))) == list(DIMENSIONS)
