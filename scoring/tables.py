"""Result tables of the plain families: accuracy by split and category."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from ..errors import DataError
from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .round_trip import round_trip
from .stats import estimate

__all__ = [
    "Row",
    "by_split",
    "check_size",
    "group_table",
    "group_values",
    "grouped",
    "plain_table",
    "stacked",
    "stored_rows",
    "vqa_table",
]

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
_MOST_CELLS: Final = 1_000_000
"""Cells that a table may have: more come from a column of names or texts that was taken for one of groups."""


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

    Raises:
        DataError: there are too many different splits and categories.
    """
    if stored:
        rows = stored_rows(rows)
    columns = rows[0].cells if rows else {}
    splits, lost = by_split(rows, nan_splits=nan_splits)
    builder = _Columns(splits)
    builder.add("Overall", splits)
    for group in ("l2-category", "category"):
        if group in columns:
            members = {split: grouped(split_rows, group) for split, split_rows in splits.items()}
            for value in group_values(rows, group, nan_column=nan_splits):
                name = _ABBREVIATIONS.get(cell_text(value), cell_text(value))
                builder.add(name, {split: groups.get(value, []) for split, groups in members.items()})
    return builder.table(lost)


def group_table(rows: Sequence[Row], column: str, *, nan_splits: bool, stored: bool) -> Table:
    """Builds a table like `plain_table` with one column for each value of a single column, sorted as texts.

    Args:
        rows: the samples, with their columns ``split`` and the given one.
        column: the column.
        nan_splits: as of `plain_table`; samples without a value then have a column ``None`` without values.
        stored: as of `plain_table`.

    Raises:
        DataError: as of `plain_table`.
    """
    if stored:
        rows = stored_rows(rows)
    splits, lost = by_split(rows, nan_splits=nan_splits)
    builder = _Columns(splits)
    builder.add("Overall", splits)
    members = {split: grouped(split_rows, column) for split, split_rows in splits.items()}
    values = {str(row.cells[column]): row.cells[column] for row in rows if row.cells[column] is not None or nan_splits}
    for name in sorted(values):
        value = math.nan if values[name] is None else values[name]
        builder.add(name, {split: groups.get(value, []) for split, groups in members.items()})
    return builder.table(lost)


def by_split(rows: Sequence[Row], *, nan_splits: bool) -> tuple[dict[Cell, list[Row]], int]:
    """Returns the rows of each split, and how many rows without values the table has for samples without a split.

    Args:
        rows: the samples; without a column ``split`` all are of the split ``none``.
        nan_splits: as of `plain_table`.
    """
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
    return splits, lost


def check_size(splits: int, groups: int) -> None:
    """Refuses a table that would not end.

    Raises:
        DataError: splits and groups make more than a million cells.
    """
    if splits * groups > _MOST_CELLS:
        raise DataError(
            f"the result table would have {splits:,} splits and more than {groups - 1:,} categories; the columns "
            "'split' and 'category' name groups of questions, and these have another name for nearly every question"
        )


def stacked(tables: Mapping[str, Table]) -> Table:
    """Puts tables with a column ``split`` below each other; each split is called ``<name>_<split>``.

    Columns that only later tables have follow those of the earlier ones.
    """
    columns = tuple(dict.fromkeys(column for table in tables.values() for column in table.columns))
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, table in tables.items():
        for record in table.rows:
            split = record.get("split")
            records.append({**dict.fromkeys(columns), **record, "split": None if split is None else f"{name}_{split}"})
        metrics += [replace(metric, row=f"{name}_{metric.row}") for metric in table.metrics]
    return Table(columns, tuple(records), tuple(metrics))


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
        members = grouped(rows, "split")
        missing = members.pop(None, None)
        values = {str(split): _percentage(split_rows) for split, split_rows in members.items()}
        if missing is not None and nan_column:
            values["nan"] = None
        values["Overall"] = _percentage(rows)
    else:
        values["Overall"] = _percentage(rows)
        if "category" in columns:
            members = grouped(rows, "category")
            ordered = group_values(rows, "category", nan_column=nan_column)
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
        check_size(len(self._splits), len(self._cells) + 1)
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


def stored_rows(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows as a spreadsheet gives their columns back."""
    names = list(rows[0].cells) if rows else []
    read = {name: round_trip([row.cells[name] for row in rows]) for name in names}
    if all(row.cells[name] is cell for name, cells in read.items() for row, cell in zip(rows, cells, strict=True)):
        return list(rows)
    return [
        replace(row, cells=dict(zip(names, cells, strict=True)))
        for row, cells in zip(rows, zip(*read.values(), strict=True), strict=True)
    ]


def grouped(rows: Sequence[Row], column: str) -> dict[Cell, list[Row]]:
    """Returns the rows of each value of a column, None for rows without one."""
    members: dict[Cell, list[Row]] = {}
    for row in rows:
        members.setdefault(row.cells[column], []).append(row)
    return members


def group_values(rows: Sequence[Row], column: str, *, nan_column: bool) -> list[Cell]:
    """Returns the values of a column, sorted.

    Args:
        rows: the samples.
        column: the column.
        nan_column: NaN stands for missing values where the reference has a column of it.
    """
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
