"""The report of a run: one entry for each model and benchmark, as JSON, Markdown and the reference's csv."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from ..benchmarks.submission import Submission
from ..errors import EndpointUnusable, JudgeError
from ..records import Cell, Metric, ScoreResult
from .chart import CHART
from .files import write_bytes, write_json
from .judge_words import judging_words
from .plain_text import markdown
from .shares import asking_words
from .tally import Tally

__all__ = ["Entry", "Report", "csv_name", "csv_text", "rules_words"]

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER: Final = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?%?|[-+]")

State = Literal["finished", "incomplete", "interrupted", "stopped"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One benchmark asked of one model.

    Attributes:
        model: result name of the model.
        benchmark: name of the benchmark.
        total: samples that were to be asked.
        tally: what the journal holds.
        missing: samples that have neither an answer nor a failure yet. Rows that share an index share an answer.
        score: the result; None when it was not scored (``mode: infer``) or could not be.
        error: why there is no score, or why not everything could be asked.
        data: file of the benchmark, its size and digest where known.
        plotted: whether the accuracy of its categories is drawn (`Benchmark.plots_categories`).
        withheld: why there is no score although all is well: the right answers are not public.
        submission: the file for the server that has them.
        judging: what each of its judges did (`engine.judge_summary`), the deciding one first; empty without a judge.
        unjudged: answers that a judge should have read and has no verdict on. Where that judge decides there is no
            score.
    """

    model: str
    benchmark: str
    total: int
    tally: Tally
    missing: int = 0
    score: ScoreResult | None = None
    error: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    plotted: bool = False
    withheld: str | None = None
    submission: Submission | None = None
    judging: Sequence[Mapping[str, Any]] = ()
    unjudged: int = 0

    @property
    def submission_name(self) -> str:
        """File name of the submission, empty where there is none."""
        return f"{self.model}_{self.benchmark}{self.submission.ending}" if self.submission else ""

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it; per-sample records are in ``scores.json``, not here."""
        counts = {"total": self.total, "missing": self.missing, "unjudged": self.unjudged, **self.tally.summary()}
        if self.score:
            counts |= {k: v for k, v in self.score.counts.items() if k not in counts}
        return {
            "model": self.model,
            "benchmark": self.benchmark,
            "protocol": self.score.protocol if self.score else None,
            "error": self.error,
            "withheld": self.withheld,
            "submission": f"{self.model}/{self.submission_name}" if self.submission else None,
            "counts": counts,
            "rules": dict(self.score.rules) if self.score else {},
            "caveats": list(self.score.caveats) if self.score else [],
            "judging": [dict(judge) for judge in self.judging],
            "columns": list(self.score.columns) if self.score else [],
            "table": [dict(row) for row in self.score.table] if self.score else [],
            "metrics": [_metric(m) for m in self.score.metrics] if self.score else [],
            "plotted": self.plotted,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run.

    Attributes:
        run_dir: folder of the run.
        protocol: name of the protocol.
        state: ``finished`` with every sample answered; ``incomplete`` with failed samples; ``interrupted`` by the user;
            ``stopped`` because an endpoint is of no use.
        entries: one for each model and benchmark.
        problems: what stopped a model, in words.
        wall_s: seconds that this process spent on the run.
        notes: what the user should know about the configuration.
        warnings: what may make the figures worthless, such as a benchmark file that is not the published one.
        asking: by model, how it was asked by this process (`engine.models.asking_summary`); empty when nothing was.
    """

    run_dir: Path
    protocol: str
    state: State
    entries: tuple[Entry, ...]
    problems: tuple[str, ...] = ()
    wall_s: float = 0.0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    asking: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, 1 (a benchmark could not be used), 2, 3 or 130."""
        if self.state == "interrupted":
            return 130
        if self.state == "stopped":
            return 3
        if any(entry.unjudged for entry in self.entries):
            return 3
        if any(entry.error for entry in self.entries):
            return 1
        return 2 if any(entry.tally.failed or entry.missing for entry in self.entries) else 0

    def raise_for_problems(self) -> None:
        """Raises what a caller that does not look at `state` must not miss.

        Raises:
            EndpointUnusable: an endpoint was of no use.
            JudgeError: verdicts are missing.
        """
        if self.problems:
            told = "; ".join(self.problems)
            raise EndpointUnusable(f"{told}. What was answered is in {self.run_dir}; the same task again continues it")
        unjudged = [entry for entry in self.entries if entry.unjudged]
        if unjudged:
            raise JudgeError("; ".join(f"{entry.model} on {entry.benchmark}: {entry.error}" for entry in unjudged))

    def as_dict(self) -> dict[str, Any]:
        """The whole report as JSON can hold it."""
        return {
            "run_dir": str(self.run_dir),
            "protocol": self.protocol,
            "state": self.state,
            "exit_code": self.exit_code,
            "wall_s": round(self.wall_s, 3),
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "asking": {model: dict(about) for model, about in self.asking.items()},
            "entries": [entry.as_dict() for entry in self.entries],
        }

    def as_markdown(self) -> str:
        """The report for people."""
        head = f"# Report of {markdown(self.run_dir.name)}"
        lines = [head, "", f"Protocol `{self.protocol}`, run {self.state}.", ""]
        lines += [f"- **Problem:** {markdown(problem)}" for problem in self.problems]
        lines += [f"- **Warning:** {markdown(warning)}" for warning in self.warnings]
        lines += [f"- {markdown(note)}" for note in self.notes]
        told = ((model, asking_words(about)) for model, about in self.asking.items())
        lines += [f"- {markdown(f'{model}: {words}')}" for model, words in told if words]
        for entry in self.entries:
            lines += ["", f"## {markdown(f'{entry.model} on {entry.benchmark}')}", "", *_entry_markdown(entry)]
        return "\n".join(lines) + "\n"

    def save(self) -> None:
        """Writes ``report.json`` and ``report.md`` into the run folder.

        Raises:
            StorageError: they cannot be written.
        """
        write_json(self.run_dir / "report.json", self.as_dict())
        write_bytes(self.run_dir / "report.md", self.as_markdown().encode())


def _metric(metric: Metric) -> dict[str, Any]:
    return {"name": metric.name, "row": metric.row, **asdict(metric.estimate)}


def _entry_markdown(entry: Entry) -> Iterable[str]:
    tally = entry.tally
    counts = f"{tally.ok} of {entry.total} answered, {tally.failed} failed"
    if entry.missing:
        counts += f", {entry.missing} not asked yet"
    if entry.score:
        counts += f", {entry.score.counts.get('unparsed', 0)} unparsed, {tally.truncated} truncated"
        counts += f", {entry.score.counts.get('judged', 0)} judged"
    yield counts + "."
    for kind, number in tally.failures.items():
        yield f"- {number} x {markdown(kind)}, first: {markdown(tally.first_failures[kind])}"
    if entry.error:
        yield f"- **Error:** {markdown(entry.error)}"
    if entry.withheld:
        yield f"- {markdown(entry.withheld)}; to be handed in: {markdown(f'{entry.model}/{entry.submission_name}')}"
    yield from _judging_markdown(entry)
    if tally.prompt_tokens is not None:
        yield f"- tokens: {tally.prompt_tokens} in prompts, {tally.completion_tokens or 0} in answers"
    if tally.latency_s:
        shown = ", ".join(f"{name} {value:.2f} s" for name, value in tally.latency_s.items())
        yield f"- latency: {shown}; {tally.requests} requests"
    if entry.score:
        yield from _score_markdown(entry, entry.score)


def _score_markdown(entry: Entry, score: ScoreResult) -> Iterable[str]:
    if words := rules_words(score.rules):
        yield f"- {markdown(words)}"
    yield from (f"- **Note:** {markdown(caveat)}" for caveat in score.caveats)
    yield ""
    yield from _metrics_markdown(score)
    if entry.plotted:
        yield ""
        yield f"![accuracy by category]({quote(f'{entry.model}/{entry.benchmark}/{CHART}')})"


def _judging_markdown(entry: Entry) -> Iterable[str]:
    for judge in entry.judging:
        yield f"- {markdown(judging_words(judge))}"


def _metrics_markdown(score: ScoreResult) -> Iterable[str]:
    if not score.metrics:
        yield "| " + " | ".join(map(markdown, score.columns)) + " |"
        yield "|" + " --- |" * len(score.columns)
        for row in score.table:
            yield "| " + " | ".join(markdown(_shown(row.get(column))) for column in score.columns) + " |"
        return
    yield "| accuracy | value | 95 % interval | standard error | n | pictures |"
    yield "| --- | ---: | --- | ---: | ---: | ---: |"
    for metric in score.metrics:
        e = metric.estimate
        name = markdown(f"{metric.row}: {metric.name}" if metric.row not in ("", "none") else metric.name)
        interval = "" if e.low is None or e.high is None else f"{e.low:.4g} to {e.high:.4g}"
        error = "" if e.stderr is None else f"{e.stderr:.3g}"
        yield f"| {name} | {_shown(e.mean)} | {interval} | {error} | {e.n} | {e.clusters} |"


def _shown(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def csv_name(model: str, benchmark: str, ending: str = "acc") -> str:
    """File name under which tools that read the reference's output expect a result table."""
    return f"{model}_{benchmark}_{ending}.csv"


def rules_words(rules: Mapping[str, int]) -> str:
    """Tells which rules read the answers of a benchmark that has several, else nothing."""
    told = ", ".join(f"{rule} {number}" for rule, number in rules.items())
    return f"answers read by: {told}" if len(rules) > 1 else ""


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]], *, as_reference: bool = False) -> str:
    """Renders a result table as the reference does: every cell quoted, missing values empty, floats unrounded.

    A text that a spreadsheet would calculate, such as ``=1+1``, has an apostrophe before it.

    Args:
        columns: names of the columns.
        rows: the rows, by column.
        as_reference: no apostrophe, byte for byte as the reference.
    """
    guarded = (lambda cell: cell) if as_reference else _guarded
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(map(guarded, columns))
    for row in rows:
        writer.writerow(["" if _missing(row.get(column)) else guarded(row[column]) for column in columns])
    return buffer.getvalue()


def _guarded(cell: Cell) -> Cell:
    calculated = isinstance(cell, str) and cell.startswith(_FORMULAS) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if calculated else cell


def _missing(value: Cell) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
