"""One pass over the rows of a benchmark before a run: how many, how much they show, and a few of them to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import islice

from ..benchmarks.base import Benchmark
from ..errors import DataError, MediaError
from ..messages import Image
from ..records import Sample

__all__ = ["Survey", "characters", "spread", "survey"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the rows found.

    Attributes:
        rows: samples that a run asks, ``limit`` applied.
        pictures: pictures that they show.
        picture_bytes: base64 characters of these pictures, as the benchmark holds them.
        unreadable: samples whose pictures or videos are missing or malformed.
        samples: the samples at the chosen positions, and the last one, in order.
    """

    rows: int
    pictures: int
    picture_bytes: int
    unreadable: int
    samples: tuple[Sample, ...]


def spread(rows: int, count: int) -> list[int]:
    """Returns positions of `count` rows spread evenly over `rows`, the first among them."""
    return sorted({k * rows // count for k in range(count)}) if rows else []


def survey(benchmark: Benchmark, limit: int | None, choose: Callable[[int], Collection[int]]) -> Survey:
    """Reads every row that a run would ask, decoding no picture. Blocking.

    Args:
        benchmark: what would be asked.
        limit: only the first rows; None for all.
        choose: given the number of rows (an upper bound) returns the positions of those to hand back.

    Raises:
        DataError: a row is malformed.
    """
    most = benchmark.rows
    wanted = set(choose(most if limit is None else min(limit, most)))
    kept: list[Sample] = []
    rows = pictures = size = unreadable = 0
    last: Sample | None = None
    for last in islice(benchmark.samples(), limit):
        if rows in wanted:
            kept.append(last)
        rows += 1
        try:
            shown = benchmark.source.images(last)
            size += sum(map(characters, shown))
            unreadable += benchmark.lacks(last) is not None
        except (MediaError, DataError, OSError):  # that sample fails in a run; the others do not
            unreadable += 1
            continue
        pictures += len(shown)
    if last is not None and last not in kept:
        kept.append(last)
    return Survey(rows, pictures, size, unreadable, tuple(kept))


def characters(image: Image) -> int:
    """Returns the length of a picture's base64 text, as it would be in a request; 0 for a frame, which is none yet.

    Raises:
        OSError: its file is not there.
    """
    if image.base64 is not None:
        return len(image.base64)
    if image.path is None:
        return 0
    return (image.path.stat().st_size + 2) // 3 * 4
