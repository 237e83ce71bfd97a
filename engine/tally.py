"""What a journal holds, counted: answers, failures, truncations, tokens and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from ..records import Failure, Prediction
from .chain import chain, turn_before
from .dialogue import Said

__all__ = ["Tally", "tally"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The latest line of every sample, and sums over them.

    Attributes:
        answers: by sample index: the answer's text, None for a failure. Of a dialogue the text of all its turns, also
            where one of them failed.
        failures: number of failed samples by kind.
        first_failures: message of the first failure of each kind.
        truncated: answers that ran into ``max_tokens``.
        prompt_tokens: as the server counted them; None when it never did.
        completion_tokens: likewise.
        requests: requests sent for these samples.
        latency_s: mean, median and 95th percentile of the seconds that the deciding requests took.
    """

    answers: Mapping[str, str | None]
    failures: Mapping[str, int] = field(default_factory=dict)
    first_failures: Mapping[str, str] = field(default_factory=dict)
    truncated: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    requests: int = 0
    latency_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> int:
        """Number of samples with an answer."""
        return len(self.answers) - self.failed

    @property
    def failed(self) -> int:
        """Number of samples whose latest line is a failure, and of dialogues with such a turn."""
        return sum(self.failures.values())

    def summary(self) -> dict[str, Any]:
        """The figures for a report."""
        return {
            "ok": self.ok,
            "failed": self.failed,
            "failures": dict(self.failures),
            "first_failures": dict(self.first_failures),
            "truncated": self.truncated,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "requests": self.requests,
            "latency_s": dict(self.latency_s),
        }


@dataclass(slots=True)
class _Line:
    """The little that must be kept of a line until it is certain that no later one replaces it."""

    said: Said
    truncated: bool
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float | None
    turn: int
    before: _Line | None


def tally(
    predictions: Iterable[Prediction],
    wanted: Container[str] | None = None,
    *,
    talk: Callable[[str, Sequence[Said]], Said | None] | None = None,
) -> Tally:
    """Counts a journal.

    Args:
        predictions: its lines, in order; a later line of a sample replaces an earlier one.
        wanted: indices that belong to the run; others, such as rows beyond a smaller limit, are left out.
        talk: where samples are dialogues: returns what came of one as a whole, from its index and what came of its
            turns; None while it is not over, so that it counts as not asked.
    """
    latest: dict[str, _Line] = {}
    requests = 0
    for p in predictions:
        if wanted is not None and p.index not in wanted:
            continue
        requests += p.attempts
        before = turn_before(latest.get(p.index), p.turn) if p.turn else None
        if p.turn and before is None:
            continue
        usage = p.usage
        latest[p.index] = _Line(
            said=p.failure or p.prediction or "",
            truncated=p.finish_reason == "length",
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            latency_s=p.latency_s,
            turn=p.turn,
            before=before,
        )
    return _sum(latest, requests, talk or _last)


def _last(_: str, said: Sequence[Said]) -> Said:
    return said[-1]


def _sum(latest: Mapping[str, _Line], requests: int, talk: Callable[[str, Sequence[Said]], Said | None]) -> Tally:
    lines: list[_Line] = []
    answers: dict[str, str | None] = {}
    failures: Counter[str] = Counter()
    first: dict[str, str] = {}
    for index, last in latest.items():
        turns = chain(last)
        lines += turns
        said = [line.said for line in turns]
        whole = talk(index, said)
        if whole is None:
            continue
        answers[index] = whole if isinstance(whole, str) else None
        failure = next((turn for turn in said if isinstance(turn, Failure)), None)
        if failure is not None:
            failures[failure.kind] += 1
            first.setdefault(failure.kind, f"{index}: {failure.message}")
    return Tally(
        answers=answers,
        failures=dict(failures),
        first_failures=first,
        truncated=sum(line.truncated for line in lines),
        prompt_tokens=_total(line.prompt_tokens for line in lines),
        completion_tokens=_total(line.completion_tokens for line in lines),
        requests=requests,
        latency_s=_latency([line.latency_s for line in lines if line.latency_s is not None]),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [c for c in counts if c is not None]
    return sum(known) if known else None


def _latency(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    seconds.sort()
    last = len(seconds) - 1
    return {
        "mean": round(fmean(seconds), 4),
        "p50": seconds[round(0.50 * last)],
        "p95": seconds[round(0.95 * last)],
    }
