"""Where the answers of one job are judged: looks a verdict up, or has it asked for and written down, never twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from ..errors import JudgeError
from ..records import Judgement, Reply
from ..scoring.judge import JudgeRequest
from .commit import GroupCommit
from .journal import printable
from .judge_endpoint import JudgeEndpoint, Outcome
from .judgements import VerdictLedger, encode_judgement
from .progress import JobProgress

__all__ = ["JudgeDesk", "Voice"]


@dataclass(frozen=True, slots=True)
class Voice:
    """One of the verdicts that an answer gets.

    Attributes:
        judge: who gives it.
        repeat: which of this judge's verdicts on an answer it is, from 0.
        decides: whether it counts for the score; else it is only compared.
    """

    judge: JudgeEndpoint
    repeat: int
    decides: bool


@dataclass(slots=True)
class _Open:
    """A verdict that is being asked for: `done` is set at the end, `error` where there is none."""

    done: anyio.Event = field(default_factory=anyio.Event)
    error: str | None = None


class JudgeDesk:
    """The judges of one job, and what they have said.

    A verdict is found by the fingerprint of what was asked. One that is not there is asked for and is in the journal
    before it counts; two that want the same one at the same time share it. A request that a judge refuses as it stands
    (too long for it, say) counts as a reply without text, which no rubric can read; it is written down as refused, and
    asked again by a later process.

    Attributes:
        voices: whom to ask, the deciding judge first.
        progress: counters of the job.
    """

    def __init__(
        self,
        judges: Sequence[JudgeEndpoint],
        ledger: VerdictLedger,
        commit: GroupCommit | None,
        progress: JobProgress,
        *,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Asks nobody yet.

        Args:
            judges: the judges; the first decides.
            ledger: what they have said already; grows.
            commit: writer of the journal; None for a desk that only looks up, and asks nobody.
            progress: counters of the job.
            utc_now: wall clock, for the journal.
        """
        self.voices = tuple(
            Voice(judge, repeat, decides=position == 0)
            for position, judge in enumerate(judges)
            for repeat in range(judge.spec.repeats)
        )
        self.progress = progress
        self.ledger = ledger
        self._judges = tuple(judges)
        self._commit = commit
        self._utc_now = utc_now
        self._refused: set[str] = set()
        self._open: dict[str, _Open] = {}

    @property
    def reach(self) -> int:
        """Answers that are worth being judged at a time."""
        return sum(judge.fleet.reach for judge in self._judges)

    @property
    def closed(self) -> bool:
        """Whether the deciding judge is not asked any more."""
        return self._judges[0].closed is not None

    def stored(self, voice: Voice, request: JudgeRequest) -> str | None:
        """Returns the reply that is there already, None where it has to be asked for. Safe in any thread.

        Raises:
            JudgeError: the judge cannot be asked this at all.
        """
        return self._found(voice.judge.writer.fingerprint(request, voice.repeat))

    async def ask(self, voice: Voice, request: JudgeRequest) -> str:
        """Returns the reply, asking for it if need be; then it is on disk.

        Raises:
            JudgeError: there is none.
        """
        fingerprint = voice.judge.writer.fingerprint(request, voice.repeat)
        while (reply := self._found(fingerprint)) is None:
            if (other := self._open.get(fingerprint)) is not None:
                await other.done.wait()
                if other.error is not None:
                    raise JudgeError(other.error)
                continue
            mine = self._open[fingerprint] = _Open()
            try:
                await self._have_it_said(voice, request, fingerprint)
            except JudgeError as error:
                if fingerprint not in self.ledger.refusals:
                    mine.error = str(error)
                    raise
                self._refused.add(fingerprint)  # the judge is out of reach; what it did last time stands
            finally:
                del self._open[fingerprint]
                mine.done.set()
        return reply

    def _found(self, fingerprint: str) -> str | None:
        reply = self.ledger.replies.get(fingerprint)
        return "" if reply is None and fingerprint in self._refused else reply

    async def _have_it_said(self, voice: Voice, request: JudgeRequest, fingerprint: str) -> None:
        judge, commit = voice.judge, self._commit
        if commit is None:
            raise JudgeError("this verdict is not stored, and nobody is asked")
        written = judge.writer.write(request)
        bounded = written.unbounded is not None and not judge.thinks

        async def keep(outcome: Outcome) -> None:
            reply = outcome.reply
            if bounded and _spent_on_thinking(reply):
                judge.thinks = True
                return
            judgement = Judgement(
                fingerprint=fingerprint,
                index=request.index,
                judge=judge.name,
                rubric=judge.writer.rubric(request),
                attempt=request.attempt,
                repeat=voice.repeat,
                reply=None if reply is None else printable(reply.text),
                failure=outcome.failure,
                finish_reason=reply.finish_reason if reply else None,
                usage=reply.usage if reply else None,
                latency_s=outcome.latency_s,
                attempts=outcome.requests,
                at=self._utc_now().isoformat(timespec="milliseconds"),
            )
            await commit.write(encode_judgement(judgement))
            self.ledger.add(judgement)
            if reply is None:
                self._refused.add(fingerprint)

        if bounded:
            await judge.ask(written.request, sample=request.index, progress=self.progress, keep=keep)
            if self._found(fingerprint) is not None:
                return
            bounded = False
        await judge.ask(written.unbounded or written.request, sample=request.index, progress=self.progress, keep=keep)


def _spent_on_thinking(reply: Reply | None) -> bool:
    """Whether a reply was cut off before the verdict began."""
    if reply is None or reply.finish_reason != "length":
        return False
    return not reply.text or reply.text.startswith("<think>")
