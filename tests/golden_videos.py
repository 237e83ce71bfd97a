"""What tests of golden vectors need for the benchmarks on videos."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eyechart.benchmarks.families import VIDEOS as _BUILDERS
from eyechart.benchmarks.video import VideoOptions
from eyechart.records import Cell

VIDEOS = frozenset(_BUILDERS)


def options_of(variant: str) -> tuple[VideoOptions, bool]:
    """Returns what the name of a golden file says, as ``subs_fps4``: how videos are shown, and whether as a whole."""
    fps: int | float = -1
    if found := re.search(r"fps([\d.]+)", variant):
        fps = float(found[1]) if "." in found[1] else int(found[1])
    nframe = int(found[1]) if (found := re.search(r"(?:nframe|subs)(\d+)", variant)) else 8
    pack = "pack" in variant
    options = VideoOptions(
        nframe=0 if fps > 0 else 4 if pack else nframe, fps=fps, pack=pack, use_subtitle="subs" in variant
    )
    return options, "video_llm" in variant


def in_reference_form(name: str, rows: Sequence[Mapping[str, Cell]]) -> list[dict[str, Any]]:
    """Returns the rows of a table as the reference writes them: for a benchmark on videos as one nested mapping."""
    form = _FORMS.get(name)
    return [dict(row) for row in rows] if form is None else [form(rows)]


def _tasks(rows: Sequence[Mapping[str, Cell]]) -> dict[str, Any]:
    return {str(row["task_type"]): [row["correct"], row["total"], row["accuracy"]] for row in rows}


def _capabilities(rows: Sequence[Mapping[str, Cell]]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for row in rows:
        for kind in ("all", "valid"):
            form.setdefault(f"{row['level']}_{kind}", {})[row["dimension"]] = row[kind]
    return form


def _durations(rows: Sequence[Mapping[str, Cell]]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for row in rows:
        group, _, value = str(row["category"]).partition("|")
        for duration in (column for column in row if column != "category"):
            inside = form.setdefault(duration, {})
            if value:
                inside.setdefault(group, {})[value] = row[duration]
            else:
                inside[group] = row[duration]
    return form


_FORMS = {
    "MMBench-Video": _capabilities,
    "MVBench": _tasks,
    "MVBench_MP4": _tasks,
    "Video-MME": _durations,
}
