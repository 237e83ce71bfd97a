from __future__ import annotations

import pytest

from eyechart.records import Cell
from eyechart.scoring.mmt import mmt_table
from eyechart.scoring.stats import mean_of_means
from eyechart.scoring.tables import Row


def row(points: float, cluster: str, **cells: Cell) -> Row:
    return Row(points, cluster, {"l2-category" if k == "l2" else k: v for k, v in cells.items()})


ROWS = [
    row(1, "a", split="val", l2="ocr", category="t1"),
    row(0, "b", split="val", l2="ocr", category="t1"),
    row(1, "c", split="test", l2="ocr", category="t1"),
    row(1, "d", split="val", l2="ocr", category="t2"),
    row(0, "e", split="val", l2="made up", category="t3"),
]


def table_of(rows: list[Row]) -> dict[Cell, dict[str, Cell]]:
    return {record["split"]: dict(record) for record in mmt_table(rows, nan_splits=False, stored=False).rows}


def test_a_meta_task_is_the_plain_mean_of_its_tasks():
    table = table_of(ROWS)
    assert table["ALL"]["OCR"] == pytest.approx((2 / 3 + 1) / 2)
    assert table["ALL"]["t1"] == pytest.approx(2 / 3)
    assert table["val"]["OCR"] == 0.75
    assert table["ALL"]["Overall"] == 0.6


def test_a_meta_task_misses_where_one_of_its_tasks_has_no_sample():
    assert table_of(ROWS)["test"]["OCR"] is None
    assert table_of(ROWS)["test"]["t1"] == 1


def test_meta_tasks_without_samples_stay_empty_and_unknown_ones_come_under_their_names():
    table = mmt_table(ROWS, nan_splits=False, stored=False)
    assert table.columns[:3] == ("split", "Overall", "VR")
    assert table.columns[-5:] == ("GN", "t1", "t2", "t3", "made up")
    assert all(record["VR"] is None for record in table.rows)
    assert {metric.name for metric in table.metrics} == {"Overall", "OCR", "made up", "t1", "t2", "t3"}


def test_unknown_meta_tasks_are_sorted():
    table = mmt_table([row(1, name, l2=name, category="t") for name in "zab"], nan_splits=False, stored=False)
    assert table.columns[-4:] == ("t", "a", "b", "z")


def test_a_meta_task_keeps_its_column_from_a_task_of_its_name():
    table = mmt_table(
        [row(1, "a", l2="ocr", category="OCR"), row(0, "b", l2="ocr", category="t")], nan_splits=False, stored=False
    )
    assert table.columns.index("OCR") == 4
    assert [record["OCR"] for record in table.rows] == [0.5, 0.5]


def test_a_split_called_all_has_a_row_of_its_own():
    table = mmt_table([row(1, "a", split="ALL"), row(0, "b", split="val")], nan_splits=False, stored=False)
    assert [(record["split"], record["Overall"]) for record in table.rows] == [("ALL", 1), ("val", 0), ("ALL", 0.5)]


def test_a_sample_without_a_task_counts_in_no_meta_task():
    found = table_of([row(1, "a", l2="ocr", category="t"), row(0, "b", l2="ocr", category=None)])["ALL"]
    assert (found["Overall"], found["OCR"], found["t"]) == (0.5, 1, 1)


def test_rows_of_missing_splits_stand_before_the_last_one():
    rows = [row(1, "a", split="val"), row(0, "b", split=None)]
    table = mmt_table(rows, nan_splits=True, stored=False)
    assert [record["split"] for record in table.rows] == ["val", None, "ALL"]
    assert [record["Overall"] for record in table.rows] == [1, None, 0.5]


def test_groups_are_read_from_a_spreadsheet_in_the_reference():
    rows = [row(1, "a", l2="ocr", category="05"), row(0, "b", l2="ocr", category="7")]
    assert mmt_table(rows, nan_splits=True, stored=True).columns[-2:] == ("5", "7")
    assert mmt_table(rows, nan_splits=True, stored=False).columns[-2:] == ("05", "7")


def test_rows_without_any_group():
    assert table_of([row(1, "a"), row(0, "b")])["none"]["Overall"] == 0.5


def test_the_error_of_a_mean_of_means():
    one, two = [1.0, 0.0, 1.0, 1.0], [0.0, 1.0]
    found = mean_of_means([(one, "abcd"), (two, "ef")])
    assert found.mean == pytest.approx((0.75 + 0.5) / 2)
    influence = [(x - 0.75) / 8 for x in one] + [(x - 0.5) / 4 for x in two]
    assert found.stderr == pytest.approx((6 / 5 * sum(i * i for i in influence)) ** 0.5)
    assert 0 <= (found.low or 0) < found.mean < (found.high or 0) <= 1
    assert (found.n, found.clusters) == (6, 6)


def test_a_mean_of_one_mean_is_that_mean():
    found = mean_of_means([([1.0, 0.0, 1.0], "abc")])
    assert found.mean == pytest.approx(2 / 3)
    assert found.stderr == pytest.approx((2 / 9 / 2) ** 0.5)


def test_one_cluster_has_no_error():
    assert mean_of_means([([1.0, 0.0], "aa")]).stderr is None
