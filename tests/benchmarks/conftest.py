"""Benchmarks over rows that a test writes down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import pytest

from eyechart.benchmarks.base import Benchmark, Source
from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.families import build_benchmark
from eyechart.benchmarks.joined import JoinedSource
from eyechart.messages import Image
from eyechart.records import Cell, Sample
from eyechart.scoring.protocol import Protocol, resolve_protocol

MakeBenchmark: TypeAlias = Callable[..., Benchmark]


class Rows:
    """Rows in memory as a source; every row shows one picture, and two neighbours share it."""

    path = Path("rows.tsv")
    files = MappingProxyType({"rows": path})
    stamp = None

    def __init__(self, rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> None:
        self.columns = ("index", "image", *columns)
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> int:
        return len(self._rows)

    def samples(self) -> Iterator[Sample]:
        for k, row in enumerate(self._rows):
            yield Sample(str(row.get("index", k)), k, row, str(k // 2))

    def images(self, sample: Sample) -> tuple[Image, ...]:
        return (Image(name=f"{sample.index}.png", base64=b"aaaa"),)


@pytest.fixture
def make_benchmark() -> MakeBenchmark:
    """Builds a benchmark: ``make_benchmark("MMStar", rows, "vlmeval")``; its columns are those of the rows."""

    def make(name: str, rows: Sequence[Mapping[str, Cell]], protocol: str | Protocol = "eyechart") -> Benchmark:
        columns = [column for column in dict.fromkeys(c for row in rows for c in row) if column != "index"]
        source: Source = Rows(rows, columns)
        if (known := catalog().get(name)) and known.parts:
            source = JoinedSource(dict.fromkeys(known.parts, source))
        return build_benchmark(name, source, resolve_protocol(protocol))

    return make
