"""Result tables of document benchmarks: one row per figure or kind of question, fractions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..records import Cell, Estimate, Metric, Table
from .stats import estimate, estimate_ratio, jackknife

__all__ = ["DocumentRow", "MeanRow", "evidence_table", "mean_table"]

_SOURCES: Final = MappingProxyType(
    {
        "text": "Pure-text (Plain-text)",
        "layout": "Generalized-text (Layout)",
        "table": "Table",
        "chart": "Chart",
        "image": "Figure",
    }
)
"""What the table calls the kinds of evidence."""


@dataclass(frozen=True, slots=True)
class MeanRow:
    """A scored sample on its way into a table of means.

    Attributes:
        values: its figures by name, in the table's order.
        cluster: equal for samples about the same document.
    """

    values: Mapping[str, float]
    cluster: str


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A scored sample of MMLongBench-Doc on its way into its table.

    Attributes:
        score: worth of the answer, 0 to 1.
        cluster: equal for samples about the same document.
        sources: kinds of evidence that the answer needs, as the benchmark calls them.
        pages: number of pages that hold the evidence, None where nobody says.
        answerable: the document answers the question.
        claimed: the prediction says that it does.
    """

    score: float
    cluster: str
    sources: frozenset[str]
    pages: int | None
    answerable: bool
    claimed: bool


def mean_table(rows: Sequence[MeanRow], names: Sequence[str], *, column: str) -> Table:
    """Builds a table of means with the columns ``category``, ``num`` and the given one, a row for each figure.

    Args:
        rows: the samples.
        names: the figures.
        column: what the column of means is called.
    """
    clusters = [row.cluster for row in rows]
    found = {name: (len(rows), _mean([row.values[name] for row in rows], clusters)) for name in names}
    return _table(found, column, dict.fromkeys(names))


def evidence_table(rows: Sequence[DocumentRow]) -> Table:
    """Builds the table of MMLongBench-Doc: ``category``, ``num``, ``avg_score``.

    Rows: ``overall_f1``, ``overall_acc``, five kinds of evidence, then single-page, multi-page and unanswerable
    questions. ``overall_f1`` is made of the mean score of what is answerable (recall) and of what the model claims to
    be (precision); its standard error is that of a jackknife. A kind of question without samples has the value 0 and no
    interval.
    """
    groups: dict[str, Callable[[DocumentRow], bool]] = {"overall_acc": lambda _: True}
    for name, source in _SOURCES.items():
        groups[name] = lambda row, source=source: source in row.sources  # type: ignore[misc]
    groups["single-page"] = lambda row: row.pages == 1
    groups["multi-page"] = lambda row: row.pages is not None and row.pages > 1
    groups["unanswerable"] = lambda row: row.pages == 0
    found = {"overall_f1": (len(rows), _f1(rows))}
    for name, belongs in groups.items():
        members = [row for row in rows if belongs(row)]
        found[name] = (len(members), _mean([row.score for row in members], [row.cluster for row in members]))
    return _table(found, "avg_score", {**dict.fromkeys(found, 0.0), "overall_f1": None, "overall_acc": None})


def _table(found: Mapping[str, tuple[int, Estimate | None]], column: str, empty: Mapping[str, float | None]) -> Table:
    """Builds a table; `empty` has what stands in a row without samples."""
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, (count, value) in found.items():
        records.append({"category": name, "num": count, column: empty[name] if value is None else value.mean})
        if value is not None:
            metrics.append(Metric(column, name, value))
    return Table(("category", "num", column), tuple(records), tuple(metrics))


def _mean(values: Sequence[float], clusters: Sequence[str]) -> Estimate | None:
    if not values:
        return None
    if max(values) > 1:  # an F1 of words that come again and again
        return estimate_ratio(values, [1.0] * len(values), clusters)
    return estimate(values, clusters)


def _f1(rows: Sequence[DocumentRow]) -> Estimate | None:
    if not rows:
        return None
    counts = [
        (row.score * row.answerable, float(row.answerable), row.score * row.claimed, float(row.claimed)) for row in rows
    ]
    return jackknife(_f1_of_sums, counts, [row.cluster for row in rows])[0]


def _f1_of_sums(sums: tuple[float, ...]) -> tuple[float]:
    """Returns the F1, 0 where the reference divides by zero."""
    right, answerable, right_claims, claims = sums
    if not (answerable > 0 and claims > 0 and right + right_claims > 0):
        return (0.0,)
    recall, precision = right / answerable, right_claims / claims
    return (2 * recall * precision / (recall + precision),)
