"""`eyechart demo`, and the embedded model by its name on a command line and in a file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from eyechart.adapters import embedded
from eyechart.adapters.embedded import EMBEDDED
from eyechart.cli_demo import demo_plans

Eyechart = Callable[..., Awaitable[Any]]
needs_ocr = pytest.mark.skipif(EMBEDDED["EyechartReader"].problem is not None, reason="the extra demo is not installed")
pytestmark = pytest.mark.anyio


@needs_ocr
@pytest.mark.demo
async def test_the_demo_ends_in_a_table_and_a_chart(eyechart: Eyechart, home: Path) -> None:
    done = await eyechart("demo", "--limit", "10")
    assert done.code == 0
    assert "each harder than" in done.err
    assert "limit: nproc" in done.err
    assert done.err.endswith("--data EyechartMini\n")
    assert "EyechartMini    100" in done.out  # the first line is easy
    assert "line 1  ██" in done.out
    (run_dir,) = (home / "outputs").iterdir()
    assert f"outputs/{run_dir.name}/report.md" in done.out
    assert "(EyechartReader/EyechartMini/accuracy.svg)" in (run_dir / "report.md").read_text()
    ET.parse(run_dir / "EyechartReader" / "EyechartMini" / "accuracy.svg")  # noqa: S314  (our own)
    manifest = orjson.loads((run_dir / "run.json").read_bytes())
    assert manifest["endpoints"] == {}

    again = await eyechart("resume", run_dir, "--set", "eval_config.limit=11")
    assert again.code == 0
    assert len((run_dir / "EyechartReader/EyechartMini/predictions.jsonl").read_bytes().splitlines()) == 11

    told = await eyechart("report", run_dir)
    assert "line 2  ██" in told.out


async def test_without_its_packages_it_says_how_to_get_them(
    eyechart: Eyechart, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    done = await eyechart("demo", "-q")
    assert (done.code, done.out) == (1, "")
    assert "pip install 'eyechart[demo]'" in done.err
    assert not (home / "outputs").exists()
    assert "(not installed)" in (await eyechart("list", "models")).out


def test_it_asks_no_judge_even_if_the_environment_names_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LOCAL_LLM", "judge-7b")
    (plan,) = demo_plans(None, 3)
    assert (plan.judges, plan.notes) == ((), ())


async def test_it_is_listed(eyechart: Eyechart) -> None:
    assert "EyechartReader" in (await eyechart("list", "models")).out
    (line,) = [line for line in (await eyechart("list", "benchmarks")).out.splitlines() if "EyechartMini" in line]
    assert line.split() == ["EyechartMini", "image_mixed", "image", "yes"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--temperature", "1"], "--temperature: has no effect: EyechartReader is embedded"),
        (["--key", "abcdef"], "--key: has no effect: EyechartReader is embedded"),
    ],
)
async def test_options_for_servers_are_refused(options: list[str], words: str, eyechart: Eyechart) -> None:
    done = await eyechart("eval", "--model", "EyechartReader", "--data", "EyechartMini", *options)
    assert done.code == 1
    assert words in done.err


async def test_a_file_names_it_by_name_alone(eyechart: Eyechart, home: Path) -> None:
    (home / "wrong.yaml").write_text(
        "eval_config: {model: [{name: EyechartReader, type: other}], data: [EyechartMini], work_dir: x}"
    )
    done = await eyechart("eval", "wrong.yaml")
    assert done.code == 1
    assert "model[0].type: is another name than EyechartReader" in done.err
    (home / "slip.yaml").write_text("eval_config: {model: [{name: EyechartRaeder, type: x}], data: [EyechartMini]}")
    assert "did you mean EyechartReader?" in (await eyechart("eval", "slip.yaml")).err
