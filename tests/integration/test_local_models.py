"""Models on this machine, beside a real server that serves the same folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import ModelServer, free_port
from local_models import NEEDED, write_beside
from tiny_benchmarks import write_tiny

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        any(find_spec(name) is None for name in (*NEEDED, "fastapi", "uvicorn")),
        reason="needs pip install 'eyechart[local,serving]'",
    ),
]

BENCHMARKS = ("MathVision_MINI", "MMStar", "MVBench_MP4", "MMDU")
STARTS_S = 120


@pytest.fixture(scope="module", params=["qwen2_5_vl", "llava"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random model; written in a process of its own, so that this one stays without torch."""
    path: Path = tmp_path_factory.mktemp("models") / request.param
    return write_beside(path, request.param)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """``transformers serve`` with this model."""
    port = free_port()
    home = tmp_path_factory.mktemp("home")
    (home / "hub").mkdir()
    environ = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    program = str(Path(__file__).with_name("transformers_server.py"))
    command = [sys.executable, program, "serve", folder.name, "--host", "127.0.0.1", "--port", str(port)]
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--device", "cpu"], cwd=folder.parent, env=environ, stdout=output, stderr=output
        )
    try:
        ends = time.monotonic() + STARTS_S
        while b"startup complete" not in log.read_bytes():
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < ends, "transformers serve does not start"
            time.sleep(0.2)
        yield ModelServer(f"http://127.0.0.1:{port}", folder.name, process.pid)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small benchmarks of every shape: pictures, letters, frames of videos, dialogues."""
    root = tmp_path_factory.mktemp("data")
    for name in BENCHMARKS:
        place = root / name if name == "MVBench_MP4" else root
        place.mkdir(exist_ok=True)
        write_tiny(name, place)
    return root


def run(model: dict[str, Any], data_root: Path, work_dir: Path, **fields: Any) -> subprocess.Popen[str]:
    evaluation = {"model": [model], "data": list(BENCHMARKS), "data_root": str(data_root), "quiet": True, **fields}
    task = json.dumps({"work_dir": str(work_dir), "no_timestamp": True, "eval_config": evaluation})
    program = "import json, sys; from eyechart import run_task; run_task(json.loads(sys.argv[1]))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, task]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors[-3000:]


def lines(work_dir: Path, model: str) -> list[dict[str, Any]]:
    found = []
    for name in BENCHMARKS:
        journal = work_dir / model / name / "predictions.jsonl"
        whole = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
        found += [{"benchmark": name, **json.loads(line)} for line in whole]
    return found


def answers(work_dir: Path, model: str) -> dict[tuple[str, str, int], Any]:
    return {
        (line["benchmark"], line["index"], line.get("turn", 0)): line["prediction"] for line in lines(work_dir, model)
    }


def test_the_same_answers_as_behind_a_real_server_though_killed_and_resumed(
    server: ModelServer, folder: Path, data_root: Path, tmp_path: Path
) -> None:
    served = {"name": "CustomAPIModel", "type": server.model, "api_base": server.url, "max_tokens": 24}
    wait(run(served, data_root, tmp_path / "served", nproc=2))
    expected = answers(tmp_path / "served", server.model)
    assert len(expected) > 25
    assert len(set(expected.values())) > 10

    here = {"name": "transformers", "model_path": str(folder), "max_tokens": 24, "batch_size": 3}
    first = run(here, data_root, tmp_path / "here", nproc=6)
    ends = time.monotonic() + STARTS_S
    while len(lines(tmp_path / "here", folder.name)) < 5:
        assert first.poll() is None, first.communicate()[1][-3000:]
        assert time.monotonic() < ends
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = lines(tmp_path / "here", folder.name)
    assert 5 <= len(before) < len(expected)

    wait(run(here, data_root, tmp_path / "here", nproc=6))
    assert answers(tmp_path / "here", folder.name) == expected
    after = lines(tmp_path / "here", folder.name)
    assert len(after) == len(expected), "an answer was asked twice"
    report = json.loads((tmp_path / "here" / "report.json").read_text())
    assert report["asking"][folder.name]["replicas"][0]["devices"] == ["cpu"]
