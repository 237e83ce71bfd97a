"""MMDU: turns, what stands in the history, and how a judge grades each answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fake_judges import JudgeInTurn

from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.errors import DataError
from eyechart.messages import Image, Message, Text
from eyechart.records import Cell, Failure
from eyechart.scoring.dialogues import turns_text
from eyechart.scoring.protocol import EYECHART, FAILED_TEXT, VLMEVAL
from eyechart.scoring.rubrics.mmdu import DIMENSIONS

ROWS: list[Mapping[str, Cell]] = [
    {"index": "a", "question": "['See <ImageHere>!', 'And now?']", "answer": "['A1', 'A2']"},
    {"index": "b", "question": "['<ImageHere>']", "answer": "['B1']"},
]
OVERALL = "Overall Score"


def grades(grade: object) -> str:
    return str(dict.fromkeys(DIMENSIONS, grade))


def test_a_turn_holds_all_that_was_said_before(make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS)
    dialogue, single = bench.samples()
    assert (bench.turns(dialogue), bench.turns(single)) == (2, 1)
    (picture,) = bench.source.images(dialogue)
    first = Message("user", (Text("See "), picture, Text("!")))
    assert bench.prompt(dialogue) == [first]
    answered = Message("assistant", (Text(""),))
    assert bench.turn_prompt(dialogue, [""]) == [first, answered, Message("user", (Text("And now?"),))]
    ((picture,),) = (message.parts for message in bench.prompt(single))
    assert isinstance(picture, Image), "nothing stands around it, and no empty text either"


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (None, "has no question"),
        ("[]", "has no question"),
        ("['open", "column 'question'"),
        ("['<ImageHere><ImageHere>']", "more pictures"),
    ],
)
def test_rows_that_cannot_be_asked(question: str | None, why: str, make_benchmark: Any):
    bench = make_benchmark("MMDU", [{"question": question, "answer": "['A']"}])
    with pytest.raises(DataError, match=why):
        bench.prompt(next(iter(bench.samples())))


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure("ServerFault", "boom", "ask", 500), FAILED_TEXT),
        (
            Failure("ContextOverflow", "long", "ask", 400),
            f"{FAILED_TEXT}: Failed with all possible conversation turns.",
        ),
        (Failure("Timeout", "late"), f"{FAILED_TEXT}: Failed with all possible conversation turns."),
        (Failure("MediaError", "boom", "prepare"), f"{FAILED_TEXT}boom"),
    ],
)
def test_what_stands_for_a_failed_turn(failure: Failure, text: str, make_benchmark: Any):
    assert make_benchmark("MMDU", ROWS, "vlmeval").failed_turn(failure) == text
    assert make_benchmark("MMDU", ROWS).failed_turn(failure) is None


def test_every_turn_is_judged_by_its_own_question_and_reference(make_benchmark: Any):
    judge = JudgeInTurn(grades(8), "{'Overall Score': 6}", grades(1))
    result = score_predictions(make_benchmark("MMDU", ROWS), {"a": turns_text(["x", "y"]), "b": "['z']"}, judge)
    first, second, other = judge.requests
    assert (first.index, first.attempt, first.rubric) == ("a", 0, "mmdu@1")
    assert dict(first.fields) == {"question": "See <ImageHere>!", "reference": "A1", "answer": "x"}
    assert (second.index, second.attempt, second.fields["answer"], second.system) == ("a", 1, "y", None)
    assert other.fields["reference"] == "B1"
    assert result.table[0][OVERALL] == pytest.approx(50.0)
    assert result.table[0]["Creativity"] == pytest.approx(45.0)
    assert result.per_sample["a"]["rule"] == "judge"
    assert "turn 1: Creativity,Richness" in result.per_sample["a"]["log"]
    assert result.per_sample["a"]["res"][1] == dict.fromkeys(DIMENSIONS) | {OVERALL: 6}
    assert result.counts["judged"] == 2
    assert result.caveats == ()


def test_turns_without_an_answer_are_worth_nothing_and_no_judge_sees_them(make_benchmark: Any):
    judge = JudgeInTurn(grades(8))
    result = score_predictions(make_benchmark("MMDU", ROWS), {"a": turns_text(["x", None]), "b": None}, judge)
    assert [request.index for request in judge.requests] == ["a"]
    assert result.table[0][OVERALL] == result.table[1][OVERALL] == pytest.approx(80 / 3)
    assert [result.per_sample[index]["rule"] for index in "ab"] == ["judge", "failed"]
    assert result.counts["failed"] == 2


def test_the_reference_has_failed_turns_judged_and_missing_ones_left_out_of_valid(make_benchmark: Any):
    judge = JudgeInTurn(grades(8), grades(2))
    bench = make_benchmark("MMDU", ROWS, "vlmeval")
    result = score_predictions(bench, {"a": str([FAILED_TEXT]), "b": "['z']"}, judge)
    assert FAILED_TEXT in judge.requests[0].prompt
    assert [row[OVERALL] for row in result.table] == [pytest.approx(100 / 3), 50.0]
    assert result.per_sample["a"]["log"] == "Succeed\nlist index out of range"
    assert result.counts["failed"] == 1


@pytest.mark.parametrize(("protocol", "all_turns", "points"), [("eyechart", 80.0, 0.8), ("vlmeval", 40.0, 0.4)])
def test_a_turn_without_a_grade(protocol: str, all_turns: float, points: float, make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS[:1], protocol)
    result = score_predictions(bench, {"a": "['x', 'y']"}, JudgeInTurn(grades(8), "no"))
    assert [row[OVERALL] for row in result.table] == [all_turns, 80.0]
    assert "to 1 of 2 turns" in result.caveats[0]
    unread = score_predictions(bench, {"a": "['x', 'y']"}, JudgeInTurn("no", "no"))
    assert unread.per_sample["a"]["rule"] == "none"
    assert unread.counts["unparsed"] == 1
    assert unread.table[1][OVERALL] is None


@pytest.mark.parametrize(("whole", "overall"), [(True, 70.0), (False, 79.0)])
def test_fractions_of_grades(whole: bool, overall: float, make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS[1:], replace(EYECHART, whole_grades=whole))
    assert score_predictions(bench, {"b": "['z']"}, JudgeInTurn(grades(7.9))).table[0][OVERALL] == pytest.approx(
        overall
    )


@pytest.mark.parametrize(("between", "read"), [(True, False), (False, True)])
def test_other_braces_in_a_reply(between: bool, read: bool, make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS[1:], replace(EYECHART, grades_between_braces=between))
    result = score_predictions(bench, {"b": "['z']"}, JudgeInTurn(f"The set {{x}} is there. {grades(7)}"))
    assert (result.per_sample["b"]["rule"] == "judge") == read


@pytest.mark.parametrize("protocol", [EYECHART, VLMEVAL])
def test_cells_that_are_no_dialogue(protocol: Any, make_benchmark: Any):
    bench = make_benchmark("MMDU", [{"question": "['Q1', 'Q2']", "answer": "['A1']"}], protocol)
    with pytest.raises(DataError, match=r"row 0, column 'answer': 1 answers stand beside 2 questions"):
        score_predictions(bench, {"0": "['x', 'y']"}, JudgeInTurn())
    bench = make_benchmark("MMDU", ROWS[:1], protocol)
    with pytest.raises(DataError, match=r"row a, column 'prediction'"):
        score_predictions(bench, {"a": "['x', "}, JudgeInTurn())


def test_long_dialogues_are_not_cut_to_a_spreadsheets_cell(make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS[1:], "vlmeval")
    judge = JudgeInTurn(grades(7))
    score_predictions(bench, {"b": str(["z" * 40_000])}, judge)
    assert judge.requests[0].fields["answer"] == "z" * 40_000


def test_without_a_judge_answers_stay_open(make_benchmark: Any):
    bench = make_benchmark("MMDU", ROWS)
    scored = score_one(bench, next(iter(bench.samples())), turns_text(["x", "y"]))
    assert (scored.record["rule"], math.isnan(scored.points)) == ("needs judge", True)
    with pytest.raises(DataError, match="MMDU needs a judge"):
        bench.table([scored])
