"""The programs that measure: pages name them rightly, and what they draw is a picture."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SVG = "{http://www.w3.org/2000/svg}"


def _commands() -> list[tuple[str, str]]:
    return [
        (page.name, command)
        for page in PAGES
        for command in re.findall(r"`python (perf/[^`]+)`", page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("page", "command"), _commands())
def test_measurements_that_pages_name_exist_with_their_options(page: str, command: str) -> None:
    program, *options = shlex.split(command)
    text = (ROOT / program).read_text(encoding="utf-8")
    for option in options:
        assert not option.startswith("-") or f'"{option}"' in text, f"{page}: {program} has no {option}"


def test_pages_name_measurements() -> None:
    assert len(_commands()) >= 6


def test_make_perf_runs_every_program() -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    helpers = {"common", "plot"}
    needs_more = {"local"}  # the extra `local`, which `make perf` does not install
    programs = {path.stem for path in (ROOT / "perf").glob("*.py")} - helpers - needs_more
    assert {name for name in programs if not re.search(rf"\b{name}\b", made.partition("perf: $(STAMP)")[2])} == set()


def test_a_plot_holds_its_points_within_the_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "perf"))
    plot: Any = importlib.import_module("plot")
    lines = [plot.Line("a <b>", [(10, 0.5), (1000, 2.0)]), plot.Line("c", [(100, 1.0)])]
    picture = ET.fromstring(plot.svg([plot.Panel("Cost & more", lines)], "samples"))  # noqa: S314 (our own)
    places = [(float(dot.get("cx", "")), float(dot.get("cy", ""))) for dot in picture.iter(f"{SVG}circle")]
    assert [x for x, _ in places] == [0.0, plot.WIDTH, plot.WIDTH / 2], "the axis is logarithmic"
    assert places[1][1] < places[2][1] < places[0][1], "more is higher"
    assert all(0 <= y <= plot.HEIGHT for _, y in places)
    assert {"a <b>", "Cost & more", "samples", "1,000"} <= {text.text for text in picture.iter(f"{SVG}text")}
