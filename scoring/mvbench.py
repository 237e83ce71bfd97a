"""MVBench (Li et al. 2024): twenty tasks on short clips, scored by the option that an answer begins with or names.

In the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from ..records import Cell, Metric, Table
from .cells import cell_text
from .stats import estimate

__all__ = ["MOST_OPTIONS", "NO_OPTION", "Choice", "TaskRow", "first_word_names", "make_choice", "task_table"]

MOST_OPTIONS: Final = len(ascii_uppercase)
"""Options have a letter each."""

NO_OPTION: Final = "@"
"""What stands for the letter of an answer that is none of the options."""
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A question's options and which of them is right.

    Attributes:
        options: texts by letter.
        shown: letter of the last option that equals the answer, ``@`` for none: the reference looks for it at the
            beginning of an answer.
        letter: what a letter in the answer is compared with. In the reference it differs from `shown` where the text
            of a later option is that letter itself, and is the answer's text where no option equals it.
    """

    options: Mapping[str, Cell]
    shown: str
    letter: str


def make_choice(candidates: Sequence[object], answer: Cell, *, as_text: bool) -> Choice:
    """Returns the options of a question and its right letter.

    Args:
        candidates: the options' texts, at most 26.
        answer: text of the right one.
        as_text: compare answer and options as texts. Off: as the reference, where a number never equals a text.
    """
    options = dict(zip(ascii_uppercase, candidates, strict=False))
    texts = {
        letter: option if isinstance(option, str | int | float) else str(option) for letter, option in options.items()
    }
    shown, right = NO_OPTION, answer
    for letter, option in options.items():
        if _equal(option, answer, as_text=as_text):
            shown = letter
        if _equal(option, right, as_text=as_text):
            right = letter
    return Choice(texts, shown, shown if as_text else cell_text(right))


def _equal(option: object, answer: Cell, *, as_text: bool) -> bool:
    return str(option) == cell_text(answer) if as_text else option == answer


def first_word_names(answer: str, letter: str) -> bool:
    """Whether an answer begins with an option, as the reference reads it.

    Its first word up to a space, in small letters and without full stops, is part of ``(x)``, or holds it. So ``x``,
    ``(x``, ``x)``, but also ``(``, ``)``, ``.`` and an empty answer name every option there is.
    """
    word = answer.lower().strip().split(" ")[0]
    option = f"({letter.lower()})"
    return word.replace(".", "") in option or option in word


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A scored sample on its way into the table.

    Attributes:
        task: its task.
        hit: whether it counts as right.
        cluster: equal for samples on the same video.
    """

    task: str
    hit: bool
    cluster: str


def task_table(rows: Sequence[TaskRow]) -> Table:
    """Builds the table: ``overall`` over all samples, then each task in order of first appearance.

    Columns: ``task_type``, ``correct``, ``total`` and ``accuracy`` as the reference writes it (``75.00%``).
    """
    tasks: dict[str, list[TaskRow]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, members in [("overall", list(rows)), *tasks.items()]:
        if not members:
            continue
        hits = sum(row.hit for row in members)
        accuracy = f"{hits / len(members) * _PERCENT:.2f}%"
        records.append({"task_type": name, "correct": hits, "total": len(members), "accuracy": accuracy})
        points, clusters = [float(row.hit) for row in members], [row.cluster for row in members]
        label = ("Overall", "") if name == "overall" else (name, "task")
        metrics.append(Metric(*label, estimate(points, clusters, scale=_PERCENT)))
    return Table(("task_type", "correct", "total", "accuracy"), tuple(records), tuple(metrics))
