"""LLaVA-Bench (in the wild): a judge grades an answer beside that of a text-only GPT-4, and their means are compared.

Liu et al. 2023, in the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Final

from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .judge import Judge, JudgeRequest
from .rubrics import llavabench
from .stats import estimate, estimate_ratio

__all__ = ["BEST", "GradedPair", "ask_pair", "read_pair", "relative_table"]

BEST: Final = 10.0
"""The best grade."""

_TEMPERATURE: Final = 0.2
_RELATIVE: Final = "Relative Score (main)"
_OWN: Final = "VLM Score"
_REFERENCE: Final = "GPT4 Score"
_LANES: Final = 8
_BLOCK: Final = 128


@dataclass(frozen=True, slots=True)
class GradedPair:
    """A sample's two grades on their way into the table.

    Attributes:
        reference: grade of the reference answer, NaN for none.
        own: grade of the model's answer, NaN for none.
        cluster: equal for samples that show the same picture.
        category: what kind of question it is.
    """

    reference: float
    own: float
    cluster: str
    category: Cell


async def ask_pair(
    judge: Judge, *, benchmark: str, index: str, caption: str, question: str, reference: str, prediction: str
) -> str:
    """Asks a judge once for its grades of two answers, and returns the reply.

    Args:
        judge: who is asked.
        benchmark: name of the benchmark.
        index: index of the sample.
        caption: what the picture shows, which the judge does not see.
        question: what was asked about it.
        reference: the answer to compare with.
        prediction: the answer to grade.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    name = f"{llavabench.NAME}@{llavabench.VERSION}"
    prompt = llavabench.prompt(caption, question, reference, prediction)
    fields = {"context": caption, "question": question, "answer": prediction, "reference": reference}
    return await judge(
        JudgeRequest(benchmark, index, 0, name, prompt, _TEMPERATURE, system=llavabench.SYSTEM, fields=fields)
    )


def read_pair(reply: str, *, literal: bool) -> tuple[float, float] | None:
    """Returns the grades of the reference answer and of the model's, None when the reply's first line is no such pair.

    Args:
        reply: what the judge said.
        literal: as the reference: one space or comma and nothing else beside the numbers, which may be any. Else white
            space and commas do not matter, and both grades lie between 0 and 10.
    """
    line = (reply if literal else reply.strip()).partition("\n")[0].replace(",", " ")
    try:
        reference, own = map(float, line.split(" ") if literal else line.split())
    except ValueError:
        return None
    in_range = 0 <= reference <= BEST and 0 <= own <= BEST
    return (reference, own) if literal or in_range else None


def relative_table(pairs: Sequence[GradedPair]) -> Table:
    """Builds the result table: ``overall``, then every category in order of first appearance.

    Columns: ``split``; the model's mean grade in percent of the reference's; both means, times ten. All are rounded to
    one decimal, as the reference rounds; the metrics are not. A missing grade counts in no mean, and pairs without a
    category count in ``overall`` alone.
    """
    categories: dict[str, list[GradedPair]] = {}
    for pair in pairs:
        if pair.category is not None:
            categories.setdefault(cell_text(pair.category), []).append(pair)
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for name, members in [("overall", pairs), *categories.items()]:
        own, reference = _mean([p.own for p in members]), _mean([p.reference for p in members])
        values = {_RELATIVE: _divided(own, reference) * 100, _OWN: own * 10, _REFERENCE: reference * 10}
        records.append({"split": name, **{column: _rounded(value) for column, value in values.items()}})
        estimates = _estimates(members)
        metrics += [Metric(column, name, found) for column, found in estimates.items() if found is not None]
    return Table(("split", _RELATIVE, _OWN, _REFERENCE), tuple(records), tuple(metrics))


def _estimates(pairs: Sequence[GradedPair]) -> dict[str, Estimate | None]:
    own, reference = [p.own for p in pairs], [p.reference for p in pairs]
    clusters = [p.cluster for p in pairs]
    return {
        _RELATIVE: estimate_ratio(own, reference, clusters, scale=100),
        _OWN: _mean_estimate(own, clusters),
        _REFERENCE: _mean_estimate(reference, clusters),
    }


def _mean_estimate(grades: Sequence[float], clusters: Sequence[str]) -> Estimate | None:
    known = [(grade / BEST, cluster) for grade, cluster in zip(grades, clusters, strict=True) if not math.isnan(grade)]
    if known and all(0 <= share <= 1 for share, _ in known):
        return estimate([share for share, _ in known], [cluster for _, cluster in known], scale=100)
    # Only the reference lets other grades through, such as -1 for one that could not be read.
    return estimate_ratio(grades, [1.0] * len(grades), clusters, scale=10)


def _mean(grades: Sequence[float]) -> float:
    count = sum(not math.isnan(grade) for grade in grades)
    return _divided(_sum([0.0 if math.isnan(grade) else grade for grade in grades]), count)


def _sum(values: Sequence[float]) -> float:
    """Adds in the order in which numpy adds, for the last bit decides how a value halfway between two is rounded."""
    n = len(values)
    if n < _LANES:
        return _sum_in_order(values)
    if n > _BLOCK:
        half = n // 2 - n // 2 % _LANES
        return _sum(values[:half]) + _sum(values[half:])
    whole = n - n % _LANES
    a, b, c, d, e, f, g, h = (_sum_in_order(values[lane:whole:_LANES]) for lane in range(_LANES))
    return _sum_in_order([((a + b) + (c + d)) + ((e + f) + (g + h)), *values[whole:]])


def _sum_in_order(values: Sequence[float]) -> float:
    # Python's own sum carries a correction along since version 3.12.
    return reduce(add, values, 0.0)


def _divided(value: float, by: float) -> float:
    if by:
        return value / by
    return value * math.inf  # NaN for zero by zero


def _rounded(value: float) -> float | None:
    """Rounds to one decimal as numpy does, by way of the nearest whole number of tenths; None for NaN."""
    tenths = value * 10
    if math.isnan(tenths):
        return None
    return round(tenths) / 10 if math.isfinite(tenths) else tenths
