"""SIGKILL at random moments: the same command again ends in the report of an undisturbed run."""

from __future__ import annotations

import base64
import json
import random
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from PIL import Image

from eyechart.mockserver import MockServer

KILLS = 12
NPROC = 8
SAMPLES = 240
RUN = "import sys; from eyechart.engine.run import run_task; run_task(sys.argv[1])"
# The same, killed when the file of that number is complete under its temporary name and not yet in its place.
RUN_KILLED_AT_FILE = """
import os, signal, sys
from pathlib import Path
from eyechart.engine.run import run_task
plain_replace, left = Path.replace, int(sys.argv[2])
def replace(self, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain_replace(self, target)
Path.replace = replace
run_task(sys.argv[1])
"""
RUN_KILLED_WHILE_SCORING = """
import os, signal, sys
from eyechart.engine import evaluate
from eyechart.engine.run import run_task
evaluate.score_samples = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run_task(sys.argv[1])
"""
FILES_WRITTEN = 6
"""run.json, scores.json, the result table, report.json, report.md and run.json again."""


def write_benchmark(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        for n in range(rows):
            buffer = BytesIO()
            Image.new("RGB", (120 + n % 7, 110), (n % 256, 99, 0)).save(buffer, "PNG")
            image = base64.b64encode(buffer.getvalue()).decode()
            file.write(f"{n}\tWhat is in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 3}\t{image}\n")


def write_config(root: Path, url: str, work_dir: str) -> Path:
    path = root / f"{work_dir}.json"
    model = {"type": "killed", "name": "CustomAPIModel", "api_base": url}
    path.write_text(
        json.dumps(
            {
                "work_dir": str(root / work_dir),
                "eval_config": {"model": [model], "data": [str(root / "Tiny.tsv")], "nproc": NPROC, "quiet": True},
            }
        )
    )
    return path


async def run_and_kill_at_work(config: Path, server: MockServer, after_s: float) -> None:
    """Starts a run, and kills it that long after the server first heard of it."""
    before = server.stats.requests
    async with await anyio.open_process([sys.executable, "-c", RUN, str(config)]) as process:
        with anyio.fail_after(60):
            while server.stats.requests == before:  # noqa: ASYNC110 (the server has no event to offer)
                await anyio.sleep(0.005)
            await anyio.sleep(after_s)
            process.kill()
            assert await process.wait() == -signal.SIGKILL
            while server.stats.in_flight:  # noqa: ASYNC110
                await anyio.sleep(0.005)


def run_to_its_death(program: str, *arguments: object) -> int:
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False).returncode


def outcome(root: Path, work_dir: str) -> dict:
    """What must be equal: everything about scores, nothing about times."""
    (run,) = (path.parent for path in (root / work_dir).glob("*/run.json"))
    scores = json.loads((run / "killed" / "Tiny" / "scores.json").read_text())
    counts = {name: scores["counts"][name] for name in ("total", "ok", "failed", "missing", "unparsed")}
    csv = (run / "killed" / "killed_Tiny_acc.csv").read_text()
    return {key: scores[key] for key in ("table", "metrics", "per_sample")} | {"counts": counts, "csv": csv}


def journaled(root: Path, work_dir: str) -> list[str]:
    (journal,) = (root / work_dir).glob("*/killed/Tiny/predictions.jsonl")
    return [json.loads(line)["index"] for line in journal.read_text().splitlines()]


@pytest.mark.anyio
@pytest.mark.timeout(180)
async def test_killed_a_dozen_times_a_run_ends_as_if_nothing_had_happened(mock_server, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "Tiny.tsv", SAMPLES)
    calm = await mock_server(latency=0.01)
    assert await to_thread.run_sync(run_to_its_death, RUN, write_config(tmp_path, calm.url, "calm")) == 0
    assert calm.stats.requests == SAMPLES

    # 240 samples, 8 at a time, 0.3 s each: 9 s of asking, so that a dozen kills all hit a run at work.
    stormy = await mock_server(latency=0.3)
    config = write_config(tmp_path, stormy.url, "stormy")
    moments = random.Random(7)
    for _ in range(KILLS):
        await run_and_kill_at_work(config, stormy, moments.uniform(0.0, 0.8))
    assert stormy.stats.answered < SAMPLES
    stormy.settings = type(stormy.settings)(latency=0.01)
    assert await to_thread.run_sync(run_to_its_death, RUN, config) == 0

    assert stormy.stats.requests <= SAMPLES + KILLS * NPROC
    assert outcome(tmp_path, "stormy") == outcome(tmp_path, "calm")
    assert sorted(journaled(tmp_path, "stormy"), key=int) == [str(n) for n in range(SAMPLES)], "each answer once"


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_killed_while_scoring_or_writing_a_file_a_run_ends_as_if_nothing_had_happened(
    mock_server, tmp_path: Path
) -> None:
    samples = 24
    write_benchmark(tmp_path / "Tiny.tsv", samples)
    server = await mock_server()
    assert await to_thread.run_sync(run_to_its_death, RUN, write_config(tmp_path, server.url, "calm")) == 0

    config = write_config(tmp_path, server.url, "stormy")
    died = await to_thread.run_sync(run_to_its_death, RUN_KILLED_WHILE_SCORING, config)
    assert died == -signal.SIGKILL
    for file in range(1, FILES_WRITTEN + 1):
        died = await to_thread.run_sync(run_to_its_death, RUN_KILLED_AT_FILE, config, file)
        assert died == -signal.SIGKILL
    assert await to_thread.run_sync(run_to_its_death, RUN, config) == 0

    assert server.stats.requests == 2 * samples, "all was answered when the first was killed"
    assert outcome(tmp_path, "stormy") == outcome(tmp_path, "calm")
    assert not list((tmp_path / "stormy").rglob("*.tmp"))
