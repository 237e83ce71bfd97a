"""Puts together the answers that are judged together, as they come in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from ..benchmarks.base import Benchmark
from ..records import Cell, Sample

__all__ = ["Unit", "Units", "weight"]

Unit: TypeAlias = Sequence[tuple[Sample, Cell]]
"""The answers of one unit (`Benchmark.unit`), in file order."""

_ROOM: Final = 32 << 20
_OVERHEAD: Final = 400


def weight(unit: Unit) -> int:
    """Returns about how many bytes a unit holds in memory."""
    texts = (value for sample, answer in unit for value in (answer, *sample.cells.values()))
    return _OVERHEAD * len(unit) + sum(len(value) for value in texts if isinstance(value, str))


class Units:
    """Gathers answers until their unit is complete.

    Where samples are judged alone every answer is a unit. Else the rows of every unit within the limit have to be
    counted first (`count`); what comes before that waits. Units beyond `room` are let go: whoever needs them later
    finds their answers on disk.
    """

    def __init__(self, benchmark: Benchmark, limit: int | None, *, room: int = _ROOM) -> None:
        """Begins with no answers.

        Args:
            benchmark: what was asked.
            limit: only the first rows belong to the run; None for all.
            room: bytes of answers that may wait for others.
        """
        self._benchmark = benchmark
        self._limit = limit
        self._room = room
        self._joins = benchmark.joins_samples
        self._sizes: Counter[str] | None = None
        self._waiting: dict[str, list[tuple[Sample, Cell]]] = {}
        self._held = 0
        self._let_go: set[str] = set()

    def count(self) -> None:
        """Counts the rows of every unit in one pass over the samples. Blocking.

        Raises:
            DataError: the benchmark's file breaks off.
        """
        if self._joins:
            self._sizes = Counter(map(self._benchmark.unit, islice(self._benchmark.samples(), self._limit)))

    def complete(self) -> Iterator[Unit]:
        """Yields the units that were complete before their rows were counted."""
        for name in list(self._waiting):
            if (unit := self._taken(name)) is not None:
                yield unit

    def add(self, sample: Sample, answer: Cell) -> Unit | None:
        """Takes in an answer; returns its unit if it was the last that was missing."""
        if not self._joins:
            return [(sample, answer)]
        name = self._benchmark.unit(sample)
        if name in self._let_go:
            return None
        self._waiting.setdefault(name, []).append((sample, answer))
        self._held += weight([(sample, answer)])
        if self._held > self._room:
            self._held -= weight(self._waiting.pop(name))
            self._let_go.add(name)
            return None
        return self._taken(name)

    def _taken(self, name: str) -> Unit | None:
        if self._sizes is None or len(self._waiting[name]) < self._sizes[name]:
            return None
        unit = self._waiting.pop(name)
        self._held -= weight(unit)
        return sorted(unit, key=lambda pair: pair[0].row)
