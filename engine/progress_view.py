"""What a display says of a run: rates, what remains, and what keeps the run from going faster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .limit_words import limit_words
from .limits import Gate
from .plain_text import clean
from .progress import JobProgress, RunProgress
from .replicas import Fleet

__all__ = ["JobView", "Meter", "RunView"]

_RATE_S: Final = 10.0
_REMAINING_S: Final = 60.0
_STEP_S: Final = 0.5
_SHORTEST_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class JobView:
    """One benchmark of one model at one moment; names are cleaned of control characters.

    Attributes:
        model: result name of the model.
        benchmark: name of the benchmark.
        state: ``waiting``, ``asking``, ``asked``, ``judging``, ``scoring``, ``done``, or ``stopped`` before its end.
        done: samples that need no further request.
        total: number of samples, None as long as it is not known.
        reused: those of `done` that were answered by an earlier run.
        failed: samples given up.
        retrying: samples that wait for another try.
        in_flight: requests on the wire.
        req_s: requests that ended, a second; None before there is anything to measure.
        tok_s: completion tokens a second; None where no server counts them.
        score: running score in percent.
        score_reach: half the width of its 95 % interval, in percentage points.
        eta_s: seconds until its last answer.
        last_error: why samples wait for another try; empty when none does.
        judged: answers that a judge has read; None where no judge is asked.
        to_judge: answers that a judge has to read, as far as it is known; None where no judge is asked.
        judge_in_flight: requests to judges on the wire.
    """

    model: str
    benchmark: str
    state: str
    done: int
    total: int | None
    reused: int
    failed: int
    retrying: int
    in_flight: int
    req_s: float | None
    tok_s: float | None
    score: float | None
    score_reach: float | None
    eta_s: float | None
    last_error: str = ""
    judged: int | None = None
    to_judge: int | None = None
    judge_in_flight: int = 0


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment.

    Attributes:
        jobs: the benchmarks of each model, in order.
        done: samples that need no further request.
        total: all samples, None as long as it is not known.
        failed: samples given up.
        in_flight: requests on the wire.
        req_s: requests that ended, a second.
        tok_s: completion tokens a second.
        eta_s: seconds until the last answer.
        elapsed_s: seconds since the display began.
        limits: what keeps each model from being asked faster, in words; models that are not asked are left out.
        stopping: the run was asked to stop.
        doing: what happens before the first question is asked; empty afterwards.
        judge_in_flight: requests to judges on the wire.
    """

    jobs: tuple[JobView, ...]
    done: int
    total: int | None
    failed: int
    in_flight: int
    req_s: float | None
    tok_s: float | None
    eta_s: float | None
    elapsed_s: float
    limits: Mapping[str, str]
    stopping: bool
    doing: str = ""
    judge_in_flight: int = 0

    @property
    def limit(self) -> str:
        """What keeps the run from going faster: one word for all models where it is the same; empty at the end."""
        if len(set(self.limits.values())) <= 1:
            return next(iter(self.limits.values()), "")
        return "; ".join(f"{model}: {why}" for model, why in self.limits.items())


@dataclass(frozen=True, slots=True)
class _Counts:
    at: float
    ended: tuple[int, ...]
    answered: tuple[int, ...]
    tokens: tuple[int, ...]


