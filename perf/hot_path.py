"""Where the CPU goes while pictures of 86 KB are asked about.

First, what it takes in one thread to make a row into a request, by step, in microseconds of CPU. Then shares of a run
by module, from profiles of all its threads, each by its own CPU clock; what built-in functions take counts for who
called them. The profiler makes Python functions dearer than they are: the shares are rough, and good for finding what
is worth a closer look.

    python perf/hot_path.py [--samples 3000] [--nproc 256] [--lines 16]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from common import run_child, server, task, write_benchmark

PROFILED = """
import cProfile, json, pstats, sys, time
from anyio._backends import _asyncio
import eyechart.engine.session
from eyechart import run_task

profiles, run = [], _asyncio.WorkerThread.run

def profiled(self):
    profiles.append(cProfile.Profile(time.thread_time))
    return profiles[-1].runcall(run, self)

_asyncio.WorkerThread.run = profiled
own = cProfile.Profile(time.thread_time)
report = own.runcall(run_task, json.loads(sys.argv[1]))
time.sleep(0.2)
for profile in profiles:
    profile.disable()
stats = pstats.Stats(own, *profiles).stats
rows = [[*where, took, [[*by, spent[2]] for by, spent in callers.items()]]
        for where, (_, _, took, _, callers) in stats.items()]
print(json.dumps([report.state, rows]))
"""


STEPS = """
import json, sys, time
from eyechart.adapters.payload import ChatOptions, encode_chat
from eyechart.benchmarks.load import load_benchmark
from eyechart.engine.fingerprint import Fingerprinter
from eyechart.engine.media import MediaSettings, prepare_messages

benchmark, options, media = load_benchmark(sys.argv[1]), ChatOptions("m"), MediaSettings()
samples, fingerprinter = benchmark.samples(), Fingerprinter({}, "eyechart")
took = []
for _ in range(int(sys.argv[2])):
    times = [time.thread_time_ns()]
    sample = next(samples)
    times.append(time.thread_time_ns())
    prompt = benchmark.prompt(sample)
    times.append(time.thread_time_ns())
    messages = prepare_messages(prompt, media)
    times.append(time.thread_time_ns())
    fingerprinter.of(messages)
    times.append(time.thread_time_ns())
    encode_chat(messages, options)
    times.append(time.thread_time_ns())
    took.append([b - a for a, b in zip(times, times[1:])])
print(json.dumps(took))
"""
NAMES = ("read the row", "make the prompt", "check and hash the picture", "fingerprint", "encode the request")


def room(file: str) -> str:
    """Names the part of the program that a file belongs to."""
    for package in ("aiohttp", "anyio", "asyncio", "multidict", "yarl"):
        if f"/{package}/" in file:
            return package
    if "/eyechart/" in file:
        return "eyechart " + file.rpartition("/eyechart/")[2].removesuffix(".py")
    return "standard library"


def shares(rows: list[list[object]]) -> dict[str, float]:
    """Adds up seconds by part; those of built-in functions go to the parts that called them."""
    found: dict[str, float] = defaultdict(float)
    for file, _, _, took, callers in rows:
        assert isinstance(file, str)
        assert isinstance(took, float)
        assert isinstance(callers, list)
        if file != "~":
            found[room(file)] += took
            continue
        for by, _, _, spent in callers:
            if by != "~":
                found[room(by)] += spent
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--nproc", type=int, default=256)
    parser.add_argument("--lines", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        data = Path(folder) / "Pictures.tsv"
        write_benchmark(data, args.samples)
        took = json.loads(run_child(STEPS, [str(data), str(args.samples)]).output)
        config = task(url, data, Path(folder) / "out", nproc=args.nproc)
        state, rows = json.loads(run_child(PROFILED, [config]).output.splitlines()[-1])
    for name, times in zip(NAMES, zip(*took, strict=True), strict=True):
        print(
            f"{name:<28} {statistics.median(times) / 1000:6.1f} us median {statistics.fmean(times) / 1000:6.1f} us mean"
        )
    found = shares(rows)
    total = sum(found.values())
    print(f"{state}, {args.samples} samples, {total / args.samples * 1000:.3f} ms of profiled CPU each")
    for name, took in sorted(found.items(), key=lambda part: -part[1])[: args.lines]:
        print(f"{took / total:6.1%}  {name}")


if __name__ == "__main__":
    main()
