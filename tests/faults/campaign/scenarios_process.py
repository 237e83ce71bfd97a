"""The engine's own process: killed at every stage and at any moment, suspended, asked to stop, started twice."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from typing import Final

from scenario import Scenario
from scenarios_network import has_answered
from world import World, check

STAGES: Final = {
    "preparing": {"on": "eyechart.engine.prepare:Preparer.next_batch", "skip": 6},
    "asking": {"on": "eyechart.adapters.openai_chat:OpenAIChat.ask", "skip": 200},
    "opening the journal": {"on": "open", "path": "predictions.jsonl"},
    "journaling": {"on": "write", "path": "predictions.jsonl", "skip": 5},
    "in the middle of a line": {"on": "write", "path": "predictions.jsonl", "act": "kill half", "skip": 5},
    "syncing the journal": {"on": "sync", "path": "predictions.jsonl"},
    "taking the lock": {"on": "open", "path": ".lock"},
    "writing run.json": {"on": "rename", "path": "run.json"},
    "scoring": {"on": "eyechart.engine.evaluate:score_samples"},
    "writing scores.json": {"on": "rename", "path": "scores.json"},
    "writing the table": {"on": "rename", "path": "_acc.csv"},
    "reporting": {"on": "eyechart.engine.report:Report.save"},
    "writing report.json": {"on": "rename", "path": "report.json"},
    "writing report.md": {"on": "rename", "path": "report.md"},
    "finishing run.json": {"on": "rename", "path": "run.json", "skip": 1},
}
"""Where a run is killed: before what is named happens."""
NPROC: Final = 32
KILLS: Final = 10


async def killed_at(world: World, stage: str) -> None:
    """Killed (SIGKILL) at a stage; the same command again."""
    data = world.questions(600)
    server = await world.server(data, latency=0.02)
    task = world.task(data, server.url, nproc=NPROC)
    ended = await world.run(task, {"traps": [STAGES[stage]]})
    check(ended.code == -signal.SIGKILL, f"it was not killed, but ended as {ended.state} ({ended.code})")
    await world.check_quiet()
    kept = world.answered()
    await world.check_end(data, await world.run(task))
    lost = [index for index, times in kept.items() if times != world.answered()[index]]
    check(not lost, f"answers that were on disk were asked for again: {lost[:3]}")
    world.faults += 1
    world.check_paid(NPROC)
    check(server.stats.requests <= world.samples + NPROC, f"{server.stats.requests} requests arrived")


async def killed_at_random(world: World, nproc: int) -> None:
    """Killed ten times at any moment of its asking."""
    data = world.questions({1: 300, 16: 1000, 256: 3000, 2000: 8000}[nproc])
    server = await world.server(data, latency={1: 0.1, 16: 0.2, 256: 1.0, 2000: 2.0}[nproc])
    task = world.task(data, server.url, nproc=nproc)
    moments, kills = world.draw, 0
    while kills < KILLS:
        before, kept = server.stats.requests, world.answered()

        async def kill(process: asyncio.subprocess.Process, before: int = before) -> None:
            while server.stats.requests <= before:  # noqa: ASYNC110 (the server counts, it does not call)
                await asyncio.sleep(0.002)
            await asyncio.sleep(moments.uniform(0.0, 0.7))
            process.kill()

        ended = await world.run(task, during=kill)
        check(ended.code == -signal.SIGKILL, f"the run was over after {kills} kills")
        kills += 1
        check(not kept - world.answered(), "answers that were on disk are gone")
        await world.check_quiet()
    server.settings = replace(server.settings, latency=0.01)
    await world.check_end(data, await world.run(task))
    world.faults += kills
    world.check_paid(kills * nproc)


async def suspended(world: World) -> None:
    """The engine is suspended (SIGSTOP) for longer than a request may take, three times, and goes on."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.2)
    nproc, stops = 64, 0

    async def suspend(process: asyncio.subprocess.Process) -> None:
        nonlocal stops
        for part in (0.2, 0.5, 0.8):
            await has_answered(server, part * world.samples)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(6.0)
            process.send_signal(signal.SIGCONT)
            stops += 1

    ended = await world.run(world.task(data, server.url, nproc=nproc, timeout=4.0), during=suspend)
    await world.check_end(data, ended)
    check(stops == 3, f"it was suspended {stops} times in place of 3")
    world.faults += stops
    world.check_paid(0)


