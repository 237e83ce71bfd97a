"""Reports as tables for a terminal: one run in detail, or several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from .engine.chart import categories, text_chart
from .engine.judge_words import judging_words
from .engine.plain_text import clean, duration
from .engine.report import rules_words
from .engine.shares import asking_words
from .errors import ConfigError
from .records import Estimate, Metric

__all__ = ["ReportData", "comparison", "read_report", "report_parts"]

ReportData: TypeAlias = Mapping[str, Any]
"""What report.json holds, which is also what `Report.as_dict` returns."""

_FIGURES: Final = ("score", "95 % interval", "ok", "failed", "unparsed", "truncated")
_MOST_SHOWN: Final = 8


def read_report(run_dir: Path) -> ReportData:
    """Reads the report of a run.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    path = run_dir / "report.json"
    try:
        report = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        report = None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a report; eyechart score {run_dir} writes it again") from error
    if isinstance(report, dict) and isinstance(report.get("entries"), list):
        return report
    if (run_dir / "run.json").is_file():
        raise ConfigError(f"the run in {run_dir} has no report yet; eyechart resume {run_dir} finishes it")
    runs = sorted(found.parent for found in run_dir.glob("*/report.json")) if run_dir.is_dir() else []
    hint = f"; the newest below it is {runs[-1]}" if runs else ""
    raise ConfigError(f"there is no run in {run_dir}{hint}")


def report_parts(report: ReportData) -> Iterator[RenderableType]:
    """Yields what is shown of one run."""
    head = f"Run {report['run_dir']}: {report['state']} in {duration(report['wall_s'])}, protocol {report['protocol']}"
    yield _line(head, "bold")
    models: dict[str, list[Mapping[str, Any]]] = {}
    for entry in report["entries"]:
        models.setdefault(entry["model"], []).append(entry)
    for model, entries in models.items():
        yield Text("")
        yield _line(model, "bold")
        yield _scores(entries)
        if words := asking_words((report.get("asking") or {}).get(model) or {}):
            yield _line(words, "dim")
        for entry in entries:
            yield from _details(entry)
        for entry in entries:
            if entry.get("plotted") and entry["metrics"]:
                yield Text("")
                yield _line(f"{entry['benchmark']}: accuracy in %, with 95 % intervals")
                yield _Chart(entry["metrics"])


