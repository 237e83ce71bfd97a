"""How late the event loop is, and how long a free slot stays empty, with 256 requests of 86 KB in flight.

The server takes a second for an answer, give or take half of one: 256 requests a second, and answers come by
themselves. The lag is by how much a sleep of 5 ms is longer. The gap of a slot lasts from its becoming free, the answer
on disk, until the next request is handed to the HTTP client; "with the journal" it begins when the answer has been
read. A second run has a server without any latency, so that the client's core is never idle: its lag and gaps are
queues of work, and are told for comparison.

    python perf/promptness.py [--samples 5000]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import run_child, server, task, write_benchmark

NPROC = 256

WATCHED = """
import asyncio, json, sys, time
from collections import deque
from eyechart import run_task_async
from eyechart.adapters.openai_chat import OpenAIChat
from eyechart.engine.limits import Gate

lags, gaps, with_journal = [], [], []
answered, freed = deque(), deque()
ask, arrive = OpenAIChat.ask, Gate.arrive

async def timed_ask(self, request):
    now = time.perf_counter()
    if freed:
        gaps.append(now - freed.popleft())
        with_journal.append(now - answered.popleft())
    reply = await ask(self, request)
    answered.append(time.perf_counter())
    return reply

def timed_arrive(self, *given):
    freed.append(time.perf_counter())
    return arrive(self, *given)

OpenAIChat.ask, Gate.arrive = timed_ask, timed_arrive

async def watch():
    while True:
        due = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - due)

async def main():
    watching = asyncio.create_task(watch())
    report = await run_task_async(json.loads(sys.argv[1]))
    watching.cancel()
    (entry,) = report.entries
    print(json.dumps([report.state, entry.tally.ok, sorted(lags), sorted(gaps), sorted(with_journal)]))

asyncio.run(main())
"""


def told(milliseconds: Sequence[float]) -> str:
    """Median, 99th percentile and the longest."""
    last = len(milliseconds) - 1
    shown = {"p50": milliseconds[last // 2], "p99": milliseconds[last * 99 // 100], "longest": milliseconds[-1]}
    return "  ".join(f"{name} {value * 1000:6.2f} ms" for name, value in shown.items())


def measure(name: str, data: Path, root: Path, samples: int, goals: Sequence[str], **settings: Any) -> None:
    """Runs once and prints a line for lag and gaps each."""
    with server(mode="fixed", **settings) as url:
        cost = run_child(WATCHED, [task(url, data, root / name, nproc=NPROC, limit=samples, mode="infer")])
    state, ok, lags, gaps, with_journal = json.loads(cost.output.splitlines()[-1])
    if (state, ok) != ("finished", samples):
        raise RuntimeError(f"{state}, {ok} answers instead of {samples}")
    print(f"{name}: {samples} samples in {cost.wall_s:.1f} s, the core busy {cost.cpu_s / cost.wall_s:.0%} of the time")
    whats = ("lag of the event loop", "gap of a slot", "with the journal")
    for what, values, goal in zip(whats, (lags, gaps, with_journal), goals, strict=True):
        print(f"  {what:<22} {told(values)}   {goal}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = root / "Pictures.tsv"
        write_benchmark(data, args.samples)
        goals = ("(goal: p99 less than 10)", "(goal: p99 less than 5)", "")
        measure("answers after a second", data, root, args.samples, goals, latency=1.0, jitter=0.5)
        measure("answers at once", data, root, args.samples, ("", "", ""))


if __name__ == "__main__":
    main()
