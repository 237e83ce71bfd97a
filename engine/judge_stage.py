"""The judging stage of one job: answers are judged while more of them come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

import anyio
import anyio.lowlevel
from anyio import create_task_group, to_thread

from ..benchmarks.scoring_run import SCORING_FAULTS
from ..errors import DataError, JudgeError
from ..records import Prediction, Sample
from .hearing import Hearing, Unsaid, ask_for, hear_stored
from .journal import Entry, read_answer
from .judge_desk import JudgeDesk, Voice
from .judge_units import Unit, Units, weight
from .prepare import Job

__all__ = ["JudgeStage"]

_ROOM: Final = 32 << 20
_CHUNK: Final = 500
_MOST_REREAD: Final = 10_000

_Stored: TypeAlias = tuple[Sample, Entry]


@dataclass(slots=True)
class _Case:
    """A unit that is looked at, asked about, and looked at again.

    Attributes:
        unit: its answers.
        size: bytes that it holds.
        live: one of its answers came in this run, so that it counts for the running score.
        unsaid: what a judge has to be asked next; None before it is looked at.
        lost: judges that are only compared and have no verdict.
    """

    unit: Unit
    size: int
    live: bool
    unsaid: Unsaid | None = None
    lost: dict[Voice, str] = field(default_factory=dict)


class JudgeStage:
    """Has the answers of one job judged as they come.

    The pipeline tells it every answer that is on disk (`heard`); it never holds the pipeline up. Units are looked at in
    a worker thread, as many at once as have come together. Whatever needs no judge, or whose verdict is there, is done
    with then; the rest queues up for the judges, as many at a time as their limits are worth, and is looked at again
    with the verdict. Answers of an earlier run are read from the journal beside that, as the queue has room.

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
        self._room = room
        self._held = 0
        self._incoming: deque[_Case] = deque()
        self._queue: deque[_Case] = deque()
        self._workers = 0
        self._fresh_workers = 0
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
        if unit is not None and self._held + (size := weight(unit)) <= self._room:
            self._bring(_Case(unit, size, live=True))

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
                    if self._incoming:
                        await self._look()
                    while len(self._queue) > self._fresh_workers and self._workers < 2 * self._desk.reach:
                        self._workers += 1
                        self._fresh_workers += 1
                        tasks.start_soon(self._work)
                    if not self._incoming and not self._at_end():
                        self._wake = anyio.Event()
                        await self._wake.wait()
        finally:
            self.done.set()

    def _at_end(self) -> bool:
        return self._finishing and not (self._incoming or self._queue or self._workers or self._feeding)

    # -- one unit ----------------------------------------------------------------------------------------------------

    def _bring(self, case: _Case) -> None:
        self._held += case.size
        self._incoming.append(case)
        self._wake.set()

    async def _look(self) -> None:
        """Scores units where all is said, and queues the others up."""
        cases = [self._incoming.popleft() for _ in range(min(_CHUNK, len(self._incoming)))]
        for case, found in zip(cases, await to_thread.run_sync(self._looked_at, cases), strict=True):
            if not isinstance(found, Unsaid):
                self._close(case, found)
                continue
            if case.unsaid is None:
                self._progress.to_judge += 1
            case.unsaid = found
            self._queue.append(case)

    def _looked_at(self, cases: Sequence[_Case]) -> list[Hearing | Unsaid | None]:
        """Returns what is to be said of each unit; None of one that cannot be scored. Blocking."""
        found: list[Hearing | Unsaid | None] = []
        for case in cases:
            try:
                found.append(hear_stored(self._benchmark, case.unit, self._desk, case.lost))
            except (DataError, JudgeError, *SCORING_FAULTS):
                found.append(None)  # the final scoring says so
        return found

    async def _work(self) -> None:
        self._fresh_workers -= 1
        try:
            while self._queue and self._workers <= 2 * self._desk.reach:
                case = self._queue.popleft()
                self._changed.set()
                await self._ask(case)
        finally:
            self._workers -= 1
            self._wake.set()

    async def _ask(self, case: _Case) -> None:
        assert case.unsaid is not None
        try:
            await ask_for(self._desk, case.unsaid, case.lost)
        except JudgeError:
            self._close(case, None)
            await anyio.lowlevel.checkpoint()  # a judge that is given up refuses at once, answer after answer
        else:
            self._incoming.append(case)
            self._wake.set()

    def _close(self, case: _Case, hearing: Hearing | None) -> None:
        self._held -= case.size
        self._changed.set()
        if hearing is None:
            return
        if case.unsaid is not None:
            self._progress.judged = (self._progress.judged or 0) + 1
        for scored in hearing.scored if case.live else ():
            self._progress.note_score(scored.points)

    def _answer(self, prediction: Prediction) -> str | None:
        return self._benchmark.protocol.failed_text if prediction.failure else prediction.prediction

    # -- answers of an earlier run -----------------------------------------------------------------------------------

    async def _feed(self) -> None:
        """Counts the rows of units; then reads stored answers, a few at a time, as long as the queue is short."""
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
        finally:
            self._feeding = False
            self._wake.set()

    async def _take(self, answers: Sequence[tuple[Sample, Prediction]]) -> None:
        found = [self._units.add(sample, self._answer(prediction)) for sample, prediction in answers]
        await self._offer([unit for unit in found if unit is not None], live=False)

    async def _offer(self, units: Sequence[Unit], *, live: bool) -> None:
        """Brings units, each when there is not much before it."""
        for unit in units:
            case = _Case(unit, weight(unit), live)
            while self._busy(case.size):
                await self._next_change()
            self._bring(case)

    def _busy(self, size: int) -> bool:
        crowded = len(self._queue) > 2 * self._desk.reach or len(self._incoming) >= _CHUNK
        return crowded or (self._held > 0 and self._held + size > self._room)

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
            read = [(sample, read_answer(file, entry)) for sample, entry in picked]
        return [(sample, prediction) for sample, prediction in read if prediction is not None]
