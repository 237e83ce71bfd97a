"""What every benchmark is: samples from a source, a prompt for each, a score for each answer, a table of all."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar
from typing import Protocol as Interface

from ..errors import DataError
from ..messages import Image, Message
from ..records import Cell, Failure, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.protocol import Protocol
from .catalog import catalog
from .stored_table import stored_table
from .submission import Submission, spreadsheet

__all__ = ["NO_JUDGE_NAME", "Benchmark", "Scored", "Source", "Table"]

_T = TypeVar("_T")

NO_JUDGE_NAME: Final = "exact_matching"
"""What the reference calls scoring without a judge."""


class Source(Interface):
    """Where the rows of a benchmark come from; reads a row when its turn comes."""

    @property
    def path(self) -> Path:
        """The file that the rows stand in."""

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that the rows stand in, by the name of the benchmark that they belong to."""

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
        answer: the answer as it was scored (benchmarks/scoring_run.py fills it in).
    """

    sample: Sample
    record: Mapping[str, Any]
    points: float
    failed: bool = False
    answer: Cell = None


class Benchmark(ABC):
    """A named benchmark over a source. Thread-safe: prompts are built in worker threads.

    Attributes:
        plots_categories: whether reports plot the accuracy of its categories, which stand in order and in percent.
        needs_judge: whether no answer can be scored without a judge. `score` then leaves answers open, with the rule
            ``needs judge`` and points NaN, and `table` refuses to be built over open ones.
        is_dialogue: whether a sample takes several requests (`turns`), each with the answers to those before it. The
            answer to be scored is then a list (`scoring.dialogues`), with None for turns without an answer.
        submits_readings: whether the file for its own server says what answers were read as, and not only the answers.
        system: system messages that every prompt begins with (`Protocol.keep_system_prompt`).
    """

    plots_categories: ClassVar[bool] = False
    needs_judge: ClassVar[bool] = False
    is_dialogue: ClassVar[bool] = False
    submits_readings: ClassVar[bool] = False
    system: ClassVar[tuple[Message, ...]] = ()

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
        if self.withheld(()) is not None and not self.submits_readings:
            return False
        return kind.judge is not Benchmark.judge or kind.judge_unit is not Benchmark.judge_unit

    @property
    def joins_samples(self) -> bool:
        """Whether several samples may be judged together (`unit`)."""
        return type(self).unit is not Benchmark.unit

    @property
    def rows(self) -> int:
        """Number of rows of the file: an upper bound of the length, known sooner."""
        return self.source.rows

    @property
    def settings(self) -> str:
        """What prompts are made by, beside the file and the protocol; empty where there is nothing."""
        return ""

    def samples(self) -> Iterator[Sample]:
        """Yields the samples in file order, without their pictures."""
        return self.source.samples()

    def in_asking_order(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yields samples in the order in which they are best asked, by default as they come."""
        yield from samples

    def stamp(self, sample: Sample) -> str:
        """Names the state of files that a sample shows beside the benchmark's own, so that a change shows."""
        del sample
        return ""

    def lacks(self, sample: Sample) -> Path | None:
        """Returns a file beside the benchmark's own that a sample shows and that is not there; None for none."""
        del sample
        return None

    def whole(self) -> Benchmark:
        """Returns the benchmark as it is asked of a model that is shown whole videos; itself where it has none."""
        return self

    @abstractmethod
    def prompt(self, sample: Sample) -> list[Message]:
        """Builds what the model is asked for one sample.

        Raises:
            MediaError: a picture that the prompt shows is missing.
            DataError: the row lacks what the prompt needs.
        """

    def turns(self, sample: Sample) -> int:
        """Returns how many requests a sample takes, one after the other: those of a dialogue.

        Raises:
            DataError: the row does not say it.
        """
        del sample
        return 1

    def turn_prompt(self, sample: Sample, answers: Sequence[str]) -> list[Message]:
        """Builds what the model is asked in a later turn of a dialogue: all that was said so far, and what is next.

        Args:
            sample: the dialogue.
            answers: what the model said in the turns before; none for the first turn, which is `prompt`.

        Raises:
            MediaError: a picture that the prompt shows is missing.
            DataError: the row lacks what the prompt needs.
        """
        del answers
        return self.prompt(sample)

    def failed_turn(self, failure: Failure) -> str | None:
        """Returns what stands in the history of a dialogue for a turn that failed.

        None, where the protocol has no text for a failed request: the dialogue ends there.
        """
        del failure
        return self.protocol.failed_text

    def reads_column(self, name: str) -> bool:
        """Whether scoring reads this column from the table of predictions (`Protocol.round_trip_table`)."""
        del name
        return True

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Returns samples and answers as the reference's table of predictions gives them back to be scored."""
        return stored_table(samples, answers, self.reads_column)

    def scored_cell(self, sample: Sample, column: str = "answer") -> Cell:
        """Returns a cell that scoring cannot do without.

        Raises:
            DataError: there is no such column.
        """
        if column not in sample.cells:
            raise DataError(f"{self.name} has no column {column!r}: it cannot be scored")
        return sample.cells[column]

    def parsed_answer(self, sample: Sample, parse: Callable[[str], _T]) -> _T:
        """Returns what the row's right answers are read as.

        Raises:
            DataError: there is no column of them, or they cannot be read.
        """
        text = cell_text(self.scored_cell(sample))
        try:
            return parse(text)
        except DataError as error:
            raise DataError(f"{self.name}, row {sample.index}, column 'answer': {error}") from error

    def no_answers(self) -> DataError:
        """Returns the error of scoring a benchmark whose file has no column of right answers, as some keep theirs."""
        return DataError(f"{self.name} has no column 'answer': its answers are not public and cannot be scored here")

    def is_lost(self, prediction: Cell) -> bool:
        """Whether there is nothing to score: the request failed, and the protocol has no text for that."""
        return prediction is None and self.protocol.failed_text is None

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

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Adds to the records what only all scored samples together tell, before `results` and the tables see them."""
        return scored

    def results(self, scored: Sequence[Scored]) -> dict[str, Mapping[str, Any]]:
        """Returns what is kept per result, by its name: a sample's record by its index, where samples count alone."""
        return {s.sample.index: s.record for s in scored}

    @abstractmethod
    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the result table over all scored samples, in file order."""

    def withheld(self, samples: Iterable[Sample]) -> str | None:
        """Says why these samples cannot be scored here, None where they can: their right answers are not public."""
        known = catalog().get(self.name)
        if known is None or not known.hidden_answers:
            return None
        if "answer" in self.source.columns and all(sample.cells["answer"] is not None for sample in samples):
            return None
        return f"the right answers of {self.name} are not public: nothing can be scored here"

    def submission(
        self, answers: Sequence[tuple[Sample, Cell]], scored: Sequence[Scored], *, judge: str = NO_JUDGE_NAME
    ) -> Submission:
        """Makes the file that the benchmark's own server scores: by default the table of predictions.

        Args:
            answers: questions and answers as they were given, in file order.
            scored: the same, read by the benchmark's rules.
            judge: who read what no rule could.
        """
        del scored, judge
        columns = [column for column in self.source.columns if column != "image"]
        rows = ({**sample.cells, "prediction": answer} for sample, answer in answers)
        return Submission(".xlsx", spreadsheet([*columns, "prediction"], rows))

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says what a reader must know to take the table for what it is."""
        del scored
        yield from ()

    def partly_asked(
        self, scored: Sequence[Scored], group: Callable[[Sample], Hashable | None]
    ) -> tuple[int, int] | None:
        """Returns how many groups of samples were asked only in part, and how many were asked; None for none.

        Args:
            scored: what was asked.
            group: names what a sample counts together with; None where it counts alone.

        Raises:
            DataError: a sample does not say what it belongs to.
        """
        asked = {s.sample.index for s in scored}
        groups = {group(s.sample) for s in scored} - {None}
        if not groups or len(asked) >= len(self):
            return None
        partly = {group(sample) for sample in self.samples() if sample.index not in asked} & groups
        return (len(partly), len(groups)) if partly else None

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Builds what the benchmark tells beside its result table, by the end of each file's name (``acc_all``)."""
        del scored
        return {}
