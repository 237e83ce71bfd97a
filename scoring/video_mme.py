"""Video-MME (Fu et al. 2024): multiple choice on videos of three lengths, by domain, sub-category and task.

In the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from types import MappingProxyType
from typing import Final

from ..records import Cell, Metric, Table
from .stats import estimate

__all__ = ["GROUPS", "DurationRow", "duration_table", "first_capital", "options_in_question", "options_of"]

GROUPS: Final = MappingProxyType(
    {
        "domain": (
            "Knowledge", "Film & Television", "Sports Competition", "Artistic Performance", "Life Record",
            "Multilingual",
        ),
        "sub_category": (
            "Humanity & History", "Literature & Art", "Biology & Medicine", "Finance & Commerce", "Astronomy",
            "Geography", "Law", "Life Tip", "Technology", "Animation", "Movie & TV Show", "Documentary", "News Report",
            "Esports", "Basketball", "Football", "Athletics", "Other Sports", "Stage Play", "Magic Show",
            "Variety Show", "Acrobatics", "Handicraft", "Food", "Fashion", "Daily Life", "Travel", "Pet & Animal",
            "Exercise", "Multilingual",
        ),
        "task_type": (
            "Temporal Perception", "Spatial Perception", "Attribute Perception", "Action Recognition",
            "Object Recognition", "OCR Problems", "Counting Problem", "Temporal Reasoning", "Spatial Reasoning",
            "Action Reasoning", "Object Reasoning", "Information Synopsis",
        ),
    }
)  # fmt: skip
"""The columns that the table is grouped by, and their values in order."""

_DURATIONS: Final = ("short", "medium", "long")
_OVERALL: Final = "overall"
_PERCENT: Final = 100.0
_PREFIXES: Final = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    # Two commas are missing in the reference's list: these never match.
    "The best option isThe correct option is",
    "Best answer:Best option:",
    "Answer:",
    "Option:",
)
_LETTER: Final = re.compile("[ABCD]")
_PREFIX: Final = re.compile(r"\s*([A-Z])[.)]\s*")


def first_capital(answer: str) -> str | None:
    """Returns the first capital A to D of an answer, of whatever word it is part; None where there is none.

    A few phrases that such an answer begins with are dropped first.
    """
    text = answer.strip()
    for prefix in _PREFIXES:
        text = text.replace(prefix, "")
    found = _LETTER.search(text)
    return found[0] if found else None


def options_in_question(question: str) -> dict[str, Cell]:
    """Returns the options that a question's own text lists: the n-th line after the first with the n-th letter.

    The published file has its options in a column of their own, and none here.
    """
    options: dict[str, Cell] = {}
    for letter, line in zip(ascii_uppercase, question.split("\n")[1:], strict=False):
        _, mark, text = line.partition(f"{letter}.")
        if mark:
            options[letter] = text.strip(". \n")
    return options


def options_of(candidates: Sequence[object]) -> dict[str, Cell]:
    """Returns the options of a row without the letters that they begin with and the full stops at their end."""
    options: dict[str, Cell] = {}
    for letter, candidate in zip(ascii_uppercase, candidates, strict=False):
        text = str(candidate)
        found = _PREFIX.match(text)
        options[letter] = (text[found.end() :] if found and found[1] == letter else text).strip().removesuffix(".")
    return options


@dataclass(frozen=True, slots=True)
class DurationRow:
    """A scored sample on its way into the table.

    Attributes:
        points: 1 for a right answer, else 0.
        cluster: equal for samples on the same video.
        duration: ``short``, ``medium`` or ``long``.
        groups: its values in the columns of `GROUPS`.
    """

    points: float
    cluster: str
    duration: str
    groups: Mapping[str, str]


def duration_table(rows: Sequence[DurationRow]) -> Table:
    """Builds the table: a row for all samples and one for each value of each group, a column for each duration.

    Columns: ``category`` (``overall``, or group and value as in ``domain|Knowledge``), ``short``, ``medium``, ``long``
    and ``overall``; fractions as the reference writes them (``0.514``, ``nan`` for nothing). Values that the
    benchmark does not know follow those that it does.
    """
    durations = dict.fromkeys((*_DURATIONS, *(row.duration for row in rows)))
    members: dict[tuple[str, str], list[DurationRow]] = {(_OVERALL, ""): list(rows)}
    members |= {(group, value): [] for group, values in GROUPS.items() for value in values}
    for group in GROUPS:
        for row in rows:
            members.setdefault((group, row.groups[group]), []).append(row)
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for (group, value), own in members.items():
        record: dict[str, Cell] = {"category": f"{group}|{value}" if value else group}
        for duration in (*durations, _OVERALL):
            shown = [row for row in own if duration in (row.duration, _OVERALL)]
            record[duration] = f"{sum(row.points for row in shown) / len(shown):.3f}" if shown else "nan"
            metrics += _metric(group, value, duration, shown)
        records.append(record)
    # What is over everything stands first, as the figure to be quoted.
    metrics.sort(key=lambda metric: metric.name != "Overall" or metric.row != "")
    return Table(("category", *durations, _OVERALL), tuple(records), tuple(metrics))


def _metric(group: str, value: str, duration: str, rows: Sequence[DurationRow]) -> list[Metric]:
    if not rows:
        return []
    found = estimate([row.points for row in rows], [row.cluster for row in rows], scale=_PERCENT)
    if group == _OVERALL:
        return [Metric("Overall", "", found) if duration == _OVERALL else Metric(duration, "duration", found)]
    return [Metric(value, group, found)] if duration == _OVERALL else []
