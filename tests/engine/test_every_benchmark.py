"""Every benchmark of the catalogue that is built runs from a file in the reference's layout to its report."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tiny_benchmarks import ROWS_OF, write_tiny

from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.families import FAMILIES
from eyechart.engine.report import Report
from eyechart.engine.run import run_task_async
from eyechart.scoring.rubrics.mmdu import DIMENSIONS

NAMES = [name for name in FAMILIES if catalog()[name].family in ROWS_OF]
EXTRACTED = "Extracted answer: 3\nAnswer format: Integer"
GRADES = MappingProxyType(
    {"LLaVABench": "6 9", "MMBench-Video": "2", "MMDU": str(dict.fromkeys(DIMENSIONS, 7)), "MMVet": "0.5"}
    | {name: EXTRACTED for name, entry in catalog().items() if entry.family == "doc"}
)
"""What a judge says of every answer, where there are no scores without one."""
TURNS = MappingProxyType({"MMDU": 2})
"""Requests for each sample of a dialogue."""


@pytest.fixture(autouse=True)
def _files_need_not_be_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """These files are not: that they are told apart is another test's affair."""
    monkeypatch.setattr("eyechart.engine.session.Session._verify", _nothing)


async def _nothing(_: object) -> None:
    return None


def task(name: str, server: Any, tmp_path: Path, **fields: Any) -> dict[str, Any]:
    model = {"type": "m", "name": "CustomAPIModel", "api_base": server.url}
    config = {"model": [model], "data": [name], "quiet": True, "data_root": str(tmp_path), "nproc": 4, **fields}
    return {"work_dir": str(tmp_path / "outputs"), "eval_config": config}


async def run(config: dict[str, Any]) -> Report:
    report = await run_task_async(config, environ={})
    assert isinstance(report, Report)
    return report


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_from_file_to_report(name: str, mock_server: Any, tmp_path: Path) -> None:
    rows, turns = write_tiny(name, tmp_path), TURNS.get(name, 1)
    server = await mock_server()
    judge = await judge_of(name, mock_server)
    whole = await run(task(name, server, tmp_path, **judge))
    assert (whole.state, whole.exit_code, server.stats.requests) == ("finished", 0, rows * turns)
    (entry,) = whole.entries
    assert entry.tally.ok == rows
    if catalog()[name].hidden_answers:
        assert entry.withheld
        assert (whole.run_dir / "m" / entry.submission_name).stat().st_size > 0
    else:
        assert entry.score is not None
        assert (whole.run_dir / "m" / f"m_{name}_acc.csv").read_text().count("\n") > 1
        assert entry.score.metrics

    await resumed_in_the_middle(name, server, whole, task(name, server, tmp_path, reuse=True, **judge))

    before = server.stats.requests
    first = await run(task(name, server, tmp_path, limit=4, protocol="vlmeval", **judge))
    assert (first.entries[0].tally.ok, server.stats.requests - before) == (4, 4 * turns)
    if name.startswith("VCR_ZH"):  # the reference cuts Chinese into words by a model that few have
        assert "zh_core_web_sm" in (first.entries[0].error or "zh_core_web_sm")
    else:
        assert (first.state, first.exit_code) == ("finished", 0)


async def judge_of(name: str, mock_server: Any) -> dict[str, Any]:
    """Starts the judge of a benchmark that needs one; returns its place in the configuration."""
    if name not in GRADES:
        return {}
    server = await mock_server(mode="fixed", text=GRADES[name])
    return {"judge": {"model": "j", "api_base": server.url}}


async def resumed_in_the_middle(name: str, server: Any, whole: Report, config: dict[str, Any]) -> None:
    """Cuts the journal in the middle of a line, as a killed process leaves it, and runs on."""
    journal = whole.run_dir / "m" / name / "predictions.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]) + lines[3][:-20])
    before = server.stats.requests
    again = await run(config)
    assert (again.run_dir, again.state) == (whole.run_dir, "finished")
    assert server.stats.requests - before == len(lines) - 3
    (was,), (entry,) = whole.entries, again.entries
    assert (entry.score, entry.submission, entry.tally.answers) == (was.score, was.submission, entry.tally.answers)
    assert entry.tally.answers == was.tally.answers
