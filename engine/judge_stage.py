"""The judging stage of one job: answers are judged while more of them come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import anyio
import anyio.lowlevel
from anyio import create_task_group, to_thread

from ..benchmarks.scoring_run import SCORING_FAULTS
from ..errors import DataError, JudgeError
from ..records import Prediction, Sample
from .hearing import Hearing, hear, hear_stored
from .journal import Entry, read_answer
from .judge_desk import JudgeDesk
from .judge_units import Unit, Units, weight
from .prepare import Job

__all__ = ["JudgeStage"]

_ROOM: Final = 32 << 20
_CHUNK: Final = 500
_MOST_REREAD: Final = 10_000

_Stored: TypeAlias = tuple[Sample, Entry]


class JudgeStage:
    """Has the answers of one job judged as they come.

    The pipeline tells it every answer that is on disk (`heard`); it never holds the pipeline up. Whatever needs no
    judge, or whose verdict is there, is done with at once; the rest queues up, and as many units are judged at a time
    as the judges' limits are worth. Answers of an earlier run are read from the journal beside that, as the queue has
    room.

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
            room: bytes of answers that may queue up.
        """
        self.done = anyio.Event()
        self._job = job
        self._desk = desk
        self._benchmark = job.benchmark
        self._progress = job.progress
        self._units = Units(job.benchmark, job.limit)
        self._room = room
        self._queue: deque[Unit] = deque()
        self._held = 0
        self._alive = 0
        self._fresh = 0
        self._feeding = True
        self._finishing = False
        self._wake = anyio.Event()
        self._changed = anyio.Event()
        self._stored = self._sure()
        self._reread: deque[_Stored] = deque(maxlen=_MOST_REREAD)
        job.progress.judged = 0

    def heard(self, sample: Sample, prediction: Prediction) -> None:
        """Takes in an answer, or a failure, that has reached the journal."""
        unit = self._units.add(sample, self._answer(prediction))
        if unit is not None:
            self._look(unit)
        self._wake.set()

    def reused(self, sample: Sample, entry: Entry) -> None:
        """Takes in an answer of an earlier run that still holds; safe in any thread. A few too many are forgotten."""
        self._reread.append((sample, entry))

    def finish(self) -> None:
        """Lets `run` end once everything that came is judged."""
        self._finishing = True
        self._wake.set()
        self._changed.set()

    async def run(self) -> None:
        """Judges until `finish`, and to the end of what there is then."""
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(self._feed)
                while not self._at_end():
                    while len(self._queue) > self._fresh and self._alive < 2 * self._desk.reach:
                        self._alive += 1
                        self._fresh += 1
                        tasks.start_soon(self._work)
                    self._wake = anyio.Event()
                    await self._wake.wait()
        finally:
            self.done.set()

    def _at_end(self) -> bool:
        return self._finishing and not (self._queue or self._alive or self._feeding)

    # -- one unit ----------------------------------------------------------------------------------------------------

    def _look(self, unit: Unit) -> None:
        """Scores a unit where no judge has to be asked, and queues it up where one has to be."""
        try:
            hearing = hear_stored(self._benchmark, unit, self._desk)
        except (DataError, JudgeError, *SCORING_FAULTS):
            return  # the final scoring says so
        if hearing is None:
            self._enqueue(unit)
        else:
            self._note(hearing)

    def _enqueue(self, unit: Unit) -> None:
        self._progress.to_judge += 1
        size = weight(unit)
        if self._held + size <= self._room:
            self._queue.append(unit)
            self._held += size

    async def _work(self) -> None:
        self._fresh -= 1
        try:
            while self._queue and self._alive <= 2 * self._desk.reach:
                unit = self._queue.popleft()
                self._held -= weight(unit)
                self._changed.set()
                await self._judge(unit)
        finally:
            self._alive -= 1
            self._wake.set()

    async def _judge(self, unit: Unit) -> None:
        try:
            hearing = await hear(self._benchmark, unit, self._desk)
        except JudgeError:
            await anyio.lowlevel.checkpoint()  # a judge that is given up refuses at once, answer after answer
        except (DataError, *SCORING_FAULTS):
            return
        else:
            self._progress.judged = (self._progress.judged or 0) + 1
            self._note(hearing)

    def _note(self, hearing: Hearing) -> None:
        for scored in hearing.scored:
            self._progress.note_score(scored.points)

    def _answer(self, prediction: Prediction) -> str | None:
        return self._benchmark.protocol.failed_text if prediction.failure else prediction.prediction

    # -- answers of an earlier run -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Counts the rows of units; then reads stored answers, a few at a time, as long as the queue is short."""
        try:
            await to_thread.run_sync(self._units.count)
            await self._offer(list(self._units.complete()))
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
        finally:
            self._feeding = False
            self._wake.set()

    async def _take(self, answers: Sequence[tuple[Sample, Prediction]]) -> None:
        found = (self._units.add(sample, self._answer(prediction)) for sample, prediction in answers)
        await self._offer([unit for unit in found if unit is not None])

    async def _offer(self, units: Sequence[Unit]) -> None:
        """Queues up those of some units for which a judge has to be asked, when the queue is short."""
        for unit in await to_thread.run_sync(self._unsaid, units):
            while len(self._queue) > 2 * self._desk.reach:
                await self._next_change()
            self._enqueue(unit)
            self._wake.set()

    async def _next_change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    def _unsaid(self, units: Sequence[Unit]) -> list[Unit]:
        """Returns the units for which a judge has to be asked. Blocking."""
        unsaid = []
        for unit in units:
            try:
                if hear_stored(self._benchmark, unit, self._desk) is None:
                    unsaid.append(unit)
            except (DataError, JudgeError, *SCORING_FAULTS):
                continue
        return unsaid

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
            read = [(sample, read_answer(file, entry)) for sample, entry in picked]
        return [(sample, prediction) for sample, prediction in read if prediction is not None]
