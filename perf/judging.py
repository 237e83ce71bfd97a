"""Seconds that a run takes that asks and judges at the same time, beside those of asking and of judging alone.

Every answer needs a verdict. A model and a judge, each a server of its own, take the same time for as many requests;
the first run only asks, the second judges the stored answers, the third does both.

    python perf/judging.py [--samples 600] [--latency 0.2] [--nproc 16] [--rounds 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from common import run_child, server, task
from resume import write_texts

UNCLEAR = "it is hard to say what this might be"
RUN = """
import json, sys
from dataclasses import replace
import anyio
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.config_plan import JudgeSpec
from eyechart.engine.run import run_plan

(plan,) = resolve_all(load_tasks(json.loads(sys.argv[1])), read_environment({}))
judge = replace(plan.models[0], name="judge", model="judge", url=sys.argv[2], urls=())
report = anyio.run(run_plan, replace(plan, judges=(JudgeSpec(judge),)))
judged = sum(judge["judged"] for entry in report.entries for judge in entry.judging)
print(json.dumps({"state": report.state, "judged": judged, "wall_s": report.wall_s}))
"""


def seconds(config: str, judge: str, judged: int) -> float:
    """Runs once; returns the seconds that the run took, and sees that as much was judged as should be."""
    output = run_child(RUN, [config, judge]).output
    told = json.loads(output.splitlines()[-1])
    if (told["state"], told["judged"]) != ("finished", judged):
        raise RuntimeError(f"expected {judged} judged answers: {output}")
    return float(told["wall_s"])


def main() -> None:
    """Measures and prints three times and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--nproc", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    asking, judging, both = [], [], []
    speed = {"latency": args.latency, "mode": "fixed"}
    with (
        tempfile.TemporaryDirectory() as folder,
        server(text=UNCLEAR, **speed) as model,
        server(text="B", **speed) as judge,
    ):
        root = Path(folder)
        data = root / "Texts.tsv"
        write_texts(data, args.samples)
        for n in range(args.rounds):
            for_two, for_one = root / f"{n}-two", root / f"{n}-one"
            asking.append(seconds(task(model, data, for_two, nproc=args.nproc, mode="infer"), judge, 0))
            judging.append(seconds(task(model, data, for_two, nproc=args.nproc, mode="eval"), judge, args.samples))
            both.append(seconds(task(model, data, for_one, nproc=args.nproc), judge, args.samples))
    longer = max(statistics.median(asking), statistics.median(judging))
    print(f"asking alone    {statistics.median(asking):.2f} s")
    print(f"judging alone   {statistics.median(judging):.2f} s")
    print(f"both at once    {statistics.median(both):.2f} s")
    print(f"both / longer   {statistics.median(both) / longer:.2f}   (goal: below 1.15)")


if __name__ == "__main__":
    main()
