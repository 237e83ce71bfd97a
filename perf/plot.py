"""Lines over a logarithmic axis, as an SVG picture: for the pages of the documentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 60, 56, 90
COLOURS = ("#4477aa", "#cc6677", "#4477aa", "#cc6677")
DASHES = ("none", "none", "6 4", "6 4")


@dataclass(frozen=True)
class Line:
    """A name and its points, x greater than 0."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One diagram: a title and up to four lines, the third and fourth dashed in the colours of the first two."""

    title: str
    lines: Sequence[Line]


def svg(panels: Sequence[Panel], x_name: str) -> str:
    """Draws panels side by side: x logarithmic, y from 0."""
    width, height = len(panels) * (LEFT + WIDTH + 30), TOP + HEIGHT + GAP
    size, style = f'width="{width}" height="{height}"', 'font-family="Helvetica, Arial, sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {style} fill="#222">',
        f'<rect {size} fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * (LEFT + WIDTH + 30) + LEFT} {TOP})">')
        parts += [*_panel(panel, x_name), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, x_name: str) -> list[str]:
    points = [point for line in panel.lines for point in line.points]
    low, high = (math.log10(pick(x for x, _ in points)) for pick in (min, max))
    step = _step(max(y for _, y in points))
    top = step * math.ceil(max(y for _, y in points) / step)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - low) / ((high - low) or 1)
        return across * WIDTH, HEIGHT * (1 - y / top)

    parts = [f'<text x="0" y="-24" font-size="15" font-weight="bold">{escape(panel.title)}</text>']
    for k in range(round(top / step) + 1):
        y = HEIGHT * (1 - k * step / top)
        parts.append(f'<path d="M0 {y:.1f}H{WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{k * step:g}</text>')
    parts += [
        f'<text x="{place(x, 0)[0]:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{x:,.0f}</text>'
        for x in sorted({x for x, _ in points})
    ]
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 36}" text-anchor="middle" fill="#666">{escape(x_name)}</text>')
    for number, (line, colour, dash) in enumerate(zip(panel.lines, COLOURS, DASHES, strict=False)):
        placed = [place(*point) for point in line.points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in placed]
        x, y = number % 2 * 200, HEIGHT + 56 + number // 2 * 18
        parts.append(f'<path d="M{x} {y}h28" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        parts.append(f'<text x="{x + 36}" y="{y + 4}">{escape(line.name)}</text>')
    return parts


def _step(top: float) -> float:
    """A round distance between four to eight lines of a grid."""
    rough = top / 5
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
