"""Benchmarks whose answers exact rules read, and a judge those that no rule reads."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Mapping

from ..records import Cell, Sample
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.rubrics.option_letter import JudgedLetter, LetterRubric, ask_letter
from .base import Benchmark, Scored

__all__ = ["ReadLetter", "RulesThenJudge"]


class RulesThenJudge(Benchmark):
    """A benchmark whose rules read what they can; a judge is asked about the rest."""

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Reads the answer by the exact rules, else asks the judge (`ask_judge`).

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """
        exact = self.score(sample, prediction)
        return exact if self.is_settled(exact, prediction) else await self.ask_judge(sample, prediction, judge)

    def is_settled(self, exact: Scored, prediction: Cell) -> bool:
        """Whether a judge has nothing to add: a rule has read the answer, or there is nothing to read."""
        empty = prediction is None or not cell_text(prediction).strip()
        return exact.record["rule"] != "none" or (empty and not self.protocol.judge_empty_answers)

    @abstractmethod
    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Scores an answer by what the judge says it is, whatever the exact rules make of it.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """


class ReadLetter(RulesThenJudge):
    """A benchmark whose answers are read as the letter of an option: its records have ``letter`` and ``rule``."""

    async def second_opinion(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored | None:
        """Asks the judge what it asks where the exact rules read nothing.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """
        return await self.ask_judge(sample, prediction, judge)

    def verdict(self, scored: Scored) -> Hashable | None:
        """Returns the letter; None where none could be read."""
        return None if scored.record["rule"] == "none" else str(scored.record["letter"])

    async def ask_letter(
        self,
        sample: Sample,
        prediction: Cell,
        judge: Judge,
        *,
        options: Mapping[str, Cell],
        right: str,
        rubric: LetterRubric | None = None,
    ) -> JudgedLetter:
        """Asks the judge which of a row's options an answer means.

        Args:
            sample: the row.
            prediction: the answer.
            judge: who is asked, up to three times.
            options: what the answer may mean, by letter.
            right: the right letter, for a rubric of the user's own.
            rubric: what the judge is shown instead of the usual question, in the question's language.

        Raises:
            JudgeError: the judge cannot be reached.
        """
        return await ask_letter(
            judge,
            benchmark=self.name,
            index=sample.index,
            question=cell_text(sample.cells.get("question")),
            options=options,
            answer=cell_text(prediction),
            rubric=rubric,
            reference=right,
            bare_letters=self.protocol.bare_letters,
            option_in_word=self.protocol.option_in_word,
        )
