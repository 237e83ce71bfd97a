"""The shipped benchmark is what its script draws."""

from __future__ import annotations

import base64
import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from eyechart.benchmarks.catalog import catalog

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "draw_eyechart_mini.py"
MEAN_DIFFERENCE = 2.0
"""Levels of 255 by which a picture may differ on average: releases of FreeType shade the edges of letters differently."""


def _rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 26)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def shipped() -> list[dict[str, str]]:
    path = catalog()["EyechartMini"].shipped
    assert path is not None
    return _rows(path)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    path = tmp_path_factory.mktemp("drawn") / "EyechartMini.tsv"
    subprocess.run([sys.executable, str(SCRIPT), str(path)], check=True, capture_output=True)
    return _rows(path)


def test_the_questions_are_the_same(shipped: list[dict[str, str]], drawn: list[dict[str, str]]) -> None:
    def without_pictures(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{name: cell for name, cell in row.items() if name != "image" or len(cell) < 64} for row in rows]

    assert without_pictures(shipped) == without_pictures(drawn)


def test_the_pictures_look_the_same(shipped: list[dict[str, str]], drawn: list[dict[str, str]]) -> None:
    pairs = [(a["image"], b["image"]) for a, b in zip(shipped, drawn, strict=True) if len(a["image"]) > 64]
    assert len(pairs) == 65
    for one, other in pairs:
        pictures = [Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB") for text in (one, other)]
        assert pictures[0].size == pictures[1].size
        assert max(ImageStat.Stat(ImageChops.difference(*pictures)).mean) < MEAN_DIFFERENCE


def test_eight_lines_of_nine_kinds_with_and_without_options(shipped: list[dict[str, str]]) -> None:
    assert [row["index"] for row in shipped] == [str(k) for k in range(1, 73)]
    assert Counter(row["category"] for row in shipped) == {f"line {k}": 9 for k in range(1, 9)}
    assert set(Counter(row["kind"] for row in shipped).values()) == {8}
    choices = [row for row in shipped if row["A"]]
    assert 20 <= len(choices) <= 40
    for row in choices:
        options = [row[letter] for letter in "ABCD"]
        assert len(set(options)) == 4
        assert row["answer"] in "ABCD"
    assert len({row["answer"] for row in choices}) == 4


def test_the_chart_is_one_picture_for_eight_questions(shipped: list[dict[str, str]]) -> None:
    images = [row["image"] for row in shipped if row["kind"] == "chart"]
    assert len(images[0]) > 64
    assert images[1:] == ["1"] * 7
