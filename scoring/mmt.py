"""The result table of MMT-Bench (Ying et al. 2024): 32 meta-tasks, each the plain mean of its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .stats import estimate, mean_of_means
from .tables import Row, by_split, check_size, group_values, grouped, stored_rows

__all__ = ["mmt_table"]

_META_TASKS: Final = MappingProxyType(
    {
        "visual_recognition": "VR",
        "localization": "Loc",
        "ocr": "OCR",
        "counting": "Count",
        "hallucination": "HLN",
        "image_retrieval": "IR",
        "threed": "3D",
        "visual_captioning": "VC",
        "visual_grounding": "VG",
        "doc_understanding": "DU",
        "action_recognition": "AR",
        "pixel_level_perception": "PLP",
        "image-to-image_translation": "I2IT",
        "relation_reasoning": "RR",
        "intelligence_quotient_test": "IQT",
        "emotion": "Emo",
        "visual_illusion": "VI",
        "meme_understanding": "MemU",
        "visual_prompt_understanding": "VPU",
        "anomaly_detection": "AND",
        "keypoint_detection": "KD",
        "visual_commonsense_reasoning": "VCR",
        "image_evaluation_judgement": "IEJ",
        "multiple_image_analysis": "MIA",
        "cross_image_matching": "CIM",
        "temporal_understanding": "TU",
        "visual_code": "VP",
        "medical_understanding": "MedU",
        "autonomous_driving": "AUD",
        "discipline_knowledge_reasoning": "DKR",
        "embodied_ai": "EA",
        "gui_navigation": "GN",
    }
)
"""Column of the result table by ``l2-category``."""
_ALL: Final = "ALL"


def mmt_table(rows: Sequence[Row], *, nan_splits: bool, stored: bool) -> Table:
    """Builds the table: one row per split and one of all samples, fractions.

    Columns: ``split``, ``Overall``, the 32 meta-tasks (``l2-category``), the tasks (``category``), sorted, and unknown
    meta-tasks under their own names. Where a task is called like a meta-task the column is the meta-task's. A meta-task
    is the unweighted mean of the accuracies of its tasks, missing where one of them has no sample in the split. A
    meta-task without any sample, as in a run with ``limit``, stays empty; the reference stops there.

    Args:
        rows: the samples, with their columns ``split``, ``l2-category`` and ``category``.
        nan_splits: as of `scoring.tables.plain_table`.
        stored: as of `scoring.tables.plain_table`.

    Raises:
        DataError: as of `scoring.tables.plain_table`.
    """
    if stored:
        rows = stored_rows(rows)
    splits, lost = by_split(rows, nan_splits=nan_splits)
    tasks = group_values(rows, "category", nan_column=nan_splits) if _has(rows, "category") else []
    meta_tasks = _meta_tasks(rows)
    check_size(len(splits) + 1, len(meta_tasks) + len(tasks) + 1)
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for split, members in [*splits.items(), (_ALL, list(rows))]:
        cells = _cells(members, meta_tasks, tasks)
        records.append({"split": split} | {name: found.mean if found else None for name, found in cells.items()})
        metrics += [Metric(name, str(split), found) for name, found in cells.items() if found]
    columns = tuple(records[0])
    records[-1:-1] = [dict.fromkeys(columns)] * lost
    return Table(columns, tuple(records), tuple(metrics))


def _cells(
    rows: Sequence[Row], meta_tasks: Mapping[str, Sequence[Cell]], tasks: Iterable[Cell]
) -> dict[str, Estimate | None]:
    by_task = grouped(rows, "category") if _has(rows, "category") else {}
    cells: dict[str, Estimate | None] = {"Overall": _mean(rows), **dict.fromkeys(_META_TASKS.values())}
    for task in tasks:
        cells[cell_text(task)] = _mean(by_task.get(task, []))
    for name, members in meta_tasks.items():
        groups = [by_task.get(task, []) for task in members]
        complete = bool(groups) and all(groups)
        cells[name] = mean_of_means([_points(group) for group in groups]) if complete else None
    return cells


def _points(rows: Sequence[Row]) -> tuple[list[float], list[str]]:
    return [row.points for row in rows], [row.cluster for row in rows]


def _meta_tasks(rows: Sequence[Row]) -> dict[str, list[Cell]]:
    """Returns the tasks of each meta-task, by its column: the 32 in their order, then unknown ones, sorted."""
    found: dict[str, dict[Cell, None]] = {name: {} for name in _META_TASKS.values()}
    if not (_has(rows, "l2-category") and _has(rows, "category")):
        return {name: [] for name in found}
    for row in rows:
        meta_task, task = row.cells["l2-category"], row.cells["category"]
        if meta_task is not None and task is not None:
            name = _META_TASKS.get(cell_text(meta_task), cell_text(meta_task))
            found.setdefault(name, {})[task] = None
    unknown = sorted(found.keys() - set(_META_TASKS.values()))
    return {name: list(found[name]) for name in (*_META_TASKS.values(), *unknown)}


def _mean(rows: Sequence[Row]) -> Estimate | None:
    return estimate([row.points for row in rows], [row.cluster for row in rows]) if rows else None


def _has(rows: Sequence[Row], column: str) -> bool:
    return bool(rows) and column in rows[0].cells
