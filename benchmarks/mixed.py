"""Benchmarks of both kinds: rows with options are multiple choice, the others ask for a short answer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ..messages import Message
from ..records import Cell, Sample, Table
from ..scoring.judge import Judge
from ..scoring.protocol import Protocol
from .base import Benchmark, Scored, Source
from .multiple_choice import MultipleChoice
from .vqa import SHORT_ANSWER, VisualQA

__all__ = ["Mixed"]


class Mixed(Benchmark):
    """A benchmark some of whose rows have options.

    A row with texts under ``A`` and ``B`` is asked and scored as by `MultipleChoice`; any other is right when the
    answer equals the accepted one after normalisation. One table for both, in percent, a column for each category.
    """

    plots_categories = True

    def __init__(self, name: str, source: Source, protocol: Protocol) -> None:
        super().__init__(name, source, protocol)
        self._choice = MultipleChoice(name, source, protocol)
        self._open = VisualQA(name, source, protocol, metric="normalised_match", instruction=SHORT_ANSWER)

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the prompt of the row's kind.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question.
        """
        return self._kind(sample).prompt(sample)

    def reads_column(self, name: str) -> bool:
        """What either kind reads."""
        return self._choice.reads_column(name) or self._open.reads_column(name)

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Scores by the rules of the row's kind.

        Raises:
            DataError: the benchmark has no answers.
        """
        return self._kind(sample).score(sample, prediction)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge where the row's kind does.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark has no answers.
        """
        return await self._kind(sample).judge(sample, prediction, judge)

    async def second_opinion(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored | None:
        """Asks the judge where the row's kind can.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark has no answers.
        """
        return await self._kind(sample).second_opinion(sample, prediction, judge)

    def verdict(self, scored: Scored) -> Hashable | None:
        """Returns what the row's kind takes for the verdict."""
        return self._kind(scored.sample).verdict(scored)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.tables.vqa_table`."""
        return self._open.table(scored)

    def _kind(self, sample: Sample) -> Benchmark:
        return self._choice if _has_options(sample) else self._open


def _has_options(sample: Sample) -> bool:
    return sample.cells.get("A") is not None and sample.cells.get("B") is not None
