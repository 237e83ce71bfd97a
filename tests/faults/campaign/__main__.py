"""The fault campaign: runs under every fault there is, each compared with an undisturbed one.

    make faults
    python tests/faults/campaign [--short] [--seed 7] [--only NAME ...] [--jobs 3] [--list]

Prints a line for each scenario: samples, requests that arrived, faults met, seconds, verdict. Ends with status 1 when
an invariant is broken anywhere. The same seed draws the same faults for the same requests; moments of kills depend on
the machine as well.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scenario import Scenario
from scenarios import HOLDS, SCENARIOS, SHORT, SKIPPED, play
from world import World

FILES_NEEDED = 16_000
"""A request in flight is a socket here, and one in the engine."""


def raise_file_limit() -> None:
    """Thousands of connections need as many descriptors, in this process and in the engine's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES_NEEDED:
        most = FILES_NEEDED if hard == resource.RLIM_INFINITY else min(hard, FILES_NEEDED)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> int:
    """Plays what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="scenarios whose names hold one of these")
    parser.add_argument("--short", action="store_true", help="the part that the tests play, with fewer samples")
    parser.add_argument("--jobs", type=int, default=3, help="scenarios that are played at the same time")
    parser.add_argument("--list", action="store_true", help="names and contents, nothing is played")
    args = parser.parse_args()
    chosen = [s for s in SCENARIOS if not args.only or any(part in s.name for part in args.only)]
    chosen = [scenario for scenario in chosen if scenario.short or not args.short]
    if args.list:
        print("\n".join(f"{scenario.name:40} {scenario.about}" for scenario in chosen))
        return 0
    if not chosen:
        parser.error("no scenario has such a name")
    raise_file_limit()
    print(f"seed {args.seed}\n{'scenario':40} {'samples':>7} {'requests':>8} {'faults':>6} {'seconds':>7}  verdict")
    return asyncio.run(report(chosen, args.seed, SHORT if args.short else 1.0, args.jobs))


async def report(chosen: Sequence[Scenario], seed: int, scale: float, jobs: int) -> int:
    """Plays scenarios, some at a time, and prints a line for each in their order; returns the exit status."""
    room = asyncio.Semaphore(jobs)

    async def timed(scenario: Scenario, folder: Path) -> tuple[World, str, float]:
        async with room:
            started = time.monotonic()
            world, verdict = await play(scenario, folder, seed, scale)
            return world, verdict, time.monotonic() - started

    totals, broken, began = [0, 0, 0], [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        playing = [asyncio.ensure_future(timed(scenario, Path(folder))) for scenario in chosen]
        for scenario, played in zip(chosen, playing, strict=True):
            world, verdict, seconds = await played
            figures = (world.samples, world.requests, world.faults)
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
            samples, requests, faults = figures
            told = f"{verdict} ({world.note})" if world.note else verdict
            print(f"{scenario.name:40} {samples:7} {requests:8} {faults:6} {seconds:7.1f}  {told}", flush=True)
            if verdict != HOLDS and not verdict.startswith(SKIPPED):
                broken.append(scenario.name)
    print(f"{f'{len(chosen)} scenarios':40} {totals[0]:7} {totals[1]:8} {totals[2]:6} {time.monotonic() - began:7.1f}")
    print(f"broken: {', '.join(broken)}" if broken else "every invariant held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
