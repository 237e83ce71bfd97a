"""One unit of answers before its judges: from stored verdicts alone, or asking; and the decision of several voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from anyio import to_thread

from ..benchmarks.base import Benchmark, Scored
from ..errors import JudgeError
from ..records import Cell, Sample
from ..scoring.judge import Judge, JudgeRequest
from .judge_desk import JudgeDesk, Voice

__all__ = [
    "Answers",
    "Asked",
    "Hearing",
    "Opinion",
    "Told",
    "Unsaid",
    "ask_for",
    "decision",
    "from_judge",
    "from_stored",
    "hear_stored",
]

T = TypeVar("T")
_NONE_LOST: Final[Mapping[Any, str]] = MappingProxyType({})

Answers: TypeAlias = Sequence[tuple[Sample, Cell]]
"""The answers of one unit, in file order, as scoring reads them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The last question about a sample: by which rubric it was put, and the reply."""

    rubric: str
    reply: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one voice made of a unit.

    Attributes:
        scored: its answers, in order.
        asked: what was asked about them, by the sample's index; empty where the exact rules read everything.
    """

    scored: Sequence[Scored]
    asked: Mapping[str, Asked]


@dataclass(frozen=True, slots=True)
class Hearing:
    """What all voices made of a unit.

    Attributes:
        scored: the decision.
        opinions: one for each voice of the desk, in order; None where a judge that is only compared has no verdict. A
            single one where nobody had to be asked.
        unsaid: why one of the opinions is None.
    """

    scored: Sequence[Scored]
    opinions: Sequence[Opinion | None]
    unsaid: str | None = None

    @property
    def asked(self) -> Mapping[str, Asked]:
        """What the deciding judge was asked, by the sample's index."""
        first = self.opinions[0]
        return first.asked if first else {}


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A verdict that is not stored: whose, and on what."""

    voice: Voice
    request: JudgeRequest


def hear_stored(
    benchmark: Benchmark, answers: Answers, desk: JudgeDesk, lost: Mapping[Voice, str] = _NONE_LOST
) -> Hearing | Unsaid:
    """Judges a unit by what has been said already, or returns what has to be asked next. Blocking; in any thread.

    Args:
        benchmark: whose answers they are.
        answers: the unit.
        desk: its judges.
        lost: voices that are only compared and have no verdict, with the reason.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: the deciding judge cannot be asked this at all.
    """
    opinions: list[Opinion | None] = []
    reasons = dict(lost)
    for voice in desk.voices:
        opinion = None
        if voice not in reasons:
            try:
                found = from_stored(desk, voice, partial(benchmark.judge_unit, answers))
            except JudgeError as error:
                if voice.decides:
                    raise
                reasons[voice] = str(error)
            else:
                if isinstance(found, Unsaid):
                    return found
                opinion = Opinion(*found)
        opinions.append(opinion)
        if opinion is not None and not opinion.asked:
            break
    deciding = [o for voice, o in zip(desk.voices, opinions, strict=False) if voice.decides and o is not None]
    return Hearing(decision(benchmark, deciding), opinions, next(iter(reasons.values()), None))


async def ask_for(desk: JudgeDesk, unsaid: Unsaid, lost: dict[Voice, str]) -> None:
    """Has a verdict said; where a judge that is only compared has none, the reason goes to `lost`.

    Raises:
        JudgeError: the deciding judge has no verdict.
    """
    try:
        await desk.ask(unsaid.voice, unsaid.request)
    except JudgeError as error:
        if unsaid.voice.decides:
            raise
        lost[unsaid.voice] = str(error)


class Told(NamedTuple, Generic[T]):
    """What came of some work with a judge, and what it asked, by the index of the sample."""

    result: T
    asked: Mapping[str, Asked]


class _NotStored(Exception):
    def __init__(self, request: JudgeRequest) -> None:
        self.request = request


def from_stored(desk: JudgeDesk, voice: Voice, work: Callable[[Judge], Coroutine[Any, Any, T]]) -> Told[T] | Unsaid:
    """Does work that asks a judge, with stored verdicts alone, or returns what has to be asked next. Blocking.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: the judge cannot be asked this at all.
    """
    asked: dict[str, Asked] = {}

    async def look_up(request: JudgeRequest) -> str:
        reply = desk.stored(voice, request)
        if reply is None:
            raise _NotStored(request)
        asked[request.index] = Asked(voice.judge.writer.rubric(request), reply)
        return reply

    # Driven by hand: it awaits nothing but look_up, which never waits, so that no event loop is needed. Rules that take
    # seconds for a long answer so hold up no request.
    running = work(look_up)
    try:
        running.send(None)
    except StopIteration as end:
        return Told(end.value, asked)
    except _NotStored as missing:
        return Unsaid(voice, missing.request)
    running.close()
    raise TypeError("the scoring of a benchmark awaits something else than its judge")


async def from_judge(desk: JudgeDesk, voice: Voice, work: Callable[[Judge], Coroutine[Any, Any, T]]) -> Told[T]:
    """Does work that asks a judge, asking for verdicts that are missing.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: there is no verdict.
    """
    look: Callable[[], Told[T] | Unsaid] = partial(from_stored, desk, voice, work)
    while isinstance(found := await to_thread.run_sync(look), Unsaid):
        await desk.ask(voice, found.request)
    return found


def decision(benchmark: Benchmark, opinions: Sequence[Opinion]) -> Sequence[Scored]:
    """Returns what most of the readable opinions of one judge say; of equally many the first.

    Args:
        benchmark: whose answers they are about.
        opinions: at least one. Where none is readable, the first stands.
    """
    if len(opinions) == 1:
        return opinions[0].scored
    verdicts = [tuple(benchmark.verdict(scored) for scored in opinion.scored) for opinion in opinions]
    counts = Counter(verdict for verdict in verdicts if None not in verdict)
    most = max(counts.values(), default=0)
    return next(o.scored for o, verdict in zip(opinions, verdicts, strict=True) if counts[verdict] == most)
