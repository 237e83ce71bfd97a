from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_judges import JudgeInTurn

from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.records import Cell, ScoreResult
from eyechart.scoring.protocol import VLMEVAL

ROW: dict[str, Cell] = {"index": "0", "question": "Which?", "A": "one", "B": "catfish", "answer": "A"}
UNCLEAR = "it is hard to say"


def judged(make_benchmark: Any, answer: Cell, judge: JudgeInTurn, protocol: Any = "eyechart") -> ScoreResult:
    return score_predictions(make_benchmark("MMStar", [ROW], protocol), {"0": answer}, judge)


@pytest.mark.parametrize("answer", ["", " \n", "N/A"])
def test_an_answer_without_text_is_judged_by_the_reference_alone(make_benchmark: Any, answer: str):
    empty = not answer.strip()
    judge = JudgeInTurn("A", "A")
    result = judged(make_benchmark, answer, judge)
    assert (result.per_sample["0"]["hit"], len(judge.requests)) == ((0, 0) if empty else (1, 1))
    assert result.counts == {"scored": 1, "failed": 0, "unparsed": int(empty), "judged": int(not empty)}
    assert judged(make_benchmark, answer, JudgeInTurn("A"), "vlmeval").per_sample["0"]["hit"] == 1


def test_a_failed_request_is_judged_by_the_reference_alone(make_benchmark: Any):
    judge = JudgeInTurn("A")
    assert judged(make_benchmark, None, judge).per_sample["0"] == {"hit": 0, "log": "", "letter": "Z", "rule": "failed"}
    assert judge.requests == []
    reference = judged(make_benchmark, None, judge, "vlmeval")
    assert (reference.per_sample["0"]["hit"], reference.counts["failed"]) == (1, 1)
    assert VLMEVAL.failed_text in judge.requests[0].prompt


def test_replies_are_read_by_the_rules_for_answers(make_benchmark: Any):
    # The text of option A stands in "none", and only quotes set the letter apart.
    corrected = judged(make_benchmark, UNCLEAR, JudgeInTurn("none", '"B"'))
    assert (corrected.per_sample["0"]["letter"], corrected.per_sample["0"]["log"]) == ("B", 'Match Log: "B". ')
    reference = judged(make_benchmark, UNCLEAR, JudgeInTurn("none"), "vlmeval")
    assert (reference.per_sample["0"]["letter"], reference.per_sample["0"]["rule"]) == ("A", "judge")
    quoted = judged(make_benchmark, UNCLEAR, JudgeInTurn(*['"B"'] * 3), replace(VLMEVAL, option_in_word=False))
    assert (quoted.per_sample["0"]["letter"], quoted.per_sample["0"]["rule"]) == ("Z", "none")


def test_z_is_right_only_as_an_option_that_was_read(make_benchmark: Any):
    rows = [ROW | {"Z": "neither", "answer": "Z"}]
    hits = [
        score_predictions(make_benchmark("MMStar", rows, "vlmeval"), {"0": answer}).per_sample["0"]["hit"]
        for answer in ("Z", "Neither!", UNCLEAR, "Cannot determine the answer")
    ]
    assert hits == [1, 1, 0, 0]
    without = score_predictions(make_benchmark("MMStar", [ROW | {"answer": "Z"}], "vlmeval"), {"0": "Z"})
    assert (without.per_sample["0"]["hit"], without.per_sample["0"]["rule"]) == (0, "Z")


def test_rows_of_one_index_share_the_last_result_in_the_reference(make_benchmark: Any):
    rows = [ROW | {"category": "x"}, ROW | {"category": "y", "answer": "B"}]
    result = score_predictions(make_benchmark("MMStar", rows, "vlmeval"), {"0": "B"})
    assert result.per_sample["0"]["hit"] == 1
    assert result.table == ({"split": "none", "Overall": 1.0, "x": 1.0, "y": 1.0},)


def test_of_two_columns_that_differ_in_case_alone_the_later_one_groups(make_benchmark: Any):
    for first, second in (("category", "Category"), ("Category", "category")):
        rows = [ROW | {first: "x", second: "y", "L2-Category": "logic_reasoning"}]
        result = score_predictions(make_benchmark("MMStar", rows, "vlmeval"), {"0": "A"})
        assert result.columns == ("split", "Overall", "LR", "y")
