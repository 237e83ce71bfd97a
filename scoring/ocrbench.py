"""OCRBench: an answer counts when it contains an accepted one (Liu et al. 2023, in the form of ms-vlmeval 0.0.20)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

from ..errors import DataError
from ..records import Cell, Estimate, Metric, Table
from .literals import parse_literal
from .stats import estimate
from .substrings import stands_in
from .tables import Row

__all__ = ["accepted_texts", "contains_answer", "points_table"]

_FORMULAS: Final = "Handwritten Mathematical Expression Recognition"
_TEXT_RECOGNITION: Final = "Text Recognition"
_GROUPS: Final = MappingProxyType(
    {
        "Regular Text Recognition": _TEXT_RECOGNITION,
        "Irregular Text Recognition": _TEXT_RECOGNITION,
        "Artistic Text Recognition": _TEXT_RECOGNITION,
        "Handwriting Recognition": _TEXT_RECOGNITION,
        "Digit String Recognition": _TEXT_RECOGNITION,
        "Non-Semantic Text Recognition": _TEXT_RECOGNITION,
        "Scene Text-centric VQA": "Scene Text-centric VQA",
        "Doc-oriented VQA": "Doc-oriented VQA",
        "Key Information Extraction": "Key Information Extraction",
        _FORMULAS: _FORMULAS,
    }
)
"""Group of the result table by category."""
_FULL_SIZE: Final = 1000
"""Questions in the whole benchmark: the normed score is a percentage of these."""


def accepted_texts(answer: str) -> list[str]:
    """Returns the accepted answers of a row, a Python literal; a text literal is taken letter by letter.

    Raises:
        DataError: the cell is no list.
    """
    try:
        value = parse_literal(answer)
    except ValueError as error:
        raise DataError(f"the answer {answer[:80]!r} is no Python list of texts") from error
    if not isinstance(value, Iterable):
        raise DataError(f"the answer {answer[:80]!r} is no Python list of texts")
    return [str(item) for item in value]


def contains_answer(prediction: str, answers: Sequence[str], category: Cell, *, empty_everywhere: bool) -> bool:
    """Whether the answer contains an accepted one: without spaces for formulas, regardless of case otherwise.

    Args:
        prediction: the answer.
        answers: accepted answers.
        category: the row's category.
        empty_everywhere: an empty accepted answer stands in every answer; else only in an empty one.
    """
    plain = _compact if category == _FORMULAS else _flat
    seen = plain(prediction)
    return any(stands_in(plain(answer), seen, empty_everywhere=empty_everywhere) for answer in answers)


def _compact(text: str) -> str:
    return text.strip().replace("\n", " ").replace(" ", "")


def _flat(text: str) -> str:
    return text.lower().strip().replace("\n", " ")


def points_table(rows: Sequence[Row]) -> Table:
    """Builds the result table: points per group, their sum, and a tenth of it.

    The metrics give the points' uncertainty; the groups are sums over their own samples.

    Args:
        rows: the samples, with their column ``category``.

    Raises:
        DataError: an answer of an unknown category is right, so that its point belongs nowhere.
    """
    members: dict[str, list[Row]] = {group: [] for group in dict.fromkeys(_GROUPS.values())}
    for row in rows:
        category = row.cells.get("category")
        group = _GROUPS.get(str(category))
        if group is not None:
            members[group].append(row)
        elif row.points:
            raise DataError(f"category {category!r} is none of OCRBench's; known: {', '.join(_GROUPS)}")
    table: dict[str, Cell] = {group: int(sum(row.points for row in rows_)) for group, rows_ in members.items()}
    known = [row for rows_ in members.values() for row in rows_]
    total = int(sum(row.points for row in known))
    table |= {"Final Score": total, "Final Score Norm": total / (_FULL_SIZE / 100)}
    sums = {**members, "Final Score": known, "Final Score Norm": known}
    metrics = tuple(
        Metric(name, "", _sum_estimate(rows_, len(rows_) * (0.1 if name == "Final Score Norm" else 1.0)))
        for name, rows_ in sums.items()
        if rows_
    )
    return Table(tuple(table), (table,), metrics)


def _sum_estimate(rows: Sequence[Row], scale: float) -> Estimate:
    return estimate([row.points for row in rows], [row.cluster for row in rows], scale=scale)
