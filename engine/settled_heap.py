"""The garbage collector while a run goes on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["settled_heap"]

_SELDOM: Final = 10_000
"""New objects before a look at them: what is answered leaves no cycle behind, only failures do, with tracebacks."""


@contextmanager
def settled_heap() -> Iterator[None]:
    """Spares the collector what was there before, as long as the context is open.

    Some 60,000 objects of imported modules live as long as the process. Looking through them again and again took a
    sixteenth of the CPU of a run, and held the event loop up for 17 ms at a time; looking as often as Python does at
    what is in flight took another twentieth. A program that has frozen its heap itself is left alone.
    """
    if gc.get_freeze_count():
        yield
        return
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(thresholds[0], _SELDOM), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
