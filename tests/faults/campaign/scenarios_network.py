"""Between engine and server: servers that die and come back, names that do not resolve, proxies that cut connections."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from relay import Relay
from scenario import Scenario
from world import World, check

from eyechart.mockserver import MockServer

RESETS = {"reset": 0.1, "early_end": 0.1}
"""Connections that end, so that new ones have to be made."""


async def has_answered(server: MockServer, more_than: float) -> None:
    """Waits until a server has given more than so many answers."""
    while server.stats.answered <= more_than:  # noqa: ASYNC110 (the server counts, it does not call)
        await asyncio.sleep(0.002)


async def restarted(world: World) -> None:
    """A server is stopped in the middle, and is back after two seconds."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.05)
    stops = 0

    async def restart(_: object) -> None:
        nonlocal stops
        for part in (0.2, 0.5, 0.8):
            await has_answered(server, part * world.samples)
            stops += 1
            await server.stop()
            await asyncio.sleep(2.0)
            await server.start()

    ended = await world.run(world.task(data, server.url, nproc=64), during=restart)
    await world.check_end(data, ended)
    check(stops == 3, f"the server was stopped {stops} times in place of 3")
    world.check_paid(stops * 64)


async def replicas_in_turn(world: World) -> None:
    """Three replicas; one after the other dies and comes back, all the time."""
    data = world.questions(3000)
    servers = [await world.server(data, latency=0.2) for _ in range(3)]
    stops = 0

    async def die_in_turn(_: object) -> None:
        nonlocal stops
        await has_answered(servers[0], 10)
        while True:
            for server in servers:
                stops += 1
                await server.stop()
                await asyncio.sleep(0.7)
                await server.start()
                await asyncio.sleep(0.7)

    ended = await world.run(world.task(data, [s.base_url for s in servers], nproc=16), during=die_in_turn)
    await world.check_end(data, ended)
    check(stops >= 3, "no replica died")
    world.check_paid(stops * 16)


async def replicas_at_once(world: World) -> None:
    """All replicas die at once, and come back after three seconds; one of them for good."""
    data = world.questions(2000)
    servers = [await world.server(data, latency=0.1) for _ in range(3)]

    async def die(_: object) -> None:
        await has_answered(servers[0], world.samples / 9)
        await asyncio.gather(*(server.stop() for server in servers))
        await asyncio.sleep(3.0)
        await asyncio.gather(*(server.start() for server in servers[1:]))

    ended = await world.run(world.task(data, [s.base_url for s in servers], nproc=16), during=die)
    await world.check_end(data, ended)
    world.check_paid(3 * 16)


async def faulty_replicas(world: World) -> None:
    """Four replicas: one well, one refuses the key, one is down, one says 500 to everything."""
    data = world.questions(2000)
    well = await world.server(data, latency=0.02)
    key = await world.server(data, api_key="another")
    broken = await world.server(data, faults={"server_error": 1.0})
    down = await world.server(data)
    await down.stop()
    ended = await world.run(world.task(data, [s.base_url for s in (broken, down, key, well)], nproc=32))
    await world.check_end(data, ended)
    world.check_paid(0)


