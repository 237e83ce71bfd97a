from __future__ import annotations

import math
from typing import Any

import pytest
from fake_judges import JudgeInTurn, judge_out_of_reach
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import JudgeError
from eyechart.records import Cell, Table
from eyechart.scoring.mmvet import JudgedGrade, ask_grade, capability_tables
from eyechart.scoring.tables import Row

FAILED = "Failed to obtain answer via API. "


async def asked(judge: Any, max_tokens: int | None = None) -> JudgedGrade:
    return await ask_grade(
        judge, benchmark="B", index="7", question="Q?", answer="a<OR>b", prediction="b", max_tokens=max_tokens
    )


def rows(*samples: tuple[Cell, float]) -> list[Row]:
    return [Row(points, str(k), {"category": category}) for k, (category, points) in enumerate(samples)]


def cells(table: Table) -> list[tuple[Cell, ...]]:
    assert table.columns == ("Category", "tot", "acc")
    return [tuple(row[column] for column in table.columns) for row in table.rows]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "grade"),
    [("1", 1.0), ("0", 0.0), (" .5 ", 0.5), ("+0.3", 0.3), ("1e-1", 0.1), ("0_1e-1", 0.1), ("-0.0", 0.0), ("１", 1.0)],
)
async def test_what_python_reads_as_a_number_from_0_to_1_is_a_grade(reply: str, grade: float):
    judge = JudgeInTurn(reply)
    assert await asked(judge) == JudgedGrade(grade, "Succeed")


@pytest.mark.anyio
@pytest.mark.parametrize("reply", ["0.5.", "0.5/1", "50%", "", "Correctness: 0.5", "0,5", FAILED])
async def test_other_texts_are_asked_again(reply: str):
    expected = JudgedGrade(0.7, f"Try 0: output is {reply}, failed to parse.\nSucceed")
    assert await asked(JudgeInTurn(reply, "0.7")) == expected


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "shown"), [("1.2", "1.2"), ("-0.1", "-0.1"), ("1_0", "10.0"), ("inf", "inf"), ("nan", "nan")]
)
async def test_numbers_that_are_no_grade_are_asked_again(reply: str, shown: str):
    expected = JudgedGrade(1.0, f"Try 0: output is {reply}, invalid score: {shown}.\nSucceed")
    assert await asked(JudgeInTurn(reply, "1.0")) == expected


@pytest.mark.anyio
async def test_five_tries_each_warmer_than_the_one_before():
    judge = JudgeInTurn("a", "b", "2", "", FAILED, "1.0")
    found = await asked(judge, max_tokens=3)
    assert found.grade is None
    assert found.log == (
        "Try 0: output is a, failed to parse.\nTry 1: output is b, failed to parse.\n"
        "Try 2: output is 2, invalid score: 2.0.\nTry 3: output is , failed to parse.\n"
        f"Try 4: output is {FAILED}, failed to parse.\nAll 5 retries failed.\n"
    )
    assert [(r.attempt, r.temperature) for r in judge.requests] == [(0, 0), (1, 0.5), (2, 1), (3, 1.5), (4, 2)]
    assert {(r.benchmark, r.index, r.rubric, r.max_tokens, r.system) for r in judge.requests} == {
        ("B", "7", "mmvet@1", 3, None)
    }
    assert {r.prompt.splitlines()[-1] for r in judge.requests} == {"Q? | a <OR> b | b | "}


@pytest.mark.anyio
async def test_a_judge_out_of_reach_is_an_error():
    with pytest.raises(JudgeError):
        await asked(judge_out_of_reach)


@pytest.mark.anyio
async def test_the_judge_has_its_own_limit_unless_one_is_given():
    judge = JudgeInTurn("1")
    await asked(judge)
    assert judge.requests[0].max_tokens is None


