"""LLaVA-Bench (in the wild): how good answers are beside those of a text-only GPT-4."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

from ..records import Sample, Table
from ..scoring.judge import Judge
from ..scoring.llavabench import BEST, GradedPair, ask_pair, read_pair, relative_table
from .base import Scored
from .open_ended import OpenEnded

__all__ = ["LLaVABench"]

_UNREAD: Final = (-1.0, -1.0)
"""What the reference puts in the place of two grades that it cannot read."""


class LLaVABench(OpenEnded):
    """A benchmark whose rows have a question, what the picture shows, and an answer to compare with.

    Columns: ``question``, ``caption``, ``gpt4_ans`` (answer of a GPT-4 that knew the caption), ``category``.

    A sample's record has ``score`` and ``gpt4_score`` (grades of the model's and of the reference answer, 1 to 10) and
    ``rule`` (see `OpenEnded`). Points are tenths of the grade.
    """

    shown = ("caption", "gpt4_ans")
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType({"gpt4_score": None, "score": None})

    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Asks the judge once for the grades of both answers.

        Raises:
            JudgeError: the judge cannot be reached.
        """
        cells = sample.cells
        reply = await ask_pair(
            judge,
            benchmark=self.name,
            index=sample.index,
            caption=self.text(cells["caption"]),
            question=self.text(cells.get("question")),
            reference=self.text(cells["gpt4_ans"]),
            prediction=answer,
        )
        pair = read_pair(reply, literal=self.protocol.literal_grade_pairs)
        rule = "none" if pair is None else "judge"
        if pair is None and self.protocol.unread_grades_count:
            pair = _UNREAD
        if pair is None:
            return Scored(sample, {**self.ungraded, "rule": rule}, math.nan)
        reference, own = (None if math.isnan(grade) else grade for grade in pair)
        return Scored(sample, {"gpt4_score": reference, "score": own, "rule": rule}, pair[1] / BEST)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.llavabench.relative_table`.

        Raises:
            DataError: no judge has graded the answers.
        """
        self.refuse_open(scored)
        return relative_table(
            [
                GradedPair(
                    _number(s.record["gpt4_score"]),
                    _number(s.record["score"]),
                    s.sample.cluster,
                    s.sample.cells.get("category"),
                )
                for s in scored
            ]
        )


def _number(grade: float | None) -> float:
    return math.nan if grade is None else grade
