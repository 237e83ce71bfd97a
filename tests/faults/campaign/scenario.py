"""What a scenario is, and how scenarios make themselves known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from world import World

__all__ = ["Play", "Scenario", "Skipped"]

Play: TypeAlias = Callable[[World], Awaitable[None]]


class Skipped(Exception):
    """A scenario cannot be played here; the text says why."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that goes wrong.

    Attributes:
        name: what it is called.
        about: what happens, in a line.
        play: makes it happen and checks that nothing came of it.
        short: whether the tests play it, too.
    """

    name: str
    about: str
    play: Play
    short: bool = False
