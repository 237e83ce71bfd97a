"""MMBench-Video (Fang et al. 2024): free answers on long videos, rated from 0 to 3 by a judge, by capability.

In the form of ms-vlmeval 0.0.20.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ..errors import DataError
from ..records import Cell, Estimate, Metric, Table
from .judge import Judge, JudgeRequest
from .literals import parse_list
from .rubrics import mmbench_video
from .stats import estimate, estimate_ratio

__all__ = ["BEST", "NO_RATING", "RatedRow", "ask_rating", "capability_table", "parse_dimensions", "read_rating"]

BEST: Final = 3
NO_RATING: Final = -1
"""What stands for an answer without a rating."""

_MOST_DIGITS: Final = 15
_WHOLE: Final = re.compile(r"[ \t\f\r\n]*([+-]?(?:0(?:_?0)*|[1-9](?:_?[0-9])*))[ \t\f\r\n]*")
_NUMBER: Final = re.compile(r"(?<![\w.,-])(?<![0-9]\+)([0-9]+)(?:\.0+)?(?![\w,+]|\.[0-9])")
_PERCEPTION: Final = MappingProxyType(
    {
        "CP": ("Video Topic", "Video Emotion", "Video Scene", "Video Style"),
        "FP-S": (
            "OCR", "Object Recognition", "Attribute Recognition", "Event Recognition", "Human Motion", "Counting",
        ),
        "FP-C": ("Spatial Relationship", "Human-object Interaction", "Human Interaction"),
        "HL": ("Hallucination",),
    }
)  # fmt: skip
_REASONING: Final = MappingProxyType(
    {
        "LR": ("Structuralized Image-Text Understanding", "Mathematical Calculation"),
        "AR": ("Physical Property", "Function Reasoning", "Identity Reasoning"),
        "RR": ("Natural Relation", "Physical Relation", "Social Relation"),
        "CSR": ("Common Sense Reasoning",),
        "TR": ("Counterfactual Reasoning", "Causal Reasoning", "Future Prediction"),
    }
)
_FINE: Final = tuple(name for group in (_PERCEPTION, _REASONING) for names in group.values() for name in names)
_COARSE: Final = MappingProxyType(
    {
        "Overall": frozenset(_FINE),
        **{name: frozenset(members) for name, members in (_PERCEPTION | _REASONING).items()},
        "Perception": frozenset(name for names in _PERCEPTION.values() for name in names),
        "Reasoning": frozenset(name for names in _REASONING.values() for name in names),
    }
)


@dataclass(frozen=True, slots=True)
class RatedRow:
    """A rated sample on its way into the table.

    Attributes:
        rating: 0 to 3, less than 0 for none.
        cluster: equal for samples on the same video.
        dimensions: the capabilities that its question needs.
    """

    rating: int
    cluster: str
    dimensions: tuple[str, ...]


def parse_dimensions(cell: str) -> tuple[str, ...]:
    """Returns the capabilities that a cell lists.

    Raises:
        DataError: it is no list, or names one that the benchmark does not have.
    """
    names = parse_list(cell)
    if names is None:
        raise DataError(f"{cell[:80]!r} is no list of capabilities")
    for name in names:
        if name not in _FINE:
            raise DataError(f"{str(name)[:80]!r} is none of the benchmark's 26 capabilities")
    return tuple(map(str, names))


async def ask_rating(judge: Judge, *, benchmark: str, index: str, question: str, answer: str, prediction: str) -> str:
    """Asks a judge once how near an answer comes to the right one; returns its reply.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    prompt = mmbench_video.prompt(question, answer, prediction)
    name = f"{mmbench_video.NAME}@{mmbench_video.VERSION}"
    fields = {"question": question, "answer": prediction, "reference": answer}
    return await judge(JudgeRequest(benchmark, index, 0, name, prompt, system=mmbench_video.SYSTEM, fields=fields))


def read_rating(reply: str, *, literal: bool) -> int:
    """Returns the rating that a judge gave, -1 for none.

    Args:
        reply: what the judge said.
        literal: as the reference: a whole number and nothing else, whatever number it is. Else the one number in the
            reply, and only 0 to 3 (``Rating: 2``, ``2.0``, ``3.``).
    """
    if literal:
        found = _WHOLE.fullmatch(reply)
        return int(found[1]) if found and len(found[1]) <= _MOST_DIGITS else NO_RATING
    numbers = {text.lstrip("0") or "0" for text in _NUMBER.findall(reply)}
    if len(numbers) != 1:
        return NO_RATING
    (number,) = numbers
    return int(number) if len(number) == 1 and int(number) <= BEST else NO_RATING


def capability_table(rows: Sequence[RatedRow]) -> Table:
    """Builds the table: ``coarse`` rows by group of capabilities, the first over everything, then ``fine`` ones.

    Columns: ``level``, ``dimension``, ``all`` (mean rating, an answer without one counts as 0) and ``valid`` (mean
    of those that have one), as the reference writes them (``1.29``, ``nan`` for nothing). A row counts once in every
    group that one of its capabilities belongs to.
    """
    records: list[Mapping[str, Cell]] = []
    metrics: list[Metric] = []
    for level, names in (("coarse", _COARSE), ("fine", {name: frozenset({name}) for name in _FINE})):
        for name, wanted in names.items():
            members = _members(rows, wanted, once=level == "coarse")
            valid = [row for row in members if row.rating >= 0]
            shown = {"all": _shown([max(row.rating, 0) for row in members]), "valid": _shown([r.rating for r in valid])}
            records.append({"level": level, "dimension": name, **shown})
            metrics += _metrics(name, level, members, valid)
    return Table(("level", "dimension", "all", "valid"), tuple(records), tuple(metrics))


def _members(rows: Sequence[RatedRow], wanted: Collection[str], *, once: bool) -> list[RatedRow]:
    return [row for row in rows for _ in range(_times(row, wanted, once=once))]


def _times(row: RatedRow, wanted: Collection[str], *, once: bool) -> int:
    count = sum(name in wanted for name in row.dimensions)
    return min(count, 1) if once else count


def _shown(ratings: Sequence[int]) -> str:
    return f"{sum(ratings) / len(ratings):.2f}" if ratings else "nan"


def _metrics(name: str, level: str, members: Sequence[RatedRow], valid: Sequence[RatedRow]) -> list[Metric]:
    found = []
    if members:
        row = "" if name == "Overall" else level
        found.append(Metric(name, row, _estimate([max(r.rating, 0) for r in members], members)))
    if valid:
        found.append(
            Metric(
                name, "valid" if name == "Overall" else f"{level}, valid", _estimate([r.rating for r in valid], valid)
            )
        )
    return found


def _estimate(ratings: Sequence[int], rows: Sequence[RatedRow]) -> Estimate:
    clusters = [row.cluster for row in rows]
    if all(0 <= rating <= BEST for rating in ratings):
        return estimate([rating / BEST for rating in ratings], clusters, scale=BEST)
    # Only the reference lets higher ratings through.
    found = estimate_ratio([float(rating) for rating in ratings], [1.0] * len(ratings), clusters)
    return found or Estimate(math.fsum(ratings) / len(ratings), len(ratings), 0, None, None, None)