def test_a_question_counts_in_each_of_its_capabilities():
    first, fine = capability_tables(rows(("ocr,math", 0.5), ("rec", 1.0), ("ocr,math", 0.0)), single_twice=False)
    assert cells(first) == [
        ("rec", 1, 100.0),
        ("ocr", 2, 25.0),
        ("know", 0, None),
        ("gen", 0, None),
        ("spat", 0, None),
        ("math", 2, 25.0),
        ("Overall", 3, 50.0),
    ]
    assert cells(fine) == [("ocr_math", 2, 25.0), ("rec", 1, 100.0), ("Overall", 3, 50.0)]
    assert [(m.name, m.row, m.estimate.mean, m.estimate.n) for m in first.metrics] == [
        ("acc", "rec", 100.0, 1),
        ("acc", "ocr", 25.0, 2),
        ("acc", "math", 25.0, 2),
        ("acc", "Overall", 50.0, 3),
    ]
    assert [m.row for m in fine.metrics] == ["ocr_math", "rec", "Overall"]


def test_the_reference_counts_a_single_capability_twice():
    first, fine = capability_tables(rows(("rec", 1.0), ("rec,gen", 0.25)), single_twice=True)
    assert cells(first)[0] == ("rec", 3, 75.0)
    assert cells(first)[-1] == ("Overall", 2, 62.5)
    assert cells(fine) == [("rec", 3, 75.0), ("rec_gen", 1, 25.0), ("Overall", 2, 62.5)]
    # The two counts of a sample are no two samples: they stay in one cluster.
    assert first.metrics[0].estimate.clusters == 2


def test_a_category_called_overall_is_one_of_its_own_but_in_the_reference():
    for single_twice, count in ((False, 1), (True, 2)):
        first, fine = capability_tables(rows(("Overall", 1.0)), single_twice=single_twice)
        assert cells(first)[-1] == ("Overall", count, 100.0)
        assert cells(fine) == [("Overall", count, 100.0)] * 2


def test_capabilities_are_found_inside_other_words():
    first, fine = capability_tables(rows(("general ocr", 1.0)), single_twice=False)
    assert [row[0] for row in cells(first) if row[1]] == ["ocr", "gen", "Overall"]
    assert cells(fine)[0] == ("general ocr", 1, 100.0)


def test_a_row_without_a_category_counts_in_overall_alone():
    for single_twice in (False, True):
        first, fine = capability_tables(rows((None, 1.0), ("math", 0.0)), single_twice=single_twice)
        assert cells(first)[-1] == ("Overall", 2, 50.0)
        assert [row[0] for row in cells(fine)] == ["math", "Overall"]


def test_what_has_no_grade_is_left_out():
    first, fine = capability_tables(rows(("ocr,math", math.nan), ("ocr", 0.5)), single_twice=False)
    assert cells(first)[1] == ("ocr", 1, 50.0)
    assert cells(first)[-2:] == [("math", 0, None), ("Overall", 1, 50.0)]
    assert cells(fine)[0] == ("ocr_math", 0, None)


def test_tables_of_nothing():
    first, fine = capability_tables([], single_twice=True)
    assert {row[1:] for row in cells(first)} == {(0, None)}
    assert cells(fine) == [("Overall", 0, None)]
    assert first.metrics == fine.metrics == ()


CATEGORIES: st.SearchStrategy[Cell] = (
    st.none()
    | st.sampled_from(["rec", "ocr,math", "Overall", "gen,spat", ""])
    | st.text()
    | st.integers()
    | st.floats()
)


@given(st.lists(st.tuples(CATEGORIES, st.floats(0, 1) | st.just(math.nan))), st.booleans())
def test_any_categories_and_grades_have_tables(samples: list[tuple[Cell, float]], single_twice: bool):
    for table in capability_tables(rows(*samples), single_twice=single_twice):
        assert table.rows[-1]["Category"] == "Overall"
        accuracies = [row["acc"] for row in table.rows if row["acc"] is not None]
        assert len(accuracies) == len(table.metrics)
        assert all(-1e-9 <= acc <= 100 + 1e-9 for acc in accuracies if isinstance(acc, float))
