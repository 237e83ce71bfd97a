from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.captions import INSTRUCTION
from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.errors import DataError
from eyechart.messages import Text
from eyechart.scoring.protocol import EYECHART, FAILED_TEXT

ROWS = (
    {"answer": "['A red train.', 'A train on a track']"},
    {"answer": "['Two dogs run on the grass.']"},
    {"answer": "[\"It's a man's hat\"]"},
    {"answer": "['Snow on a hill']"},
)


def text_asked(bench: Benchmark) -> str:
    *pictures, text = bench.prompt(next(iter(bench.samples())))[0].parts
    assert len(pictures) == 1
    assert isinstance(text, Text)
    return text.text


def test_without_questions_every_row_asks_the_same(make_benchmark: Any):
    assert text_asked(make_benchmark("COCO_VAL", ROWS)) == INSTRUCTION
    assert INSTRUCTION.endswith('"This image depicts". ')


def test_questions_of_the_file_are_asked_as_they_are(make_benchmark: Any):
    assert text_asked(make_benchmark("COCO_VAL", [{**ROWS[0], "question": " What is it?"}])) == " What is it?"
    with pytest.raises(DataError, match="row r1 has no question"):
        text_asked(make_benchmark("COCO_VAL", [{**ROWS[0], "index": "r1", "question": None}]))


def test_captions_are_compared_as_words(make_benchmark: Any):
    answers = {"0": "a RED train", "1": "Two dogs run on the grass!", "2": "it’s a man’s hat.", "3": "  Snow on a hill"}
    result = score_predictions(make_benchmark("COCO_VAL", ROWS), answers)
    assert [result.per_sample[k]["hypothesis"] for k in "012"] == [
        "a red train",
        "two dogs run on the grass",
        "it 's a man 's hat",
    ]
    assert [result.per_sample[k]["rouge_l"] for k in "0123"] == pytest.approx([1, 1, 1, 1])
    assert [result.per_sample[k]["cider"] for k in "123"] == pytest.approx([10, 10, 10])
    assert result.rules == {"caption": 4}
    assert result.columns[0] == result.metrics[0].name == "CIDEr"
    as_written = score_predictions(make_benchmark("COCO_VAL", ROWS, "vlmeval"), answers)
    assert as_written.per_sample["0"]["hypothesis"] == "a RED train"
    # one word of three is shared, with the second reference of five words
    assert as_written.per_sample["0"]["rouge_l"] == pytest.approx(2.44 / 3 / 5 / (1 / 5 + 1.44 / 3))
    assert as_written.table[0]["CIDEr"] < result.table[0]["CIDEr"]  # type: ignore[operator]


def test_the_table_is_of_all_captions(make_benchmark: Any):
    result = score_predictions(make_benchmark("COCO_VAL", ROWS), {"0": "a red train", "1": "snow", "3": "snow"})
    records = [result.per_sample[k] for k in "013"]
    assert result.table[0]["CIDEr"] == pytest.approx(100 * sum(r["cider"] for r in records) / 3)
    assert result.table[0]["ROUGE_L"] == pytest.approx(100 * sum(r["rouge_l"] for r in records) / 3)
    assert result.table[0]["Bleu_1"] == pytest.approx(100 * (4 / 5) * 2.718281828 ** (1 - (3 + 6 + 4) / 5))
    assert result.metrics[0].estimate.clusters == 2


def test_a_failed_caption_has_no_words_and_hits_nothing(make_benchmark: Any):
    rows = [{"answer": f"['{FAILED_TEXT}', '']"}, *ROWS[1:]]
    answers = {"0": None, "1": "two dogs run on the grass", "2": "a hat", "3": "snow on a hill"}
    result = score_predictions(make_benchmark("COCO_VAL", rows), answers)
    record = result.per_sample["0"]
    assert record["hypothesis"] is None
    assert (record["rule"], record["rouge_l"], record["cider"], record["bleu"]) == ("failed", 0.0, 0.0, [0.0] * 4)
    assert result.counts["failed"] == 1
    assert result.rules == {"caption": 3, "failed": 1}
    reference = score_predictions(make_benchmark("COCO_VAL", rows, "vlmeval"), answers)
    assert reference.per_sample["0"]["hypothesis"] == FAILED_TEXT
    assert reference.per_sample["0"]["rouge_l"] == pytest.approx(1)
    assert reference.counts["failed"] == 1


