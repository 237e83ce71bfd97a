"""What every benchmark is: samples from a source, a prompt for each, a score for each answer, a table of all."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from typing import Protocol as Interface

from ..messages import Image, Message
from ..records import Cell, Sample, Table
from ..scoring.judge import Judge
from ..scoring.protocol import Protocol
from .stored_table import stored_table

__all__ = ["Benchmark", "Scored", "Source", "Table"]


class Source(Interface):
    """Where the rows of a benchmark come from; reads a row when its turn comes."""

    @property
    def path(self) -> Path:
        """The file that the rows stand in."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names as the file has them, pictures included."""

    @property
    def stamp(self) -> str | None:
        """Size and time of the file, so that a change shows; None where pictures are files of their own."""

    @property
    def rows(self) -> int:
        """Number of rows of the file, with those that have no picture: an upper bound of the length, known sooner."""

    def __len__(self) -> int:
        """Number of samples; reads the rest of the file's row offsets if they are not known yet."""

    def samples(self) -> Iterator[Sample]:
        """Yields the rows in file order."""

    def images(self, sample: Sample) -> tuple[Image, ...]:
        """Returns the pictures of one row, in order."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sample with what its benchmark says of the answer.

    Attributes:
        sample: the question.
        record: what is kept per sample (`ScoreResult.per_sample`).
        points: worth of the answer, 0 to 1 where the benchmark has a plain accuracy.
        failed: there was no answer.
    """

    sample: Sample
    record: Mapping[str, Any]
    points: float
    failed: bool = False


class Benchmark(ABC):
    """A named benchmark over a source. Thread-safe: prompts are built in worker threads.

    Attributes:
        plots_categories: whether reports plot the accuracy of its categories, which stand in order and in percent.
    """

    plots_categories: ClassVar[bool] = False

    def __init__(self, name: str, source: Source, protocol: Protocol) -> None:
        self.name = name
        self.source = source
        self.protocol = protocol

    def __len__(self) -> int:
        return len(self.source)

    @property
    def asks_judge(self) -> bool:
        """Whether a judge, where there is one, reads some of its answers."""
        kind = type(self)
        return kind.judge is not Benchmark.judge or kind.judge_unit is not Benchmark.judge_unit

    @property
    def joins_samples(self) -> bool:
        """Whether several samples may be judged together (`unit`)."""
        return type(self).unit is not Benchmark.unit

    def samples(self) -> Iterator[Sample]:
        """Yields the samples in file order, without their pictures."""
        return self.source.samples()

    @abstractmethod
    def prompt(self, sample: Sample) -> list[Message]:
        """Builds what the model is asked for one sample.

        Raises:
            MediaError: a picture that the prompt shows is missing.
            DataError: the row lacks what the prompt needs.
        """

    def reads_column(self, name: str) -> bool:
        """Whether scoring reads this column from the table of predictions (`Protocol.round_trip_table`)."""
        del name
        return True

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Returns samples and answers as the reference's table of predictions gives them back to be scored."""
        return stored_table(samples, answers, self.reads_column)

    @abstractmethod
    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Scores one answer by the exact rules; the record's ``rule`` is ``none`` when no rule could read it."""

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Scores one answer, asking the judge where the exact rules read nothing and the benchmark asks for one."""
        del judge
        return self.score(sample, prediction)

    def unit(self, sample: Sample) -> str:
        """Names what a sample is judged with: the samples of one unit wait for each other (`judge_unit`)."""
        return sample.index

    async def judge_unit(self, answers: Sequence[tuple[Sample, Cell]], judge: Judge) -> list[Scored]:
        """Scores the answers of one unit, in file order, asking the judge one question after the other.

        It awaits nothing but the judge, and with the same replies it comes to the same scores: a run looks it through
        with stored verdicts alone before it asks for what is missing.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: a row cannot be scored.
        """
        return [await self.judge(sample, prediction, judge) for sample, prediction in answers]

    async def second_opinion(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored | None:
        """Scores one answer by the judge though the exact rules can read it, to compare the two (`judge-audit`).

        None where a judge is not asked about a single answer apart from its rules.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row cannot be scored.
        """
        del sample, prediction, judge
        return None

    def verdict(self, scored: Scored) -> Hashable | None:
        """Returns what an answer was taken for, by which judges are compared and outvoted; None if it was not read."""
        return None if scored.record.get("rule") == "none" or math.isnan(scored.points) else scored.points

    def results(self, scored: Sequence[Scored]) -> dict[str, Mapping[str, Any]]:
        """Returns what is kept per result, by its name: a sample's record by its index, where samples count alone."""
        return {s.sample.index: s.record for s in scored}

    @abstractmethod
    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the result table over all scored samples, in file order."""

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Builds what the benchmark tells beside its result table, by the end of each file's name (``acc_all``)."""
        del scored
        return {}