class Meter:
    """Reads the counters of a run and derives rates from how they changed.

    Args:
        progress: the counters; read, never written.
        now: time at the beginning, in seconds of the clock that the run's gates use.
    """

    def __init__(self, progress: RunProgress, now: float) -> None:
        self._progress = progress
        self._began = now
        self._history: deque[_Counts] = deque()
        self._asked_since: dict[int, float] = {}

    def read(self, now: float) -> RunView:
        """Returns where the run stands."""
        jobs = self._progress.jobs
        counts = _count(now, jobs)
        for i, job in enumerate(jobs):
            if job.requests:
                self._asked_since.setdefault(i, now)
        self._keep(counts)
        views = tuple(self._view(i, job, counts) for i, job in enumerate(jobs))
        every = range(len(jobs))
        return RunView(
            jobs=views,
            done=sum(view.done for view in views),
            total=_sum(view.total for view in views),
            failed=sum(view.failed for view in views),
            in_flight=sum(view.in_flight for view in views),
            req_s=self._rate(counts, "ended", every, _RATE_S),
            tok_s=self._token_rate(counts, every),
            eta_s=self._eta(counts),
            elapsed_s=now - self._began,
            limits=_limits(self._progress, now),
            stopping=self._progress.stopping() and any(job.state != "done" for job in jobs),
            doing=clean(self._progress.doing),
            judge_in_flight=sum(view.judge_in_flight for view in views),
        )

    def _keep(self, counts: _Counts) -> None:
        history = self._history
        if history and len(history[-1].ended) != len(counts.ended):
            history.clear()
        if not history or counts.at - history[-1].at >= _STEP_S:
            history.append(counts)
        while len(history) > 1 and history[1].at <= counts.at - _REMAINING_S:
            history.popleft()

    def _view(self, i: int, job: JobProgress, counts: _Counts) -> JobView:
        left = None if job.total is None else job.total - job.done
        asking = job.state == "asking" and left != 0
        return JobView(
            model=clean(job.model, 200),
            benchmark=clean(job.benchmark, 200),
            state=_state(job, left),
            done=job.done,
            total=job.total,
            reused=job.reused,
            failed=job.failed,
            retrying=job.retrying,
            in_flight=job.in_flight,
            req_s=self._rate(counts, "ended", [i], _RATE_S) if asking else None,
            tok_s=self._token_rate(counts, [i]) if asking else None,
            score=None if job.score is None else 100 * job.score,
            score_reach=None if job.score_reach is None else 100 * job.score_reach,
            eta_s=self._time_for(left, counts, [i]) if asking else None,
            last_error=clean(job.last_error or "") if job.retrying else "",
            judged=job.judged,
            to_judge=None if job.judged is None else job.to_judge,
            judge_in_flight=job.judge_in_flight,
        )

    def _rate(self, counts: _Counts, what: str, which: Sequence[int], window_s: float) -> float | None:
        """Returns change a second of some jobs' counters, over the window or since these jobs began."""
        began = min((self._asked_since[i] for i in which if i in self._asked_since), default=None)
        if began is None:
            return None
        since = max(began, counts.at - window_s)
        past = next((c for c in self._history if c.at >= since), None)
        if past is None or counts.at - past.at < _SHORTEST_S:
            return None
        new, old = getattr(counts, what), getattr(past, what)
        return float(sum(new[i] - old[i] for i in which)) / (counts.at - past.at)

    def _token_rate(self, counts: _Counts, which: Sequence[int]) -> float | None:
        """Returns tokens a second; None where no server has counted one."""
        counted = any(counts.tokens[i] for i in which)
        return self._rate(counts, "tokens", which, _RATE_S) if counted else None

    def _time_for(self, left: int | None, counts: _Counts, which: Sequence[int]) -> float | None:
        if left is None or left <= 0:
            return None
        rate = self._rate(counts, "answered", which, _REMAINING_S)
        return left / rate if rate else None

    def _eta(self, counts: _Counts) -> float | None:
        """Models are asked side by side, the benchmarks of one model one after the other: the slowest model counts."""
        by_model: dict[str, list[int]] = {}
        for i, job in enumerate(self._progress.jobs):
            by_model.setdefault(job.model, []).append(i)
        longest: float | None = None
        for which in by_model.values():
            jobs = [self._progress.jobs[i] for i in which]
            total = _sum(job.total for job in jobs)
            left = None if total is None else total - sum(job.done for job in jobs)
            if left == 0:
                continue
            seconds = self._time_for(left, counts, which)
            if seconds is None:
                return None
            longest = seconds if longest is None else max(longest, seconds)
        return longest


def _state(job: JobProgress, left: int | None) -> str:
    if job.state == "asking" and left == 0:
        return "asked"
    return "stopped" if job.state == "done" and left else job.state


def _count(now: float, jobs: Sequence[JobProgress]) -> _Counts:
    return _Counts(
        now,
        tuple(job.requests - job.in_flight for job in jobs),
        tuple(job.answered + job.failed for job in jobs),
        tuple(job.completion_tokens for job in jobs),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _limits(progress: RunProgress, now: float) -> dict[str, str]:
    said: dict[str, str] = {}
    for model, gate in progress.gates.items():
        jobs = [job for job in progress.jobs if job.model == model]
        if any(job.state == "asking" for job in jobs) and (why := _why(gate, jobs, now)):
            said[clean(model, 200)] = why
    return said


def _why(gate: Gate | Fleet, jobs: Sequence[JobProgress], now: float) -> str:
    if isinstance(gate, Fleet) and gate.is_loading:
        return "loading the model"
    total = _sum(job.total for job in jobs)
    if total is not None:
        left = total - sum(job.done for job in jobs)
        if left == 0:
            return ""
        if left <= gate.in_flight:
            return "the last answers"
        if left <= gate.in_flight + sum(job.retrying for job in jobs):
            return "pauses between tries"
    return limit_words(gate, now)
