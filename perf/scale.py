"""What a sample costs from a thousand rows to a million: CPU, memory, the start, a resumption and the report.

Two benchmarks of growing size are asked of a mock server. *Texts* has no pictures. *Pictures* shows one of 86 KB with
every question; the file holds 500 of them, and a row names the one it shows, so that the file stays small while every
picture is read, checked and sent anew. Cost and memory per sample are those beyond a run of a single row. Memory is
told twice: when the last answer was on disk, and at the end, when all were scored.

Then a hundred rows that have no answer yet follow those of the file, and the run is resumed: seconds until it asks on,
and until everything is scored and reported once more.

    python perf/scale.py [--scale 1.0] [--svg scale.svg]

`--scale 0.01` asks a hundredth: 10 to 10,000 texts, 10 to 1,000 pictures.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import jpegs, run_child, server, task
from plot import Line, Panel, svg

MB = 1 << 20
TEXTS = (1_000, 10_000, 100_000, 1_000_000)
PICTURES = (1_000, 10_000, 100_000)
SHARED = 500
LEFT = 100
NPROC = 256

MEASURED = """
import json, os, resource, sys, time
import anyio
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.progress import RunProgress
from eyechart.engine.run import run_plan
from eyechart.engine.settled_heap import settled_heap

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

async def watch(progress, found, began):
    while "asked_s" not in found:
        await anyio.sleep(0.005)
        now = time.time() - began
        if any(job.requests for job in progress.jobs):
            found.setdefault("first_s", now)
        if any(job.state in ("scoring", "done") for job in progress.jobs):
            found.update(asked_s=now, asked_cpu_s=time.process_time(), asked_peak=peak())

async def main():
    (plan,) = resolve_all(load_tasks(json.loads(sys.argv[1])), read_environment({}))
    progress, found, began = RunProgress(), {}, float(sys.argv[2])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, progress, found, began)
        report = await run_plan(plan, progress=progress)
        while "asked_s" not in found:
            await anyio.sleep(0.005)
    (entry,) = report.entries
    found.update(state=report.state, scored=entry.score.counts["scored"], run_dir=str(report.run_dir))
    print(json.dumps(found))

with settled_heap():
    anyio.run(main)
