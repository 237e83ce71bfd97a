"""MMBench-Video: ratings out of a judge's replies, capabilities, and the table."""

from __future__ import annotations

import anyio
import pytest
from fake_judges import JudgeOfSamples
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.mmbench_video import RatedRow, ask_rating, capability_table, parse_dimensions, read_rating


@pytest.mark.parametrize(
    ("reply", "literal", "lenient"),
    [
        ("2", 2, 2),
        (" 1 ", 1, 1),
        ("3\n", 3, 3),
        ("0", 0, 0),
        ("+3", 3, 3),
        ("00", 0, 0),
        ("-1", -1, -1),
        ("5", 5, -1),
        ("10", 10, -1),
        ("2.0", -1, 2),
        ("3.", -1, 3),
        ("Rating: 2", -1, 2),
        ("**1**", -1, 1),
        ("2 out of 3", -1, -1),
        ("2/3", -1, -1),
        ("2.5", -1, -1),
        ("three", -1, -1),
        ("", -1, -1),
        ("007", -1, -1),
        # What the reference takes for a number and then cannot convert.
        ("True", -1, -1),
        ("1+1", -1, -1),
        ("0x2", -1, -1),
        ("(3)", -1, 3),
        ("9" * 5000, -1, -1),
    ],
)
def test_ratings(reply: str, literal: int, lenient: int) -> None:
    assert (read_rating(reply, literal=True), read_rating(reply, literal=False)) == (literal, lenient)


@given(st.text(max_size=60))
def test_any_reply_is_read_in_range_or_not_at_all(reply: str) -> None:
    assert read_rating(reply, literal=False) in (-1, 0, 1, 2, 3)
    read_rating(reply, literal=True)


def test_capabilities() -> None:
    assert parse_dimensions("['OCR', 'Hallucination']") == ("OCR", "Hallucination")
    for wrong in ("OCR", "['Taste']", "[3]", ""):
        with pytest.raises(DataError):
            parse_dimensions(wrong)


def test_the_judge_is_shown_question_both_answers_and_the_scale() -> None:
    judge = JudgeOfSamples("2")

    async def ask() -> str:
        return await ask_rating(judge, benchmark="b", index="7", question="Q?", answer="right", prediction="given")

    assert anyio.run(ask) == "2"
    (request,) = judge.requests
    assert request.prompt == "Question: Q?\nGroundtruth answer: right\nCandidate answer: given\nYour response: "
    assert request.system is not None
    assert request.fields == {"question": "Q?", "answer": "given", "reference": "right"}
    assert all(f"{rating}:" in request.system for rating in range(4))
    assert (request.index, request.attempt, request.temperature) == ("7", 0, 0.0)


def test_table() -> None:
    rows = [
        RatedRow(3, "a", ("OCR", "Counting")),
        RatedRow(-1, "a", ("OCR", "Video Topic")),
        RatedRow(1, "b", ("Future Prediction",)),
    ]
    found = {(r["level"], r["dimension"]): (r["all"], r["valid"]) for r in capability_table(rows).rows}
    assert len(found) == 12 + 26
    assert found["coarse", "Overall"] == ("1.33", "2.00")
    # OCR and Counting belong to one group: the first row counts there once.
    assert found["coarse", "FP-S"] == ("1.50", "3.00")
    assert found["coarse", "CP"] == ("0.00", "nan")
    assert found["coarse", "Perception"] == ("1.50", "3.00")
    assert found["coarse", "Reasoning"] == found["coarse", "TR"] == ("1.00", "1.00")
    assert found["coarse", "HL"] == ("nan", "nan")
    assert found["fine", "OCR"] == ("1.50", "3.00")
    assert found["fine", "Counting"] == ("3.00", "3.00")


def test_metrics_are_in_the_units_of_ratings() -> None:
    table = capability_table([RatedRow(3, "a", ("OCR",)), RatedRow(0, "b", ("OCR",)), RatedRow(-1, "c", ("OCR",))])
    metrics = {(m.name, m.row): m.estimate for m in table.metrics}
    overall, valid = metrics["Overall", ""], metrics["Overall", "valid"]
    assert (overall.mean, overall.n, valid.mean, valid.n) == (1.0, 3, 1.5, 2)
    assert 0 <= overall.low < overall.mean < overall.high <= 3
    assert (metrics["OCR", "fine"].mean, metrics["FP-S", "coarse, valid"].mean) == (1.0, 1.5)
    assert table.metrics[0].name == "Overall"


def test_ratings_beyond_the_scale_have_a_mean() -> None:
    table = capability_table([RatedRow(5, "a", ("OCR",)), RatedRow(1, "b", ("OCR",))])
    assert table.rows[0]["all"] == "3.00"
    assert table.metrics[0].estimate.mean == 3.0
