"""Servers that misbehave: every fault and refusal of the mock server, singly and mixed, few and many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from scenario import Scenario
from scenarios_network import has_answered
from world import World, check

from eyechart.engine.journal import read_predictions
from eyechart.mockserver import FAULTS

ROWS: Final = {1: 100, 16: 500, 256: 1500, 2000: 3000}
"""Samples by how many requests are in flight."""
RATES: Final = {"rate_limit": 0.05, "unavailable": 0.05, "rate_limit_date": 0.003, "hang": 0.02, "slow_body": 0.05}
"""Chances of faults that cost time by design: all others meet every fifth request."""
A_FEW: Final = 4
"""Faults that are expected at least."""
MILD: Final = {"retry_after": 0.05, "slow_body_seconds": 0.3, "huge_bytes": 2 << 20, "max_faults_per_request": 2}
"""A sample is given up after three faults of its own: here none meets so many."""
EVERY_TENTH: Final = r"re:What is in \d*7\?"
PASSES_NOT: Final = {"bad_request": "BadRequest", "bad_image": "BadRequest", "context_overflow": "ContextOverflow"}


def timeout_s(kind: str, nproc: int) -> float:
    """Time limit of a request: what hangs costs it, and a slow machine must not reach it by itself."""
    if kind != "hang":
        return 60.0
    return 5.0 if nproc == 1 else 10.0 if nproc < 1000 else 30.0


async def one_fault(world: World, kind: str, nproc: int) -> None:
    """A fault that passes when the request is sent again."""
    data = world.questions(ROWS[nproc])
    rate = max(RATES.get(kind, 0.2), A_FEW / ROWS[nproc])
    server = await world.server(data, faults={kind: rate}, **MILD)
    ended = await world.run(world.task(data, server.url, nproc=nproc, timeout=timeout_s(kind, nproc)))
    await world.check_end(data, ended)
    check(server.stats.faults[kind] > 0, "the fault was never met")
    world.check_attempts(server)
    world.check_paid(world.check_requests(server, world.samples, hangs=kind == "hang"))


async def all_faults(world: World, nproc: int) -> None:
    """Every fault that there is, mixed; those that cost time by design less often."""
    data = world.questions(ROWS[nproc])
    rates = {kind: 0.005 if kind in RATES else 0.02 for kind in FAULTS}
    server = await world.server(data, faults=rates, jitter=0.01, latency=0.01, **MILD)
    ended = await world.run(world.task(data, server.url, nproc=nproc, timeout=10.0))
    await world.check_end(data, ended)
    world.check_attempts(server)
    world.check_paid(world.check_requests(server, world.samples, hangs=True))


async def huge_answers(world: World) -> None:
    """Answers of 40 MB, more than is taken: they are asked for again, and memory holds none of them."""
    data = world.questions(300)
    server = await world.server(data, faults={"huge_body": 0.05}, huge_bytes=40 << 20, max_faults_per_request=2)
    ended = await world.run(world.task(data, server.url))
    await world.check_end(data, ended)
    met = server.stats.faults["huge_body"]
    check(server.stats.requests == world.samples + met, f"{server.stats.requests} requests")
    peak = ended.about["peak"] - ended.about["memory"][0]
    world.note = f"at most {peak:.0f} MB held"
    check(peak < 40 * 16, f"{peak:.0f} MB were held, for 16 answers of at most 32 MB at a time")


async def refused_for_good(world: World, kind: str) -> None:
    """Every tenth question is refused: those are failures of their own, and asked again once the server is mended."""
    data = world.questions(1000)
    server = await world.server(data, fail_always={EVERY_TENTH: kind})
    task = world.task(data, server.url)
    ended = await world.run(task)
    check((ended.code, ended.state) == (2, "incomplete"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    failures = [line.failure for line in read_predictions(world.journal()) if line.failure]
    expected = sum(n % 10 == 7 for n in range(world.samples))
    check(len(failures) == expected, f"{len(failures)} failures in place of {expected}")
    kinds = {failure.kind for failure in failures}
    check(kinds == {PASSES_NOT[kind]}, f"the failures are called {kinds}")
    check(server.stats.requests == world.samples, "a request that was refused for good was sent again")
    server.settings = type(server.settings)(mode="scripted", script_file=data.parent / "answers.json")
    await world.check_end(data, await world.run(task))
    check(server.stats.requests == world.samples + expected, "more than the refused questions was asked again")


async def refused_from_the_middle(world: World, kind: str, nproc: int) -> None:
    """The key expires, or the model is taken away, in the middle: the run stops, and goes on once that is mended."""
    data = world.questions(2000)
    server = await world.server(data, latency=0.05)
    task = world.task(data, server.url, nproc=nproc)
    well = server.settings

    async def expire(_: object) -> None:
        await has_answered(server, world.samples / 3)
        server.settings = type(well)(fail_always={"What": kind})

    ended = await world.run(task, during=expire)
    check((ended.code, ended.state) == (3, "stopped"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    refused = server.stats.faults[kind]
    check(refused <= nproc + 3, f"{refused} requests were sent to a server that refuses all of them")
    server.settings = well
    await world.check_end(data, await world.run(task))
    world.check_paid(nproc)  # what was in flight when it gave up


async def overloaded(world: World) -> None:
    """A server that takes 8 requests at a time and refuses all others, asked by 256."""
    data = world.questions(1000)
    server = await world.server(data, max_in_flight=8, latency=0.005, retry_after=0.05)
    ended = await world.run(world.task(data, server.url, nproc=256))
    await world.check_end(data, ended)
    world.check_requests(server, world.samples)
    world.check_paid(0)


def _scenarios() -> Iterator[Scenario]:
    def made(name: str, play: Any, *about: Any, short: bool = False) -> Scenario:
        return Scenario(name, (play.__doc__ or "").strip(), partial(_called, play, about), short)

    for kind, words in FAULTS.items():
        for nproc in ROWS:
            yield Scenario(f"{kind}, nproc {nproc}", words, partial(_called, one_fault, (kind, nproc)))
    for nproc in ROWS:
        yield made(f"all faults, nproc {nproc}", all_faults, nproc, short=nproc in (16, 256))
    yield made("huge answers", huge_answers)
    for kind in PASSES_NOT:
        yield made(f"{kind} for good", refused_for_good, kind, short=kind == "bad_image")
    for kind in ("auth", "not_found"):
        yield made(f"{kind} from the middle on", refused_from_the_middle, kind, 64, short=kind == "auth")
    yield made("overloaded server", overloaded, short=True)


async def _called(play: Any, about: tuple[Any, ...], world: World) -> None:
    await play(world, *about)


SCENARIOS = tuple(_scenarios())
