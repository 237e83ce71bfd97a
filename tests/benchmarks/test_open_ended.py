"""MMVet and LLaVABench: answers that a judge grades."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fake_judges import JudgeInTurn, JudgeOfSamples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.errors import DataError
from eyechart.records import Cell, ScoreResult
from eyechart.scoring.protocol import EYECHART, VLMEVAL

ROWS: Mapping[str, list[dict[str, Cell]]] = {
    "MMVet": [
        {"index": "a", "question": "Q1", "answer": "red<AND>blue", "category": "rec"},
        {"index": "b", "question": "Q2", "answer": "7", "category": "ocr,math"},
    ],
    "LLaVABench": [
        {"index": "a", "question": "Q1", "caption": "C1", "gpt4_ans": "G1", "category": "conv"},
        {"index": "b", "question": "Q2", "caption": "C2", "gpt4_ans": "G2", "category": "detail"},
    ],
}
NAMES = sorted(ROWS)


def first_row(result: ScoreResult) -> list[Cell]:
    return [result.table[0][column] for column in result.columns]


def overall(result: ScoreResult) -> list[Cell]:
    (row,) = (row for row in result.table if row["Category"] == "Overall")
    return [row["tot"], row["acc"]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
def test_without_a_judge_answers_stay_open_and_the_error_says_what_to_set(
    name: str, protocol: str, make_benchmark: Any
):
    bench: Benchmark = make_benchmark(name, ROWS[name], protocol)
    assert bench.needs_judge
    scored = [score_one(bench, sample, "red") for sample in bench.samples()]
    assert [s.record["rule"] for s in scored] == ["needs judge"] * 2
    assert all(math.isnan(s.points) for s in scored)
    for build in (bench.table, bench.more_tables) if name == "MMVet" else (bench.table,):
        with pytest.raises(DataError, match=f"{name} needs a judge: set `judge`.* 2 of 2 have no grade"):
            build(scored)
    with pytest.raises(DataError, match="needs a judge"):
        score_predictions(bench, {"a": "red", "b": None})


def test_other_benchmarks_need_none(make_benchmark: Any):
    assert not make_benchmark("MMStar", [{"question": "Q", "A": "x", "answer": "A"}]).needs_judge


@pytest.mark.parametrize("name", NAMES)
def test_failed_requests_are_worth_nothing_and_no_judge_sees_them(name: str, make_benchmark: Any):
    judge = JudgeOfSamples(b="1.0" if name == "MMVet" else "8 8")
    result = score_predictions(make_benchmark(name, ROWS[name]), {"a": None, "b": "seven"}, judge)
    assert [r.index for r in judge.requests] == ["b"]
    assert (result.per_sample["a"]["score"], result.per_sample["a"]["rule"]) == (0.0, "failed")
    assert result.counts == {"scored": 2, "failed": 1, "unparsed": 0, "judged": 1}
    if name == "MMVet":
        assert overall(result) == [2, 50.0]
    else:
        assert first_row(result) == ["overall", 50.0, 40.0, 80.0]


@pytest.mark.parametrize("name", NAMES)
def test_when_every_request_failed_no_judge_is_needed(name: str, make_benchmark: Any):
    result = score_predictions(make_benchmark(name, ROWS[name]), {"a": None, "b": None})
    assert result.counts["failed"] == 2
    assert (overall(result) if name == "MMVet" else first_row(result)[1:3]) == (
        [2, 0.0] if name == "MMVet" else [None, 0.0]
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_has_failed_requests_graded(name: str, make_benchmark: Any):
    judge = JudgeOfSamples(a="1.0" if name == "MMVet" else "8 8")
    result = score_predictions(make_benchmark(name, ROWS[name], "vlmeval"), {"a": None}, judge)
    assert "Failed to obtain answer via API." in judge.requests[0].prompt
    assert result.per_sample["a"]["rule"] == "judge"
    assert result.counts["failed"] == 1


def test_mmvet_shows_the_judge_question_truth_and_answer(make_benchmark: Any):
    judge = JudgeOfSamples(a="0.5")
    result = score_predictions(make_benchmark("MMVet", ROWS["MMVet"]), {"a": "only | red"}, judge)
    (request,) = judge.requests
    assert request.prompt.endswith("\nQ1 | red <AND> blue | only | red | ")
    assert result.per_sample["a"] == {"score": 0.5, "log": "Succeed", "rule": "judge"}
    assert [row["Category"] for row in result.more_tables["score_fine"].rows] == ["rec", "Overall"]
    assert {(m.name, m.row) for m in result.metrics} == {("acc", "rec"), ("acc", "Overall")}


@pytest.mark.parametrize(("protocol", "tokens"), [("eyechart", None), ("vlmeval", 3)])
def test_mmvet_limits_replies_in_the_reference_only(protocol: str, tokens: int | None, make_benchmark: Any):
    judge = JudgeOfSamples(a="0.5")
    score_predictions(make_benchmark("MMVet", ROWS["MMVet"], protocol), {"a": "red"}, judge)
    assert [r.max_tokens for r in judge.requests] == [tokens]


def test_mmvet_leaves_out_what_the_judge_did_not_grade(make_benchmark: Any):
    answers, judge = {"a": "red", "b": "7"}, JudgeOfSamples(a="who knows", b="0.9")
    ours = score_predictions(make_benchmark("MMVet", ROWS["MMVet"]), answers, judge)
    assert (ours.per_sample["a"]["score"], ours.per_sample["a"]["rule"]) == (None, "none")
    assert (overall(ours), ours.counts["unparsed"]) == ([1, 90.0], 1)
    assert len(judge.requests) == 6
    reference = score_predictions(make_benchmark("MMVet", ROWS["MMVet"], "vlmeval"), answers, judge)
    assert (reference.per_sample["a"]["score"], reference.per_sample["a"]["rule"]) == (0.0, "none")
    assert overall(reference) == [2, 45.0]


def test_mmvet_counts_a_single_capability_once_but_in_the_reference(make_benchmark: Any):
    answers, judge = {"a": "red", "b": "7"}, JudgeOfSamples(a="1", b="0")
    ours = score_predictions(make_benchmark("MMVet", ROWS["MMVet"]), answers, judge)
    assert first_row(ours) == ["rec", 1, 100.0]
    reference = score_predictions(make_benchmark("MMVet", ROWS["MMVet"], "vlmeval"), answers, judge)
    assert first_row(reference) == ["rec", 2, 100.0]


def test_mmvet_rows_of_one_index_share_the_last_grade(make_benchmark: Any):
    rows = [ROWS["MMVet"][0], ROWS["MMVet"][1] | {"index": "a"}]
    judge = JudgeInTurn("1", "0")
    result = score_predictions(make_benchmark("MMVet", rows, "vlmeval"), {"a": "x"}, judge)
    assert overall(result) == [2, 0.0]


def test_llavabench_shows_the_judge_caption_question_and_both_answers(make_benchmark: Any):
    judge = JudgeOfSamples(a="8 6\nbecause")
    result = score_predictions(make_benchmark("LLaVABench", ROWS["LLaVABench"]), {"a": "{mine}"}, judge)
    (request,) = judge.requests
    assert request.prompt.startswith(
        "[Context]\nC1\n\n[Question]\nQ1\n\n[Assistant 1]\nG1\n\n[End of Assistant 1]\n\n"
        "[Assistant 2]\n{mine}\n\n[End of Assistant 2]\n\n"
    )
    assert result.per_sample["a"] == {"gpt4_score": 8.0, "score": 6.0, "rule": "judge"}
    assert first_row(result) == ["overall", 75.0, 60.0, 80.0]
    assert result.more_tables == {}


def test_llavabench_leaves_out_what_the_judge_did_not_grade(make_benchmark: Any):
    answers, judge = {"a": "x", "b": "y"}, JudgeOfSamples(a="Assistant 2 is better", b="8 10")
    ours = score_predictions(make_benchmark("LLaVABench", ROWS["LLaVABench"]), answers, judge)
    assert ours.per_sample["a"] == {"gpt4_score": None, "score": None, "rule": "none"}
    assert (first_row(ours), ours.counts["unparsed"]) == (["overall", 125.0, 100.0, 80.0], 1)
    assert len(judge.requests) == 2
    reference = score_predictions(make_benchmark("LLaVABench", ROWS["LLaVABench"], "vlmeval"), answers, judge)
    assert reference.per_sample["a"] == {"gpt4_score": -1.0, "score": -1.0, "rule": "none"}
    assert first_row(reference) == ["overall", 128.6, 45.0, 35.0]


def test_llavabench_reads_grades_as_they_stand_in_the_reference(make_benchmark: Any):
    bench = make_benchmark("LLaVABench", ROWS["LLaVABench"])
    literal = make_benchmark("LLaVABench", ROWS["LLaVABench"], replace(EYECHART, literal_grade_pairs=True))
    for reply, ours, theirs in (("8, 9", 9.0, None), ("80 90", None, 90.0)):
        judge = JudgeOfSamples(a=reply)
        assert score_predictions(bench, {"a": "x"}, judge).per_sample["a"]["score"] == ours
        assert score_predictions(literal, {"a": "x"}, judge).per_sample["a"]["score"] == theirs


def test_llavabench_skips_a_grade_that_is_no_number_in_the_reference(make_benchmark: Any):
    bench = make_benchmark("LLaVABench", ROWS["LLaVABench"], "vlmeval")
    result = score_predictions(bench, {"a": "x", "b": "y"}, JudgeOfSamples(a="nan 8", b="10 6"))
    assert result.per_sample["a"] == {"gpt4_score": None, "score": 8.0, "rule": "judge"}
    assert first_row(result) == ["overall", 70.0, 70.0, 100.0]


@pytest.mark.parametrize(
    ("name", "column"), [("MMVet", "answer"), ("LLaVABench", "caption"), ("LLaVABench", "gpt4_ans")]
)
def test_a_missing_column_is_named(name: str, column: str, make_benchmark: Any):
    rows = [{k: v for k, v in row.items() if k != column} for row in ROWS[name]]
    with pytest.raises(DataError, match=f"{name} has no column '{column}'"):
        score_predictions(make_benchmark(name, rows), {"a": "x"}, JudgeOfSamples(a="1"))


@pytest.mark.parametrize("name", NAMES)
def test_missing_cells_are_shown_as_nothing_but_in_the_reference(name: str, make_benchmark: Any):
    rows = [dict.fromkeys(ROWS[name][0]) | {"index": "a", "category": "rec"}]
    for protocol, shown in ((EYECHART, False), (VLMEVAL, True)):
        judge = JudgeOfSamples(a="1")
        score_predictions(make_benchmark(name, rows, protocol), {"a": ""}, judge)
        assert ("nan" in judge.requests[0].prompt) == shown


CELLS: st.SearchStrategy[Cell] = st.none() | st.text(max_size=8) | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data(), name=st.sampled_from(NAMES), protocol=st.sampled_from(["eyechart", "vlmeval"]))
def test_any_row_answer_and_reply_is_scored(data: st.DataObject, name: str, protocol: str, make_benchmark: Any):
    columns = [column for column in ROWS[name][0] if column != "index"]
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, CELLS)), min_size=1, max_size=4))
    answers = data.draw(st.fixed_dictionaries({str(k): st.none() | st.text() for k in range(len(rows))}))
    replies = st.text(max_size=4) | st.sampled_from(["1", "0.5", "nan", "8 9", "inf 1", "1e308 1e308", "-inf inf"])
    judge = JudgeOfSamples(**{str(k): data.draw(replies) for k in range(len(rows))})
    result = score_predictions(make_benchmark(name, rows, protocol), answers, judge)
    assert result.per_sample.keys() == answers.keys()
    assert all(set(record) == set(result.columns) for record in result.table)
    assert {record["rule"] for record in result.per_sample.values()} <= {"judge", "none", "failed"}
    assert result.counts["failed"] == sum(a is None for a in answers.values())
