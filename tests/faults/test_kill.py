"""SIGKILL at random moments: the same command again ends in the report of an undisturbed run."""

from __future__ import annotations

import base64
import csv
import json
import random
import re
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from PIL import Image

from eyechart.engine.journal import read_predictions
from eyechart.mockserver import MockServer

KILLS = 12
NPROC = 8
SAMPLES = 240
DIALOGUES, TURNS = 24, 4
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
RUN_JUDGED = """
import sys
from dataclasses import replace
import anyio
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.config_plan import JudgeSpec
from eyechart.engine.run import run_plan
(plan,) = resolve_all(load_tasks(sys.argv[1]), read_environment({}))
judge = replace(plan.models[0], name="judge", model="judge", url=sys.argv[2], urls=())
anyio.run(run_plan, replace(plan, judges=(JudgeSpec(judge),)))
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


async def run_and_kill_at_work(
    config: Path, server: MockServer, after_s: float, program: str = RUN, *arguments: object
) -> None:
    """Starts a run, and kills it that long after the server first heard of it."""
    before = server.stats.requests
    command = [sys.executable, "-c", program, str(config), *map(str, arguments)]
    async with await anyio.open_process(command) as process:
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


def verdicts(root: Path, work_dir: str) -> list[dict]:
    """The verdicts on disk; a torn last line is none."""
    journals = (root / work_dir).glob("*/killed/Tiny/judgements.jsonl")
    return [json.loads(line) for path in journals for line in path.read_text().split("\n")[:-1]]


def judged(judge: MockServer, since: int) -> set[str]:
    """Indices of the samples that a judge was asked about."""
    texts = (body["messages"][-1]["content"] for body in judge.stats.recorded[since:])
    return {found[-1] for text in texts if (found := re.findall(r"What is in (\d+)\?", text))}


@pytest.mark.anyio
@pytest.mark.timeout(180)
async def test_killed_at_work_no_verdict_that_was_written_down_is_asked_for_again(mock_server, tmp_path: Path) -> None:
    samples, kills = 120, 6
    write_benchmark(tmp_path / "Tiny.tsv", samples)
    model = await mock_server(mode="fixed", text="it is hard to say what this might be")
    calm = await mock_server(mode="computed")
    config = write_config(tmp_path, model.url, "calm")
    assert await to_thread.run_sync(run_to_its_death, RUN_JUDGED, config, calm.url) == 0
    assert calm.stats.requests == samples + 1

    # 120 verdicts, 8 at a time, 0.4 s each: 6 s of judging, so that all kills hit a judge at work.
    stormy = await mock_server(mode="computed", latency=0.4, record=True)
    config = write_config(tmp_path, model.url, "stormy")
    moments = random.Random(11)
    for _ in range(kills):
        there, since = {line["index"] for line in verdicts(tmp_path, "stormy")}, len(stormy.stats.recorded)
        await run_and_kill_at_work(config, stormy, moments.uniform(0.5, 1.4), RUN_JUDGED, stormy.url)
        assert not judged(stormy, since) & there
    written = len(verdicts(tmp_path, "stormy"))
    assert 0 < written < samples
    there, since = {line["index"] for line in verdicts(tmp_path, "stormy")}, len(stormy.stats.recorded)
    stormy.settings = type(stormy.settings)(mode="computed", record=True)
    assert await to_thread.run_sync(run_to_its_death, RUN_JUDGED, config, stormy.url) == 0
    assert judged(stormy, since) == {str(n) for n in range(samples)} - there

    greetings = kills + 1
    assert stormy.stats.requests <= samples + kills * NPROC + greetings
    assert sum(n - 1 for n in stormy.stats.answers.values()) <= kills * NPROC + greetings
    assert outcome(tmp_path, "stormy") == outcome(tmp_path, "calm")
    fingerprints = [line["fingerprint"] for line in verdicts(tmp_path, "stormy")]
    assert len(fingerprints) == len(set(fingerprints)) == samples, "each verdict once"


def write_dialogues(path: Path) -> None:
    buffer = BytesIO()
    Image.new("RGB", (120, 110), (7, 99, 0)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    with path.open("w", newline="") as file:
        table = csv.writer(file, "excel-tab", lineterminator="\n")
        table.writerow(["index", "image", "question", "answer"])
        for n in range(DIALOGUES):
            questions = [f"<ImageHere>What is in {n}, turn 0?", *(f"And {n}, turn {k}?" for k in range(1, TURNS))]
            table.writerow([n, str([picture]), str(questions), str(["a colour"] * TURNS)])


def dialogue_config(root: Path, url: str, work_dir: str) -> Path:
    path = root / f"{work_dir}.json"
    fields = {
        "model": [{"type": "killed", "name": "CustomAPIModel", "api_base": url}],
        "data": ["MMDU"], "data_root": str(root), "nproc": NPROC, "quiet": True, "mode": "infer",
    }  # fmt: skip
    path.write_text(json.dumps({"work_dir": str(root / work_dir), "eval_config": fields}))
    return path


def turns_journaled(root: Path, work_dir: str) -> dict[tuple[str, int], str]:
    """Answers by dialogue and turn; every one of them is there once."""
    (journal,) = (root / work_dir).glob("*/killed/MMDU/predictions.jsonl")
    lines = list(read_predictions(journal))
    answers = {(line.index, line.turn): line.prediction or "" for line in lines}
    assert len(answers) == len(lines)
    return answers


def conversations(recorded: list[dict[str, Any]]) -> list[tuple[tuple[str, int], list[str]]]:
    """Which turn of which dialogue each request was about, and what the model was told that it had said."""
    found = []
    for body in recorded:
        said = [message["content"] for message in body["messages"] if message["role"] == "assistant"]
        number, turn = re.findall(r"(\d+), turn (\d+)\?", json.dumps(body["messages"][-1]["content"]))[0]
        assert int(turn) == len(said)
        found.append(((number, int(turn)), said))
    return found


@pytest.mark.anyio
@pytest.mark.timeout(180)
async def test_killed_in_the_middle_dialogues_go_on_where_they_were(mock_server: Any, tmp_path: Path) -> None:
    kills = 6
    write_dialogues(tmp_path / "MMDU.tsv")
    # 96 turns, 8 at a time, 0.3 s each: 3.6 s of asking, so that all kills hit a run at work.
    server = await mock_server(latency=0.3, record=True)
    config = dialogue_config(tmp_path, server.url, "stormy")
    moments = random.Random(5)
    for _ in range(kills):
        since = len(server.stats.recorded)
        there = turns_journaled(tmp_path, "stormy") if since else {}
        await run_and_kill_at_work(config, server, moments.uniform(0.0, 0.6))
        asked = conversations(server.stats.recorded[since:])
        assert not {turn for turn, _ in asked} & there.keys(), "an answer that was written down is not asked for again"
    assert 0 < len(turns_journaled(tmp_path, "stormy")) < DIALOGUES * TURNS
    server.settings = type(server.settings)(latency=0.01, record=True)
    assert await to_thread.run_sync(run_to_its_death, RUN, config) == 0

    answers = turns_journaled(tmp_path, "stormy")
    assert answers.keys() == {(str(n), turn) for n in range(DIALOGUES) for turn in range(TURNS)}
    assert server.stats.requests <= DIALOGUES * TURNS + kills * NPROC
    for (number, turn), said in conversations(server.stats.recorded):
        assert said == [answers[number, earlier] for earlier in range(turn)], "each turn was asked upon what is on disk"
