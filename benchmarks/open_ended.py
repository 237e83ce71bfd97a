"""Open-ended questions: no rule tells a right answer, a judge grades every one."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from ..errors import DataError
from ..records import Cell, Sample
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from .base import Scored
from .prompts import PictureQuestion

__all__ = ["OpenEnded"]

_NEEDS_JUDGE: Final = "needs judge"


class OpenEnded(PictureQuestion):
    """A benchmark whose answers a judge grades, one by one.

    A sample's record has ``score``, the grade, None for an answer without one, and ``rule``: ``judge``, ``none`` (no
    reply of the judge could be read), ``failed`` or ``needs judge`` (nobody was asked).

    Attributes:
        shown: columns that the judge is shown beside the question.
        ungraded: what the record of an answer without a grade holds beside its rule.
    """

    needs_judge = True
    shown: ClassVar[tuple[str, ...]]
    ungraded: ClassVar[Mapping[str, Any]]

    def reads_column(self, name: str) -> bool:
        """What the judge is shown, and the categories, come from the stored table."""
        return name in ("question", "category", *self.shown)

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Gives a failed request 0 where no text stands for it, and leaves any other answer open.

        Raises:
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        for column in self.shown:
            if column not in sample.cells:
                raise DataError(f"{self.name} has no column {column!r}: a judge cannot grade its answers without it")
        if self.is_lost(prediction):
            return Scored(sample, {**self.ungraded, "score": 0.0, "rule": "failed"}, 0.0, failed=True)
        return Scored(sample, {**self.ungraded, "rule": _NEEDS_JUDGE}, math.nan)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Has the judge grade the answer, unless the request for it failed.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        scored = self.score(sample, prediction)
        return scored if scored.failed else await self.grade(sample, self.text(prediction), judge)

    @abstractmethod
    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Has the judge grade an answer.

        Raises:
            JudgeError: the judge cannot be reached.
        """

    def text(self, cell: Cell) -> str:
        """Returns a cell as the judge is shown it: nothing for a missing one, but in the reference ``nan``."""
        return "" if cell is None and not self.protocol.pandas_cells else cell_text(cell)

    def refuse_open(self, scored: Sequence[Scored]) -> None:
        """Stops where answers were left open.

        Raises:
            DataError: there are such answers.
        """
        left = sum(s.record["rule"] == _NEEDS_JUDGE for s in scored)
        if left:
            raise DataError(
                f"{self.name} needs a judge: set `judge` in the configuration to the model that grades its answers. "
                f"{left} of {len(scored)} have no grade; they are kept and need not be asked again"
            )
