"""Scores of a job that has a judge: a pure function of answers and verdicts, once no verdict is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..benchmarks.base import Benchmark, Scored
from ..benchmarks.scoring_run import answered_items, completed, finish, unit_positions
from ..benchmarks.submission import Submission
from ..errors import JudgeError
from ..records import Cell, Sample, ScoreResult
from .hearing import Hearing, Unsaid, hear_stored
from .hearing_room import Case, HearingRoom, Verdict
from .judge_desk import JudgeDesk

__all__ = ["JudgedScoring"]


@dataclass(slots=True, kw_only=True)
class _Case(Case):
    """A unit, and where its answers stand among all."""

    positions: Sequence[int]


class JudgedScoring:
    """Scores answers in three steps: `look_up` and `result` work in any thread, `ask` waits for the judges.

    Attributes:
        unheard: for each answer without a verdict of the deciding judge its index and the reason.
        uncompared: the same for judges that are only compared with it.
    """

    def __init__(
        self, benchmark: Benchmark, samples: Sequence[Sample], predictions: Mapping[str, Cell], desk: JudgeDesk
    ) -> None:
        """Reads the answers as they are scored.

        Args:
            benchmark: whose answers they are.
            samples: the questions, in file order; each has an entry.
            predictions: answer by index, None for a failed request.
            desk: the judges.
        """
        self.unheard: list[tuple[str, str]] = []
        self.uncompared: list[tuple[str, str]] = []
        self._benchmark = benchmark
        self._desk = desk
        self._given = [(sample, predictions[sample.index]) for sample in samples]
        self._items = answered_items(benchmark, samples, predictions)
        self._units = unit_positions(benchmark, [sample for sample, _, _ in self._items])
        self._scored: list[Scored | None] = [None] * len(self._items)
        self._missing: list[tuple[list[int], Unsaid]] = []
        self._heard: list[Hearing] = []

    @property
    def missing(self) -> int:
        """Units for which a judge has to be asked."""
        return len(self._missing)

    @property
    def items(self) -> Sequence[tuple[Sample, Cell, bool]]:
        """Each sample, its answer as scoring reads it, and whether the request failed."""
        return self._items

    @property
    def scored(self) -> Sequence[Scored | None]:
        """The score of each of the items; None for one that waits for a verdict."""
        return self._scored

    @property
    def hearings(self) -> Sequence[Hearing]:
        """The units about which a judge was asked, now or earlier."""
        return self._heard

    def look_up(self) -> None:
        """Scores whatever needs no judge, or has its verdicts already. Blocking.

        Raises:
            DataError: a row cannot be scored.
        """
        for positions in self._units:
            try:
                hearing = hear_stored(self._benchmark, self._answers(positions), self._desk)
            except JudgeError as error:
                self._not_heard(positions, error)
                continue
            if isinstance(hearing, Unsaid):
                self._missing.append((positions, hearing))
            else:
                self._take(positions, hearing)

    async def ask(self) -> None:
        """Asks for the verdicts that are missing; what gets none is in `unheard`.

        Raises:
            DataError: a row cannot be scored.
        """
        faults: list[Exception] = []

        def ended(case: _Case, verdict: Verdict) -> None:
            if isinstance(verdict, Hearing):
                self._take(case.positions, verdict)
                self._desk.progress.judged = (self._desk.progress.judged or 0) + 1
            elif isinstance(verdict, JudgeError):
                self._not_heard(case.positions, verdict)
            else:
                faults.append(verdict)

        room: HearingRoom[_Case] = HearingRoom(self._benchmark, self._desk, ended)
        for positions, unsaid in self._missing:
            room.bring(_Case(answers=self._answers(positions), positions=positions, unsaid=unsaid))
        room.finish()
        await room.run()
        if faults:
            raise faults[0]

    def result(self) -> ScoreResult:
        """Returns the scores of all answers, when nothing is in `unheard`. Blocking.

        Raises:
            DataError: the samples do not fit into the benchmark's table.
        """
        asked = {index for hearing in self._heard for index in hearing.asked}
        return finish(self._benchmark, [scored for scored in self._scored if scored is not None], judged=len(asked))

    def submission(self) -> Submission:
        """Returns the file for the server that scores the benchmark, when nothing is in `unheard`. Blocking.

        Raises:
            DataError: a row cannot be read.
        """
        scored = [scored for scored in self._scored if scored is not None]
        return self._benchmark.submission(self._given, scored, judge=self._desk.voices[0].judge.name)

    def _answers(self, positions: Sequence[int]) -> list[tuple[Sample, Cell]]:
        return [self._items[position][:2] for position in positions]

    def _take(self, positions: Sequence[int], hearing: Hearing) -> None:
        for position, scored in zip(positions, hearing.scored, strict=True):
            self._scored[position] = completed(scored, *self._items[position][1:])
        if hearing.asked:
            self._heard.append(hearing)
        if hearing.unsaid is not None:
            self.uncompared += [(self._items[position][0].index, hearing.unsaid) for position in positions]

    def _not_heard(self, positions: Sequence[int], error: JudgeError) -> None:
        self.unheard += [(self._items[position][0].index, str(error)) for position in positions]
