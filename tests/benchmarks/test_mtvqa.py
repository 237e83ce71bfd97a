from __future__ import annotations

from typing import Any

import pytest

from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError
from eyechart.messages import Text

ROWS = [
    {"question": "Quel nom ?", "answer": "Hôtel de Ville", "category": "FR", "split": "test"},
    {"question": "Wann?", "answer": "12.05.2020", "category": "DE", "split": "TEST"},
    {"question": "Punti", "answer": ".", "category": "IT", "split": "test"},
    {"question": "?", "answer": None, "category": "FR", "split": "test"},
]
ANSWERS = {"0": "HÔTEL DE VILLE!", "1": "2020", "2": "qualcosa", "3": ""}


def test_the_instruction_asks_for_the_language_of_the_question(make_benchmark: Any):
    bench = make_benchmark("MTVQA_TEST", ROWS)
    text = bench.prompt(next(bench.samples()))[0].parts[-1]
    assert text == Text("Quel nom ?\nAnswer the question using a word or phrase in the language of the question.")


def test_scores_per_language(make_benchmark: Any):
    result = score_predictions(make_benchmark("MTVQA_TEST", ROWS), ANSWERS)
    assert result.table == ({"FR": 50.0, "Average": 25.0, "DE": 0.0, "IT": 0.0},)
    assert result.columns == ("FR", "Average", "DE", "IT")
    assert result.per_sample["0"] == {"score": 1.0, "prediction_read": "HÔTEL DE VILLE!", "rule": "substring"}


def test_what_the_reference_finds_everywhere(make_benchmark: Any):
    # Full stops are nothing to look for, and a missing answer is the text of an empty prediction.
    result = score_predictions(make_benchmark("MTVQA_TEST", ROWS, "vlmeval"), ANSWERS)
    assert [record["score"] for record in result.per_sample.values()] == [1.0, 0.0, 1.0, 1.0]
    assert result.per_sample["3"]["prediction_read"] == "nan"


def test_a_failed_request_is_never_right(make_benchmark: Any):
    rows = [ROWS[0] | {"answer": "to"}]
    result = score_predictions(make_benchmark("MTVQA_TEST", rows), {"0": None})
    assert result.per_sample["0"] == {"score": 0.0, "prediction_read": None, "rule": "failed"}
    assert result.counts["failed"] == 1
    assert score_predictions(make_benchmark("MTVQA_TEST", rows, "vlmeval"), {"0": None}).per_sample["0"]["score"] == 1.0


def test_columns_pass_the_spreadsheet(make_benchmark: Any):
    rows = [row | {"answer": "007", "category": "mailto:FR"} for row in ROWS[:2]]
    result = score_predictions(make_benchmark("MTVQA_TEST", rows, "vlmeval"), {"0": "it is 7", "1": "x"})
    assert result.per_sample["0"]["score"] == 1.0
    assert result.columns == ("FR", "Average")


@pytest.mark.parametrize("split", ["dev", None])
def test_rows_of_another_split_are_refused(make_benchmark: Any, split: str | None):
    bench = make_benchmark("MTVQA_TEST", [ROWS[0], ROWS[1] | {"index": "r7", "split": split}])
    with pytest.raises(DataError, match="MTVQA_TEST, row r7, column 'split'"):
        score_predictions(bench, {"0": "x", "r7": "x"})


def test_a_file_needs_neither_split_nor_category(make_benchmark: Any):
    rows = [{"question": "q", "answer": "a"}]
    assert score_predictions(make_benchmark("MTVQA_TEST", rows), {"0": "A"}).table == ({"Average": 100.0},)
    with pytest.raises(DataError, match="no column 'answer'"):
        score_predictions(make_benchmark("MTVQA_TEST", [{"question": "q"}]), {"0": "A"})
