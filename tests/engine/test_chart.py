from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from eyechart.engine.chart import categories, svg_chart, text_chart
from eyechart.records import Estimate, Metric

METRICS = [
    Metric("Overall", "", Estimate(55.0, 4, 4, 10.0, 30.0, 75.0)),
    Metric("line 1", "", Estimate(100.0, 2, 2, 0.0, 40.0, 100.0)),
    Metric("line <2>", "", Estimate(10.0, 2, 2, 10.0, 1.0, 60.0)),
    Metric("line 3", "", Estimate(0.0, 1, 1, None, None, None)),
]


def test_bars_are_as_long_as_their_values_say() -> None:
    lines = text_chart(categories(METRICS), 200)
    assert [line.count("█") for line in lines] == [50, 5, 0]
    assert [line.count("░") for line in lines] == [0, 25, 0]
    assert lines[0].endswith("100  (40 to 100)")
    assert lines[2].split() == ["line", "3", "0"]


@pytest.mark.parametrize("width", [20, 40, 79])
def test_bars_fit_the_terminal_down_to_ten_columns(width: int) -> None:
    lines = text_chart(categories(METRICS), width, ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert lines[0].count("#") >= 10
    assert width < 45 or max(map(len, lines)) <= width


def test_the_picture_is_well_formed_and_says_everything() -> None:
    root = ET.fromstring(svg_chart("A & B", categories(METRICS)))  # noqa: S314  (our own)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A & B", "line 1", "line <2>", "100 % (40 to 100)", "0 %"} <= set(texts)
    bars = [float(e.attrib["width"]) for e in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert bars == [400.0, 40.0, 0.0]
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)" text-anchor="end"', svg_chart("", METRICS))]
    assert sizes == sorted(sizes, reverse=True)
    assert svg_chart("nothing", [])
