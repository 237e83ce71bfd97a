"""All scenarios in the order of their list, and how one is played."""

from __future__ import annotations

from pathlib import Path

import scenarios_disk
import scenarios_machine
import scenarios_network
import scenarios_process
import scenarios_server
from scenario import Scenario, Skipped
from world import Broken, World

__all__ = ["HOLDS", "SCENARIOS", "SHORT", "SKIPPED", "play"]

SHORT = 0.15
"""By how much there are fewer samples where time is short."""
HOLDS, SKIPPED = "holds", "skipped: "

SCENARIOS = (
    *scenarios_server.SCENARIOS,
    *scenarios_network.SCENARIOS,
    *scenarios_process.SCENARIOS,
    *scenarios_disk.SCENARIOS,
    *scenarios_machine.SCENARIOS,
)


async def play(scenario: Scenario, folder: Path, seed: int, scale: float) -> tuple[World, str]:
    """Plays a scenario.

    Args:
        scenario: what goes wrong.
        folder: of all scenarios; they share benchmark files there.
        seed: of everything that is drawn.
        scale: numbers of samples are multiplied by it.

    Returns:
        Its figures and the verdict: `HOLDS`, or why it was not played, or what is broken.
    """
    world = World(folder / scenario.name.replace(" ", "-"), folder / "questions", seed, scale)
    try:
        async with world:
            await scenario.play(world)
    except Broken as broken:
        return world, f"BROKEN: {broken}"
    except Skipped as why:
        return world, f"{SKIPPED}{why}"
    return world, HOLDS
