"""The collector's view of the heap while a run goes on."""

from __future__ import annotations

import gc

import pytest

from eyechart.engine.settled_heap import settled_heap


def test_what_was_there_before_is_left_alone_until_the_end() -> None:
    seen = []

    def fail() -> None:
        with settled_heap():
            seen.append(gc.get_freeze_count())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen[0] > 10_000
    assert gc.get_freeze_count() == 0


def test_new_garbage_is_collected_meanwhile() -> None:
    with settled_heap():
        gc.collect()
        ring: list[object] = []
        ring.append(ring)
        del ring
        assert gc.collect() >= 1


def test_a_heap_that_the_program_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        with settled_heap():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
