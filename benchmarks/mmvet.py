"""MM-Vet: what a model can do when a question needs several capabilities at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from ..records import Sample, Table
from ..scoring.judge import Judge
from ..scoring.mmvet import REPLY_TOKENS, ask_grade, capability_tables
from ..scoring.tables import Row
from .base import Scored
from .open_ended import OpenEnded

__all__ = ["MMVet"]


class MMVet(OpenEnded):
    """A benchmark whose rows have a question, the right answer and the capabilities that the question needs.

    Columns: ``question``, ``answer`` (parts joined by ``<AND>`` or ``<OR>``), ``category`` (capabilities, with commas).

    A sample's record has ``score`` (0 to 1), ``log`` (the tries to get a grade) and ``rule`` (see `OpenEnded`).
    """

    shown = ("answer",)
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType({"score": None, "log": ""})

    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Asks the judge how right the answer is, up to five times.

        Raises:
            JudgeError: the judge cannot be reached.
        """
        judged = await ask_grade(
            judge,
            benchmark=self.name,
            index=sample.index,
            question=self.text(sample.cells.get("question")),
            answer=self.text(sample.cells["answer"]),
            prediction=answer,
            max_tokens=REPLY_TOKENS if self.protocol.judge_reply_limits else None,
        )
        score = 0.0 if judged.grade is None and self.protocol.unread_grades_count else judged.grade
        rule = "none" if judged.grade is None else "judge"
        return Scored(sample, {"score": score, "log": judged.log, "rule": rule}, math.nan if score is None else score)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the first table of `scoring.mmvet.capability_tables`.

        Raises:
            DataError: no judge has graded the answers.
        """
        return self._tables(scored)[0]

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Builds the fine table, by what capabilities questions need together.

        Raises:
            DataError: no judge has graded the answers.
        """
        return {"score_fine": self._tables(scored)[1]}

    def _tables(self, scored: Sequence[Scored]) -> tuple[Table, Table]:
        self.refuse_open(scored)
        # Rows of one index, which only the reference's protocol lets through, share the grade of the last of them.
        points = {s.sample.index: s.points for s in scored}
        rows = [
            Row(points[s.sample.index], s.sample.cluster, {"category": s.sample.cells.get("category")}) for s in scored
        ]
        return capability_tables(rows, single_twice=self.protocol.single_capability_twice)
