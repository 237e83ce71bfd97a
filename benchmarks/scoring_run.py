"""From answers to a score: every sample by its benchmark's rules, then the table of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

import anyio
import anyio.lowlevel

from ..errors import DataError
from ..records import Cell, Sample, ScoreResult
from ..scoring.judge import Judge, JudgeRequest
from .base import Benchmark, Scored
from .submission import Submission

__all__ = [
    "SCORING_FAULTS",
    "Item",
    "answered_items",
    "completed",
    "finish",
    "make_submission",
    "make_submission_async",
    "score_one",
    "score_predictions",
    "score_predictions_async",
    "score_samples",
    "unit_positions",
]

SCORING_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a rule raises that does not hold for an answer: a fault of the rule, which must not cost a run its answers."""
_SHOWN: Final = 5
_STEPS_BETWEEN_PAUSES: Final = 256

Item: TypeAlias = tuple[Sample, Cell, bool]
"""A sample, its answer as scoring reads it, and whether the request failed."""


def score_one(bench: Benchmark, sample: Sample, prediction: str | None) -> Scored:
    """Scores one answer as it arrives, for running figures.

    It differs from the final score only where a protocol passes the whole table through a spreadsheet.

    Args:
        bench: the benchmark.
        sample: the question.
        prediction: the answer, None when the request failed.

    Raises:
        DataError: the row cannot be scored.
    """
    answer = bench.protocol.failed_text if prediction is None else prediction
    scored = bench.score(sample, answer)
    return replace(scored, failed=True) if prediction is None else scored


def score_predictions(
    bench: Benchmark, predictions: Mapping[str, Cell], judge: Judge | None = None, *, judge_concurrency: int = 16
) -> ScoreResult:
    """Scores answers by index. With a judge, starts an event loop; inside one use `score_predictions_async`.

    Args:
        bench: the benchmark.
        predictions: answer by index, None for a failed request. Rows without an entry are left out of the table.
        judge: reads the answers that no exact rule reads, where the benchmark asks for one.
        judge_concurrency: how many answers are judged at once.

    Raises:
        DataError: an index that the benchmark does not have, or a row that cannot be scored.
        JudgeError: the judge cannot be reached.
    """
    if judge is not None:
        run = partial(score_predictions_async, bench, predictions, judge, judge_concurrency=judge_concurrency)
        return anyio.run(run)
    return score_samples(bench, _known_samples(bench, predictions), predictions)


def score_samples(bench: Benchmark, samples: Sequence[Sample], predictions: Mapping[str, Cell]) -> ScoreResult:
    """Scores the answers to samples that are at hand, by the exact rules; see `score_predictions`.

    Args:
        bench: the benchmark.
        samples: the questions, in file order; every one of them has an entry.
        predictions: answer by index, None for a failed request.

    Raises:
        DataError: a row cannot be scored.
    """
    return finish(bench, _exact(bench, answered_items(bench, samples, predictions)))


async def score_predictions_async(
    bench: Benchmark, predictions: Mapping[str, Cell], judge: Judge | None = None, *, judge_concurrency: int = 16
) -> ScoreResult:
    """Scores answers by index, asking the judge for several at once; see `score_predictions`."""
    items = answered_items(bench, _known_samples(bench, predictions), predictions)
    if judge is None:
        return finish(bench, _exact(bench, items))
    scored, judged = await _judged(bench, items, judge, judge_concurrency)
    return finish(bench, scored, judged=judged)


def make_submission(bench: Benchmark, samples: Sequence[Sample], predictions: Mapping[str, Cell]) -> Submission:
    """Makes the file for the server that scores a benchmark whose right answers are not public, by exact rules.

    Args:
        bench: the benchmark.
        samples: the questions, in file order; every one of them has an entry.
        predictions: answer by index, None for a failed request.

    Raises:
        DataError: a row cannot be read.
    """
    scored = _exact(bench, answered_items(bench, samples, predictions))
    return bench.submission([(sample, predictions[sample.index]) for sample in samples], scored)


async def make_submission_async(
    bench: Benchmark,
    samples: Sequence[Sample],
    predictions: Mapping[str, Cell],
    judge: Judge,
    *,
    judge_name: str,
    judge_concurrency: int = 16,
) -> Submission:
    """Makes the same file with a judge that reads what no exact rule does; see `make_submission`.

    Raises:
        JudgeError: the judge cannot be reached.
        DataError: a row cannot be read.
    """
    scored, _ = await _judged(bench, answered_items(bench, samples, predictions), judge, judge_concurrency)
    return bench.submission([(sample, predictions[sample.index]) for sample in samples], scored, judge=judge_name)


