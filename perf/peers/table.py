"""The table of a comparison, for a terminal and for a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .measure import Killed

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a peer, once for each round.

    Attributes:
        name: the peer.
        version: its version; empty if it could not be installed.
        goal: how many times its CPU for a request is to be eyechart's, at least.
        cpu_ms: milliseconds of CPU for one more question.
        few_rate: requests a second with few in flight.
        many_rate: requests a second with many in flight.
        peak_bytes: peak resident memory of the larger run.
        body_bytes: mean size of a request's body.
        killed: what a kill cost; empty for what cannot continue.
        skipped: why nothing was measured, or not everything.
    """

    name: str
    version: str = ""
    goal: float | None = None
    cpu_ms: Sequence[float] = ()
    few_rate: Sequence[float] = ()
    many_rate: Sequence[float] = ()
    peak_bytes: Sequence[int] = ()
    body_bytes: float = 0.0
    killed: Sequence[Killed] = ()
    skipped: str = ""


HEADS = (
    "client",
    "version",
    "CPU, ms a request",
    "times eyechart's",
    "requests/s, {few} in flight",
    "requests/s, {many} in flight",
    "peak memory, MB",
    "body sent, KB",
    "asked again after kill -9",
    "answers at the end",
)


def cells(rows: Sequence[Row], *, killed: int) -> list[list[str]]:
    """The table's cells, one list for each row: medians of the rounds, and ratios to eyechart's row.

    Args:
        rows: what was measured.
        killed: number of questions of a run that was killed.
    """
    ours = next((statistics.median(row.cpu_ms) for row in rows if row.name == "eyechart" and row.cpu_ms), None)
    return [_cells(row, ours, killed) for row in rows]


def _cells(row: Row, ours: float | None, killed: int) -> list[str]:
    if not row.cpu_ms:
        return [row.name, row.version or "-", f"skipped: {row.skipped}", *["-"] * 7]
    cpu = statistics.median(row.cpu_ms)
    ratio = "-"
    if ours is not None:
        ratio = f"{cpu / ours:.1f}" + (f" (goal: {row.goal:g})" if row.goal else "")
    again = ", ".join(str(one.asked_again) for one in row.killed)
    found = ", ".join(f"{one.found} of {killed}" for one in row.killed)
    return [
        row.name,
        row.version,
        f"{cpu:.2f}",
        ratio,
        f"{statistics.median(row.few_rate):.0f}",
        f"{statistics.median(row.many_rate):.0f}",
        f"{statistics.median(row.peak_bytes) / MB:.0f}",
        f"{row.body_bytes / 1000:.0f}",
        again or row.skipped or "cannot continue",
        found or "-",
    ]


def as_markdown(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table for a page; all columns but the first two aligned to the right."""
    rule = ["---", "---", *["---:"] * (len(heads) - 2)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rule, *body))


def as_text(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The same as a list for a terminal: a paragraph for each row, a line for each figure."""
    wide = max(len(head) for head in heads)
    paragraphs = ["\n".join(f"{head:<{wide}}  {cell}" for head, cell in zip(heads, line, strict=True)) for line in body]
    return "\n\n".join(paragraphs)
