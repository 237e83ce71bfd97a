"""Makes the files of benchmarks on videos from what their hub repositories hold, as the reference makes them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import DataError

__all__ = ["MVBENCH_TASKS", "mvbench_mp4_rows", "mvbench_rows", "table_text", "video_mme_rows"]

_CHARADES: Final = "star/Charades_v1_480/"
_CLEVRER: Final = "clevrer/video_validation/"
_PERCEPTION: Final = "perception/videos/"

MVBENCH_TASKS: Final = (
    ("Action Sequence", "action_sequence", _CHARADES, "video", True),
    ("Action Prediction", "action_prediction", _CHARADES, "video", True),
    ("Action Antonym", "action_antonym", "ssv2_video/", "video", False),
    ("Fine-grained Action", "fine_grained_action", "Moments_in_Time_Raw/videos/", "video", False),
    ("Unexpected Action", "unexpected_action", "FunQA_test/test/", "video", False),
    ("Object Existence", "object_existence", _CLEVRER, "video", False),
    ("Object Interaction", "object_interaction", _CHARADES, "video", True),
    ("Object Shuffle", "object_shuffle", _PERCEPTION, "video", False),
    ("Moving Direction", "moving_direction", _CLEVRER, "video", False),
    ("Action Localization", "action_localization", "sta/sta_video/", "video", True),
    ("Scene Transition", "scene_transition", "scene_qa/video/", "video", False),
    ("Action Count", "action_count", _PERCEPTION, "video", False),
    ("Moving Count", "moving_count", _CLEVRER, "video", False),
    ("Moving Attribute", "moving_attribute", _CLEVRER, "video", False),
    ("State Change", "state_change", _PERCEPTION, "video", False),
    ("Fine-grained Pose", "fine_grained_pose", "nturgbd/", "video", False),
    ("Character Order", "character_order", _PERCEPTION, "video", False),
    ("Egocentric Navigation", "egocentric_navigation", "vlnqa/", "video", False),
    ("Episodic Reasoning", "episodic_reasoning", "tvqa/frames_fps3_hq/", "frame", True),
    ("Counterfactual Inference", "counterfactual_inference", _CLEVRER, "video", False),
)
"""The twenty tasks: name, file of questions, folder below ``video/``, kind of video, whether parts are shown."""


def mvbench_rows(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of MVBench from ``json/<task>.json``.

    Raises:
        DataError: a file is missing or malformed.
    """
    rows: list[dict[str, Any]] = []
    for task, file, place, kind, bound in MVBENCH_TASKS:
        for item in _items(_json(folder / "json" / f"{file}.json"), folder / "json" / f"{file}.json"):
            rows.append(
                {
                    "task_type": task,
                    "prefix": f"video/{place}",
                    "data_type": kind,
                    "bound": bound,
                    "start": _second(item, "start") if bound else None,
                    "end": _second(item, "end") if bound else None,
                    **{name: item[name] for name in ("video", "question", "answer", "candidates")},
                    "index": len(rows),
                }
            )
    return rows


def _second(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    usable = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if usable and value is not None else None


def mvbench_mp4_rows(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of MVBench_MP4 from ``test.json``.

    Raises:
        DataError: the file is missing or malformed.
    """
    path = folder / "test.json"
    content = _json(path)
    try:
        tasks, prefixes = content["meta"].items(), content["root"]
        listed = [(task, prefixes[task], item) for task, items in tasks for item in _items(items, path)]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not what the repository holds: {error}") from None
    names = ("video", "question", "answer", "candidates")
    return [
        {"task_type": task, "prefix": prefix, **{name: item[name] for name in names}, "index": index}
        for index, (task, prefix, item) in enumerate(listed)
    ]


def video_mme_rows(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows of Video-MME from those of its parquet file.

    Raises:
        DataError: a row lacks a column.
    """
    rows = []
    for index, record in enumerate(records):
        try:
            video = record["videoID"]
            rows.append(
                {
                    "index": index,
                    "video": video,
                    "video_path": f"./video/{video}.mp4",
                    "duration": record["duration"],
                    "domain": record["domain"],
                    "candidates": list(record["options"]),
                    "sub_category": record["sub_category"],
                    "task_type": record["task_type"],
                    "subtitle_path": f"./subtitle/{video}.srt",
                    "question": record["question"],
                    "answer": record["answer"],
                }
            )
        except KeyError as error:
            raise DataError(f"row {index} of Video-MME's parquet file has no column {error}") from None
    return rows


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Writes rows as the reference does: tab-separated, quoted where needed, lists as Python writes them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, dialect="excel-tab", lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([["" if value is None else value for value in row.values()] for row in rows])
    return buffer.getvalue()


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _items(items: Any, path: Path) -> list[Mapping[str, Any]]:
    wanted = {"video", "question", "answer", "candidates"}
    if (
        not isinstance(items, list)
        or not items
        or not all(isinstance(item, dict) and wanted <= item.keys() for item in items)
    ):
        raise DataError(f"{path} is no list of questions with {', '.join(sorted(wanted))}")
    return items
