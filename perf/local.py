"""What batching gives a model on this machine: samples a second in batches of eight and one by one, in the same run.

The model is random, so its answers are nonsense of real length. Both are whole runs (benchmark file to report) with one
worker; loading is left out. The share of the time in which the model did not compute is the engine's own: reading rows,
preparing what could not be prepared beside the computing, passing it on.

    python perf/local.py [--size tiny|large] [--samples 160] [--rounds 3] [--batch 8]

Needs ``pip install 'eyechart[local]'``. ``large`` (a billion weights, bfloat16) is for a machine with a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import jpegs, run_child, write_benchmark

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

RUN = """
import json, sys
from eyechart import run_task
report = run_task(json.loads(sys.argv[1]))
asked = report.asking["random"]
print(json.dumps({"answered": asked["replicas"][0]["answered"], "wall_s": report.wall_s, **asked}))
"""
WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from tiny_models import Size, write_qwen
large = Size(hidden=2048, layers=24, heads=16, context=8192, dtype=torch.bfloat16)
write_qwen(Path(sys.argv[2]), size=large if sys.argv[3] == "large" else Size())
"""


@dataclass(frozen=True)
class Speed:
    """One run: samples a second while the model was there, and the share of that time in which it did not compute."""

    per_s: float
    not_computing: float
    device: str


def measure(model: Path, data: Path, work_dir: Path, *, batch: int, samples: int) -> Speed:
    """Runs a benchmark with batches of a size."""
    entry = {"name": "transformers", "model_path": str(model), "type": "random", "batch_size": batch, "max_tokens": 64}
    config = {"model": [entry], "data": [str(data)], "quiet": True, "limit": samples}
    task = json.dumps({"work_dir": str(work_dir), "eval_config": config})
    cost = run_child(RUN, [task], core=None)
    told: dict[str, Any] = json.loads(cost.output.splitlines()[-1])
    if told["answered"] != samples:
        raise RuntimeError(f"{told['answered']} of {samples} answered")
    about = told["replicas"][0]
    loading = told["limited_by"].get("loading", 0.0) * told["asking_s"]
    busy = about["seconds"]["computing"]
    there = max(told["asking_s"] - loading, busy)
    return Speed(samples / there, 1 - busy / there, ", ".join(about["devices"]))


def main() -> None:
    """Measures both in turn and prints a line for each, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["tiny", "large"], default="tiny")
    parser.add_argument("--samples", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    found: dict[int, list[Speed]] = {1: [], args.batch: []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run_child(WRITE, [sys.path[0], str(root / "model"), args.size], core=None)
        data = root / "Pictures.tsv"
        write_benchmark(data, args.samples, pictures=jpegs(args.samples, 20_000))
        for n in range(args.rounds):
            for batch, speeds in found.items():
                work_dir = root / f"{n}-{batch}"
                speeds.append(measure(root / "model", data, work_dir, batch=batch, samples=args.samples))
    medians = {batch: statistics.median(speed.per_s for speed in speeds) for batch, speeds in found.items()}
    for batch, speeds in found.items():
        idle = statistics.median(speed.not_computing for speed in speeds)
        each = [round(speed.per_s, 1) for speed in speeds]
        print(f"batches of {batch:<3d} {medians[batch]:8.1f} samples/s on {speeds[0].device}   {each}")
        print(f"               {idle:8.1%} of the time the model did not compute")
    print(f"ratio          {medians[args.batch] / medians[1]:8.2f}   (goal: at least 2)")


if __name__ == "__main__":
    main()
