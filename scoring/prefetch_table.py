"""Result tables of benchmarks whose answers are read by a rule or else by a judge: how many by which, how many right.

The form of the tables is that of MathVision and MathVista in ms-vlmeval 0.0.20.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..records import Cell, Metric, Table
from .cells import cell_text
from .stats import estimate

__all__ = ["PrefetchRow", "prefetch_table"]

_OVERALL: Final = "Overall"
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class PrefetchRow:
    """A scored sample on its way into the table.

    Attributes:
        hit: whether the answer is right.
        prefetched: whether a rule read it, without a judge.
        cluster: equal for samples that show the same picture.
        groups: names of the table's rows that it counts in, beside ``Overall``; as often as they stand here.
    """

    hit: bool
    prefetched: bool
    cluster: str
    groups: tuple[Cell, ...]


def prefetch_table(rows: Sequence[PrefetchRow], heading: str, *, by_name: bool) -> Table:
    """Builds the table: a row for all samples, and one for each group.

    Columns: the group, ``tot``, ``prefetch`` and ``hit`` (numbers of samples), ``prefetch_rate`` and ``acc`` (percent).

    Args:
        rows: the samples, in file order.
        heading: name of the column that names the groups.
        by_name: sort groups by name, ``Overall`` among them, capitals first; else ``Overall`` and then the others as
            they first appear.
    """
    members: dict[Cell, list[PrefetchRow]] = {}
    for row in rows:
        for group in (_OVERALL, *row.groups):
            members.setdefault(group, []).append(row)
    groups = sorted(members, key=_sorting_key) if by_name else list(members)
    records: list[dict[str, Cell]] = []
    metrics: list[Metric] = []
    for group in groups:
        inside = members[group]
        accuracy = estimate([float(row.hit) for row in inside], [row.cluster for row in inside], scale=_PERCENT)
        prefetched = sum(row.prefetched for row in inside)
        records.append(
            {
                heading: group,
                "tot": len(inside),
                "prefetch": prefetched,
                "hit": sum(row.hit for row in inside),
                "prefetch_rate": prefetched / len(inside) * _PERCENT,
                "acc": accuracy.mean,
            }
        )
        metrics.append(Metric("acc", cell_text(group), accuracy))
    columns = (heading, "tot", "prefetch", "hit", "prefetch_rate", "acc")
    return Table(columns, tuple(records), tuple(metrics))


def _sorting_key(group: Cell) -> tuple[bool, bool, Cell]:
    """Orders numbers before texts, and both before the group of samples that have none."""
    return group is None, isinstance(group, str), "" if group is None else group