def _exact(bench: Benchmark, items: Sequence[Item]) -> list[Scored]:
    return [completed(bench.score(sample, answer), answer, failed) for sample, answer, failed in items]


async def _judged(bench: Benchmark, items: Sequence[Item], judge: Judge, concurrency: int) -> tuple[list[Scored], int]:
    """Returns the scored items, and how many of them the judge was asked about."""
    scored: list[Scored | None] = [None] * len(items)
    asked: set[str] = set()

    async def ask(request: JudgeRequest) -> str:
        asked.add(request.index)
        return await judge(request)

    async def work(units: Iterator[list[int]]) -> None:
        for steps, positions in enumerate(units):
            results = await bench.judge_unit([items[position][:2] for position in positions], ask)
            for position, result in zip(positions, results, strict=True):
                scored[position] = completed(result, *items[position][1:])
            if steps % _STEPS_BETWEEN_PAUSES == 0:
                await anyio.lowlevel.checkpoint()

    todo = iter(unit_positions(bench, [sample for sample, _, _ in items]))
    try:
        async with anyio.create_task_group() as group:
            for _ in range(concurrency):
                group.start_soon(work, todo)
    except ExceptionGroup as errors:
        # The first error stopped all workers: callers get it as it was raised.
        raise errors.exceptions[0] from None
    return [result for result in scored if result is not None], len(asked)


def unit_positions(bench: Benchmark, samples: Sequence[Sample]) -> list[list[int]]:
    """Returns the positions of the samples of each unit, in file order."""
    units: dict[str, list[int]] = {}
    for position, sample in enumerate(samples):
        units.setdefault(bench.unit(sample), []).append(position)
    return list(units.values())


def finish(bench: Benchmark, scored: Sequence[Scored], *, judged: int = 0) -> ScoreResult:
    """Builds the result from scored samples, in file order.

    Args:
        bench: the benchmark.
        scored: the samples.
        judged: how many of them the judge was asked about.

    Raises:
        DataError: the samples do not fit into the benchmark's table.
    """
    scored = bench.complete(scored)
    table = bench.table(scored)
    rules = Counter(str(s.record.get("rule")) for s in scored)
    return ScoreResult(
        benchmark=bench.name,
        protocol=bench.protocol.name,
        per_sample=bench.results(scored),
        columns=table.columns,
        table=table.rows,
        metrics=table.metrics,
        counts={
            "scored": len(scored),
            "failed": sum(s.failed for s in scored),
            "unparsed": rules["none"],
            "judged": judged,
        },
        rules=dict(rules.most_common()),
        more_tables=bench.more_tables(scored),
        caveats=tuple(bench.caveats(scored)),
    )


def completed(scored: Scored, answer: Cell, failed: bool) -> Scored:
    """Returns a scored sample with its answer, and with the mark of a failed request where the request failed."""
    return Scored(scored.sample, scored.record, scored.points, failed or scored.failed, answer)


def _known_samples(bench: Benchmark, predictions: Mapping[str, Cell]) -> list[Sample]:
    """Returns the samples that have an entry, and refuses entries that have no sample."""
    samples = [sample for sample in bench.samples() if sample.index in predictions]
    unknown = predictions.keys() - {sample.index for sample in samples}
    if unknown:
        shown = ", ".join(map(repr, sorted(map(str, unknown))[:_SHOWN]))
        raise DataError(f"{bench.name} has no row with index {shown} ({len(unknown)} unknown among the predictions)")
    return samples


def answered_items(bench: Benchmark, samples: Sequence[Sample], predictions: Mapping[str, Cell]) -> list[Item]:
    """Returns each sample, its answer as scoring reads it, and whether the request failed."""
    failed = [predictions[sample.index] is None for sample in samples]
    answers: list[Cell] = [
        bench.protocol.failed_text if lost else predictions[sample.index]
        for sample, lost in zip(samples, failed, strict=True)
    ]
    if bench.protocol.round_trip_table and samples:
        samples, answers = bench.stored(samples, answers)
    return list(zip(samples, answers, failed, strict=True))
