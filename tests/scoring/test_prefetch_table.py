from __future__ import annotations

import pytest

from eyechart.scoring.prefetch_table import PrefetchRow, prefetch_table

ROWS = [
    PrefetchRow(hit=True, prefetched=True, cluster="p", groups=("topology",)),
    PrefetchRow(hit=False, prefetched=True, cluster="p", groups=("algebra",)),
    PrefetchRow(hit=True, prefetched=False, cluster="q", groups=("topology", "Zoo")),
]
COLUMNS = ("Subject", "tot", "prefetch", "hit", "prefetch_rate", "acc")


def test_a_row_for_all_and_one_for_each_group():
    table = prefetch_table(ROWS, "Subject", by_name=False)
    assert table.columns == COLUMNS
    assert [tuple(row.values()) for row in table.rows] == [
        ("Overall", 3, 2, 2, pytest.approx(200 / 3), pytest.approx(200 / 3)),
        ("topology", 2, 1, 2, 50.0, 100.0),
        ("algebra", 1, 1, 0, 100.0, 0.0),
        ("Zoo", 1, 0, 1, 0.0, 100.0),
    ]
    assert all(tuple(row) == COLUMNS for row in table.rows)


def test_sorted_by_name_capitals_stand_first_and_missing_names_last():
    groups = ["topology", "Overall", "Zoo", "algebra", None, 7]
    rows = [PrefetchRow(hit=True, prefetched=True, cluster=str(k), groups=(g,)) for k, g in enumerate(groups)]
    table = prefetch_table(rows, "Subject", by_name=True)
    assert [row["Subject"] for row in table.rows] == [7, "Overall", "Zoo", "algebra", "topology", None]
    # A group that is called as the row for all counts there once more.
    assert table.rows[1]["tot"] == 7


def test_a_group_that_is_named_twice_counts_twice():
    table = prefetch_table([PrefetchRow(hit=True, prefetched=True, cluster="p", groups=("x", "x"))], "g", by_name=False)
    assert [(row["g"], row["tot"], row["hit"]) for row in table.rows] == [("Overall", 1, 1), ("x", 2, 2)]


def test_every_accuracy_has_its_interval():
    table = prefetch_table(ROWS, "Subject", by_name=False)
    assert [(m.name, m.row) for m in table.metrics] == [
        ("acc", "Overall"),
        ("acc", "topology"),
        ("acc", "algebra"),
        ("acc", "Zoo"),
    ]
    overall = table.metrics[0].estimate
    assert (overall.n, overall.clusters) == (3, 2)
    assert overall.low is not None
    assert overall.high is not None
    assert 0 <= overall.low < overall.mean < overall.high <= 100


def test_no_samples_make_no_rows():
    assert prefetch_table([], "Subject", by_name=True).rows == ()
