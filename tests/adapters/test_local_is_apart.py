"""Runs that ask a server have nothing to do with models on this machine, and a run's own process never holds torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from local_models import NEEDED, write_beside
from tiny_benchmarks import write_tiny

PROGRAM = """
import json, sys
from eyechart import run_task
report = run_task(json.loads(sys.argv[1]))
heavy = {"torch", "transformers", "torchvision", "accelerate", "numpy"}
print(json.dumps([report.state, sorted(heavy & set(sys.modules)), "eyechart.adapters.local.pool" in sys.modules]))
"""


def told(model: dict[str, Any], tmp_path: Path) -> Any:
    write_tiny("MMStar", tmp_path)
    evaluation = {"model": [model], "data": ["MMStar"], "data_root": str(tmp_path), "quiet": True}
    task = json.dumps({"work_dir": str(tmp_path / "out"), "eval_config": evaluation})
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, task], check=True, capture_output=True, text=True, env=environ, timeout=110
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.anyio
async def test_asking_a_server_loads_no_torch(mock_server, tmp_path):
    from anyio import to_thread

    server = await mock_server()
    model = {"name": "CustomAPIModel", "type": "m", "api_base": server.url}
    assert await to_thread.run_sync(told, model, tmp_path) == ["finished", [], False]


@pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="needs torch and more: pip install 'eyechart[local]'"
)
def test_with_a_model_on_this_machine_its_workers_alone_hold_torch(tmp_path):
    model = {"name": "transformers", "model_path": str(write_beside(tmp_path / "model")), "max_tokens": 8}
    assert told(model, tmp_path) == ["finished", [], True]
