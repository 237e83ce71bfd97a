from __future__ import annotations

import math
import random

import pandas as pd
import pytest
from fake_judges import JudgeOfSamples, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.records import Cell, Table
from eyechart.scoring.llavabench import GradedPair, ask_pair, read_pair, relative_table
from eyechart.scoring.rubrics.llavabench import SYSTEM

NAN = math.nan


def pairs(*grades: tuple[float, float, Cell]) -> list[GradedPair]:
    return [GradedPair(reference, own, str(k), category) for k, (reference, own, category) in enumerate(grades)]


def cells(table: Table) -> list[tuple[Cell, ...]]:
    assert table.columns == ("split", "Relative Score (main)", "VLM Score", "GPT4 Score")
    return [tuple(row[column] for column in table.columns) for row in table.rows]


@pytest.mark.parametrize(
    ("reply", "literal", "ours"),
    [
        ("8 9\nBoth are fine.", (8, 9), (8, 9)),
        ("8,9\nok", (8, 9), (8, 9)),
        ("7.5 8.5", (7.5, 8.5), (7.5, 8.5)),
        ("0 3", (0, 3), (0, 3)),
        ("8 9\r\nok", (8, 9), (8, 9)),
        ("8\t 9", (8, 9), (8, 9)),
        ("8, 9\nspace after comma", None, (8, 9)),
        ("8  9", None, (8, 9)),
        ("8 9 ", None, (8, 9)),
        (" 8 9", None, (8, 9)),
        ("\n8 9", None, (8, 9)),
        ("8\t9", None, (8, 9)),
        ("-1 5", (-1, 5), None),
        ("5 -1", (5, -1), None),
        ("80 90", (80, 90), None),
        ("8 11", (8, 11), None),
        ("inf 8", (math.inf, 8), None),
        ("9\n8", None, None),
        ("7,5 8,5", None, None),
        ("8/10 9/10", None, None),
        ("Assistant 1: 8\nAssistant 2: 9", None, None),
        ("8 9 7", None, None),
        ("", None, None),
        ("Failed to obtain answer via API. ", None, None),
    ],
)
def test_read_pair(reply: str, literal: tuple[float, float] | None, ours: tuple[float, float] | None):
    assert read_pair(reply, literal=True) == literal
    assert read_pair(reply, literal=False) == ours


def test_a_grade_that_is_no_number_is_one_to_the_reference():
    found = read_pair("nan 8", literal=True)
    assert found is not None
    assert math.isnan(found[0])
    assert found[1] == 8
    assert read_pair("nan 8", literal=False) is None
    assert read_pair("8 nan", literal=False) is None


@given(st.text() | st.lists(st.sampled_from(["8", "1e999", "nan", ",", " ", "\n", "-"])).map("".join))
def test_any_reply_is_read_or_not(reply: str):
    read_pair(reply, literal=True)
    ours = read_pair(reply, literal=False)
    assert ours is None or all(0 <= grade <= 10 for grade in ours)


@pytest.mark.anyio
async def test_one_request_with_a_system_text():
    judge = JudgeOfSamples("no grades")
    reply = await ask_pair(judge, benchmark="B", index="7", caption="C", question="Q", reference="R", prediction="P")
    assert reply == "no grades"
    (request,) = judge.requests
    assert (request.benchmark, request.index, request.attempt, request.rubric) == ("B", "7", 0, "llavabench@1")
    assert (request.temperature, request.system, request.max_tokens) == (0.2, SYSTEM, None)
    assert request.prompt.startswith("[Context]\nC\n\n[Question]\nQ\n\n[Assistant 1]\nR\n")


@pytest.mark.anyio
async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await ask_pair(
            judge_out_of_reach, benchmark="B", index="7", caption="", question="", reference="", prediction=""
        )


