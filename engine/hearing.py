"""One unit of answers before its judges: from stored verdicts alone, or asking; and the decision of several voices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..benchmarks.base import Benchmark, Scored
from ..errors import JudgeError
from ..records import Cell, Sample
from ..scoring.judge import JudgeRequest
from .judge_desk import JudgeDesk, Voice

__all__ = ["Answers", "Hearing", "Opinion", "decision", "hear", "hear_stored"]

Answers: TypeAlias = Sequence[tuple[Sample, Cell]]
"""The answers of one unit, in file order, as scoring reads them."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one voice made of a unit.

    Attributes:
        scored: its answers, in order.
        asked: rubric of the question that was asked about a sample, by the sample's index; empty where the exact rules
            read everything.
    """

    scored: Sequence[Scored]
    asked: Mapping[str, str]


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
    def asked(self) -> Mapping[str, str]:
        """Rubric by index of the samples that the deciding judge was asked about."""
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
        opinion = _stored_opinion(benchmark, answers, desk, voice)
        if opinion is None:
            return None
        opinions.append(opinion)
        if not opinion.asked:
            break
    return _hearing(benchmark, desk, opinions)


def _stored_opinion(benchmark: Benchmark, answers: Answers, desk: JudgeDesk, voice: Voice) -> Opinion | None:
    asked: dict[str, str] = {}

    async def look_up(request: JudgeRequest) -> str:
        reply = desk.stored(voice, request)
        if reply is None:
            raise _Unsaid
        asked[request.index] = voice.judge.writer.rubric(request)
        return reply

    # Driven by hand: where everything is stored it runs through without an event loop, in any thread.
    work = benchmark.judge_unit(answers, look_up)
    try:
        work.send(None)
    except StopIteration as end:
        return Opinion(end.value, asked)
    except _Unsaid:
        return None
    work.close()
    raise TypeError(f"{type(benchmark).__name__}.judge_unit awaits something else than the judge")


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
            opinion = await _opinion(benchmark, answers, desk, voice)
        except JudgeError as error:
            if voice.decides:
                raise
            unsaid = str(error)
        opinions.append(opinion)
        if opinion is not None and not opinion.asked:
            break
    return replace(_hearing(benchmark, desk, opinions), unsaid=unsaid)


async def _opinion(benchmark: Benchmark, answers: Answers, desk: JudgeDesk, voice: Voice) -> Opinion:
    asked: dict[str, str] = {}

    async def ask(request: JudgeRequest) -> str:
        asked[request.index] = voice.judge.writer.rubric(request)
        return await desk.ask(voice, request)

    return Opinion(await benchmark.judge_unit(answers, ask), asked)


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
