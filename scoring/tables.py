"""Result tables of the plain families: accuracy by split and category."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .round_trip import round_trip
from .stats import estimate

__all__ = ["Row", "plain_table", "vqa_table"]

_ABBREVIATIONS: Final = MappingProxyType(
    {
        "coarse_perception": "CP",
        "finegrained_perception (instance-level)": "FP-S",
        "finegrained_perception (cross-instance)": "FP-C",
        "logic_reasoning": "LR",
        "relation_reasoning": "RR",
        "attribute_reasoning": "AR",
    }
)
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Row:
    """A scored sample on its way into a table.

    Attributes:
        points: worth of the answer, 0 to 1.
        cluster: equal for samples that show the same picture.
        cells: the columns that group the table, those of them that the benchmark has.
    """

    points: float
    cluster: str
    cells: Mapping[str, Cell]


def plain_table(rows: Sequence[Row], *, nan_splits: bool, stored: bool) -> Table:
    """Builds the table of a multiple-choice benchmark: one row per split, fractions.

    Columns: ``split``, ``Overall``, the values of ``l2-category`` and of ``category``, each sorted and some
    abbreviated. A category of the same name as an l2-category takes over its column. A sample without a category
    counts in ``Overall`` alone.

    Args:
        rows: the samples, with their columns ``split``, ``l2-category`` and ``category``.
        nan_splits: samples without a split stand in rows of their own without values, as NaN equals nothing in the
            reference: all in one row beside splits that are texts, else each in its own. Off: they form the row
            ``none``.
        stored: the columns pass through a spreadsheet once more, in which the reference keeps the scored rows.
    """
    if stored:
        rows = _stored(rows)
    columns = rows[0].cells if rows else {}
    splits: dict[Cell, list[Row]] = {} if "split" in columns else {"none": []}
    lost = 0
    for row in rows:
        split = row.cells.get("split") if "split" in columns else "none"
        if split is None and nan_splits:
            lost += 1
        else:
            splits.setdefault("none" if split is None else split, []).append(row)
    if lost and any(isinstance(split, str) for split in splits):
        # Missing cells of a column of texts are one object, those of a column of numbers a NaN each.
        lost = 1
    builder = _Columns(splits)
    builder.add("Overall", splits)
    for group in ("l2-category", "category"):
        if group in columns:
            by_split = {split: _grouped(members, group) for split, members in splits.items()}
            for value in _values(rows, group, nan_column=nan_splits):
                name = _ABBREVIATIONS.get(cell_text(value), cell_text(value))
                builder.add(name, {split: members.get(value, []) for split, members in by_split.items()})
    return builder.table(lost)


def vqa_table(rows: Sequence[Row], *, nan_column: bool) -> Table:
    """Builds the table of a short-answer benchmark: one row, percentages.

    With a column ``split``: one column per split, then ``Overall``. Else ``Overall``, then one column per ``category``
    if there is such a column.

    Args:
        rows: the samples, with their columns ``split`` and ``category``.
        nan_column: samples without a split, or without a category among numbers or none, add a column ``nan`` without
            a value, as in the reference.
    """
    columns = rows[0].cells if rows else {}
    values: dict[str, Estimate | None] = {}
    if "split" in columns:
        members = _grouped(rows, "split")
        missing = members.pop(None, None)
        values = {str(split): _percentage(split_rows) for split, split_rows in members.items()}
        if missing is not None and nan_column:
            values["nan"] = None
        values["Overall"] = _percentage(rows)
    else:
        values["Overall"] = _percentage(rows)
        if "category" in columns:
            members = _grouped(rows, "category")
            ordered = _values(rows, "category", nan_column=nan_column)
            values |= {str(value): _percentage(members.get(value, [])) for value in ordered}
    record: dict[str, Cell] = {name: None if found is None else found.mean for name, found in values.items()}
    metrics = tuple(Metric(name, "", found) for name, found in values.items() if found is not None)
    return Table(tuple(record), (record,), metrics)


class _Columns:
    """A table that grows by columns, one cell per split."""

    def __init__(self, splits: Iterable[Cell]) -> None:
        self._splits = list(splits)
        self._cells: dict[str, dict[Cell, Estimate | None]] = {}

    def add(self, name: str, members: Mapping[Cell, Sequence[Row]]) -> None:
        self._cells[name] = {split: _mean(members[split]) for split in self._splits}

    def table(self, empty_rows: int) -> Table:
        records: list[Mapping[str, Cell]] = []
        metrics: list[Metric] = []
        for split in self._splits:
            record: dict[str, Cell] = {"split": split}
            for name, cells in self._cells.items():
                found = cells[split]
                record[name] = None if found is None else found.mean
                if found is not None:
                    metrics.append(Metric(name, str(split), found))
            records.append(record)
        columns = tuple(dict.fromkeys(("split", *self._cells)))
        records.extend([dict.fromkeys(columns)] * empty_rows)
        return Table(columns, tuple(records), tuple(metrics))


def _stored(rows: Sequence[Row]) -> list[Row]:
    names = list(rows[0].cells) if rows else []
    read = {name: round_trip([row.cells[name] for row in rows]) for name in names}
    if all(row.cells[name] is cell for name, cells in read.items() for row, cell in zip(rows, cells, strict=True)):
        return list(rows)
    return [
        replace(row, cells=dict(zip(names, cells, strict=True)))
        for row, cells in zip(rows, zip(*read.values(), strict=True), strict=True)
    ]


def _grouped(rows: Sequence[Row], column: str) -> dict[Cell, list[Row]]:
    members: dict[Cell, list[Row]] = {}
    for row in rows:
        members.setdefault(row.cells[column], []).append(row)
    return members


def _values(rows: Sequence[Row], column: str, *, nan_column: bool) -> list[Cell]:
    """Returns the values of a column, sorted; NaN stands for missing ones where the reference has a column of it."""
    values = {row.cells[column] for row in rows}
    missing = None in values
    ordered: list[Cell] = sorted(values - {None}, key=lambda v: (isinstance(v, str), v))
    if missing and nan_column and not any(isinstance(value, str) for value in ordered):
        # NaN equals nothing: the reference's column of that name holds no sample. Among texts it cannot be sorted, and
        # the reference stops; here those samples count in Overall.
        ordered.append(math.nan)
    return ordered


def _mean(rows: Sequence[Row], scale: float = 1.0) -> Estimate | None:
    points = [row.points for row in rows]
    if not points or any(map(math.isnan, points)):
        return None
    return estimate(points, [row.cluster for row in rows], scale=scale)


def _percentage(rows: Sequence[Row]) -> Estimate | None:
    return _mean(rows, _PERCENT)
