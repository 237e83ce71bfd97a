"""Answers a second against a server that refuses what goes beyond its limit, beside what the limit permits.

- *rate*: so many requests in any 60 seconds; what comes on top is a 429 whose Retry-After names the time until the next
  one is let through.
- *here and there*: one request in five, whatever else is in flight, with a Retry-After of one second.
- *cap*: 48 requests at a time; a 429 with Retry-After of one second for the others. `nproc` is 60, so that one in five
  of the first requests is refused.

What the limit permits is, for the rate, a new window of requests each minute; for the cap what a run with `nproc:
48` gets in the same way, which is never refused; and for refusals here and there four fifths of what is answered
without them.

    python perf/refusals.py [--rounds 1] [--only rate,cap,random]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import run_child, server, task
from resume import write_texts

RUN = """
import json, sys
from eyechart import run_task
report = run_task(json.loads(sys.argv[1]))
print(json.dumps([report.state, report.wall_s]))
"""


@dataclass(frozen=True)
class Case:
    """A limit and what is asked of it.

    Attributes:
        samples: how many questions.
        nproc: how many at a time.
        least_s: seconds in which the limit permits all answers; None to measure them with `fitting` at a time.
        fitting: how many at a time the server takes.
        settings: of the mock server.
        refusing: share of requests that it refuses besides.
    """

    samples: int
    nproc: int
    least_s: float | None
    fitting: int
    settings: dict[str, Any] = field(default_factory=dict)
    refusing: float = 0.0


CASES = {
    "rate": Case(900, 75, 120.0, 0, {"rpm": 300, "latency": 0.1}),
    "cap": Case(4000, 60, None, 48, {"max_in_flight": 48, "latency": 0.5, "jitter": 0.2, "retry_after": 1}),
    "random": Case(20_000, 64, None, 64, {"latency": 0.2, "jitter": 0.1, "retry_after": 1}, 0.2),
}


def seconds(case: Case, nproc: int, refusing: float = 0.0) -> tuple[float, int]:
    """Runs once; returns how long it took, and how many requests were refused."""
    settings = case.settings | ({"faults": json.dumps({"rate_limit": refusing})} if refusing else {})
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed", **settings) as url:
        data = Path(folder) / "Texts.tsv"
        write_texts(data, case.samples)
        output = run_child(RUN, [task(url, data, Path(folder) / "out", nproc=nproc)]).output
        state, wall_s = json.loads(output.splitlines()[-1])
        with urllib.request.urlopen(url.replace("/v1/chat/completions", "/stats")) as reply:  # noqa: S310
            stats = json.load(reply)
    if (state, stats["answered"]) != ("finished", case.samples):
        raise RuntimeError(f"expected {case.samples} answers: {output}")
    return wall_s, sum(stats["refused"].values()) + sum(stats["faults"].values())


def measure(case: Case) -> tuple[float, int]:
    """Returns the share of what the limit permits, and how many requests were refused."""
    least_s = case.least_s or seconds(case, case.fitting)[0]
    wall_s, refused = seconds(case, case.nproc, case.refusing)
    return least_s / (1 - case.refusing) / wall_s, refused


def main() -> None:
    """Measures and prints one line for each limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default=",".join(CASES))
    args = parser.parse_args()
    for name in args.only.split(","):
        found = [measure(CASES[name]) for _ in range(args.rounds)]
        share = statistics.median(share for share, _ in found)
        refused = statistics.median(refused for _, refused in found)
        print(
            f"{name:<6} {share:4.0%} of what the limit permits, {refused:.0f} requests refused   "
            f"{[round(share, 2) for share, _ in found]}   (goal: at least 90 %)",
            flush=True,
        )


if __name__ == "__main__":
    main()
