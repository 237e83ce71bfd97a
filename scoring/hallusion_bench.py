"""HallusionBench: every question on a figure right, and one question on every figure (Guan et al. 2024, CVPR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..errors import DataError
from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .stats import estimate
from .yes_no import Answered

__all__ = ["Place", "hallusion_table", "place_of"]

_PARTS: Final = 6
_PERCENT: Final = 100.0


class Place(NamedTuple):
    """Where a question stands in its category: which set of figures, which of these figures, which question."""

    set: str
    figure: str
    question: str


def place_of(index: str, *, six_parts: bool) -> Place:
    """Reads the fourth, fifth and sixth part of an index such as ``VD_illusion_1_0_1_0``.

    Args:
        index: ``<category>_<l2-category>_<visual>_<set>_<figure>_<question>``.
        six_parts: whether an index of more than six parts, whose places may be shifted, is an error.

    Raises:
        DataError: the index has too few parts, or too many.
    """
    parts = index.split("_")
    if len(parts) < _PARTS or (six_parts and len(parts) > _PARTS):
        raise DataError(
            f"the index {index[:80]!r} has {len(parts)} parts where there should be six: "
            "<category>_<l2-category>_<visual>_<set>_<figure>_<question>"
        )
    return Place(*parts[3:6])


def hallusion_table(rows: Sequence[tuple[Place, Answered]], *, across_categories: bool, nan_splits: bool) -> Table:
    """Builds the table of HallusionBench: a row ``Overall``, one per category and one per l2-category, in percent.

    Columns: ``split``; ``aAcc``, the share of right answers; ``fAcc``, the share of figures with every question right;
    ``qAcc``, the share of questions that are right for every figure of their set. The rows stand in the order in which
    their categories appear. Standard errors are clustered by picture, those of figures and questions by set, whose
    pictures they share.

    Args:
        rows: the samples, with their columns ``category`` and ``l2-category``.
        across_categories: equal sets of one l2-category are one group even when their categories differ, as those of
            ``ocr`` do.
        nan_splits: missing categories add a row without values, as NaN equals nothing in the reference.
    """
    splits: list[tuple[Cell, list[tuple[Place, Answered]]]] = [("Overall", list(rows))]
    for column in ("category", "l2-category"):
        members: dict[Cell, list[tuple[Place, Answered]]] = {}
        for row in rows:
            members.setdefault(row[1].cells.get(column), []).append(row)
        if members.pop(None, None) is not None and nan_splits:
            members[None] = []
        splits += members.items()
    records: list[dict[str, Cell]] = []
    metrics: list[Metric] = []
    for split, chosen in splits:
        found = _accuracies(chosen, across_categories=across_categories)
        records.append({"split": split} | {name: share.mean if share else None for name, share in found.items()})
        metrics += [Metric(name, str(split), share) for name, share in found.items() if share is not None]
    return Table(("split", "aAcc", "fAcc", "qAcc"), tuple(records), tuple(metrics))


def _accuracies(rows: Sequence[tuple[Place, Answered]], *, across_categories: bool) -> dict[str, Estimate | None]:
    if not rows:
        return dict.fromkeys(("aAcc", "fAcc", "qAcc"))
    figures: dict[tuple[str, ...], bool] = {}
    questions: dict[tuple[str, ...], bool] = {}
    for place, row in rows:
        names = ("l2-category",) if across_categories else ("category", "l2-category")
        in_set = (*(cell_text(row.cells.get(name)) for name in names), place.set)
        for groups, part in ((figures, place.figure), (questions, place.question)):
            groups[*in_set, part] = groups.get((*in_set, part), True) and row.right
    return {
        "aAcc": estimate([float(row.right) for _, row in rows], [row.cluster for _, row in rows], scale=_PERCENT),
        "fAcc": _share(figures),
        "qAcc": _share(questions),
    }


def _share(groups: dict[tuple[str, ...], bool]) -> Estimate:
    return estimate([float(right) for right in groups.values()], [group[:-1] for group in groups], scale=_PERCENT)
