"""What judges did, in figures: for scores.json, reports and audits."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from ..benchmarks.base import Benchmark
from ..scoring.agreement import agreement, mean_agreement
from .config_model import Price
from .config_plan import JudgeSpec
from .hearing import Hearing, Opinion, decision
from .judge_desk import JudgeDesk
from .judgements import JudgeTally

__all__ = ["judge_summary", "judgement_cost"]

_PER_MILLION: Final = 1_000_000


def judge_summary(benchmark: Benchmark, desk: JudgeDesk, hearings: Sequence[Hearing]) -> list[dict[str, Any]]:
    """Returns for each judge of a job, the deciding one first, who it is, what it read, and what that took.

    Tokens and requests are all that the journal holds of it; the other figures are those of the present scores.

    Args:
        benchmark: whose answers were judged.
        desk: the judges.
        hearings: the units about which a judge was asked.
    """
    first: dict[str, Hashable | None] = {}
    told = []
    for position, judge in enumerate({voice.judge: None for voice in desk.voices}):
        numbers = [n for n, voice in enumerate(desk.voices) if voice.judge is judge]
        by_voice = [_verdicts(benchmark, hearings, n) for n in numbers]
        decided = _decisions(benchmark, hearings, numbers)
        if position == 0:
            first = decided
        tally = desk.ledger.tallies.get(judge.name, JudgeTally())
        told.append(
            {
                "name": judge.name,
                "model": judge.spec.asked.model,
                "decides": position == 0,
                "repeats": judge.spec.repeats,
                "rubrics": sorted(_rubrics(hearings, numbers)),
                "judged": len(decided),
                "unparsed": sum(verdict is None for verdict in decided.values()),
                **asdict(tally),
                "cost": judgement_cost(judge.spec, tally),
                "agreement_of_repeats": _repeats(by_voice) if len(numbers) > 1 else None,
                "agreement_with_first": None if position == 0 else _compared(first, decided),
            }
        )
    return told


def judgement_cost(spec: JudgeSpec, tally: JudgeTally) -> dict[str, Any] | None:
    """Returns what a judge's tokens cost; None where the price is unknown or the server counted nothing."""
    price: Price | None = spec.asked.price
    if price is None or tally.prompt_tokens is None:
        return None
    amount = tally.prompt_tokens * price.prompt_per_million
    amount += (tally.completion_tokens or 0) * price.completion_per_million
    return {"amount": round(amount / _PER_MILLION, 6), "currency": price.currency}


def _opinions(hearings: Sequence[Hearing], number: int) -> Iterator[Opinion]:
    for hearing in hearings:
        opinion = hearing.opinions[number] if number < len(hearing.opinions) else None
        if opinion is not None:
            yield opinion


def _verdicts(benchmark: Benchmark, hearings: Sequence[Hearing], number: int) -> dict[str, Hashable | None]:
    """What a voice took each answer for that it was asked about, by index."""
    return {
        scored.sample.index: benchmark.verdict(scored)
        for opinion in _opinions(hearings, number)
        for scored in opinion.scored
        if scored.sample.index in opinion.asked
    }


def _decisions(benchmark: Benchmark, hearings: Sequence[Hearing], numbers: Sequence[int]) -> dict[str, Hashable | None]:
    """What the voices of one judge together took each answer for, by index."""
    decided: dict[str, Hashable | None] = {}
    for hearing in hearings:
        opinions = [o for n in numbers if n < len(hearing.opinions) and (o := hearing.opinions[n]) is not None]
        if opinions:
            asked = {index for opinion in opinions for index in opinion.asked}
            scored = [s for s in decision(benchmark, opinions) if s.sample.index in asked]
            decided |= {s.sample.index: benchmark.verdict(s) for s in scored}
    return decided


def _rubrics(hearings: Sequence[Hearing], numbers: Sequence[int]) -> set[str]:
    return {asked.rubric for number in numbers for o in _opinions(hearings, number) for asked in o.asked.values()}


def _repeats(by_voice: Sequence[Mapping[str, Hashable | None]]) -> dict[str, Any]:
    indices = list(dict.fromkeys(index for verdicts in by_voice for index in verdicts))
    return asdict(mean_agreement([[verdicts.get(index) for index in indices] for verdicts in by_voice]))


def _compared(one: Mapping[str, Hashable | None], other: Mapping[str, Hashable | None]) -> dict[str, Any]:
    pairs = [
        (verdict, theirs)
        for index, verdict in one.items()
        if verdict is not None and (theirs := other.get(index)) is not None
    ]
    return asdict(agreement(pairs))
