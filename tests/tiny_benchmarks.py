"""Writes a small file in the reference's layout for any benchmark of the catalogue that has one."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from clips import write_clip
from PIL import Image

from eyechart.benchmarks.catalog import find_entry

Row = Mapping[str, object]

ROWS = 6
_OPTIONS = {"A": "cat", "B": "dog", "C": "boat", "D": "lamp"}


def picture(number: int) -> str:
    """A picture of one colour, as base64 text."""
    buffer = io.BytesIO()
    Image.new("RGB", (30 + number, 20), (40 * number % 256, 80, 160)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write_tiny(name: str, folder: Path) -> int:
    """Writes the file, or files, of a benchmark; returns the number of its rows."""
    entry = find_entry(name)
    if entry.parts:
        return sum(write_tiny(part, folder) for part in entry.parts)
    rows = _rows(name, entry.family, hidden=entry.hidden_answers)
    if entry.family == "video":
        write_videos(folder)
        rows = [{column: cell for column, cell in row.items() if column != "image"} for row in rows]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (folder / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, dialect="excel-tab", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return len(rows)


def write_videos(folder: Path) -> None:
    """Writes the clips that rows of the benchmarks on videos ask about."""
    for clip in ("v0.mp4", "v1.mp4", "v2.mp4"):
        if not (folder / "video" / clip).exists():
            write_clip(folder / "video" / clip, frames=12 + int(clip[1]))


def _rows(name: str, family: str, *, hidden: bool) -> list[Row]:
    rows: list[Row] = []
    for number in range(ROWS):
        row = {"index": number, "question": f"What is in picture {number} of {name}?", "image": picture(number)}
        rows.append(row | ROWS_OF[family](name, number))
    if hidden:
        rows = [{column: cell for column, cell in row.items() if column != "answer"} for row in rows]
    return rows


def _choice(name: str, number: int) -> Row:
    row: dict[str, object] = {
        **_OPTIONS,
        "answer": "ABCD"[number % 4],
        "category": f"task {number % 3}",
        "l2-category": ("ocr", "counting")[number % 2],
        "split": ("val", "test")[number % 2],
    }
    if name.startswith(("MMBench", "CCBench")):  # three questions, each with its options turned once
        row["index"] = number % 3 + 1_000_000 * (number // 3)
    if name.startswith("MMMU"):
        row |= {"id": f"{name}_{number}", "question": f"Look at <image 1> of {name} {number}. What is it?"}
        if number == 1:
            row |= dict.fromkeys("ABCD", "") | {"answer": "['2.5', '5/2']"}
    if name.startswith("GMAI-"):
        row |= dict.fromkeys(("clinical VQA task", "department", "perceptual granularity"), f"group {number % 2}")
    if name == "BLINK":
        row["image"] = str([picture(number), picture(number + 1)])
    return row


def _yes_or_no(name: str, number: int) -> Row:
    row: dict[str, object] = {
        "question": f"Is this picture {number} of {name}? Please answer yes or no.",
        "answer": ("Yes", "No")[number % 2],
        "category": ("existence", "count")[number // 4],
    }
    if name == "HallusionBench":
        row |= {"index": f"VD_figure_{number // 2}_1_0_{number % 2}", "category": "VD", "l2-category": "figure"}
    if name == "MME":  # two questions about each picture
        row |= {"image_path": f"{number // 2}.png"}
    return row


def _caption(name: str, number: int) -> Row:
    return {"answer": str([f"a {colour} picture of {name}" for colour in ("red", "blue", f"shade {number}")])}


def _short_answer(name: str, number: int) -> Row:
    row: dict[str, object] = {"answer": str([str(number), "red"]), "category": f"c{number % 2}"}
    if name == "MTVQA_TEST":
        row |= {"answer": str(number), "category": ("DE", "FR")[number % 2], "split": "test"}
    return row


def _text_in_picture(_: str, number: int) -> Row:
    return {"answer": str(["red", str(number)]), "category": "Regular Text Recognition"}


def _maths(_: str, number: int) -> Row:
    choices = ["4", "5", "6"] if number % 2 else []
    return {
        "choices": str(choices),
        "answer": "B" if choices else "5",
        "category": "counting",
        "question_type": "multi_choice" if choices else "free_form",
        "answer_type": "text" if choices else "integer",
        "answer_option": "B" if choices else "",
        "task": "figure question answering",
        "skills": "['arithmetic reasoning']",
    }


def _covered_text(name: str, number: int) -> Row:
    return {"answer": str([f"the text of {name}", f"number {number}"])}


def _open_ended(_: str, number: int) -> Row:
    return {
        "answer": f"{number} <OR> red",
        "category": ("rec", "ocr,math")[number % 2],
        "caption": "a picture of one colour",
        "gpt4_ans": "It is of one colour.",
    }


def pdf(pages: int) -> str:
    """A PDF with so many pages, as base64 text."""
    buffer = io.BytesIO()
    first, *others = [Image.new("RGB", (60 + page, 40), (30 * page % 256, 90, 200)) for page in range(pages)]
    first.save(buffer, "PDF", save_all=True, append_images=others)
    return base64.b64encode(buffer.getvalue()).decode()


def _document(name: str, number: int) -> Row:
    pages = 1 + number % 3
    row: dict[str, object] = {
        "doc_id": f"doc{pages}",
        "answer": "" if number == 2 else str(number),
        "image": pdf(pages),
        "image_path": str([f"doc{pages}_{page}.jpg" for page in range(pages)]),
    }
    if name.startswith("SLIDEVQA"):
        row["image"] = str([picture(page) for page in range(pages)])
    if name == "MMLongBench_DOC":
        row |= {"answer_format": "Int", "evidence_pages": "[1]", "evidence_sources": "['Table']"}
    return row


def _video(name: str, number: int) -> Row:
    video, options = f"v{number % 3}", list(_OPTIONS.values())
    if name == "Video-MME":
        return {
            "video": video,
            "candidates": [f"{letter}. {text}." for letter, text in _OPTIONS.items()],
            "answer": "ABCD"[number % 4],
            "duration": ("short", "medium", "long")[number % 3],
            "domain": "Knowledge",
            "sub_category": "Law",
            "task_type": "OCR Problems",
            "subtitle_path": f"./subtitle/{video}.srt",
        }
    if name == "MMBench-Video":
        return {"video": video, "video_path": f"./video/{video}.mp4", "answer": "yes", "dimensions": ["OCR"]}
    return {
        "task_type": f"task {number % 2}",
        "prefix": "video/",
        "data_type": "video",
        "bound": number % 2 == 0,
        "start": 0.2,
        "end": 0.8,
        "video": f"{video}.mp4",
        "candidates": options,
        "answer": options[number % 4],
    }


def _dialogue(_: str, number: int) -> Row:
    questions = [f"<ImageHere>What is in picture {number}?", "And what is not?"]
    return {"question": str(questions), "answer": str(["A colour.", "Much else."]), "num_turn": len(questions)}


ROWS_OF: Mapping[str, Callable[[str, int], Row]] = MappingProxyType(
    {
        "doc": _document,
        "image_caption": _caption,
        "image_mcq": _choice,
        "image_vqa": _short_answer,
        "image_yorn": _yes_or_no,
        "math": _maths,
        "multi_turn": _dialogue,
        "ocr": _text_in_picture,
        "open_ended": _open_ended,
        "vcr": _covered_text,
        "video": _video,
    }
)
