"""The table of predictions as the reference scores it: written into a spreadsheet and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from operator import is_

from ..records import Cell, Sample
from ..scoring.round_trip import round_trip_table

__all__ = ["stored_table"]


def stored_table(
    samples: Sequence[Sample], answers: Sequence[Cell], wanted: Callable[[str], bool]
) -> tuple[list[Sample], list[Cell]]:
    """Passes samples and answers through a spreadsheet (`scoring.round_trip`).

    Args:
        samples: the questions; a column that some of them lack is empty there.
        answers: their answers, which stand in the table's last column.
        wanted: which columns are read back; the others stay as the benchmark has them.

    Returns:
        The samples with what came back, and the answers.
    """
    if not samples:
        return [], []
    names = [name for name in dict.fromkeys(chain.from_iterable(s.cells for s in samples)) if name != "prediction"]
    columns: dict[str, Sequence[Cell]] = {name: [sample.cells.get(name) for sample in samples] for name in names}
    columns["prediction"] = answers
    read = round_trip_table(columns, lambda name: name == "prediction" or wanted(name))
    answers = read.pop("prediction")
    # Most columns come back as they went in: their samples stay as they are.
    changed = {name: values for name, values in read.items() if not all(map(is_, values, columns[name]))}
    if not changed:
        return list(samples), list(answers)
    rows = zip(*changed.values(), strict=True)
    new_cells = [dict(zip(changed, row, strict=True)) for row in rows]
    return [
        replace(sample, cells={**sample.cells, **cells}) for sample, cells in zip(samples, new_cells, strict=True)
    ], list(answers)
