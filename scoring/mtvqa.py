"""MTVQA: an answer counts when it contains the accepted one (Tang et al. 2024, in the form of ms-vlmeval 0.0.20)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..records import Cell, Metric, Table
from .cells import cell_text
from .stats import estimate
from .substrings import stands_in
from .tables import Row

__all__ = ["contains_answer", "language_table"]

_PERCENT: Final = 100.0
_AVERAGE: Final = "Average"


def contains_answer(prediction: str, answer: str, *, empty_everywhere: bool) -> bool:
    """Whether a prediction contains the accepted answer, regardless of case, outer white space and full stops.

    Args:
        prediction: the answer.
        answer: the accepted answer.
        empty_everywhere: an accepted answer of full stops only stands in every prediction; else these have to stand in
            it.
    """
    wanted, seen = _plain(answer), _plain(prediction)
    if not wanted and not empty_everywhere:
        wanted, seen = answer.strip(), prediction.strip()
    return stands_in(wanted, seen, empty_everywhere=empty_everywhere)


def _plain(text: str) -> str:
    return text.strip().lower().replace(".", "")


def language_table(rows: Sequence[Row]) -> Table:
    """Builds the result table: percentages per language, the column ``category``, and ``Average`` over all samples.

    Languages stand in the order of their first samples, ``Average`` after the first of them; samples without one count
    in ``Average`` only.

    Args:
        rows: the samples, with their column ``category`` where there is one.
    """
    members: dict[str, list[Row]] = {}
    for row in rows:
        category = row.cells.get("category")
        if category is not None:
            members.setdefault(cell_text(category), []).append(row)
        members.setdefault(_AVERAGE, []).append(row)
    metrics = tuple(
        Metric(name, "", estimate([row.points for row in group], [row.cluster for row in group], scale=_PERCENT))
        for name, group in members.items()
    )
    record: dict[str, Cell] = {metric.name: metric.estimate.mean for metric in metrics} or {_AVERAGE: None}
    return Table(tuple(record), (record,), metrics)
