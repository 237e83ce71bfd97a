"""The lines that a display shows: a table as wide as the terminal, or a sentence for a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from .plain_text import duration, figure
from .progress_view import JobView, RunView

__all__ = ["sentence", "table", "totals"]

_NARROWEST_NAME: Final = 12
_WIDEST_NAME: Final = 40
_ROOMY: Final = 110
_COARSE: Final = 9.95
_ASCII: Final = str.maketrans({"━": "#", "╸": "#", "─": "-", "·": "|", "…": "~", "±": "~"})
_STYLES: Final = {"waiting": "dim", "done": "green", "stopped": "yellow"}


@dataclass(frozen=True, slots=True)
class _Column:
    """A figure of every job.

    Attributes:
        head: its name in a narrow terminal.
        long_head: its name in a wide one.
        width: cells that it takes at least.
        cell: its text for one job.
        drop: columns with a higher number leave first when there is no room.
    """

    head: str
    long_head: str
    width: int
    cell: Callable[[JobView], str]
    drop: int


def _bar(job: JobView, width: int = 8) -> str:
    if not job.total:
        return " " * width
    halves = min(2 * width, 2 * width * job.done // job.total)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(width, "─")


def _rate(value: float | None) -> str:
    return "" if value is None else figure(value)


def _active(number: int, job: JobView) -> str:
    return str(number) if job.state == "asking" or number else ""


def _score(job: JobView, between: str = "±") -> str:
    if job.score is None or job.score_reach is None:
        return ""
    digits = 0 if job.score_reach >= _COARSE else 1
    return f"{job.score:.{digits}f}{between}{job.score_reach:.{digits}f}"


def _until(job: JobView) -> str:
    if job.state != "asking":
        return job.state
    return "" if job.eta_s is None else duration(job.eta_s)


def _judged(job: JobView) -> str:
    return "" if job.judged is None else f"{job.judged}/{job.to_judge}"


_COLUMNS: Final = (
    _Column("", "", 8, _bar, 3),
    _Column("done", "done", 9, lambda job: _done(job.done, job.total), 0),
    _Column("fail", "failed", 4, lambda job: _active(job.failed, job), 1),
    _Column("retry", "retrying", 5, lambda job: _active(job.retrying, job), 5),
    _Column("open", "in flight", 4, lambda job: _active(job.in_flight, job), 4),
    _Column("judged", "judged", 7, _judged, 1),
    _Column("req/s", "req/s", 5, lambda job: _rate(job.req_s), 2),
    _Column("tok/s", "tok/s", 5, lambda job: _rate(job.tok_s), 6),
    _Column("score", "score", 8, _score, 1),
    _Column("ETA", "ETA", 7, _until, 1),
)


def _done(done: int, total: int | None) -> str:
    return f"{done}/{'?' if total is None else total}"


def table(view: RunView, width: int, height: int, *, ascii_only: bool = False) -> Text:
    """Draws the run as a table.

    Args:
        view: where the run stands.
        width: cells in a line.
        height: lines at most; jobs at work are shown before those that wait or are done.
        ascii_only: use no character that an old terminal lacks.
    """
    shown = _chosen(view.jobs, max(1, height - 4 - len({job.model for job in view.jobs})))
    judged = any(job.judged is not None for job in view.jobs)
    columns = [
        (column, _width(column, shown, roomy=width >= _ROOMY))
        for column in _COLUMNS
        if judged or column.cell is not _judged
    ]
    while len(columns) > 1 and width - sum(w + 1 for _, w in columns) < _NARROWEST_NAME:
        columns.remove(max(columns, key=lambda entry: entry[0].drop))
    room = width - sum(w + 1 for _, w in columns)
    longest = max((cell_len(name) for job in shown for name in (job.model, f" {job.benchmark}")), default=0)
    name_width = max(1, min(room, max(_NARROWEST_NAME, min(longest, _WIDEST_NAME))))
    lines = [*_rows(shown, columns, name_width, roomy=width >= _ROOMY)]
    if hidden := len(view.jobs) - len(shown):
        lines.append(Text(f" … and {hidden} more", "dim"))
    lines.append(totals(view, width))
    if error := next((job.last_error for job in shown if job.last_error), ""):
        lines.append(Text(f"retrying after {error}", "yellow"))
    text = Text(no_wrap=True, overflow="crop", end="")
    for i, line in enumerate(lines):
        line.truncate(width, overflow="ellipsis")
        text.append_text(Text("\n") if i else Text()).append_text(line)
    if ascii_only:
        spans = text.spans
        text = Text(text.plain.translate(_ASCII), no_wrap=True, overflow="crop", end="", spans=spans)
    return text


def _chosen(jobs: Sequence[JobView], most: int) -> list[JobView]:
    if len(jobs) <= most:
        return list(jobs)
    weight = {"asking": 0, "judging": 1, "scoring": 1, "asked": 2, "waiting": 2, "stopped": 3, "done": 3}
    first = sorted(range(len(jobs)), key=lambda i: (weight.get(jobs[i].state, 0), i))[: most - 1]
    return [jobs[i] for i in sorted(first)]


def _width(column: _Column, jobs: Sequence[JobView], *, roomy: bool) -> int:
    head = column.long_head if roomy else column.head
    return max(column.width, len(head), *(cell_len(column.cell(job)) for job in jobs)) if jobs else column.width


def _rows(
    jobs: Sequence[JobView], columns: Sequence[tuple[_Column, int]], name_width: int, *, roomy: bool
) -> Iterator[Text]:
    model: str | None = None
    for job in jobs:
        if job.model != model:
            model = job.model
            # A long name may run on over the bar, which needs no head.
            bar = sum(w + 1 for column, w in columns if not column.head)
            heads = [(column.long_head if roomy else column.head).rjust(w) for column, w in columns if column.head]
            yield Text.assemble((_fit(model, name_width + bar), "bold"), (" " + " ".join(heads), "dim"))
        line = Text(_fit(f" {job.benchmark}", name_width), _STYLES.get(job.state, ""))
        for column, w in columns:
            cell = column.cell(job).rjust(w)
            alarming = column.head == "fail" and job.failed
            style = "red" if alarming else "cyan" if column.cell is _bar else ""
            line.append(" ").append(cell, style)
        yield line


def _fit(name: str, width: int) -> str:
    if cell_len(name) <= width:
        return set_cell_size(name, width)
    return set_cell_size(name, width - 1) + "…"


def totals(view: RunView, width: int | None = None) -> Text:
    """The last line: the whole run, and what keeps it from going faster.

    Args:
        view: where the run stands.
        width: cells that there are; rates, which the table has too, give way to what limits the run.
    """
    if view.stopping:
        return Text(_stopping(view), "bold yellow")
    if view.doing:
        return Text(f"{view.doing} ({duration(view.elapsed_s)})", "bold")
    parts = [f"{_done(view.done, view.total)} in {duration(view.elapsed_s)}"]
    if view.failed:
        parts.append(f"{view.failed} failed")
    if view.judge_in_flight:
        parts.append(f"{view.judge_in_flight} at the judge")
    rates = [(view.req_s, "req/s"), (view.tok_s, "tok/s")]
    rate_parts = [f"{figure(rate)} {unit}" for rate, unit in rates if rate is not None]
    ends = [f"ETA {duration(view.eta_s)}"] if view.eta_s is not None else []
    if view.limit:
        ends.append(f"limit: {view.limit}")
    while width is not None and rate_parts and cell_len(" · ".join([*parts, *rate_parts, *ends])) > width:
        rate_parts.pop()
    return Text(" · ".join([*parts, *rate_parts, *ends]), "bold")


def _stopping(view: RunView) -> str:
    in_flight = view.in_flight + view.judge_in_flight
    requests = "request" if in_flight == 1 else "requests"
    if not in_flight:
        return "stopping: writing what has been answered"
    return f"stopping: waiting for {in_flight} {requests} in flight, Ctrl-C again stops at once"


def sentence(job: JobView, limit: str = "") -> str:
    """One job as a line of a log."""
    name = f"{job.model} {job.benchmark}"
    if job.state == "waiting":
        return f"{name}: waiting"
    parts = [f"{_done(job.done, job.total)} done"]
    if job.reused:
        parts.append(f"{job.reused} of them from before")
    parts.append(f"{job.failed} failed")
    if job.state == "asking":
        parts += [f"{job.retrying} retrying", f"{job.in_flight} in flight"]
    rates = [(job.req_s, "req/s"), (job.tok_s, "tok/s")]
    parts += [f"{figure(rate)} {unit}" for rate, unit in rates if rate is not None]
    if job.to_judge:
        parts.append(f"{job.judged}/{job.to_judge} judged, {job.judge_in_flight} at the judge")
    if score := _score(job, " ± "):
        parts.append(f"score {score}")
    if job.eta_s is not None:
        parts.append(f"ETA {duration(job.eta_s)}")
    if limit and job.state == "asking":
        parts.append(f"limit: {limit}")
    if job.last_error:
        parts.append(f"retrying after {job.last_error}")
    return f"{name}: {job.state}, " + ", ".join(parts)
