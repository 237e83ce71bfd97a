"""The examples work as they stand; `make try` is quickstart.sh in an environment that it sets up."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageColor

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `eyechart` and `python` are those that run the tests, and temporary files are seen."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, words in {"python": "", "eyechart": "-m eyechart"}.items():
        program = commands / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        program.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    inherited = {name: value for name, value in os.environ.items() if name in {"HOME", "PYTHONPATH"}}
    return {**inherited, "PATH": f"{commands}:/usr/bin:/bin", "TMPDIR": str(tmp_path / "tmp"), "LANG": "C.UTF-8"}


def test_the_quickstart_asks_everything_and_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(EXAMPLES / "quickstart.sh")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "12/12" in done.stderr  # progress
    assert "0.8333" in done.stdout  # ten of twelve answers of the script are right
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_tiny_benchmark_is_a_table_of_pictures_and_a_script(environment: dict[str, str], tmp_path: Path) -> None:
    program = EXAMPLES / "make_tiny_benchmark.py"
    subprocess.run([sys.executable, str(program), str(tmp_path / "data")], env=environment, check=True)
    with (tmp_path / "data" / "Shapes.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == len({row["image"] for row in rows}) == 12
    for row in rows:
        picture = Image.open(io.BytesIO(base64.b64decode(row["image"])))
        assert picture.getpixel((48, 60)) == ImageColor.getrgb(row[row["answer"]])
    answers = json.loads((tmp_path / "data" / "answers.json").read_text())
    assert sum(answers[row["question"]].startswith(row["answer"] + ".") for row in rows) == 10