class _Chart:
    """The accuracies of a benchmark's categories as bars, as wide as there is room."""

    def __init__(self, metrics: Sequence[Mapping[str, Any]]) -> None:
        self._metrics = [
            Metric(m["name"], m["row"], Estimate(**{f.name: m[f.name] for f in fields(Estimate)})) for m in metrics
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        del console
        for line in text_chart(categories(self._metrics), options.max_width, ascii_only=options.ascii_only):
            yield Text(line)


def _scores(entries: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("benchmark", overflow="fold")
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for entry in entries:
        counts = entry["counts"]
        # Zero out of nothing but failures is no score.
        metrics: list[Mapping[str, Any] | None] = [*_overall(entry["metrics"] if counts["ok"] else ())] or [None]
        for position, metric in enumerate(metrics):
            label = entry["benchmark"] + (_suffix(metric) if metric else "")
            score = _cells(metric) if metric else ("-", "")
            numbers = [
                f"{counts['ok']}/{counts['total']}",
                str(counts["failed"]),
                str(counts.get("unparsed", "-")),
                str(counts["truncated"]),
            ]
            style = "red" if counts["failed"] or counts["missing"] else ""
            shown = numbers if position == 0 else [""] * len(numbers)
            table.add_row(_line(label), *score, *(Text(number, style) for number in shown))
    return table


def _overall(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The accuracies over everything, one for each split; where none is called so, those over the most samples.

    Where there are too many to be shown, the first one stands for all: that over the parts of a joined benchmark.
    """
    named = [metric for metric in metrics if metric["name"] == "Overall"]
    if named or not metrics:
        return named if len(named) <= _MOST_SHOWN else named[:1]
    most = max(metric["n"] for metric in metrics)
    return [metric for metric in metrics if metric["n"] == most][:_MOST_SHOWN]


def _suffix(metric: Mapping[str, Any]) -> str:
    parts = [metric["row"] if metric["row"] not in ("", "none") else "", metric["name"]]
    shown = " ".join(part for part in parts if part and part != "Overall")
    return f": {shown}" if shown else ""


def _cells(metric: Mapping[str, Any]) -> tuple[str, str]:
    if metric["low"] is None or metric["high"] is None:
        return _number(metric["mean"]), ""
    return _number(metric["mean"]), f"{_number(metric['low'])} to {_number(metric['high'])}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"  # noqa: PLR2004


def _details(entry: Mapping[str, Any]) -> Iterator[Text]:
    counts = entry["counts"]
    name = entry["benchmark"]
    if entry["error"]:
        yield _line(f"{name}: {entry['error']}", "red")
    if entry.get("withheld"):
        yield _line(f"{name}: {entry['withheld']}; to be handed in: {entry['submission']}")
    for caveat in entry.get("caveats", ()):
        yield _line(f"{name}: {caveat}", "yellow")
    if counts["missing"]:
        yield _line(f"{name}: {counts['missing']} not asked yet", "red")
    for kind, number in counts["failures"].items():
        first = counts["first_failures"].get(kind, "")
        yield _line(f"{name}: {number} failed with {kind}, the first being sample {first}", "red")
    yield from _figures(entry)


def _figures(entry: Mapping[str, Any]) -> Iterator[Text]:
    counts = entry["counts"]
    name = entry["benchmark"]
    parts = []
    if words := rules_words(entry.get("rules", {})):
        parts.append(words)
    if counts["prompt_tokens"] is not None:
        parts.append(f"{counts['prompt_tokens']:,} tokens in, {counts['completion_tokens'] or 0:,} out")
    latency = counts["latency_s"]
    if latency:
        parts.append(
            f"requests: {counts['requests']:,}, median {latency['p50']:.2f} s, 95 % within {latency['p95']:.2f} s"
        )
    if parts:
        yield _line(f"{name}: " + "; ".join(parts), "dim")
    for judge in entry.get("judging", ()):
        yield _line(f"{name}: {judging_words(judge)}", "dim")


def comparison(reports: Sequence[ReportData]) -> Iterator[RenderableType]:
    """Yields several runs side by side.

    Raises:
        ConfigError: they follow different protocols.
    """
    protocols = {report["protocol"] for report in reports}
    if len(protocols) > 1:
        told = ", ".join(f"{report['run_dir']}: {report['protocol']}" for report in reports)
        raise ConfigError(f"scores of different protocols cannot stand side by side ({told}); report them one by one")
    yield _line(f"{len(reports)} runs, protocol {protocols.pop()}", "bold")
    cells: dict[str, dict[int, str]] = {}
    heads: list[str] = []
    sizes: dict[str, set[int]] = {}
    for report in reports:
        for model in dict.fromkeys(entry["model"] for entry in report["entries"]):
            column = len(heads)
            heads.append(f"{model} @ {Path(report['run_dir']).name}")
            for entry in (entry for entry in report["entries"] if entry["model"] == model):
                sizes.setdefault(entry["benchmark"], set()).add(entry["counts"]["total"])
                for metric in _overall(entry["metrics"]):
                    label = entry["benchmark"] + _suffix(metric)
                    cells.setdefault(label, {})[column] = " ".join(_interval(metric))
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("benchmark", overflow="fold")
    for head in heads:
        table.add_column(_line(head), justify="right", overflow="fold")
    for label, row in cells.items():
        table.add_row(_line(label), *(row.get(column, "-") for column in range(len(heads))))
    yield table
    for benchmark, totals in sizes.items():
        if len(totals) > 1:
            told = ", ".join(str(total) for total in sorted(totals))
            yield _line(f"{benchmark}: these runs differ in the number of samples ({told})", "red")


def _interval(metric: Mapping[str, Any]) -> tuple[str, ...]:
    value, interval = _cells(metric)
    return (value, f"({interval})") if interval else (value,)


def _line(text: str, style: str = "") -> Text:
    return Text(clean(text, 2000), style)
