"""The way of a sample: prepared in threads, asked within the limits, written to the journal, scored.

One `Pipeline` asks one model all its benchmarks. Every queue is bounded by count and bytes, a request holds a slot only
while it is on the wire or its answer on the way to the disk, and a sample that waits for another try holds none.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Final

import anyio
from anyio import CapacityLimiter, create_task_group, move_on_after, to_thread

from ..adapters.base import Request
from ..benchmarks.scoring_run import SCORING_FAULTS, score_one
from ..errors import ContextOverflow, DataError, EmptyAnswer, EndpointError
from ..records import Failure, Prediction, Reply
from .dialogue import is_over, said_in, whole_line
from .journal import encode_line
from .prepare import Item, Job, Preparer
from .replicas import Fleet, Replica
from .retry import Health, RetryPolicy
from .shares import FINISHING, LOADING, PREPARING, RETRIES, TimeShares
from .tries import Tries

__all__ = ["Pipeline", "Settings"]

_SMALL_BATCHES: Final = 16
_LONG_ANSWER: Final = 20_000
"""Characters of an answer above which it counts in the final score alone, and not in the running one."""
_SLOW_S: Final = 0.1
"""A batch that takes longer, as one of documents or videos does, would keep the requests of its first rows waiting."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pipeline behaves.

    Attributes:
        prepare_threads: rows that are prepared at the same time.
        batch: rows that go through a worker thread together: a hop per row would cost more than the row.
        ready_bytes: bytes of requests, waiting or in flight, above which no more are prepared than can be in flight.
        most_bytes: bytes above which none is prepared, though slots are free.
        grace_s: how long requests in flight may go on when the run is asked to stop.
        utc_now: wall clock, for the time stamps of the journal.
    """

    prepare_threads: int = 2
    batch: int = 16
    ready_bytes: int = 256 << 20
    most_bytes: int = 768 << 20
    grace_s: float = 30.0
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Pipeline:
    """Asks one model the samples of several jobs.

    Attributes:
        shares: what kept requests back, and for how long.
    """

    def __init__(
        self,
        fleet: Fleet,
        preparer: Preparer,
        *,
        policy: RetryPolicy,
        health: Health,
        settings: Settings,
    ) -> None:
        self.shares = TimeShares()
        self._fleet = fleet
        self._preparer = preparer
        self._tries = Tries(fleet, policy, health)
        self._settings = settings
        self._ready: deque[Item] = deque()
        self._turns: deque[Item] = deque()
        self._threads = CapacityLimiter(settings.prepare_threads)
        self._later: list[tuple[float, int, Item]] = []
        self._order = count()
        self._alive = 0
        self._alive_bytes = 0
        self._feeding = 0
        self._stopping = False
        self._wake = anyio.Event()
        self._room = anyio.Event()

    async def run(self, stop: anyio.Event) -> None:
        """Asks until every sample is answered or given up, or ``stop`` is set.

        Raises:
            EndpointUnusable: asking on is useless. Inside an exception group, as are:
            StorageError: an answer could not be written.
            DataError: a benchmark file is broken.
        """
        async with create_task_group() as tasks:
            tasks.start_soon(self._watch, stop, tasks.cancel_scope)
            async with create_task_group() as work:
                self._feeding = self._settings.prepare_threads
                for _ in range(self._feeding):
                    work.start_soon(self._feed)
                await self._dispatch(work)
            tasks.cancel_scope.cancel()

    async def _watch(self, stop: anyio.Event, scope: anyio.CancelScope) -> None:
        await stop.wait()
        self._stopping = True
        self._wake.set()
        self._room.set()
        await anyio.sleep(self._settings.grace_s)
        scope.cancel()

    # -- preparing ---------------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        few_enough = self._alive < 2 * self._fleet.reach + 2 * self._settings.batch
        if self._alive_bytes < self._settings.ready_bytes:
            return few_enough
        # Big requests, as of many frames: as many as are asked at a time, and none in store.
        return self._alive < self._fleet.reach and self._alive_bytes < self._settings.most_bytes

    async def _feed(self) -> None:
        batch = 1  # the first request should leave at once
        while not self._stopping:
            if not self._has_room():
                if self._room.is_set():
                    self._room = anyio.Event()
                await self._room.wait()
                continue
            began = anyio.current_time()
            items = await to_thread.run_sync(self._preparer.next_batch, batch, limiter=self._threads)
            if items is None:
                break
            size = sum(item.size for item in items)
            # A batch of big requests would go far beyond what may be held, and of slow ones keep the first waiting.
            big = size > self._settings.ready_bytes // _SMALL_BATCHES
            slow = anyio.current_time() - began > _SLOW_S
            batch = 1 if big or slow else min(2 * batch, self._settings.batch)
            self._alive += len(items)
            self._alive_bytes += size
            self._ready.extend(items)
            self._wake.set()
        self._feeding -= 1
        self._wake.set()

    async def _go_on(self, item: Item, prepare: Callable[[], Item]) -> None:
        """Prepares what a dialogue is asked next; it goes before the samples that have not begun yet."""
        if self._stopping:
            return
        following = await to_thread.run_sync(prepare, limiter=self._threads)
        self._alive_bytes += following.size - item.size
        self._turns.append(following)
        self._wake.set()

    # -- asking ------------------------------------------------------------------------------------------------------

    async def _dispatch(self, work: anyio.abc.TaskGroup) -> None:
        while not self._stopping:
            now = anyio.current_time()
            item, wait = self._next(now)
            if item is not None:
                if (request := item.request) is None:
                    work.start_soon(self._give_up, item)
                else:
                    replica = self._fleet.pick(now, wanted=item.wanted, unwanted=item.failed_at)
                    work.start_soon(self._handle, item, request, replica, replica.gate.leave(now))
            elif wait is None:
                return
            else:
                reason = self._why(now)
                await self._pause(wait)
                self.shares.add(reason, anyio.current_time() - now)

    def _why(self, now: float) -> str:
        """Names what nothing can leave for."""
        if self._fleet.is_loading:
            return LOADING
        if self._ready or self._turns or self._later or self._feeding:
            reason = self._fleet.why(now)
            if reason is not None:
                return reason
        if self._feeding:
            return PREPARING
        return RETRIES if self._later else FINISHING

    async def _pause(self, longest_s: float) -> None:
        """Waits until something has changed, or the time is over."""
        self._wake = anyio.Event()
        if math.isinf(longest_s):
            await self._wake.wait()
            return
        with move_on_after(longest_s):
            await self._wake.wait()

    def _next(self, now: float) -> tuple[Item | None, float | None]:
        """Returns an item that may leave now, or how long there is nothing to do; (None, None) at the end."""
        retry_in = self._later[0][0] - now if self._later else math.inf
        if not self._ready and not self._turns and retry_in > 0:
            return None, None if self._alive == 0 and self._feeding == 0 else retry_in
        if (first := self._first(now)) is not None:
            return first, 0.0
        if (wait := self._fleet.wait_s(now)) > 0:
            return None, wait
        if retry_in <= 0:
            item = heapq.heappop(self._later)[2]
            item.job.progress.retrying -= 1
            return item, 0.0
        if not self._ready:
            return None, min(retry_in, *(self._fleet.stick_s(now, item.wanted) for item in self._turns))
        return self._ready.popleft(), 0.0

    def _first(self, now: float) -> Item | None:
        """Takes what goes before all else: what needs no slot, then the first later turn of a dialogue that has one."""
        if self._ready and self._ready[0].request is None:
            return self._ready.popleft()
        for position, item in enumerate(self._turns):
            if item.request is None or self._fleet.stick_s(now, item.wanted) <= 0:
                del self._turns[position]
                return item
        return None

    async def _handle(self, item: Item, request: Request, replica: Replica, charged: float) -> None:
        tokens: int | None = None
        try:
            prediction = await self._ask(item, request, replica)
            if prediction is not None:
                if prediction.usage:
                    tokens = (prediction.usage.prompt_tokens or 0) + (prediction.usage.completion_tokens or 0)
                # The slot is kept until the answer is on disk: a killed run never loses more than nproc answers.
                await self._record(item, prediction)
        finally:
            replica.gate.arrive(anyio.current_time(), charged, tokens)
            self._wake.set()
        if item.too_long:
            await self._go_on(item, partial(self._preparer.shorter, item))
        elif prediction is not None and not self._is_last(item, prediction):
            await self._go_on(item, partial(self._preparer.next_turn, item, prediction, replica))

    async def _give_up(self, item: Item) -> None:
        """Records what could not be prepared."""
        prediction = self._prediction(item, failure=item.failure)
        await self._record(item, prediction)
        if not self._is_last(item, prediction):
            await self._go_on(item, partial(self._preparer.next_turn, item, prediction, item.wanted))

    @staticmethod
    def _is_last(item: Item, prediction: Prediction) -> bool:
        if not item.job.benchmark.is_dialogue:
            return True
        return is_over(item.job.benchmark, item.turns, [said_in(line) for line in (*item.lines, prediction)])

    async def _ask(self, item: Item, request: Request, replica: Replica) -> Prediction | None:
        """Sends one request; None when the sample will be asked again."""
        progress = item.job.progress
        left_at = anyio.current_time()
        item.attempts.sent += 1
        progress.requests += 1
        progress.in_flight += 1
        try:
            reply = await replica.model.ask(request)
        except EndpointError as error:
            return self._failed(item, replica, error, left_at)
        finally:
            progress.in_flight -= 1
        if not reply.text and item.job.benchmark.protocol.empty_answer_fails:
            return self._failed(item, replica, EmptyAnswer("the answer is empty"), left_at)
        self._tries.succeeded(replica)
        return self._prediction(item, reply=reply, latency_s=anyio.current_time() - left_at)

    def _failed(self, item: Item, replica: Replica, error: EndpointError, left_at: float) -> Prediction | None:
        now = anyio.current_time()
        item.failed_at, item.wanted = replica, None
        wait = self._tries.failed(error, item.attempts, replica, sample=item.sample.index, now=now, left_at=left_at)
        if isinstance(error, ContextOverflow) and item.left_out < item.turn:
            item.too_long, item.failed_at, item.wanted = True, None, replica
            return None
        if wait is not None:
            heapq.heappush(self._later, (now + wait, next(self._order), item))
            item.job.progress.retrying += 1
            item.job.progress.last_error = f"{type(error).__name__}: {error}"
            return None
        if isinstance(error, EmptyAnswer) and not item.job.benchmark.protocol.empty_answer_fails:
            return self._prediction(item, reply=Reply(""), latency_s=now - left_at)
        failure = Failure(type(error).__name__, str(error), "ask", error.status)
        return self._prediction(item, failure=failure, latency_s=now - left_at)

    def _prediction(
        self, item: Item, *, reply: Reply | None = None, failure: Failure | None = None, latency_s: float | None = None
    ) -> Prediction:
        return Prediction(
            index=item.sample.index,
            repeat=0,
            fingerprint=item.fingerprint,
            setup=item.setup,
            prediction=reply.text if reply else None,
            failure=failure,
            reasoning=reply.reasoning if reply else None,
            finish_reason=reply.finish_reason if reply else None,
            usage=reply.usage if reply else None,
            latency_s=latency_s,
            attempts=item.attempts.sent,
            at=self._settings.utc_now().isoformat(timespec="milliseconds"),
            turn=item.turn,
            left_out=item.left_out,
        )

    async def _record(self, item: Item, prediction: Prediction) -> None:
        await item.job.commit.write(encode_line(prediction))
        item.job.progress.note_tokens(prediction)
        if not self._is_last(item, prediction):
            return
        self._alive -= 1
        self._alive_bytes -= item.size
        self._room.set()
        lines = (*item.lines, prediction)
        item.job.progress.note(next((line for line in lines if line.failure), prediction))
        whole = whole_line(item.job.benchmark, item.turns, lines) if item.job.benchmark.is_dialogue else prediction
        _tell(item, whole)
        self._wake.set()


def _tell(item: Item, prediction: Prediction) -> None:
    job: Job = item.job
    if job.heard is not None:
        job.heard(item.sample, prediction)
        return
    if len(prediction.prediction or "") > _LONG_ANSWER:
        return  # some rules take seconds for it, and the event loop cannot wait
    if job.benchmark.needs_judge:
        return  # answers are worth nothing yet
    try:
        scored = score_one(job.benchmark, item.sample, prediction.prediction)
    except (DataError, *SCORING_FAULTS):
        return  # the final scoring says so
    job.progress.note_score(scored.points)
