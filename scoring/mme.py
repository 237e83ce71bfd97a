"""MME: two questions on every picture, one to be answered Yes and one No (Fu et al. 2023; ms-vlmeval 0.0.20)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..records import Cell, Estimate, Metric, Table
from .cells import cell_text
from .stats import estimate
from .yes_no import Answered

__all__ = ["TOTAL", "mme_table"]

TOTAL: Final = "perception + reasoning"
"""Name of the metric that sums up the benchmark, 0 to 2800; the table has no such column."""

_PERCEPTION: Final = (
    "OCR",
    "artwork",
    "celebrity",
    "color",
    "count",
    "existence",
    "landmark",
    "position",
    "posters",
    "scene",
)
_REASONING: Final = ("code_reasoning", "commonsense_reasoning", "numerical_calculation", "text_translation")
_PERCENT: Final = 100.0
_FULL_SCORE: Final = 200.0
"""What a category is worth when every answer is right."""
_PAIR: Final = 2
"""Questions of a picture that count as its pair."""


@dataclass(frozen=True, slots=True)
class _Category:
    """Score of a category, 0 to 200, and what each cluster adds to its error.

    Attributes:
        score: the score; its interval needs two clusters.
        errors: by cluster, linearised: the sum of their squares is the squared standard error. All 0 without one.
    """

    score: Estimate
    errors: Mapping[str, float]


def mme_table(rows: Sequence[Answered]) -> Table:
    """Builds the table of MME: one row with ``perception``, ``reasoning`` and every category in order of appearance.

    A category's score is ``acc + acc+``: the percentage of right answers and the percentage of pictures whose two
    questions are both right. Of a picture with more than two questions the first two count in ``acc+``; one with a
    single question, as at the end of a limited run, counts there by that question, where the reference stops. Questions
    belong together when they have the same ``image_path``, or without one when they show the same picture.
    ``perception`` is the sum of its ten categories, ``reasoning`` of its four; one that has no samples adds nothing.

    The first metric is the sum of both (`TOTAL`).

    Args:
        rows: the samples, with their columns ``category`` and ``image_path``.
    """
    members: dict[str, list[Answered]] = {}
    for row in rows:
        members.setdefault(cell_text(row.cells.get("category")), []).append(row)
    categories = {name: _category(questions) for name, questions in members.items()}
    perception = [categories[name] for name in _PERCEPTION if name in categories]
    reasoning = [categories[name] for name in _REASONING if name in categories]
    sums = {"perception": perception, "reasoning": reasoning}
    record: dict[str, Cell] = {name: sum(part.score.mean for part in parts) for name, parts in sums.items()}
    record |= {name: category.score.mean for name, category in categories.items()}
    metrics = [
        Metric(name, "", _sum(parts)) for name, parts in ({TOTAL: perception + reasoning} | sums).items() if parts
    ]
    metrics += [Metric(name, "", category.score) for name, category in categories.items()]
    return Table(tuple(record), (record,), tuple(metrics))


def _category(rows: Sequence[Answered]) -> _Category:
    """Scores a category.

    The standard error is that of the two means' sum by the delta method, clustered by picture. The interval's ends are
    the sums of theirs, which is safe for means that rise and fall together, and holds where all answers are right.
    """
    pictures: dict[Hashable, list[Answered]] = {}
    for row in rows:
        path = row.cells.get("image_path")
        pictures.setdefault((row.cluster,) if path is None else path, []).append(row)
    clusters = [questions[0].cluster for questions in pictures.values()]
    pairs = [float(all(row.right for row in questions[:_PAIR])) for questions in pictures.values()]
    answers = [float(row.right) for row in rows]
    acc = estimate(answers, [row.cluster for row in rows])
    plus = estimate(pairs, clusters)
    mean = _PERCENT * (acc.mean + plus.mean)
    errors = dict.fromkeys((row.cluster for row in rows), 0.0)
    if acc.low is None or acc.high is None or plus.low is None or plus.high is None:
        return _Category(Estimate(mean, acc.n, acc.clusters, None, None, None), errors)
    scale = _PERCENT * math.sqrt(acc.clusters / (acc.clusters - 1))
    for row, points in zip(rows, answers, strict=True):
        errors[row.cluster] += scale * (points - acc.mean) / acc.n
    for cluster, points in zip(clusters, pairs, strict=True):
        errors[cluster] += scale * (points - plus.mean) / plus.n
    low, high = _PERCENT * (acc.low + plus.low), _PERCENT * (acc.high + plus.high)
    return _Category(Estimate(mean, acc.n, acc.clusters, _root_sum(errors.values()), low, high), errors)


def _sum(parts: Sequence[_Category]) -> Estimate:
    """Adds up categories.

    Their errors add up by cluster, as one picture may be in several. The interval's ends are as far from the sum as the
    root of the summed squares of the parts' distances (Zou and Donner 2008), for parts that share no pictures; with
    shared ones, farther by what these add to the standard error.
    """
    mean = sum(part.score.mean for part in parts)
    n = sum(part.score.n for part in parts)
    errors: dict[str, float] = {}
    for part in parts:
        for cluster, error in part.errors.items():
            errors[cluster] = errors.get(cluster, 0.0) + error
    below, above = [], []
    for part in parts:
        score = part.score
        if score.low is None or score.high is None:
            return Estimate(mean, n, len(errors), None, None, None)
        below.append(score.mean - score.low)
        above.append(score.high - score.mean)
    stderr = _root_sum(errors.values())
    apart = _root_sum(error for part in parts for error in part.errors.values())
    sharing = stderr / apart if apart else 1.0
    low = max(0.0, mean - sharing * _root_sum(below))
    high = min(_FULL_SCORE * len(parts), mean + sharing * _root_sum(above))
    return Estimate(mean, n, len(errors), stderr, low, high)


def _root_sum(distances: Iterable[float]) -> float:
    """Returns the root of the sum of squares."""
    return math.sqrt(math.fsum(distance * distance for distance in distances))
