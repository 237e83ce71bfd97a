"""The judging stage of one job: answers are judged while more of them come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import anyio
from anyio import create_task_group, to_thread

from ..errors import DataError
from ..records import Prediction, Sample
from .hearing import Hearing
from .hearing_room import Case, HearingRoom, Verdict
from .journal import Entry
from .judge_desk import JudgeDesk
from .judge_units import Unit, Units, weight
from .prepare import Job

__all__ = ["JudgeStage"]

_ROOM: Final = 32 << 20
_CHUNK: Final = 500
_MOST_REREAD: Final = 10_000

_Stored: TypeAlias = tuple[Sample, Entry]


@dataclass(slots=True, kw_only=True)
class _Case(Case):
    """A unit of answers.

    Attributes:
        size: bytes that it holds.
        live: one of its answers came in this run, so that it counts for the running score.
    """

    size: int
    live: bool


class JudgeStage:
    """Has the answers of one job judged as they come.

    The pipeline tells it every answer that is on disk (`heard`); it never holds the pipeline up. Answers of an earlier
    run are read from the journal beside that, as there is something to do for the judges (`HearingRoom`).

    It exists to lose no time, not to judge everything: what does not fit into `room`, or gets no verdict, is left for
    the scoring at the end, which asks for whatever is missing.

    Attributes:
        done: set when `run` has ended.
    """

    def __init__(self, job: Job, desk: JudgeDesk, *, room: int = _ROOM) -> None:
        """Begins with nothing to do.

        Args:
            job: whose answers are judged.
            desk: its judges.
            room: bytes of answers that it may hold.
        """
        self.done = anyio.Event()
        self._job = job
        self._desk = desk
        self._benchmark = job.benchmark
        self._progress = job.progress
        self._units = Units(job.benchmark, job.limit)
        self._hearings: HearingRoom[_Case] = HearingRoom(job.benchmark, desk, self._ended, self._needs_judge)
        self._room = room
        self._held = 0
        self._finishing = False
        self._changed = anyio.Event()
        self._stored = self._sure()
        self._reread: deque[_Stored] = deque(maxlen=_MOST_REREAD)
        job.progress.judged = 0

    def heard(self, sample: Sample, prediction: Prediction) -> None:
        """Takes in an answer, or a failure, that has reached the journal."""
        unit = self._units.add(sample, self._answer(prediction))
        if unit is not None and self._held + (size := weight(unit)) <= self._room:
            self._bring(_Case(answers=unit, size=size, live=True))

    def reused(self, sample: Sample, entry: Entry) -> None:
        """Takes in an answer of an earlier run that still holds; safe in any thread. A few too many are forgotten."""
        self._reread.append((sample, entry))

    def finish(self) -> None:
        """Lets `run` end once everything that came is judged."""
        self._finishing = True
        self._changed.set()

    async def run(self) -> None:
        """Judges until `finish`, and to the end of what there is then."""
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(self._hearings.run)
                await self._feed()
                while not self._finishing:
                    await self._next_change()
                self._hearings.finish()
        finally:
            self.done.set()

    # -- one unit ----------------------------------------------------------------------------------------------------

    def _bring(self, case: _Case) -> None:
        self._held += case.size
        self._hearings.bring(case)

    def _needs_judge(self, case: _Case) -> None:
        del case
        self._progress.to_judge += 1

    def _ended(self, case: _Case, verdict: Verdict) -> None:
        self._held -= case.size
        self._changed.set()
        if not isinstance(verdict, Hearing):
            return  # the final scoring says so
        if case.unsaid is not None:
            self._progress.judged = (self._progress.judged or 0) + 1
        for scored in verdict.scored if case.live else ():
            self._progress.note_score(scored.points)

    def _answer(self, prediction: Prediction) -> str | None:
        return self._benchmark.protocol.failed_text if prediction.failure else prediction.prediction

    # -- answers of an earlier run -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Counts the rows of units; then brings stored answers, a few at a time, as long as there is not much to do."""
        try:
            await to_thread.run_sync(self._units.count)
            await self._offer(list(self._units.complete()), live=True)
            while (answers := await to_thread.run_sync(self._read, self._stored)) is not None:
                await self._take(answers)
                if self._desk.closed:
                    return
            while not self._finishing or self._reread:
                if not self._reread:
                    await self._next_change()
                else:
                    picked = [self._reread.popleft() for _ in range(min(_CHUNK, len(self._reread)))]
                    answers = await to_thread.run_sync(self._read, iter(picked))
                    await self._take(answers or ())
        except (DataError, OSError):
            return  # whoever asks the rows, or scores the answers, says so

    async def _take(self, answers: Sequence[tuple[Sample, Prediction]]) -> None:
        found = [self._units.add(sample, self._answer(prediction)) for sample, prediction in answers]
        await self._offer([unit for unit in found if unit is not None], live=False)

    async def _offer(self, units: Sequence[Unit], *, live: bool) -> None:
        """Brings units, each when there is not much before it."""
        for unit in units:
            size = weight(unit)
            while self._hearings.crowded or (self._held > 0 and self._held + size > self._room):
                await self._hearings.progressed()
            self._bring(_Case(answers=unit, size=size, live=live))

    async def _next_change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    def _sure(self) -> Iterator[_Stored]:
        for sample in islice(self._benchmark.samples(), self._job.limit):
            if (entry := self._job.sure(sample)) is not None:
                yield sample, entry

    def _read(self, stored: Iterator[_Stored]) -> list[tuple[Sample, Prediction]] | None:
        """Reads the next few of some stored answers; None when there are no more. Blocking.

        Raises:
            DataError: the benchmark's file breaks off.
            OSError: the journal cannot be read.
        """
        picked = list(islice(stored, _CHUNK))
        if not picked:
            return None
        with self._job.commit.path.open("rb") as file:
            read = [(sample, self._job.answer(file, sample, entry)) for sample, entry in picked]
        return [(sample, prediction) for sample, prediction in read if prediction is not None]
