"""--json-progress, --nproc auto and several --api-base, as typed."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.anyio


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def ask(eyechart, mock_server):
    """``await ask("--limit", 4)``: evaluates a small benchmark."""

    async def ask(*words):
        server = await mock_server(mode="fixed", text="A")
        return await eyechart("eval", "--model", "m", "--api-base", server.base_url, "--data", "Shapes", *words)

    return ask


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
async def test_json_lines_in_a_file(ask, home, quiet):
    done = await ask("--json-progress", "progress.jsonl", *quiet)
    assert done.code == 0
    assert bool(done.err) != bool(quiet), "the usual display stays, unless it is unwanted"
    told = lines((home / "progress.jsonl").read_text())
    (run,) = (home / "outputs").glob("*/report.json")
    assert told[-1]["event"] == "end"
    assert (told[-1]["state"], told[-1]["exit_code"]) == ("finished", 0)
    assert (home / told[-1]["report"]) == run
    last = [line for line in told if line["event"] == "progress"][-1]
    assert (last["done"], last["total"], last["run_dir"]) == (12, 12, f"outputs/{run.parent.name}")
    assert last["jobs"][0]["state"] == "done"


async def test_json_lines_on_standard_error_stand_alone(ask):
    done = await ask("--json-progress", "-", "--set", "eval_config.monitor_interval=9")
    told = lines(done.err)
    assert [line["event"] for line in told].count("end") == 1
    assert any("monitor_interval has no effect" in line.get("text", "") for line in told)
    assert "Report: " in done.out


async def test_resume_writes_json_lines_too(ask, eyechart, home):
    await ask()
    (run,) = (home / "outputs").glob("*")
    done = await eyechart("resume", run, "--json-progress", "-")
    assert done.code == 0
    assert lines(done.err)[-1]["state"] == "finished"


async def test_a_progress_file_that_cannot_be_written(ask, home):
    done = await ask("--json-progress", "no/such/folder.jsonl")
    assert done.code == 1
    assert "cannot write progress to no/such/folder.jsonl" in done.err
    assert not (home / "outputs").exists()


async def test_nproc_auto_is_told_in_the_report(ask, home):
    done = await ask("--nproc", "auto", "--nproc-max", "8")
    assert done.code == 0
    (report,) = (home / "outputs").glob("*/report.json")
    about = json.loads(report.read_text())["asking"]["m"]
    assert about["nproc"] == "auto"
    (replica,) = about["replicas"]
    assert 1 <= replica["nproc"] <= replica["nproc_max"] == 8
    assert sum(about["limited_by"].values()) == pytest.approx(1, abs=0.01)
    assert "nproc auto" in done.out
    assert "nproc auto" in report.with_suffix(".md").read_text()


async def test_a_wrong_nproc_is_told_by_its_option(ask):
    done = await ask("--nproc", "many")
    assert done.code == 1
    assert "--nproc: given 'many', expected a whole number such as 64, or auto" in done.err


async def test_several_addresses_share_the_questions(eyechart, mock_server, home):
    one, other = await mock_server(latency=0.05), await mock_server(latency=0.05)
    addresses = ["--api-base", one.base_url, other.base_url]
    done = await eyechart("eval", "--model", "m", *addresses, "--data", "Shapes", "--nproc", "2")
    assert done.code == 0
    assert (one.stats.requests, other.stats.requests) == (6, 6)
    assert f"6 at 127.0.0.1:{one.port}" in done.out