def test_a_failed_caption_is_not_left_out(make_benchmark: Any):
    bench = make_benchmark("COCO_VAL", ROWS)
    answered = {"1": "two dogs run", "2": "a hat", "3": "snow on a hill"}
    with_failure = score_predictions(bench, {"0": None, **answered}).table[0]
    without = score_predictions(bench, answered).table[0]
    assert all(with_failure[column] < without[column] for column in ("ROUGE_L", "Bleu_1", "Bleu_4"))


def test_an_empty_caption_is_no_text_called_nan(make_benchmark: Any):
    rows = [{"answer": "['nan']"}, *ROWS[1:]]
    answers = {"0": "", "1": "two dogs", "2": "a hat", "3": "snow"}
    empty = score_predictions(make_benchmark("COCO_VAL", rows), answers)
    assert (empty.per_sample["0"]["hypothesis"], empty.per_sample["0"]["rouge_l"]) == ("", 0.0)
    assert (empty.counts["failed"], empty.counts["unparsed"]) == (0, 0)
    reference = score_predictions(make_benchmark("COCO_VAL", rows, "vlmeval"), answers)
    assert (reference.per_sample["0"]["hypothesis"], reference.per_sample["0"]["rouge_l"]) == ("nan", 1.0)


@pytest.mark.parametrize("answer", ["a plain caption", "'a caption'", "[]", "['a', 5]", None, 5.0, True])
@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
def test_a_row_without_a_list_of_captions_is_named(answer: Any, protocol: str, make_benchmark: Any):
    bench = make_benchmark("COCO_VAL", [*ROWS[:1], {"index": "r7", "answer": answer}], protocol)
    with pytest.raises(DataError, match=r"COCO_VAL, row r7, column 'answer': .* no Python list of reference captions"):
        score_predictions(bench, {"0": "a train", "r7": "a cat"})


def test_reference_captions_come_from_the_stored_table(make_benchmark: Any):
    rows = [{"answer": repr(["a cat " * 6000])}, *ROWS[1:]]
    assert score_predictions(make_benchmark("COCO_VAL", rows), {"0": "a cat"}).table
    with pytest.raises(DataError, match="row 0"):  # a spreadsheet's cell holds 32767 characters
        score_predictions(make_benchmark("COCO_VAL", rows, "vlmeval"), {"0": "a cat"})


def test_reference_captions_are_needed(make_benchmark: Any):
    with pytest.raises(DataError, match="no column 'answer'"):
        score_predictions(make_benchmark("COCO_VAL", [{"question": "What?"}]), {"0": "a cat"})


def test_a_caption_has_points_before_the_others_are_there(make_benchmark: Any):
    bench = make_benchmark("COCO_VAL", ROWS)
    first = next(iter(bench.samples()))
    assert score_one(bench, first, "a red train").points == pytest.approx(1)
    assert score_one(bench, first, None).points == 0


def test_no_answers_at_all(make_benchmark: Any):
    result = score_predictions(make_benchmark("COCO_VAL", ROWS), {})
    assert set(result.table[0].values()) == {None}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answers=st.lists(st.none() | st.text(), min_size=4, max_size=4),
    protocol=st.sampled_from(["eyechart", "vlmeval", replace(EYECHART, captions_as_written=True)]),
)
def test_any_caption_has_a_score(answers: list[str | None], protocol: Any, make_benchmark: Any):
    result = score_predictions(make_benchmark("COCO_VAL", ROWS, protocol), dict(zip("0123", answers, strict=True)))
    assert result.counts["failed"] == answers.count(None)
    for column, most in zip(result.columns, [1000] + [100] * 5, strict=True):
        assert 0 <= result.table[0][column] <= most + 1e-9  # type: ignore[operator]