async def asked_to_stop(world: World) -> None:
    """SIGTERM: what is in flight is waited for; the same command goes on, and nothing is asked twice."""
    data = world.questions(2000)
    server = await world.server(
        data, latency=0.3, faults={"reset": 0.05, "server_error": 0.05}, max_faults_per_request=2
    )
    task = world.task(data, server.url, nproc=256)

    async def stop(process: asyncio.subprocess.Process) -> None:
        await has_answered(server, world.samples / 4)
        process.send_signal(signal.SIGTERM)

    ended = await world.run(task, during=stop)
    check((ended.code, ended.state) == (130, "interrupted"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    await world.check_end(data, await world.run(task))
    world.check_paid(0)
    world.check_requests(server, world.samples)


async def stopped_at_once(world: World) -> None:
    """SIGTERM twice: it ends at once; what is on disk is asked for no more."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.3)
    task = world.task(data, server.url, nproc=256)

    async def stop(process: asyncio.subprocess.Process) -> None:
        await has_answered(server, world.samples / 4)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.05)
        process.send_signal(signal.SIGTERM)

    ended = await world.run(task, during=stop)
    check(ended.code == 130, f"it ended as {ended.state} ({ended.code}): {ended.error}")
    await world.check_quiet()
    await world.check_end(data, await world.run(task))
    world.check_paid(256)


async def started_twice(world: World) -> None:
    """The same command is started again while it runs: the second one is refused, and harms nothing."""
    data = world.questions(1000)
    server = await world.server(data, latency=0.2)
    task = world.task(data, server.url)
    refused = []

    async def again(_: object) -> None:
        await has_answered(server, 10)
        refused.append(await world.run(task, alone=False))

    ended = await world.run(task, during=again)
    check([second.state for second in refused] == ["RunLocked"], f"the second one ended as {refused}")
    await world.check_end(data, ended)
    world.check_requests(server, world.samples)


async def many_runs(world: World) -> None:
    """Six runs under all faults in one process: memory stays, and nothing else is left, either."""
    data = world.questions(1000)
    server = await world.server(
        data, fault_rate=0.2, fault_kinds=("reset", "reset_body", "early_end", "server_error", "empty", "hang"),
        max_faults_per_request=2,
    )  # fmt: skip
    ended = await world.run(world.task(data, server.url, nproc=256, timeout=8.0), runs=6)
    check((ended.code, ended.state) == (0, "finished"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    memory = ended.about["memory"]
    world.note = f"{', '.join(f'{mb:.0f}' for mb in memory)} MB before, between and after"
    check(memory[-1] - memory[2] < 8, f"memory grows from run to run: {[round(mb) for mb in memory]} MB")
    for number in range(6):
        world.check_answers(data, f"work{number}")
    world.samples *= 6


def _killed(stage: str) -> Scenario:
    async def play(world: World) -> None:
        await killed_at(world, stage)

    short = stage in ("preparing", "in the middle of a line", "scoring", "reporting")
    return Scenario(f"killed {stage}", "killed (SIGKILL) at this moment; the same command again", play, short)


def _killed_at_random(nproc: int) -> Scenario:
    async def play(world: World) -> None:
        await killed_at_random(world, nproc)

    return Scenario(f"killed ten times, nproc {nproc}", killed_at_random.__doc__ or "", play)


SCENARIOS = (
    *map(_killed, STAGES),
    *map(_killed_at_random, (1, 16, 256, 2000)),
    Scenario("engine suspended", suspended.__doc__ or "", suspended),
    Scenario("asked to stop", asked_to_stop.__doc__ or "", asked_to_stop, short=True),
    Scenario("stopped at once", stopped_at_once.__doc__ or "", stopped_at_once),
    Scenario("started twice", started_twice.__doc__ or "", started_twice),
    Scenario("six runs in one process", many_runs.__doc__ or "", many_runs),
)
