"""Many units before their judges at a time: looked at in a worker thread, asked about, and looked at again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
from anyio import create_task_group, to_thread

from ..benchmarks.base import Benchmark
from ..benchmarks.scoring_run import SCORING_FAULTS
from ..errors import DataError, JudgeError
from .hearing import Answers, Hearing, Unsaid, ask_for, hear_stored
from .judge_desk import JudgeDesk, Voice

__all__ = ["Case", "HearingRoom", "Verdict"]

_MOST_AT_ONCE: Final = 64

Verdict: TypeAlias = Hearing | Exception
"""What a case ends with: a hearing, a `JudgeError`, a `DataError`, or a fault of the benchmark's rules."""


@dataclass(slots=True, kw_only=True)
class Case:
    """A unit that is to be judged.

    Attributes:
        answers: its answers.
        unsaid: what a judge has to be asked next; None before it is looked at.
        lost: judges that are only compared and have no verdict, with the reason.
    """

    answers: Answers
    unsaid: Unsaid | None = None
    lost: dict[Voice, str] = field(default_factory=dict)


C = TypeVar("C", bound=Case)


class HearingRoom(Generic[C]):
    """Judges the cases that are brought.

    Whatever needs no judge, or whose verdicts are there, ends when it is looked at; a worker thread does that with as
    many cases at once as have come together, so that rules that take long hold up no request. The rest waits for the
    judges, as many cases at a time as their limits are worth, and is looked at again with the verdict.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        desk: JudgeDesk,
        ended: Callable[[C, Verdict], None],
        needs_judge: Callable[[C], None] = lambda _: None,
    ) -> None:
        """Begins without cases.

        Args:
            benchmark: whose answers are judged.
            desk: its judges.
            ended: told each case that has ended, and with what.
            needs_judge: told each case for which a judge turns out to have to be asked.
        """
        self._benchmark = benchmark
        self._desk = desk
        self._ended = ended
        self._needs_judge = needs_judge
        self._incoming: deque[C] = deque()
        self._waiting: deque[C] = deque()
        self._workers = 0
        self._fresh_workers = 0
        self._finishing = False
        self._wake = anyio.Event()
        self._progressed = anyio.Event()

    @property
    def crowded(self) -> bool:
        """Whether there is enough to do for judges and thread, so that more would only take up memory."""
        return len(self._waiting) > self._places or len(self._incoming) >= _MOST_AT_ONCE

    def bring(self, case: C) -> None:
        """Takes in a case; never waits."""
        (self._incoming if case.unsaid is None else self._waiting).append(case)
        self._wake.set()

    def finish(self) -> None:
        """Lets `run` end once every case has ended."""
        self._finishing = True
        self._wake.set()

    async def progressed(self) -> None:
        """Returns when cases have ended or left for a judge."""
        self._progressed = anyio.Event()
        await self._progressed.wait()

    async def run(self) -> None:
        """Judges until `finish`, and to the end of what there is then."""
        async with create_task_group() as tasks:
            while not self._at_end():
                if self._incoming:
                    await self._look()
                while len(self._waiting) > self._fresh_workers and self._workers < self._places:
                    self._workers += 1
                    self._fresh_workers += 1
                    tasks.start_soon(self._work)
                if not self._incoming and not self._at_end():
                    self._wake = anyio.Event()
                    await self._wake.wait()

    @property
    def _places(self) -> int:
        # While one case is looked at, the judges should have another one.
        return 2 * self._desk.reach

    def _at_end(self) -> bool:
        return self._finishing and not (self._incoming or self._waiting or self._workers)

    async def _look(self) -> None:
        cases = [self._incoming.popleft() for _ in range(min(_MOST_AT_ONCE, len(self._incoming)))]
        for case, found in zip(cases, await to_thread.run_sync(self._looked_at, cases), strict=True):
            if isinstance(found, Unsaid):
                if case.unsaid is None:
                    self._needs_judge(case)
                case.unsaid = found
                self._waiting.append(case)
            else:
                self._ended(case, found)
        self._progressed.set()

    def _looked_at(self, cases: Sequence[C]) -> list[Verdict | Unsaid]:
        found: list[Verdict | Unsaid] = []
        for case in cases:
            try:
                found.append(hear_stored(self._benchmark, case.answers, self._desk, case.lost))
            except (DataError, JudgeError, *SCORING_FAULTS) as error:
                found.append(error)
        return found

    async def _work(self) -> None:
        self._fresh_workers -= 1
        try:
            while self._waiting and self._workers <= self._places:
                await self._ask(self._waiting.popleft())
        finally:
            self._workers -= 1
            self._wake.set()

    async def _ask(self, case: C) -> None:
        assert case.unsaid is not None
        self._progressed.set()
        try:
            await ask_for(self._desk, case.unsaid, case.lost)
        except JudgeError as error:
            self._ended(case, error)
            self._progressed.set()
            await anyio.lowlevel.checkpoint()  # a judge that is given up refuses at once, case after case
        else:
            self._incoming.append(case)
            self._wake.set()
