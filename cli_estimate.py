"""What `eyechart estimate` prints: figures of each model and benchmark, assumptions, and prompts as they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .engine.estimate import Estimate, JobEstimate, ModelEstimate, Range
from .engine.plain_text import clean, data_size, duration
from .engine.rendered import PictureShown, Rendered

__all__ = ["estimate_parts"]

_HEADS: Final = ("requests", "pictures", "to send", "prompt tokens", "answer tokens", "time")
_ABOUT_THE_SAME: Final = 1.05
_CENTS_COUNT: Final = 1.0
_LONGEST_PART: Final = 100_000


def estimate_parts(found: Estimate) -> Iterator[RenderableType]:
    """Yields what is shown of an estimate."""
    for model in found.models:
        yield Text(model.spec.name, "bold")
        yield _table(model)
        for line in _assumptions(model):
            yield Text(line)
        yield Text("")
    if found.judges:
        names = ", ".join(clean(name) for name in found.judges)
        yield Text(f"Not counted: what is asked of {names}; only answers show which of them need a judge.")
        yield Text("")
    for problem in found.problems:
        yield Text(f"cannot be asked: {clean(problem)}", "yellow")
    for number, prompt in enumerate(found.prompts, 1):
        yield Text(
            f"Prompt {number} of {len(found.prompts)}: {clean(prompt.benchmark)}, row {clean(prompt.index)}", "bold"
        )
        yield from _prompt(prompt)
        yield Text("")


def _table(model: ModelEstimate) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("benchmark", overflow="fold")
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    for job in model.jobs:
        table.add_row(clean(job.benchmark), *_cells(job))
    if len(model.jobs) > 1:
        totals = [
            f"{sum(job.requests for job in model.jobs):,}",
            f"{sum(job.pictures for job in model.jobs):,}",
            data_size(sum(job.picture_bytes for job in model.jobs)),
            _count(model.prompt_tokens),
            _count(model.completion_tokens),
            _time(model.seconds),
        ]
        table.add_row("all", *totals, style="bold")
    return table


def _cells(job: JobEstimate) -> tuple[str, ...]:
    return (
        f"{job.requests:,}",
        f"{job.pictures:,}",
        data_size(job.picture_bytes),
        _count(job.prompt_tokens),
        _count(job.completion_tokens),
        _time(job.seconds),
    )


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _time(seconds: Range | None) -> str:
    if seconds is None:
        return "?"
    if seconds.high <= seconds.low * _ABOUT_THE_SAME:
        return duration(seconds.high)
    return f"{duration(seconds.low)} to {duration(seconds.high)}"


def _assumptions(model: ModelEstimate) -> Iterator[str]:
    """Says where the figures come from."""
    probed = [job for job in model.jobs if job.probes is not None]
    if not probed:
        yield "Nothing was sent: tokens, time and cost are not known without probes."
    for job in probed:
        yield from _of_probes(job)
    if probed and model.seconds is not None:
        at_once = min(job.probes.at_once for job in probed if job.probes is not None)
        yield from _of_time(model, at_once)
    yield from _of_cost(model)


def _of_probes(job: JobEstimate) -> Iterator[str]:
    probes = job.probes
    assert probes is not None
    answered = probes.asked - len(probes.failures)
    text = f"{clean(job.benchmark)}: {answered} of {probes.asked} probes answered"
    if probes.latency_s is not None:
        text += f", {probes.latency_s:.2f} s each (median, {probes.at_once} at a time)"
    if probes.prompt_tokens:
        text += f", prompts of {_spread(probes.prompt_tokens)} tokens"
    if probes.completion_tokens:
        text += f", answers of {_spread(probes.completion_tokens)}"
    elif answered:
        text += ", no token counts from the server"
    yield text + "."
    for failure in probes.failures:
        yield f"  {clean(failure, 300)}"


def _spread(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _of_time(model: ModelEstimate, at_once: int) -> Iterator[str]:
    spec = model.spec
    bounds = [f"{name} {bound:g}" for name, bound in (("rpm", spec.rpm), ("tpm", spec.tpm)) if bound is not None]
    within = f", within {' and '.join(bounds)}" if bounds else ""
    if model.at_once <= at_once:
        yield f"Time: {model.at_once} requests at a time, each as fast as the probes{within}; retries not counted."
        return
    name = "nproc" if not spec.nproc_auto else "nproc: auto goes no higher"
    yield (
        f"Time: the shorter if the server answers {model.at_once} requests at a time ({name}) as fast as it answered "
        f"the probes, the longer if no more than {at_once} at a time{within}; retries not counted."
    )


def _of_cost(model: ModelEstimate) -> Iterator[str]:
    price = model.spec.price
    if price is None:
        yield "Cost: no price is given (the model's field price)."
        return
    rates = (
        f"{price.prompt_per_million:g} and {price.completion_per_million:g} {clean(price.currency)} a million tokens"
    )
    if model.cost is None:
        yield f"Cost: not known without token counts ({rates} of prompts and answers)."
        return
    text = f"Cost: {_money(model.cost)} {clean(price.currency)} ({rates} of prompts and answers)"
    longest = model.spec.max_tokens
    if longest is not None and model.prompt_tokens is not None:
        requests = sum(job.requests for job in model.jobs)
        most = model.prompt_tokens * price.prompt_per_million + requests * longest * price.completion_per_million
        text += f"; {_money(most / 1e6)} if every answer had max_tokens ({longest:,})"
    yield text + "."


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= _CENTS_COUNT or amount == 0 else f"{amount:.2g}"


def _prompt(prompt: Rendered) -> Iterator[RenderableType]:
    for turn in prompt.turns:
        yield Text(f"[{turn.role}]", "cyan")
        for part in turn.parts:
            yield _picture(part) if isinstance(part, PictureShown) else Text(_in_full(part))
    yield Text(f"({data_size(prompt.request.size)} in all)", "dim")


def _picture(picture: PictureShown) -> Text:
    size = f", {picture.width} x {picture.height} pixels" if picture.width is not None else ""
    name = clean(picture.name)
    return Text(f"<{name}: {clean(picture.format)}{size}, {data_size(picture.sent_bytes)} as sent>", "magenta")


def _in_full(text: str) -> str:
    """The text in full, line by line, without what a terminal would obey."""
    return "\n".join(clean(line, _LONGEST_PART) for line in text.split("\n"))
