"""The short part of the fault campaign (``make faults``), with fewer samples."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest
from scenario import Scenario
from scenarios import HOLDS, SCENARIOS, SHORT, SKIPPED, play
from world import Broken, World, check

SEED = 7
SHORT_ONES = [scenario for scenario in SCENARIOS if scenario.short]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenarios share their benchmark files and the outcome of undisturbed runs."""
    return tmp_path_factory.mktemp("campaign")


@pytest.mark.parametrize("scenario", SHORT_ONES, ids=[scenario.name for scenario in SHORT_ONES])
def test_whatever_happens_the_end_is_that_of_an_undisturbed_run(scenario: Scenario, folder: Path) -> None:
    world, verdict = asyncio.run(play(scenario, folder, SEED, SHORT))
    if verdict.startswith(SKIPPED):
        pytest.skip(verdict)
    assert verdict == HOLDS
    assert world.requests >= world.samples


def test_scenarios_have_names_of_their_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert all(scenario.about.strip() for scenario in SCENARIOS)


async def wrong_answer(world: World) -> None:
    """A server that gives everybody the same answer: as if answers had been mixed up."""
    data = world.questions(48)
    server = await world.server(data, mode="fixed", text="A. This is sample 1.")
    await world.check_end(data, await world.run(world.task(data, server.url)))


async def lost_answer(world: World) -> None:
    """A line is taken out of the journal after the run."""
    data = world.questions(48)
    server = await world.server(data)
    ended = await world.run(world.task(data, server.url))
    lines = world.journal().read_bytes().splitlines(keepends=True)
    world.journal().write_bytes(b"".join(lines[:-1]))
    await world.check_end(data, ended)


async def doubled_answer(world: World) -> None:
    """A line stands twice in the journal."""
    data = world.questions(48)
    server = await world.server(data)
    ended = await world.run(world.task(data, server.url))
    lines = world.journal().read_bytes().splitlines(keepends=True)
    world.journal().write_bytes(b"".join([*lines, lines[0]]))
    await world.check_end(data, ended)


async def other_table(world: World) -> None:
    """The scores differ from those of an undisturbed run."""
    data = world.questions(48)
    server = await world.server(data)
    ended = await world.run(world.task(data, server.url))
    table = world.run_dir() / "m" / "m_Tiny_acc.csv"
    table.write_text(table.read_text().replace("1", "2").replace("0", "3"))
    await world.check_end(data, ended)


async def asked_for_nothing(world: World) -> None:
    """An answer that was there is asked for again."""
    data = world.questions(48)
    server = await world.server(data)
    for work in ("work", "again"):
        await world.run(world.task(data, server.url, work=work))
    world.check_paid(0)


async def left_behind(world: World, what: str) -> None:
    """Something is left behind when a run ends."""
    data = world.questions(48)
    server = await world.server(data)
    trap = {"on": "eyechart.engine.session:Session._state", "act": f"leak {what}"}
    await world.run(world.task(data, server.url), {"traps": [trap]})


@pytest.mark.parametrize(
    ("play_it", "told"),
    [
        (wrong_answer, "in place of"),
        (lost_answer, "1 answers are lost"),
        (doubled_answer, "stand twice"),
        (other_table, "the table differs"),
        (asked_for_nothing, "48 answers were asked for a second time"),
        (partial(left_behind, what="thread"), "threads are left"),
        (partial(left_behind, what="file"), "files or sockets are left open"),
        (partial(left_behind, what="task"), "tasks are left"),
    ],
)
def test_a_broken_invariant_is_seen(play_it, told: str, tmp_path: Path) -> None:
    _, verdict = asyncio.run(play(Scenario("broken", "", play_it), tmp_path, SEED, SHORT))
    assert verdict.startswith("BROKEN: ")
    assert told in verdict


def test_a_check_says_what_is_broken() -> None:
    check(True, "well")
    with pytest.raises(Broken, match="this is broken"):
        check(False, "this is broken")
