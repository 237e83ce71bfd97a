"""Accuracy by category as a chart: bars in a terminal, and a picture for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from ..records import Metric
from .plain_text import clean

__all__ = ["CHART", "categories", "svg_chart", "text_chart"]

CHART: Final = "accuracy.svg"
"""File name of the picture, beside the journal."""

_LEAST_BAR: Final = 10
_MOST_BAR: Final = 50
_BESIDE: Final = 21  # "  100  (70.1 to 100)"

_ROW: Final = 34
_LEFT: Final = 110
_BAR: Final = 400
_TOP: Final = 64
_RIGHT: Final = 170
_LARGEST: Final = 22
_SMALLEST: Final = 10


def categories(metrics: Sequence[Metric]) -> list[Metric]:
    """Returns the metrics that a chart shows, in order: all but those over everything."""
    return [metric for metric in metrics if metric.name != "Overall"]


def text_chart(metrics: Sequence[Metric], width: int, *, ascii_only: bool = False) -> list[str]:
    """Draws bars for a terminal, a line for each metric.

    Args:
        metrics: accuracies in percent.
        width: columns that are there; bars are 10 to 50 columns long.
        ascii_only: without block characters.

    Returns:
        Lines such as ``line 5  ██████████░░░   78  (45 to 94)``: solid up to the value, shaded up to the upper end of
        the 95 % interval.
    """
    solid, shaded = ("#", "-") if ascii_only else ("█", "░")
    names = [clean(metric.name, 40) for metric in metrics]
    head = max(map(len, names), default=0)
    length = max(_LEAST_BAR, min(_MOST_BAR, width - head - 2 - _BESIDE))
    lines = []
    for name, metric in zip(names, metrics, strict=True):
        e = metric.estimate
        full = round(e.mean / 100 * length)
        reach = full if e.high is None else max(full, round(e.high / 100 * length))
        bar = solid * full + shaded * (reach - full)
        interval = "" if e.low is None or e.high is None else f"  ({e.low:.0f} to {e.high:.0f})"
        lines.append(f"{name:<{head}}  {bar:<{length}}  {e.mean:3.0f}{interval}")
    return lines


def svg_chart(title: str, metrics: Sequence[Metric]) -> str:
    """Draws the chart as an SVG picture: bars with their 95 % intervals, names that shrink as on an eye chart.

    Args:
        title: what stands above it.
        metrics: accuracies in percent.
    """
    width, height = _LEFT + _BAR + _RIGHT, _TOP + _ROW * len(metrics) + 44
    bottom = _TOP + _ROW * len(metrics)
    size, style = (
        f'width="{width}" height="{height}"',
        'font-family="Helvetica, Arial, DejaVu Sans, sans-serif" fill="#222"',
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {style}>',
        f'<rect {size} fill="white"/>',
        f'<text x="16" y="30" font-size="17" font-weight="bold">{escape(clean(title, 200))}</text>',
    ]
    for percent in (0, 25, 50, 75, 100):
        x = _LEFT + _BAR * percent / 100
        parts.append(f'<path d="M{x:g} {_TOP - 8}V{bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:g}" y="{bottom + 18}" font-size="12" text-anchor="middle">{percent} %</text>')
    for row, metric in enumerate(metrics):
        letters = _LARGEST - (_LARGEST - _SMALLEST) * row / max(1, len(metrics) - 1)
        parts += _svg_row(metric, _TOP + _ROW * row + _ROW / 2 - 4, letters)
    parts.append(
        f'<text x="{_LEFT}" y="{bottom + 36}" font-size="11" fill="#666">right answers; the thin lines are 95 % '
        "intervals</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _svg_row(metric: Metric, y: float, size: float) -> list[str]:
    e = metric.estimate
    name = escape(clean(metric.name, 40))
    parts = [
        f'<text x="{_LEFT - 12}" y="{y + size * 0.35:.1f}" font-size="{size:.1f}" text-anchor="end">{name}</text>',
        f'<rect x="{_LEFT}" y="{y - 10:g}" width="{_BAR * e.mean / 100:.1f}" height="20" fill="#4477aa"/>',
    ]
    told = f"{e.mean:.0f} %"
    if e.low is not None and e.high is not None:
        low, high = _LEFT + _BAR * e.low / 100, _LEFT + _BAR * e.high / 100
        ends = f"M{low:.1f} {y - 5:g}v10M{high:.1f} {y - 5:g}v10"
        parts.append(f'<path d="M{low:.1f} {y:g}H{high:.1f}{ends}" stroke="#222" stroke-width="1.5" fill="none"/>')
        told += f" ({e.low:.0f} to {e.high:.0f})"
    parts.append(f'<text x="{_LEFT + _BAR + 18}" y="{y + 5:g}" font-size="14">{told}</text>')
    return parts
