"""From journals to score: a pure function of a benchmark and what is on disk, and the files it leaves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from anyio import to_thread

from ..benchmarks.base import Benchmark
from ..benchmarks.scoring_run import SCORING_FAULTS, make_submission, score_samples
from ..errors import DataError
from ..records import Sample, ScoreResult
from ..scoring.protocol import VLMEVAL
from .chart import CHART, categories, svg_chart
from .dialogue import turns_of, whole_of
from .files import write_bytes, write_json
from .journal import read_predictions
from .judge_desk import JudgeDesk
from .judge_summary import judge_summary
from .judged_scoring import JudgedScoring
from .report import Entry, csv_name, csv_text
from .tally import tally

__all__ = ["PREDICTIONS", "counted", "evaluate", "evaluate_judged", "save_scores"]

PREDICTIONS = "predictions.jsonl"

log = logging.getLogger("eyechart")


def evaluate(model: str, benchmark: Benchmark, job_dir: Path, *, limit: int | None, score: bool = True) -> Entry:
    """Reads the journal of one job and scores it by the exact rules. Blocking; asks nobody anything.

    Args:
        model: result name of the model.
        benchmark: the benchmark that was asked.
        job_dir: folder of the job.
        limit: only the first rows of the benchmark belong to the run; None for all.
        score: whether to score, or only to count.

    Raises:
        StorageError: the journal cannot be read.
    """
    entry, answered = counted(model, benchmark, job_dir, limit)
    if not score or not answered:
        return entry
    with _kept(entry, benchmark) as kept:
        if (why := benchmark.withheld(answered)) is not None:
            file = make_submission(benchmark, answered, entry.tally.answers)
            kept.entry = replace(entry, withheld=why, submission=file)
        else:
            result = score_samples(benchmark, answered, entry.tally.answers)
            kept.entry = replace(entry, score=result, plotted=benchmark.plots_categories)
    return kept.entry


async def evaluate_judged(
    model: str, benchmark: Benchmark, job_dir: Path, *, limit: int | None, desk: JudgeDesk
) -> Entry:
    """Reads the journals of one job and scores it, having its judges say what they have not said yet.

    Where a verdict of the deciding judge is missing in the end there is no score: neither exact rules nor chance take
    a judge's place.

    Args:
        model: result name of the model.
        benchmark: the benchmark that was asked.
        job_dir: folder of the job.
        limit: only the first rows of the benchmark belong to the run; None for all.
        desk: the job's judges.

    Raises:
        StorageError: a journal cannot be read or written.
    """
    entry, answered = await to_thread.run_sync(counted, model, benchmark, job_dir, limit)
    if not answered:
        return entry
    with _kept(entry, benchmark) as kept:
        scoring = await to_thread.run_sync(JudgedScoring, benchmark, answered, entry.tally.answers, desk)
        await to_thread.run_sync(scoring.look_up)
        desk.progress.judged = desk.progress.judged or 0
        desk.progress.to_judge = desk.progress.judged + scoring.missing
        await scoring.ask()
        judging = await to_thread.run_sync(judge_summary, benchmark, desk, scoring.hearings)
        unsaid = scoring.unheard or scoring.uncompared
        kept.entry = replace(entry, judging=tuple(judging), unjudged=len(unsaid))
        if unsaid:
            what = "not scored" if scoring.unheard else "the comparison of its judges is not complete"
            kept.entry = replace(kept.entry, error=f"{what}: {_no_verdicts(unsaid, job_dir)}")
        if scoring.unheard:
            return kept.entry
        if (why := benchmark.withheld(answered)) is not None:
            file = await to_thread.run_sync(scoring.submission)
            kept.entry = replace(kept.entry, withheld=why, submission=file)
        else:
            result = await to_thread.run_sync(scoring.result)
            kept.entry = replace(kept.entry, score=result, plotted=benchmark.plots_categories)
    return kept.entry


def counted(model: str, benchmark: Benchmark, job_dir: Path, limit: int | None) -> tuple[Entry, list[Sample]]:
    """Returns an entry without a score, and the samples that have an answer or a failure, in file order. Blocking.

    Raises:
        StorageError: the journal cannot be read.
    """
    try:
        samples = list(islice(benchmark.samples(), limit))
    except DataError as error:
        return Entry(model, benchmark.name, 0, tally(read_predictions(job_dir / PREDICTIONS)), error=str(error)), []
    lines = read_predictions(job_dir / PREDICTIONS)
    if benchmark.is_dialogue:
        turns = {sample.index: turns_of(benchmark, sample) for sample in samples}
        counted = tally(lines, turns, talk=lambda index, said: whole_of(benchmark, turns[index], said))
    else:
        counted = tally(lines, {sample.index for sample in samples})
    answered = [sample for sample in samples if sample.index in counted.answers]
    return Entry(model, benchmark.name, len(samples), counted, len(samples) - len(answered)), answered


@dataclass(slots=True)
class _Kept:
    """The entry as it stands."""

    entry: Entry


@contextmanager
def _kept(entry: Entry, benchmark: Benchmark) -> Iterator[_Kept]:
    """Turns what goes wrong with the scoring into the entry's error."""
    kept = _Kept(entry)
    try:
        yield kept
    except DataError as error:
        kept.entry = replace(kept.entry, error=str(error))
    except SCORING_FAULTS as fault:
        log.exception("the scoring of %s has a fault", benchmark.name)
        kept.entry = replace(kept.entry, error=_told(fault))


def _no_verdicts(unsaid: Sequence[tuple[str, str]], job_dir: Path) -> str:
    (reason, _), *others = Counter(reason for _, reason in unsaid).most_common()
    more = f" ({len(others)} further reasons)" if others else ""
    return (
        f"{len(unsaid)} answers have no verdict, the first being sample {unsaid[0][0]}: {reason.rstrip('.')}{more}. "
        f"All answers and verdicts are kept; eyechart score {job_dir.parent.parent} asks for those that are missing"
    )


def _told(fault: Exception) -> str:
    return (
        f"eyechart's scoring has a fault, please report it: {type(fault).__name__}: {fault}. The answers are kept: "
        "`eyechart score` scores them once it is mended"
    )


def save_scores(entry: Entry, job_dir: Path) -> None:
    """Writes ``scores.json`` and the chart beside the journal, the reference's csv files beside the job's folder.

    For a benchmark whose right answers are not public, the file for the server that has them is written instead.

    Raises:
        StorageError: they cannot be written.
    """
    if entry.submission is not None:
        write_bytes(job_dir.parent / entry.submission_name, entry.submission.content)
    if entry.score is None:
        return
    write_json(job_dir / "scores.json", {**entry.as_dict(), "per_sample": _per_sample(entry.score)})
    if entry.plotted:
        chart = svg_chart(f"{entry.model} on {entry.benchmark}", categories(entry.score.metrics))
        write_bytes(job_dir / CHART, chart.encode())
    plain = entry.score.protocol == VLMEVAL.name
    table = csv_text(entry.score.columns, entry.score.table, as_reference=plain)
    write_bytes(job_dir.parent / csv_name(entry.model, entry.benchmark), table.encode())
    for ending, further in entry.score.more_tables.items():
        name = csv_name(entry.model, entry.benchmark, ending)
        write_bytes(job_dir.parent / name, csv_text(further.columns, further.rows, as_reference=plain).encode())


def _per_sample(score: ScoreResult) -> dict[str, Any]:
    return {index: dict(record) for index, record in score.per_sample.items()}
