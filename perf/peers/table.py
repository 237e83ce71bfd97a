"""The table of a comparison, for a terminal and for a page."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .measure import Killed

MB = 1 << 20
HEADS = (
    "client",
    "version",
    "questions",
    "CPU, ms a request, {few} in flight",
    "CPU, ms a request, {many} in flight",
    "times eyechart's",
    "requests/s, {few} in flight",
    "requests/s, {many} in flight",
    "peak memory, MB",
    "body sent, KB",
    "kill -9: requests in vain",
    "kill -9: answers at the end",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a peer, once for each round.

    Attributes:
        name: the peer.
        version: its version; empty if it could not be installed.
        questions: how many the larger run has.
        goal: how many times its CPU for a request is to be eyechart's, at least.
        cpu_ms: by the number of requests in flight, milliseconds of CPU for one more question.
        rates: by the number of requests in flight, requests a second.
        peak_bytes: peak resident memory of the larger runs.
        body_bytes: mean size of a request's body.
        killed: what a kill cost; empty for what cannot continue.
        skipped: why nothing was measured, or not everything.
    """

    name: str
    version: str = ""
    questions: int = 0
    goal: float | None = None
    cpu_ms: Mapping[int, Sequence[float]] = field(default_factory=dict)
    rates: Mapping[int, Sequence[float]] = field(default_factory=dict)
    peak_bytes: Sequence[int] = ()
    body_bytes: float = 0.0
    killed: Sequence[Killed] = ()
    skipped: str = ""

    def with_run(self, nproc: int, cpu_ms: float, rate: float) -> Row:
        """The row with one more measurement."""
        costs = {**self.cpu_ms, nproc: [*self.cpu_ms.get(nproc, ()), cpu_ms]}
        rates = {**self.rates, nproc: [*self.rates.get(nproc, ()), rate]}
        return replace(self, cpu_ms=costs, rates=rates)


def cells(rows: Sequence[Row], few: int, many: int, *, killed: int) -> list[list[str]]:
    """The table's cells, one list for each row.

    CPU is the median of the rounds, and so is its ratio to eyechart's with `many` in flight. Requests a second are the
    best round's: what else runs on a machine only ever takes some away.

    Args:
        rows: what was measured.
        few: a number of requests in flight.
        many: another one.
        killed: number of questions of a run that was killed.
    """
    measured = {row.name: statistics.median(row.cpu_ms[many]) for row in rows if many in row.cpu_ms}
    return [
        _cells(row, few, many, measured.get("eyechart"), killed)
        if many in row.cpu_ms
        else [row.name, row.version or "-", "-", _missing(row), *["-"] * (len(HEADS) - 4)]
        for row in rows
    ]


def _missing(row: Row) -> str:
    return f"skipped: {row.skipped}" if row.skipped else "its turn has not come"


def _cells(row: Row, few: int, many: int, ours: float | None, killed: int) -> list[str]:
    cpu = {nproc: statistics.median(costs) for nproc, costs in row.cpu_ms.items()}
    ratio = "-"
    if ours is not None:
        ratio = f"{cpu[many] / ours:.1f}" + (f" (goal: {row.goal:g})" if row.goal else "")
    return [
        row.name,
        row.version,
        str(row.questions),
        f"{cpu[few]:.2f}",
        f"{cpu[many]:.2f}",
        ratio,
        f"{max(row.rates[few]):.0f}",
        f"{max(row.rates[many]):.0f}",
        f"{statistics.median(row.peak_bytes) / MB:.0f}",
        f"{row.body_bytes / 1000:.0f}",
        ", ".join(str(one.in_vain) for one in row.killed) or row.skipped or "cannot continue",
        ", ".join(f"{one.found} of {killed}" for one in row.killed) or "-",
    ]


def as_markdown(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table for a page; all columns but the first two aligned to the right."""
    rule = ["---", "---", *["---:"] * (len(heads) - 2)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rule, *body))


def as_text(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """The same for a terminal: a paragraph for each row, a line for each figure."""
    wide = max(len(head) for head in heads)
    paragraphs = ["\n".join(f"{head:<{wide}}  {cell}" for head, cell in zip(heads, line, strict=True)) for line in body]
    return "\n\n".join(paragraphs)
