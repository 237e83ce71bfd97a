"""The machine: clocks that jump, too few file descriptors."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from scenario import Scenario
from scenarios_network import has_answered
from world import World, check

HOUR = 3600.0
YEAR = 365 * 24 * HOUR


async def clock_jumps(world: World) -> None:
    """The wall clock is set forward and back, by hours and by years, while the server names times to come back at."""
    data = world.questions(1000)
    server = await world.server(
        data, latency=0.1, faults={"rate_limit_date": 0.01, "server_error": 0.05}, max_faults_per_request=2
    )
    jumps = [[1.0, HOUR], [2.0, -3 * HOUR], [3.0, YEAR], [4.0, -2 * YEAR], [5.0, 40 * YEAR]]
    ended = await world.run(world.task(data, server.url, nproc=32), {"clock": jumps})
    await world.check_end(data, ended)
    world.faults += len(jumps)
    world.check_requests(server, world.samples)
    world.check_paid(0)


async def clock_differs(world: World) -> None:
    """The engine's clock is an hour behind the server's, which names times to come back at."""
    data = world.questions(500)
    server = await world.server(data, latency=0.02, faults={"rate_limit_date": 0.01}, max_faults_per_request=2)
    ended = await world.run(world.task(data, server.url, nproc=32), {"clock": [[0.0, -HOUR]]})
    await world.check_end(data, ended)
    check(server.stats.faults["rate_limit_date"] > 0, "the server named no time")
    world.check_requests(server, world.samples)


async def clock_back_between(world: World) -> None:
    """A run has finished; the clock is set back, and the next run is killed: the same command continues the latter."""
    data = world.questions(500)
    server = await world.server(data, latency=0.1)
    task = world.task(data, server.url, nproc=16)
    first = await world.run(task)
    check(first.state == "finished", f"it ended as {first.state}: {first.error}")

    async def kill(process: asyncio.subprocess.Process) -> None:
        await has_answered(server, 1.5 * world.samples)
        process.kill()

    back: dict[str, Any] = {"clock": [[0.0, -2 * HOUR]]}
    await world.run(task, back, kill)
    await world.check_quiet()
    last = await world.run(task, back)
    check(last.state == "finished", f"it ended as {last.state}: {last.error}")
    runs = sorted(world.folder.glob("work/*/run.json"))
    states = [json.loads(path.read_text())["state"] for path in runs]
    check(states == ["finished"] * 2, f"the runs are {states}: the one that was killed is not continued")
    check(server.stats.requests <= 2 * world.samples + 16, f"{server.stats.requests} requests arrived")
    world.faults += 1


async def few_files(world: World) -> None:
    """256 requests at a time, and 100 file descriptors for everything."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.05)
    ended = await world.run(world.task(data, server.url, nproc=256), {"files": 100})
    await world.check_end(data, ended)
    world.check_requests(server, world.samples)
    world.check_paid(0)


SCENARIOS = (
    Scenario("clock jumps", clock_jumps.__doc__ or "", clock_jumps),
    Scenario("clock is an hour behind", clock_differs.__doc__ or "", clock_differs),
    Scenario("clock set back between runs", clock_back_between.__doc__ or "", clock_back_between, short=True),
    Scenario("few file descriptors", few_files.__doc__ or "", few_files, short=True),
)
