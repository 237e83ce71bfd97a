"""MM-Vet: a judge grades free answers, and grades are averaged by the capabilities that a question needs.

Yu et al. 2023, in the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..records import Cell, Metric, Table
from .judge import WARMING, Judge, JudgeRequest
from .rubrics import mmvet
from .stats import estimate
from .tables import Row

__all__ = ["REPLY_TOKENS", "TRIES", "JudgedGrade", "ask_grade", "capability_tables"]

TRIES: Final = 5
"""How often a judge is asked for one grade, each time at a higher temperature."""
REPLY_TOKENS: Final = 3
"""Longest reply of the reference's judge."""

_CAPABILITIES: Final = ("rec", "ocr", "know", "gen", "spat", "math")
_OVERALL: Final = "Overall"
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class JudgedGrade:
    """What a judge made of an answer.

    Attributes:
        grade: 0 (wrong) to 1 (right), None when none of the judge's replies was a grade.
        log: the reference's words on every try.
    """

    grade: float | None
    log: str


async def ask_grade(
    judge: Judge,
    *,
    benchmark: str,
    index: str,
    question: str,
    answer: str,
    prediction: str,
    max_tokens: int | None = None,
) -> JudgedGrade:
    """Asks a judge up to five times how right a prediction is; the first number from 0 to 1 is the grade.

    Args:
        judge: who is asked.
        benchmark: name of the benchmark.
        index: index of the sample.
        question: what was asked about the picture, which the judge does not see.
        answer: the right answer, its parts joined by ``<AND>`` or ``<OR>``.
        prediction: the answer to grade.
        max_tokens: longest reply in tokens, None for the judge's own setting.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    name = f"{mmvet.NAME}@{mmvet.VERSION}"
    prompt = mmvet.prompt(question, answer, prediction)
    fields = {"question": question, "answer": prediction, "reference": answer}
    log = ""
    first = JudgeRequest(benchmark, index, 0, name, prompt, max_tokens=max_tokens, fields=fields)
    for request in first.tries(TRIES, warming=WARMING):
        reply = await judge(request)
        try:
            grade = float(reply)
        except ValueError:
            log += f"Try {request.attempt}: output is {reply}, failed to parse.\n"
            continue
        # NaN is out of range, too. The reference takes it for a grade, and stops with an error.
        if 0 <= grade <= 1:
            return JudgedGrade(grade, f"{log}Succeed")
        log += f"Try {request.attempt}: output is {reply}, invalid score: {grade}.\n"
    return JudgedGrade(None, f"{log}All {TRIES} retries failed.\n")


def capability_tables(rows: Sequence[Row], *, single_twice: bool) -> tuple[Table, Table]:
    """Builds the result table, by capability, and the fine one, by what capabilities a question needs together.

    Both have the columns ``Category``, ``tot`` and ``acc`` (percent) and end with ``Overall``. The first has the six
    capabilities in a fixed order: a question belongs to each whose name occurs in its category. The second has every
    category in order of first appearance, with ``_`` for commas. Rows without a category count in ``Overall`` alone.

    Args:
        rows: the samples, with their column ``category``; points 0 to 1, or NaN for one that is left out.
        single_twice: as the reference, which counts both tables in one place by name: a question whose category is
            one capability counts twice there.
    """
    by_capability: dict[str, list[Row]] = {name: [] for name in (*_CAPABILITIES, _OVERALL)}
    by_category: dict[str, list[Row]] = by_capability if single_twice else {}
    categories: dict[str, None] = {}
    for row in rows:
        by_capability[_OVERALL].append(row)
        cell = row.cells.get("category")
        if cell is None:
            continue
        category = str(cell)
        for name in _CAPABILITIES:
            if name in category:
                by_capability[name].append(row)
        category = category.replace(",", "_")
        by_category.setdefault(category, []).append(row)
        categories[category] = None
    overall = (_OVERALL, by_capability[_OVERALL])
    return (
        _accuracies([*((name, by_capability[name]) for name in _CAPABILITIES), overall]),
        _accuracies([*((name, by_category[name]) for name in categories), overall]),
    )


def _accuracies(groups: Sequence[tuple[str, Sequence[Row]]]) -> Table:
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, members in groups:
        graded = [row for row in members if not math.isnan(row.points)]
        found = estimate([r.points for r in graded], [r.cluster for r in graded], scale=_PERCENT) if graded else None
        records.append({"Category": name, "tot": len(graded), "acc": None if found is None else found.mean})
        if found is not None:
            metrics.append(Metric("acc", name, found))
    return Table(("Category", "tot", "acc"), tuple(records), tuple(metrics))
