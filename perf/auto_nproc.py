"""Throughput that ``nproc: auto`` reaches, beside the best of several fixed numbers.

By default against a mock server of four shapes: a cap on requests in flight that answers 429; latency that grows with
load beyond a knee, so that throughput stays flat there, or falls; and a server without any limit, where ``nproc_max``
is the only one. Or against a real server. Every figure is a whole run with start, ramp and scoring; runs of fixed
numbers against the mock server are shorter, because they have no ramp.

    python perf/auto_nproc.py [--samples 4000] [--shapes cap,flat,falling,unlimited]
    python perf/auto_nproc.py --api-base http://127.0.0.1:8000/v1 --model NAME --data FILE.tsv [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import jpegs, run_child, server, write_benchmark

RUN = """
import json, sys
from eyechart import run_task
report = run_task(json.loads(sys.argv[1]))
(about,) = report.asking.values()
(entry,) = report.entries
print(json.dumps({"rate": entry.tally.ok / report.wall_s, "nproc": about["replicas"][0]["nproc"]}))
"""
FIXED = (1, 2, 4, 8, 16, 32)
NPROC_MAX = 32
SHAPES: dict[str, dict[str, Any]] = {
    "cap": {"latency": 0.1, "max_in_flight": 12, "retry_after": 1},
    "flat": {"latency": 0.1, "knee": 12, "knee_power": 1},
    "falling": {"latency": 0.1, "knee": 12, "knee_power": 2},
    "unlimited": {"latency": 0.1},
}
SETTLE_ROUNDS = 60


def measure(target: dict[str, str], data: Path, nproc: int | str, **fields: object) -> tuple[float, int]:
    """Runs once; returns answers a second, and the number that was in flight or was come to."""
    with tempfile.TemporaryDirectory() as folder:
        model = {"name": "CustomAPIModel", "key": "EMPTY", "max_tokens": 32, **target}
        # An empty answer of a tiny model is an answer here, not a reason to wait and ask again.
        config = {"model": [model], "data": [str(data)], "quiet": True, "nproc": nproc, "retry": 1, **fields}
        output = run_child(RUN, [json.dumps({"work_dir": folder, "eval_config": config})]).output
    result = json.loads(output.splitlines()[-1])
    return float(result["rate"]), int(result["nproc"])


def compare(name: str, target: dict[str, str], data: Path, *, samples: int | None, rounds: int, best: int) -> None:
    """Measures fixed numbers and auto by turns, and prints a table."""
    rates: dict[int | str, list[float]] = {}
    settled = []
    for _ in range(rounds):
        for nproc in sorted({*FIXED, best}):
            limit = {} if samples is None else {"limit": max(20, min(samples, SETTLE_ROUNDS * nproc)), "retry": 100}
            rates.setdefault(nproc, []).append(measure(target, data, nproc, **limit)[0])
        limit = {} if samples is None else {"limit": samples, "retry": 100}
        rate, found = measure(target, data, "auto", nproc_max=NPROC_MAX, **limit)
        rates.setdefault("auto", []).append(rate)
        settled.append(found)
    medians = {nproc: statistics.median(measured) for nproc, measured in rates.items()}
    auto = medians.pop("auto")
    fixed = ", ".join(f"{nproc}: {rate:.1f}" for nproc, rate in medians.items())
    top = max(medians, key=lambda nproc: medians[nproc])
    print(f"{name}\n  fixed, answers/s  {fixed}")
    print(f"  auto              {auto:.1f}, came to {settled}")
    print(f"  auto / best fixed {auto / medians[top]:.2f}   (best: {top}; goal: at least 0.9)", flush=True)


def shapes(names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the shapes of a comma-separated list."""
    for name in names.split(","):
        yield name, SHAPES[name]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--api-base")
    parser.add_argument("--model", default="m")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    if args.api_base:
        target = {"type": args.model, "api_base": args.api_base}
        compare(args.api_base, target, args.data, samples=None, rounds=args.rounds, best=4)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "Pictures.tsv"
        write_benchmark(data, args.samples, pictures=jpegs(args.samples, 2_000))
        for name, settings in shapes(args.shapes):
            with server(mode="fixed", **settings) as url:
                target = {"type": "m", "api_base": url}
                compare(name, target, data, samples=args.samples, rounds=args.rounds, best=12)


if __name__ == "__main__":
    main()