def test_table_is_a_ratio_of_means_for_all_and_for_each_category():
    table = relative_table(pairs((8, 6, "conv"), (10, 9, "detail"), (6, 9, "conv")))
    assert cells(table) == [
        ("overall", 100.0, 80.0, 80.0),
        ("conv", 107.1, 75.0, 70.0),
        ("detail", 90.0, 90.0, 100.0),
    ]
    metrics = {(m.name, m.row): m.estimate for m in table.metrics}
    assert len(metrics) == 9
    ratio = metrics["Relative Score (main)", "conv"]
    assert (ratio.mean, ratio.n, ratio.clusters) == (pytest.approx(1500 / 14), 2, 2)
    assert metrics["VLM Score", "overall"].mean == 80
    assert metrics["GPT4 Score", "overall"].high is not None
    assert metrics["GPT4 Score", "detail"].high is None


def test_missing_grades_count_in_no_mean():
    table = relative_table(pairs((NAN, 0, "conv"), (8, 8, "conv"), (NAN, NAN, "detail")))
    assert cells(table)[0] == ("overall", 50.0, 40.0, 80.0)
    assert cells(table)[2] == ("detail", None, None, None)
    assert {m.row for m in table.metrics} == {"overall", "conv"}
    assert {m.estimate.n for m in table.metrics if m.name == "VLM Score"} == {2}


def test_a_row_without_a_category_counts_in_overall_alone():
    assert [row[0] for row in cells(relative_table(pairs((8, 8, None), (8, 8, "conv"))))] == ["overall", "conv"]


def test_grades_of_the_reference_that_are_none():
    table = relative_table(pairs((-1, -1, "conv"), (-1, -1, "conv"), (8, 9, "detail")))
    assert cells(table)[:2] == [("overall", 116.7, 23.3, 20.0), ("conv", 100.0, -10.0, -10.0)]
    assert {m.name for m in table.metrics if m.row == "conv"} == {"Relative Score (main)", "VLM Score", "GPT4 Score"}
    assert relative_table(pairs((0, 3, None))).rows[0]["Relative Score (main)"] == math.inf
    assert relative_table(pairs((0, 0, None))).rows[0]["Relative Score (main)"] is None


def test_table_of_nothing():
    table = relative_table([])
    assert cells(table) == [("overall", None, None, None)]
    assert table.metrics == ()


@pytest.mark.parametrize("size", [1, 7, 8, 9, 20, 60, 128, 129, 150, 333])
@pytest.mark.parametrize("grades", [(NAN, -1.0, *(k / 10 for k in range(101))), (1e17, -1e17, 3.0, 0.7)])
def test_means_are_rounded_as_the_reference_rounds_them(size: int, grades: tuple[float, ...]):
    # Means of tenths often lie halfway between two tenths, and the order of adding decides where they go. With numbers
    # of very different sizes it decides everything.
    rng = random.Random(size)
    for _ in range(25):
        own, reference = rng.choices(grades, k=size), [rng.randint(10, 100) / 10 for _ in range(size)]
        table = pd.DataFrame({"own": own, "reference": reference})
        means = table["own"].mean(), table["reference"].mean()
        expected = pd.DataFrame({"r": [means[0] / means[1] * 100], "v": [means[0] * 10], "g": [means[1] * 10]}).round(1)
        found = relative_table(pairs(*((r, o, None) for r, o in zip(reference, own, strict=True))))
        assert [NAN if cell is None else cell for cell in cells(found)[0][1:]] == pytest.approx(
            expected.iloc[0].tolist(), abs=0, rel=0, nan_ok=True
        )


@given(st.lists(st.tuples(st.floats(), st.floats(), st.none() | st.text(max_size=3) | st.integers(0, 2))))
def test_any_grades_have_a_table(grades: list[tuple[float, float, Cell]]):
    table = relative_table(pairs(*grades))
    assert all(set(row) == set(table.columns) for row in table.rows)
    assert len(table.metrics) <= 3 * len(table.rows)
