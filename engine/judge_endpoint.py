"""One judge of a run: asked within limits of its own, again where that may help, until it answers or is given up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import anyio
from anyio import CancelScope, move_on_after

from ..adapters.base import Model, Request
from ..errors import BadRequest, EmptyAnswer, EndpointError, EndpointUnusable, JudgeError
from ..records import Failure, Reply
from ..scoring.judge import JudgeRequest
from .config_plan import JudgeSpec, ModelSpec
from .judge_writer import JudgeWriter
from .models import build_fleet, build_model
from .progress import JobProgress, RunProgress
from .replicas import Fleet, Replica
from .retry import Attempts, Health, RetryPolicy
from .tries import Tries

__all__ = ["JudgeEndpoint", "Outcome"]

log = logging.getLogger("eyechart")

_GREETING: Final = JudgeRequest(
    "", "", 0, "greeting@1", "This is a test of the connection. Reply with the single word: ready"
)
_GREETING_TRIES: Final = 2
_SILENCE_S: Final = 10.0
"""How long a greeting knocks at a server that gives no sign of life."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking a judge, once or several times.

    Attributes:
        reply: its reply, None when it refuses this very request.
        failure: how it refuses.
        requests: requests sent.
        latency_s: seconds that the last one took.
    """

    reply: Reply | None
    failure: Failure | None
    requests: int
    latency_s: float


Keep: TypeAlias = Callable[[Outcome], Awaitable[None]]
"""Puts an outcome on the disk."""


@dataclass(slots=True)
class _Question:
    """A request on its way: asked, perhaps asked again.

    Attributes:
        request: what is sent.
        sample: whose answer is judged.
        progress: counts requests on the wire.
        keep: writes the outcome down.
        attempts: what happened so far.
        failed_at: the replica that it failed at last.
        latency_s: seconds that the latest request took.
    """

    request: Request
    sample: str
    progress: JobProgress
    keep: Keep
    attempts: Attempts = field(default_factory=Attempts)
    failed_at: Replica | None = None
    latency_s: float = 0.0

    def outcome(self, reply: Reply | None, failure: Failure | None = None) -> Outcome:
        return Outcome(reply, failure, self.attempts.sent, self.latency_s)


@dataclass(frozen=True, slots=True)
class _Missed:
    """A failed request: why, and seconds until the next try, None when there is to be none."""

    error: EndpointError
    wait_s: float | None


class JudgeEndpoint:
    """Asks one judge. All jobs of a run share it, and with it ``nproc``, ``rpm``, ``tpm`` and Retry-After.

    Requests leave in the order in which they came. One holds a slot only while it is on the wire and its verdict on
    the way to the disk; one that waits for another try holds none.

    Attributes:
        spec: the judge.
        fleet: its addresses.
        writer: writes its requests.
        closed: why it is not asked any more; None as long as it is.
        thinks: it has spent a rubric's whole bound on thinking, so that such bounds are not for it.
    """

    def __init__(
        self,
        spec: JudgeSpec,
        fleet: Fleet,
        *,
        policy: RetryPolicy,
        health: Health,
        encoder: Callable[[ModelSpec], Model] = build_model,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Asks nobody yet.

        Args:
            spec: the judge.
            fleet: its addresses.
            policy: which failures are worth another try.
            health: whether it is worth asking at all.
            encoder: see `JudgeWriter`.
            tell: is told in a sentence when the judge is given up.

        Raises:
            ConfigError: the user's own rubric cannot be used.
        """
        self.spec = spec
        self.fleet = fleet
        self.writer = JudgeWriter(spec, encoder)
        self.closed: str | None = None
        self.thinks = False
        self._policy = policy
        self._health = health
        self._tries = Tries(fleet, policy, health)
        self._tell = tell
        self._line = anyio.Lock()
        self._doubt = anyio.Lock()
        self._changed = anyio.Event()
        self._over = anyio.Event()
        self._on_the_wire: set[CancelScope] = set()

    @classmethod
    def of(cls, spec: JudgeSpec, *, patience_s: float, progress: RunProgress) -> JudgeEndpoint:
        """Makes the endpoint of a judge; it connects when it is first asked.

        Args:
            spec: the judge.
            patience_s: seconds without any answer after which it counts as dead.
            progress: where the user is told what happens to it.

        Raises:
            ConfigError: the user's own rubric cannot be used.
        """
        asked = spec.asked
        return cls(
            spec,
            # What a judge thinks aloud is not its verdict.
            build_fleet(asked, split_think=True, tell=lambda text: progress.notes.append(f"judge {text}")),
            policy=RetryPolicy(tries=asked.retry, wait_s=asked.wait_s, patience_s=patience_s),
            health=Health(patience_s=patience_s),
            encoder=lambda spec: build_model(spec, split_think=True),
            tell=progress.warnings.append,
        )

    @property
    def name(self) -> str:
        """How reports call it."""
        return self.spec.asked.name

    async def ask(self, request: Request, *, sample: str, progress: JobProgress, keep: Keep) -> Outcome:
        """Asks until there is a reply or a refusal, and returns once `keep` has put it on disk.

        A reply without text is a reply. A refusal is about this request alone: the judge answers others.

        Args:
            request: what to send.
            sample: whose answer is judged.
            progress: counts requests on the wire.
            keep: writes the outcome down; awaited before the slot is given back.

        Raises:
            JudgeError: there is no verdict: the judge is given up, or this request is, or the run is being stopped.
        """
        question = _Question(request, sample, progress, keep)
        while True:
            successes = self._tries.successes
            found = await self._once(question, self._tries)
            if isinstance(found, Outcome):
                return found
            error = found.error
            if found.wait_s is not None:
                await self._rest(found.wait_s)
                continue
            if isinstance(error, EmptyAnswer):
                outcome = question.outcome(Reply(""))
            elif isinstance(error, BadRequest) and await self._is_well(successes):
                outcome = question.outcome(None, Failure(type(error).__name__, str(error), "judge", error.status))
            else:
                raise JudgeError(f"judge {self.name} gave no verdict on sample {sample}: {_told(error)}")
            await keep(outcome)
            return outcome

    async def greet(self) -> None:
        """Asks something trivial, to learn whether the judge can be used.

        Raises:
            JudgeError: it cannot; the text says why and what to do.
        """
        policy = replace(self._policy, tries=_GREETING_TRIES)
        tries = Tries(self.fleet, policy, Health(patience_s=policy.patience_s, startup_patience_s=_SILENCE_S))
        request = self.writer.encode(_GREETING)
        question = _Question(request, "greeting", JobProgress(self.name, ""), _forget)
        while True:
            try:
                found = await self._once(question, tries)
            except EndpointUnusable as error:
                raise self._unusable(str(error)) from error
            if isinstance(found, Outcome):
                if found.reply is None or not found.reply.text:
                    raise self._unusable("its reply is empty; max_tokens may be too small if it thinks first")
                self._health.success()
                return
            if found.wait_s is None:
                raise self._unusable(_told(found.error)) from found.error
            await self._rest(found.wait_s)

    def _unusable(self, why: str) -> JudgeError:
        return JudgeError(
            f"judge {self.name} cannot be used: {why.rstrip('.')}. Check its address, name, key and parameters "
            "(eyechart doctor helps), or score by exact rules alone (judge: exact_matching)"
        )

    async def _is_well(self, successes_before: int) -> bool:
        """Whether a refusal is about the request alone: others were answered meanwhile, or a greeting is answered."""
        async with self._doubt:  # many refusals at a time are one doubt
            self._check()
            if self._tries.successes > successes_before:
                return True
            try:
                await self.greet()
            except JudgeError as error:
                self._give_up(str(error))
                raise
            return True

    # -- one request -------------------------------------------------------------------------------------------------

    async def _once(self, question: _Question, tries: Tries) -> Outcome | _Missed:
        """Sends a request once.

        Raises:
            JudgeError: the judge is not asked any more.
            EndpointUnusable: it has turned out to be of no use, and the tries are not the judge's own.
        """
        replica, charged = await self._slot(question.failed_at)
        tokens: int | None = None
        left_at = anyio.current_time()
        question.attempts.sent += 1
        question.progress.judge_in_flight += 1
        try:
            try:
                reply = await self._on_wire(replica, question.request)
            except EndpointError as error:
                question.failed_at = replica
                return _Missed(error, self._book(error, question, tries, replica, left_at))
            finally:
                question.latency_s = anyio.current_time() - left_at
                question.progress.judge_in_flight -= 1
            tries.succeeded(replica)
            if reply.usage:
                tokens = (reply.usage.prompt_tokens or 0) + (reply.usage.completion_tokens or 0)
            outcome = question.outcome(reply)
            # The slot is kept until the verdict is on disk: a killed run never loses more than nproc verdicts.
            await question.keep(outcome)
            return outcome
        finally:
            replica.gate.arrive(anyio.current_time(), charged, tokens)
            self._changed.set()

    def _book(
        self, error: EndpointError, question: _Question, tries: Tries, replica: Replica, left_at: float
    ) -> float | None:
        now = anyio.current_time()
        try:
            return tries.failed(error, question.attempts, replica, sample=question.sample, now=now, left_at=left_at)
        except EndpointUnusable as unusable:
            if tries is not self._tries:
                raise
            self._give_up(f"judge {self.name} cannot be used any more: {unusable}")
            raise JudgeError(str(self.closed)) from unusable

    async def _on_wire(self, replica: Replica, request: Request) -> Reply:
        with CancelScope() as scope:
            self._on_the_wire.add(scope)
            try:
                return await replica.model.ask(request)
            finally:
                self._on_the_wire.discard(scope)
        raise JudgeError(str(self.closed))

    async def _slot(self, unwanted: Replica | None) -> tuple[Replica, float]:
        """Waits for a slot, first come, first served; returns whom to ask, and the tokens charged."""
        async with self._line:
            while True:
                self._check()
                now = anyio.current_time()
                wait_s = self.fleet.wait_s(now)
                if wait_s <= 0:
                    replica = self.fleet.pick(now, unwanted=unwanted)
                    return replica, replica.gate.leave(now)
                self._changed = anyio.Event()
                with move_on_after(wait_s):
                    await self._changed.wait()

    async def _rest(self, seconds: float) -> None:
        with move_on_after(seconds):
            await self._over.wait()
        self._check()

    def _check(self) -> None:
        if self.closed is not None:
            raise JudgeError(self.closed)

    # -- ending ------------------------------------------------------------------------------------------------------

    def close(self, reason: str = "the run was stopped before the judge had said all") -> None:
        """Lets nothing leave any more; what is on the wire may finish."""
        if self.closed is None:
            self.closed = reason
        self._over.set()
        self._changed.set()

    def cut(self) -> None:
        """Ends what is on the wire, after `close`."""
        for scope in self._on_the_wire:
            scope.cancel()

    async def aclose(self) -> None:
        """Closes connections."""
        await self.fleet.aclose()

    def _give_up(self, reason: str) -> None:
        if self.closed is not None:
            return
        log.error("%s", reason)
        self._tell(f"{reason}. Every answer is kept; `eyechart score` asks for the verdicts that are missing")
        self.close(reason)


async def _forget(outcome: Outcome) -> None:
    del outcome


def _told(error: EndpointError) -> str:
    return f"{type(error).__name__}: {error}"
