"""One unit of answers before its judges: from stored verdicts alone, or asking; and the decision of several voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

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
    "decision",
    "from_judge",
    "from_stored",
    "hear",
    "hear_stored",
]

T = TypeVar("T")

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


class _Unsaid(Exception):
    """A verdict that is not stored."""


def hear_stored(benchmark: Benchmark, answers: Answers, desk: JudgeDesk) -> Hearing | None:
    """Judges a unit by what has been said already; None when a verdict is missing. Safe in any thread.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: a judge cannot be asked this at all.
    """
    opinions: list[Opinion | None] = []
    for voice in desk.voices:
        found = from_stored(desk, voice, partial(benchmark.judge_unit, answers))
        if found is None:
            return None
        opinions.append(Opinion(*found))
        if not found.asked:
            break
    return _hearing(benchmark, desk, opinions)


async def hear(benchmark: Benchmark, answers: Answers, desk: JudgeDesk) -> Hearing:
    """Judges a unit, asking for the verdicts that are missing.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: the deciding judge has no verdict.
    """
    opinions: list[Opinion | None] = []
    unsaid: str | None = None
    for voice in desk.voices:
        opinion = None
        try:
            opinion = Opinion(*await from_judge(desk, voice, partial(benchmark.judge_unit, answers)))
        except JudgeError as error:
            if voice.decides:
                raise
            unsaid = str(error)
        opinions.append(opinion)
        if opinion is not None and not opinion.asked:
            break
    return replace(_hearing(benchmark, desk, opinions), unsaid=unsaid)


class Told(NamedTuple, Generic[T]):
    """What came of some work with a judge, and what it asked, by the index of the sample."""

    result: T
    asked: Mapping[str, Asked]


def from_stored(desk: JudgeDesk, voice: Voice, work: Callable[[Judge], Coroutine[Any, Any, T]]) -> Told[T] | None:
    """Does work that asks a judge, with stored verdicts alone; None when one is missing. Safe in any thread.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: the judge cannot be asked this at all.
    """
    asked: dict[str, Asked] = {}

    async def look_up(request: JudgeRequest) -> str:
        reply = desk.stored(voice, request)
        if reply is None:
            raise _Unsaid
        asked[request.index] = Asked(voice.judge.writer.rubric(request), reply)
        return reply

    # Driven by hand: where everything is stored it runs through without an event loop, in any thread.
    running = work(look_up)
    try:
        running.send(None)
    except StopIteration as end:
        return Told(end.value, asked)
    except _Unsaid:
        return None
    running.close()
    raise TypeError("the scoring of a benchmark awaits something else than its judge")


async def from_judge(desk: JudgeDesk, voice: Voice, work: Callable[[Judge], Coroutine[Any, Any, T]]) -> Told[T]:
    """Does work that asks a judge, asking for verdicts that are missing.

    Raises:
        DataError: a row cannot be scored.
        JudgeError: there is no verdict.
    """
    asked: dict[str, Asked] = {}

    async def ask(request: JudgeRequest) -> str:
        reply = await desk.ask(voice, request)
        asked[request.index] = Asked(voice.judge.writer.rubric(request), reply)
        return reply

    return Told(await work(ask), asked)


def _hearing(benchmark: Benchmark, desk: JudgeDesk, opinions: Sequence[Opinion | None]) -> Hearing:
    deciding = [o for voice, o in zip(desk.voices, opinions, strict=False) if voice.decides and o is not None]
    return Hearing(decision(benchmark, deciding), opinions)


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
