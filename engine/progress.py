"""Where a run stands: plain counters that the engine writes and a display reads whenever it likes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..records import Prediction
from ..scoring.stats import wilson
from .limits import Gate
from .replicas import Fleet

__all__ = ["JobProgress", "RunProgress"]


@dataclass(slots=True)
class JobProgress:
    """Counters of one benchmark asked of one model.

    Attributes:
        model: result name of the model.
        benchmark: name of the benchmark.
        total: number of samples; None until the benchmark file has been read to its end.
        reused: answers that were there before this run began.
        answered: answers that came in this run.
        failed: samples given up in this run.
        retrying: samples that wait for another try.
        in_flight: requests on the wire.
        stale: stored answers that did not fit the present prompt or parameters and are asked again.
        requests: requests sent.
        scored: answers with a running score.
        points: sum of their running scores, each 0 to 1.
        prompt_tokens: tokens of prompts as counted by the server.
        completion_tokens: tokens of answers as counted by the server.
        judged: answers that a judge has read, or has not been able to read; None where no judge is asked.
        to_judge: answers that a judge has to read, as far as it is known.
        judge_in_flight: requests to judges on the wire.
        state: ``waiting``, ``asking``, ``judging``, ``scoring``, ``done``, or ``stopped`` while other models are still
            asked.
        last_error: why the latest of the samples that wait for another try does so.
        error: why this benchmark cannot be asked to its end, or not be scored.
    """

    model: str
    benchmark: str
    total: int | None = None
    reused: int = 0
    answered: int = 0
    failed: int = 0
    retrying: int = 0
    in_flight: int = 0
    stale: int = 0
    requests: int = 0
    scored: int = 0
    points: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    judged: int | None = None
    to_judge: int = 0
    judge_in_flight: int = 0
    state: str = "waiting"
    last_error: str | None = None
    error: str | None = None

    @property
    def done(self) -> int:
        """Samples that need no further request."""
        return self.reused + self.answered + self.failed

    @property
    def score_reach(self) -> float | None:
        """Half the width of the 95 % interval of `score`, None before the first.

        Wilson's interval as if answers were independent and right or wrong: wide enough for answers that are partly
        right, too narrow where many questions share a picture. The report has the exact one.
        """
        if not self.scored:
            return None
        low, high = wilson(self.points / self.scored, self.scored)
        return (high - low) / 2

    @property
    def score(self) -> float | None:
        """Mean running score of the answers that came in this run, None before the first."""
        return self.points / self.scored if self.scored else None

    def note_score(self, points: float) -> None:
        """Counts a running score; NaN, which waits for a judge, counts nothing."""
        if not math.isnan(points):
            self.scored += 1
            self.points += points

    def note(self, prediction: Prediction) -> None:
        """Counts an answer or failure that has reached the journal, of a dialogue the last."""
        if prediction.failure:
            self.failed += 1
        else:
            self.answered += 1

    def note_tokens(self, prediction: Prediction) -> None:
        """Counts the tokens of one request that has reached the journal."""
        if prediction.usage:
            self.prompt_tokens += prediction.usage.prompt_tokens or 0
            self.completion_tokens += prediction.usage.completion_tokens or 0


@dataclass(slots=True)
class RunProgress:
    """All jobs of a run, and the gates of its endpoints by model.

    Attributes:
        jobs: the benchmarks of each model, in order.
        gates: what bounds the requests to each model.
        notes: what the user should know, a sentence each.
        warnings: what may make the figures worthless, a sentence each.
        problems: what stopped a model, a sentence each.
        run_dir: folder of the run; None until it is open.
        doing: what happens before the first question is asked, e.g. a download; empty afterwards.
        stopping: says whether the run was asked to stop.
    """

    jobs: list[JobProgress] = field(default_factory=list)
    gates: dict[str, Gate | Fleet] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    run_dir: Path | None = None
    doing: str = ""
    stopping: Callable[[], bool] = lambda: False
