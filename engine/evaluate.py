"""From journal to score: a pure function of a benchmark and the answers on disk, and the files it leaves."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..benchmarks.base import Benchmark
from ..benchmarks.scoring_run import SCORING_FAULTS, make_submission, score_samples
from ..errors import DataError
from ..records import ScoreResult
from .chart import CHART, categories, svg_chart
from .files import write_bytes, write_json
from .journal import read_predictions
from .report import Entry, csv_name, csv_text
from .tally import tally

__all__ = ["PREDICTIONS", "evaluate", "save_scores"]

PREDICTIONS = "predictions.jsonl"

log = logging.getLogger("eyechart")


def evaluate(model: str, benchmark: Benchmark, job_dir: Path, *, limit: int | None, score: bool = True) -> Entry:
    """Reads the journal of one job and scores it. Blocking; asks nobody anything.

    Args:
        model: result name of the model.
        benchmark: the benchmark that was asked.
        job_dir: folder of the job.
        limit: only the first rows of the benchmark belong to the run; None for all.
        score: whether to score, or only to count.

    Raises:
        StorageError: the journal cannot be read.
    """
    try:
        samples = list(islice(benchmark.samples(), limit))
    except DataError as error:
        return Entry(model, benchmark.name, 0, tally(read_predictions(job_dir / PREDICTIONS)), error=str(error))
    counted = tally(read_predictions(job_dir / PREDICTIONS), {sample.index for sample in samples})
    answered = [sample for sample in samples if sample.index in counted.answers]
    entry = Entry(model, benchmark.name, len(samples), counted, len(samples) - len(answered))
    if not score or not answered:
        return entry
    try:
        if (why := benchmark.withheld(answered)) is not None:
            file = make_submission(benchmark, answered, counted.answers)
            return replace(entry, withheld=why, submission=file)
        result = score_samples(benchmark, answered, counted.answers)
    except DataError as error:
        return replace(entry, error=str(error))
    except SCORING_FAULTS as fault:
        log.exception("the scoring of %s has a fault", benchmark.name)
        return replace(entry, error=_told(fault))
    return replace(entry, score=result, plotted=benchmark.plots_categories)


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
    table = csv_text(entry.score.columns, entry.score.table)
    write_bytes(job_dir.parent / csv_name(entry.model, entry.benchmark), table.encode())
    for ending, further in entry.score.more_tables.items():
        name = csv_name(entry.model, entry.benchmark, ending)
        write_bytes(job_dir.parent / name, csv_text(further.columns, further.rows).encode())


def _per_sample(score: ScoreResult) -> dict[str, Any]:
    return {index: dict(record) for index, record in score.per_sample.items()}
