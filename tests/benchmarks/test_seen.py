"""What is kept of rows that were read before."""

from __future__ import annotations

import sys

from eyechart.benchmarks.pictures import picture_key
from eyechart.benchmarks.seen import SeenRow, SeenRows


def test_a_row_is_known_once_it_was_noted() -> None:
    seen, key = SeenRows(), picture_key((b"abcd" * 2000,))
    assert seen.get(0) is None
    seen.note(7, 33, 8000, key)
    assert seen.get(7) == SeenRow(33, 8000, key)
    assert [seen.get(row) for row in (0, 6, 8, 700)] == [None] * 4


def test_a_cluster_that_is_no_picture_is_read_from_the_file_again() -> None:
    seen = SeenRows()
    seen.note(0, 33, 8000, "row:0")
    assert seen.get(0) is None


def test_a_row_takes_a_few_bytes() -> None:
    seen, key = SeenRows(), picture_key((b"abcd" * 2000,))
    for row in range(10_000):
        seen.note(row, 33, 8000, key)
    assert sys.getsizeof(seen._entries) < 10_000 * 25
    assert seen.get(9_999) == SeenRow(33, 8000, key)