"""


@dataclass(frozen=True)
class Cost:
    """One run: seconds of CPU in all and while it asked, seconds of the clock, and peaks of memory in bytes."""

    rows: int
    cpu_s: float
    asking_cpu_s: float
    first_s: float
    asked_s: float
    wall_s: float
    asking_peak: int
    peak: int
    run_dir: Path


def write_texts(path: Path, rows: int) -> None:
    """Writes multiple-choice questions without pictures."""
    with path.open("w") as file:
        file.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\n")
        for n in range(rows):
            file.write(f"{n}\tWhat is shown in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 7}\n")


def write_pictures(path: Path, rows: int) -> None:
    """Writes multiple-choice questions, each on one of 500 pictures."""
    shared = [base64.b64encode(picture).decode() for picture in jpegs(min(rows, SHARED))]
    with path.open("w") as file:
        file.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        for n in range(rows):
            image = shared[n] if n < len(shared) else str(n % len(shared))
            file.write(f"{n}\tWhat is shown in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 7}\t{image}\n")


def measure(config: dict[str, Any], rows: int) -> Cost:
    """Runs a task in a child and reads what it found.

    Raises:
        RuntimeError: not every row was answered and scored.
    """
    began = time.time()
    child = run_child(MEASURED, [json.dumps(config), str(began)])
    found = json.loads(child.output.splitlines()[-1])
    if (found["state"], found["scored"]) != ("finished", rows):
        raise RuntimeError(f"expected {rows} scored answers: {child.output}")
    return Cost(
        rows=rows,
        cpu_s=child.cpu_s,
        asking_cpu_s=found["asked_cpu_s"],
        first_s=found["first_s"],
        asked_s=found["asked_s"],
        wall_s=child.wall_s,
        asking_peak=found["asked_peak"],
        peak=child.peak_bytes,
        run_dir=Path(found["run_dir"]),
    )


@dataclass(frozen=True)
class Size:
    """What one size of a benchmark comes to: the run, and its resumption; figures per sample are beyond the first."""

    run: Cost
    resumed: Cost
    asking_ms: float
    all_ms: float

    def words(self) -> str:
        """Three lines of the table."""
        run, again = self.run, self.resumed
        return (
            f"{run.rows:9,d} rows   {self.asking_ms:6.3f} ms a sample asking, {self.all_ms:6.3f} ms in all   "
            f"peak {run.asking_peak / MB:.0f} MB asking, {run.peak / MB:.0f} MB in all\n"
            f"{'':15}first request after {run.first_s:.2f} s, asked after {run.asked_s:.1f} s, reported "
            f"{run.wall_s - run.asked_s:.1f} s later\n"
            f"{'':15}resumed: asks on after {again.first_s:.1f} s, reported after {again.wall_s:.1f} s, "
            f"peak {again.peak / MB:.0f} MB"
        )


def measure_sizes(name: str, sizes: list[int], write: Callable[[Path, int], None]) -> list[Size]:
    """Asks a benchmark at every size, resumes it, and prints a line for each."""
    found = []
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        root = Path(folder)
        data = root / f"{name}.tsv"
        write(data, max(sizes) + LEFT)
        base = json.loads(task(url, data, root / "first", nproc=NPROC, limit=1))
        one = measure(base, 1)
        print(
            f"{name}, {data.stat().st_size / 1e9:.2f} GB for {max(sizes):,d} rows; a run of one: {one.cpu_s:.2f} s CPU"
        )
        for rows in sizes:
            run = measure(json.loads(task(url, data, root / f"{rows}", nproc=NPROC, limit=rows)), rows)
            on = json.loads(task(url, data, root, nproc=NPROC, limit=rows + LEFT))
            resumed = measure({**on, "use_cache": str(run.run_dir)}, rows + LEFT)
            asking = (run.asking_cpu_s - one.asking_cpu_s) / rows * 1000
            found.append(Size(run, resumed, asking, (run.cpu_s - one.cpu_s) / rows * 1000))
            print(found[-1].words(), flush=True)
    return found


def verdict(name: str, found: list[Size]) -> None:
    """Compares the largest size with the one before."""
    small, large = found[-2:]
    cost, whole = large.asking_ms / small.asking_ms, large.all_ms / small.all_ms
    peak, rows = large.run.asking_peak / small.run.asking_peak, large.run.rows - small.run.rows
    asking, report = (large.run.asking_peak - small.run.asking_peak) / rows, (large.run.peak - small.run.peak) / rows
    print(
        f"{name}, {large.run.rows:,d} beside {small.run.rows:,d} rows   CPU of one sample x {cost:.2f} asking, "
        f"x {whole:.2f} in all   (goal: at most 1.2)\n"
        f"{'':15}memory asking x {peak:.2f}, {asking:.0f} bytes a row   (goal: at most 1.5, or 100 bytes a row); "
        f"{report:.0f} bytes a row in the report"
    )


def plot(kinds: dict[str, list[Size]]) -> str:
    """Draws cost and memory over the number of rows."""
    costs = [Line(name, [(s.run.rows, s.asking_ms) for s in found]) for name, found in kinds.items()]
    costs += [Line(f"{name}, report", [(s.run.rows, s.all_ms) for s in found]) for name, found in kinds.items()]
    peaks = [Line(name, [(s.run.rows, s.run.asking_peak / MB) for s in found]) for name, found in kinds.items()]
    peaks += [Line(f"{name}, report", [(s.run.rows, s.run.peak / MB) for s in found]) for name, found in kinds.items()]
    return svg([Panel("CPU of one sample, ms", costs), Panel("Peak memory, MB", peaks)], "samples")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--svg", type=Path)
    args = parser.parse_args()
    kinds = {}
    for name, sizes, write in (("Texts", TEXTS, write_texts), ("Pictures", PICTURES, write_pictures)):
        kinds[name] = measure_sizes(name, [max(1, round(size * args.scale)) for size in sizes], write)
    for name, found in kinds.items():
        verdict(name, found)
    if args.svg:
        args.svg.write_text(plot(kinds))


if __name__ == "__main__":
    main()
