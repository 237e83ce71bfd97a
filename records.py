"""What is written down: samples, predictions, judgements, scores and failures, as frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "Cell",
    "Estimate",
    "Failure",
    "Judgement",
    "Metric",
    "Prediction",
    "Reply",
    "Sample",
    "ScoreResult",
    "Table",
    "Usage",
]

Cell: TypeAlias = str | int | float | bool | None
"""A table cell. None is a missing value (what pandas shows as NaN)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question of a benchmark, without its pictures.

    Attributes:
        index: the benchmark's own name of the row, as text.
        row: position of the row in the benchmark, from 0, after rows without a picture are left out.
        cells: every column of the row but the pictures, in file order.
        cluster: equal for samples that show the same picture; standard errors are clustered by it.
    """

    index: str
    row: int
    cells: Mapping[str, Cell]
    cluster: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the server counted for one request; None where it gave no number."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered to one request.

    Attributes:
        text: the answer, stripped of outer white space; reasoning is not part of it.
        reasoning: what the server returned apart as the model's thinking, None when there was none.
        finish_reason: the server's word for why it stopped (``stop``, ``length``, …).
        usage: token counts, None when the server gave none.
    """

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a sample has no answer.

    Attributes:
        kind: name of the error class in `eyechart.errors`, e.g. ``Timeout``.
        message: what happened, for people.
        stage: where it happened.
        status: HTTP status if there was one.
    """

    kind: str
    message: str
    stage: Literal["prepare", "ask", "judge"] = "ask"
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One line of a predictions journal: the answer to one sample or turn of a dialogue, or the failure to get one.

    Attributes:
        index: index of the sample.
        repeat: which of several answers to the same sample this is, from 0.
        fingerprint: hash of everything that determines the answer (engine/fingerprint.py).
        prediction: the answer's text, None when `failure` says why there is none.
        failure: the reason for a missing answer.
        reasoning: the model's thinking where the server returns it apart.
        finish_reason: the server's word for why it stopped.
        usage: token counts.
        latency_s: seconds on the wire of the attempt that decided.
        attempts: how many requests were sent.
        at: when it was written, ISO 8601 in UTC.
        setup: hash of model, protocol and benchmark file as they were (engine/fingerprint.py): where it is unchanged,
            the fingerprint need not be computed again to be trusted.
        turn: which turn of a dialogue it answers, from 0.
        left_out: how many of the oldest turns were left out of the request, for want of room in the model's context.
    """

    index: str
    repeat: int
    fingerprint: str
    prediction: str | None
    failure: Failure | None = None
    reasoning: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    latency_s: float | None = None
    attempts: int = 0
    at: str = ""
    setup: str | None = None
    turn: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """One line of a judgements journal: a judge's reply to one request, or its refusal of this very request.

    Attributes:
        fingerprint: hash of everything that determines the reply (engine/fingerprint.py).
        index: index of the sample whose answer is judged.
        judge: result name of the judge.
        rubric: name and version of the rubric.
        attempt: which try of the rubric this is, from 0.
        repeat: which of several verdicts on the same answer this is, from 0.
        reply: the judge's text, None when `failure` says why there is none.
        failure: why the judge refuses the request as it stands.
        finish_reason: the server's word for why it stopped.
        usage: token counts.
        latency_s: seconds on the wire of the attempt that decided.
        attempts: how many requests were sent.
        at: when it was written, ISO 8601 in UTC.
    """

    fingerprint: str
    index: str
    judge: str
    rubric: str
    attempt: int
    repeat: int
    reply: str | None
    failure: Failure | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    latency_s: float | None = None
    attempts: int = 0
    at: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its uncertainty.

    Attributes:
        mean: the mean, in the units of the table cell it belongs to.
        n: number of samples.
        clusters: number of independent groups (pictures) among them.
        stderr: standard error of the mean, clustered where samples share a picture; None below two clusters.
        low: lower end of the 95 % interval, None where there is no standard error.
        high: upper end of the 95 % interval.
    """

    mean: float
    n: int
    clusters: int
    stderr: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Metric:
    """One accuracy of a result table, with its interval.

    Attributes:
        name: column of the table, e.g. ``Overall``.
        row: which row of the table, e.g. the split; empty where the table has one row.
        estimate: value and uncertainty.
    """

    name: str
    row: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Table:
    """A result table: the reference's columns and rows, and every accuracy in it with its interval."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class ScoreResult:
    """What the predictions of one benchmark are worth.

    Attributes:
        benchmark: name of the benchmark.
        protocol: name of the protocol the scores follow.
        per_sample: for each sample index what its benchmark writes per row (``hit``, or ``score``, ``match``, …),
            and ``rule``: which rule read the answer, ``none`` when no rule could.
        columns: columns of the result table, in order.
        table: the result table as records; the same columns, order and rounding as the reference's csv.
        metrics: every accuracy of the table with standard error and 95 % interval.
        counts: ``scored``, ``failed`` (no answer), ``unparsed`` (an answer that no rule could read), ``judged``.
        rules: how many answers each rule read, ``none`` those that none could.
        more_tables: further tables that the benchmark writes beside the first, by the end of their files' names.
        caveats: what a reader must know to take the table for what it is.
    """

    benchmark: str
    protocol: str
    per_sample: Mapping[str, Mapping[str, object]]
    columns: tuple[str, ...]
    table: tuple[Mapping[str, Cell], ...]
    metrics: tuple[Metric, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    more_tables: Mapping[str, Table] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
