"""The collector's view of the heap while a run goes on."""

from __future__ import annotations

import gc

import pytest

from eyechart.engine.settled_heap import settled_heap


def test_what_was_there_before_is_left_alone_until_the_end() -> None:
    seen = []
    before = gc.get_threshold()

    def fail() -> None:
        with settled_heap():
            seen.extend([gc.get_freeze_count(), gc.get_threshold()[0]])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen[0] > 10_000
    assert seen[1] >= 10_000
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == before


def test_a_program_that_looks_less_often_still_is_not_made_to() -> None:
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    try:
        with settled_heap():
            assert gc.get_threshold()[0] == 50_000
    finally:
        gc.set_threshold(*before)


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
