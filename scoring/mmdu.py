"""MMDU: a judge grades every answer of a dialogue in seven dimensions, and the grades of all turns are averaged.

Liu et al. 2024, "MMDU: A Multi-Turn Multi-Image Dialog Understanding Benchmark", in the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..errors import DataError
from ..records import Cell, Metric, Table
from .arithmetic import Unreadable, python_value
from .judge import Judge, JudgeRequest
from .literals import parse_literal
from .rubrics import mmdu
from .rubrics.mmdu import DIMENSIONS
from .stats import estimate

__all__ = ["BEST", "GradedTurn", "Grades", "ask_turn", "grade_value", "no_grades", "read_grades", "turn_table"]

BEST: Final = 10
"""The best grade."""

Grades = Mapping[str, Cell]
"""What the judge said of one turn, by dimension; None for nothing."""

_BRACES: Final = re.compile(r"\{[^{}]*\}")
_MOST_DICTIONARIES: Final = 20
_LONGEST_NUMBER: Final = 400
_LONGEST_DICTIONARY: Final = 10_000
"""Characters of the longest dictionary whose values are calculated."""


@dataclass(frozen=True, slots=True)
class GradedTurn:
    """A turn on its way into the table.

    Attributes:
        grades: by dimension, 0 to 10; None for one that could not be read.
        cluster: equal for turns that show the same pictures.
    """

    grades: Mapping[str, float | None]
    cluster: str


async def ask_turn(
    judge: Judge, *, benchmark: str, index: str, turn: int, question: str, reference: str, answer: str
) -> str:
    """Asks a judge once about one answer of a dialogue, and returns the reply.

    Args:
        judge: who is asked.
        benchmark: name of the benchmark.
        index: index of the dialogue.
        turn: which answer it is, from 0.
        question: what the user said in this turn.
        reference: the answer to compare with.
        answer: the answer to grade.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    fields = {"question": question, "reference": reference, "answer": answer}
    text = mmdu.prompt(question, reference, answer)
    return await judge(JudgeRequest(benchmark, index, turn, f"{mmdu.NAME}@{mmdu.VERSION}", text, fields=fields))


def no_grades() -> dict[str, Cell]:
    """Returns the grades of a turn about which nothing could be read."""
    return dict.fromkeys(DIMENSIONS)


def read_grades(reply: str, *, between_braces: bool) -> Grades:
    """Reads the dictionary of a reply.

    Args:
        reply: what the judge said.
        between_braces: as the reference: all from the first ``{`` to the last ``}`` is one dictionary of Python. Else
            the last dictionary counts that names a dimension, and its values may be JSON's.

    Raises:
        ValueError: there is none; says why.
    """
    if between_braces:
        return _dictionary(reply[reply.find("{") : reply.rfind("}") + 1])
    for text in _BRACES.findall(reply)[: -_MOST_DICTIONARIES - 1 : -1]:
        try:
            grades = _json(text) or _dictionary(text)
        except ValueError:
            continue
        if any(name in grades for name in DIMENSIONS):
            return grades
    raise ValueError("the reply has no dictionary of grades")


def _json(text: str) -> dict[str, Cell] | None:
    try:
        value: dict[str, object] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return {name: _cell(item) for name, item in value.items()}


def _dictionary(text: str) -> dict[str, Cell]:
    """Reads a dictionary as Python does, sums and quotients among its values included.

    Raises:
        ValueError: the text is none; says why.
    """
    try:
        value = parse_literal(text)
    except DataError as error:
        raise ValueError(str(error)) from None
    except ValueError as error:
        value = _calculated(text)
        if value is None:
            raise ValueError(_told(error, text)) from None
    if not isinstance(value, dict):
        raise ValueError(f"'{type(value).__name__}' object is no dictionary")  # noqa: TRY004 - the text is wrong
    return {str(name): _cell(item) for name, item in value.items()}


def _calculated(text: str) -> dict[object, object] | None:
    """Returns a dictionary whose values are calculated, None where there is none."""
    tree = _tree(text)
    if not isinstance(tree, ast.Dict):
        return None
    found: dict[object, object] = {}
    for key, item in zip(tree.keys, tree.values, strict=True):
        if not isinstance(key, ast.Constant):
            return None
        source = ast.get_source_segment(text, item) or ""
        try:
            found[key.value] = item.value if isinstance(item, ast.Constant) else python_value(source)
        except Unreadable:
            return None
    return found


def _tree(text: str) -> ast.expr | None:
    if len(text) > _LONGEST_DICTIONARY:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _told(error: ValueError, text: str) -> str:
    """Says why a text is no dictionary, in the words that Python has for running it."""
    cause = error.__cause__
    if isinstance(cause, SyntaxError | TypeError):
        return str(cause).replace("<unknown>", "<string>")
    tree = _tree(text)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)] if tree else []
    return f"name '{names[0]}' is not defined" if names else "it is no dictionary of texts and numbers"


def _cell(value: object) -> Cell:
    """Returns a grade as it is kept: what cannot be a number is nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int) else None


def grade_value(grade: Cell, *, whole: bool) -> float | None:
    """Returns a grade from 0 to 10, None for what is no number.

    Args:
        grade: what the judge said.
        whole: as the reference: fractions are cut off, and a text has to be a whole number.
    """
    if grade is None or (isinstance(grade, str) and len(grade) > _LONGEST_NUMBER):
        return None
    try:
        number = int(grade) if whole else float(grade)
    except (ValueError, OverflowError):
        return None
    if isinstance(number, float) and math.isnan(number):
        return None
    return float(min(max(number, 0), BEST))


def turn_table(turns: Sequence[GradedTurn], *, unread_count: bool) -> Table:
    """Builds the result table: mean grades of all turns in percent of the best, one column for each dimension.

    Rows: ``all``, in which a grade that could not be read counts as 0 (``unread_count``) or not at all, and ``valid``,
    in which it never counts. A dimension without any grade has none here.
    """
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, counts in (("all", unread_count), ("valid", False)):
        record: dict[str, Cell] = {"set": name}
        for dimension in DIMENSIONS:
            grades = [(turn.grades.get(dimension), turn.cluster) for turn in turns]
            known = [(grade or 0.0, cluster) for grade, cluster in grades if counts or grade is not None]
            record[dimension] = sum(grade for grade, _ in known) / len(known) * BEST if known else None
            if known:
                shares, clusters = [grade / BEST for grade, _ in known], [cluster for _, cluster in known]
                metrics.append(Metric(dimension, name, estimate(shares, clusters, scale=100)))
        records.append(MappingProxyType(record))
    return Table(("set", *DIMENSIONS), tuple(records), tuple(metrics))