async def never_there(world: World) -> None:
    """Nothing listens at the address: the run says so, and goes on once something does."""
    data = world.questions(500)
    server = await world.server(data)
    await server.stop()
    task = world.task(data, server.url, patience=2)
    ended = await world.run(task)
    check((ended.code, ended.state) == (3, "stopped"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    check("connection refused" in ended.error, f"the error does not say why: {ended.error}")
    await server.start()
    await world.check_end(data, await world.run(task))
    world.check_paid(0)


async def name_unknown(world: World) -> None:
    """The server's name does not resolve: the run says so, and goes on once it does."""
    data = world.questions(500)
    server = await world.server(data)
    task = world.task(data, f"http://model.test:{server.port}/v1", patience=2)
    ended = await world.run(task, {"names": ["model.test", [[0, 1e9]]]})
    check((ended.code, ended.state) == (3, "stopped"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    check("cannot be resolved" in ended.error, f"the error does not say why: {ended.error}")
    await world.check_end(data, await world.run(task, {"names": ["model.test", []]}))
    world.check_paid(0)


async def names_come_and_go(world: World) -> None:
    """Names do not resolve at the start, and for two seconds every three."""
    data = world.questions(2000)
    server = await world.server(data, faults=RESETS, max_faults_per_request=2, latency=0.05)
    outages = [[start, start + 2] for start in range(0, 600, 3)]
    task = world.task(data, f"http://model.test:{server.port}/v1", nproc=32)
    ended = await world.run(task, {"names": ["model.test", outages]})
    await world.check_end(data, ended)
    world.check_requests(server, world.samples)
    world.check_paid(0)


async def gateway(world: World, nproc: int) -> None:
    """A gateway in between refuses a tenth of the connections and cuts all others sooner or later, anywhere."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.01)
    async with Relay(server.port, seed=world.seed, cut_bytes=60_000, refuse_chance=0.1) as relay:
        ended = await world.run(world.task(data, relay.url, nproc=nproc))
    await world.check_end(data, ended)
    check(relay.cut > 0, "nothing was cut")
    world.faults += relay.cut
    world.check_paid(relay.cut)


async def proxy(world: World) -> None:
    """An HTTP proxy in between; every half second all its connections are cut at once."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.1)
    async with Relay(server.port, seed=world.seed, cut_bytes=10**6) as relay:

        async def cut(_: object) -> None:
            while True:
                await asyncio.sleep(0.5)
                relay.cut_all()

        ended = await world.run(world.task(data, server.url, nproc=64), {"proxy": relay.url}, cut)
    await world.check_end(data, ended)
    check(relay.cut > 10, "nothing was cut")
    world.faults += relay.cut
    world.check_paid(relay.cut)


@asynccontextmanager
async def server_process(world: World, data: Any, **settings: Any) -> AsyncIterator[tuple[str, int]]:
    """A server as a process of its own; gives its address and its number."""
    about = {"mode": "scripted", "text": "LOST", "script_file": data.parent / "answers.json", **settings}
    options = [word for key, value in about.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "eyechart.mockserver", "--stop-with-stdin", *options]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        said = json.loads(await process.stdout.readline())
        yield said["url"], process.pid
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.stdin.close()
        await process.wait()


async def server_stopped(world: World) -> None:
    """The server is suspended (SIGSTOP) for longer than a request may take, twice, and goes on."""
    data = world.questions(2000)
    nproc = 64
    async with server_process(world, data, latency=0.1) as (url, pid):

        async def suspend(_: object) -> None:
            for _ in range(2):
                await asyncio.sleep(2.0)
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(4.0)
                os.kill(pid, signal.SIGCONT)

        ended = await world.run(world.task(data, url, nproc=nproc, timeout=1.5), during=suspend)
        await world.check_end(data, ended)
        async with (
            aiohttp.ClientSession() as session,
            session.get(url.replace("/v1/chat/completions", "/stats")) as got,
        ):
            stats = await got.json()
    world.requests += stats["requests"]
    check(stats["requests"] < world.samples + 2 * 4 * nproc, f"{stats['requests']} requests: that is no patience")


def _gateway(nproc: int) -> Scenario:
    async def play(world: World) -> None:
        await gateway(world, nproc)

    return Scenario(f"gateway that cuts, nproc {nproc}", (gateway.__doc__ or "").strip(), play, short=nproc == 16)


SCENARIOS = (
    Scenario("server restarted", restarted.__doc__ or "", restarted),
    Scenario("replicas die in turn", replicas_in_turn.__doc__ or "", replicas_in_turn),
    Scenario("replicas die at once", replicas_at_once.__doc__ or "", replicas_at_once),
    Scenario("one of four replicas is well", faulty_replicas.__doc__ or "", faulty_replicas, short=True),
    Scenario("server not there", never_there.__doc__ or "", never_there),
    Scenario("server suspended", server_stopped.__doc__ or "", server_stopped),
    Scenario("name unknown", name_unknown.__doc__ or "", name_unknown),
    Scenario("names come and go", names_come_and_go.__doc__ or "", names_come_and_go),
    _gateway(1),
    _gateway(16),
    _gateway(256),
    _gateway(2000),
    Scenario("proxy that cuts", proxy.__doc__ or "", proxy),
)
