"""POPE: does the model see objects that are not there? (Li et al. 2023, EMNLP; in the form of ms-vlmeval 0.0.20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .stats import estimate
from .yes_no import UNKNOWN, YES, Answered

__all__ = ["pope_table"]

_PERCENT: Final = 100.0
_Condition: TypeAlias = Callable[[Answered], bool]


def pope_table(rows: Sequence[Answered], *, unread_as_no: bool) -> Table:
    """Builds the table of POPE: a row ``Overall`` and one per category, in percent, Yes being the positive class.

    Columns: ``split``; ``Overall``, which is the F1 score; ``acc``, ``precision``, ``recall``. A sample counts once for
    each category that its cell lists between commas, in ``Overall`` as well: that is the benchmark's own weight, whose
    three settings ask many questions again. A sample without category counts in ``Overall`` alone. A figure with
    nothing to divide by is 0 and has no metric.

    Args:
        rows: the samples, with their column ``category``.
        unread_as_no: in F1, precision and recall an answer that was read as neither counts as No. Otherwise it counts
            as the wrong one: as a missed object, or as one that is not there.
    """
    everything: list[Answered] = []
    splits: dict[str, list[Answered]] = {}
    for row in rows:
        category = row.cells.get("category")
        names = [] if category is None else cell_text(category).split(",")
        everything.extend([row] * max(1, len(names)))
        for name in names:
            splits.setdefault(name, []).append(row)
    records: list[dict[str, Cell]] = []
    metrics: list[Metric] = []
    for split, members in [("Overall", everything), *splits.items()]:
        figures = _figures(members, unread_as_no=unread_as_no)
        undefined = 0.0 if members else None
        records.append({"split": split} | {name: found.mean if found else undefined for name, found in figures.items()})
        metrics += [Metric(name, split, found) for name, found in figures.items() if found is not None]
    return Table(("split", "Overall", "acc", "precision", "recall"), tuple(records), tuple(metrics))


def _figures(rows: Sequence[Answered], *, unread_as_no: bool) -> dict[str, Estimate | None]:
    def there(row: Answered) -> bool:
        return row.truth == YES

    def seen(row: Answered) -> bool:
        return row.said == YES or (row.said == UNKNOWN and not unread_as_no and not there(row))

    return {
        "Overall": _f1(_share(rows, lambda row: there(row) and seen(row), lambda row: there(row) or seen(row))),
        "acc": _share(rows, lambda row: row.right, lambda _: True, _PERCENT),
        "precision": _share(rows, there, seen, _PERCENT),
        "recall": _share(rows, seen, there, _PERCENT),
    }


def _share(rows: Sequence[Answered], counts: _Condition, among: _Condition, scale: float = 1.0) -> Estimate | None:
    """Returns the share of the rows that count among those that come into question, None where none do."""
    chosen = [row for row in rows if among(row)]
    if not chosen:
        return None
    return estimate([float(counts(row)) for row in chosen], [row.cluster for row in chosen], scale=scale)


def _f1(overlap: Estimate | None) -> Estimate | None:
    r"""Turns the overlap :math:`J = TP / (TP + FP + FN)` into :math:`F_1 = 2J / (1 + J)`, in percent.

    The overlap is a plain share, of the samples that are positive or were called so, and has a standard error and an
    interval as such. F1 rises with it, so that the ends of the interval are mapped as they are; the standard error
    follows by the delta method (Cramér 1946): :math:`s_F = 2 s_J / (1 + J)^2`.
    """
    if overlap is None:
        return None
    n, clusters = overlap.n, overlap.clusters
    if overlap.stderr is None or overlap.low is None or overlap.high is None:
        return Estimate(_doubled(overlap.mean), n, clusters, None, None, None)
    stderr = _PERCENT * 2 * overlap.stderr / (1 + overlap.mean) ** 2
    return Estimate(_doubled(overlap.mean), n, clusters, stderr, _doubled(overlap.low), _doubled(overlap.high))


def _doubled(overlap: float) -> float:
    return _PERCENT * 2 * overlap / (1 + overlap)
