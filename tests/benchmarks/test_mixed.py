from __future__ import annotations

from typing import Any

from eyechart.benchmarks.scoring_run import score_predictions

ROWS = [
    {"index": "1", "question": "Which?", "A": "cat", "B": "dog", "answer": "B", "category": "line 1"},
    {"index": "2", "question": "What?", "A": None, "B": None, "answer": "12.50", "category": "line 1"},
    {"index": "3", "question": "Who?", "A": None, "B": None, "answer": "Ann", "category": "line 2"},
]


def texts(bench: Any) -> list[str]:
    return [bench.prompt(sample)[0].parts[-1].text for sample in bench.samples()]


def test_each_row_is_asked_as_its_kind(make_benchmark: Any) -> None:
    first, second, third = texts(make_benchmark("EyechartMini", ROWS))
    assert "A. cat\nB. dog\n" in first
    assert second == "What?\nAnswer the question using a single word or phrase."
    assert third.startswith("Who?\n")


def test_one_table_in_percent_with_a_column_for_each_category(make_benchmark: Any) -> None:
    result = score_predictions(make_benchmark("EyechartMini", ROWS), {"1": "A. cat", "2": " 12.50", "3": "ann."})
    assert result.columns == ("Overall", "line 1", "line 2")
    (row,) = result.table
    assert [round(float(row[name] or 0), 2) for name in result.columns] == [66.67, 50.0, 100.0]
    assert [metric.name for metric in result.metrics] == ["Overall", "line 1", "line 2"]
    assert {index: record["rule"] for index, record in result.per_sample.items()} == {
        "1": "option",
        "2": "normalised_match",
        "3": "normalised_match",
    }
