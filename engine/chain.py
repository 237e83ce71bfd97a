"""The lines of one sample in a journal, each turn of a dialogue upon the one before it."""

from __future__ import annotations

from typing import Protocol as Interface
from typing import Self, TypeVar

__all__ = ["Link", "chain", "turn_before"]


class Link(Interface):
    """What is kept of a line."""

    @property
    def turn(self) -> int:
        """Which turn it answers, from 0."""

    @property
    def before(self) -> Self | None:
        """The line of the turn before, None for the first."""


LinkT = TypeVar("LinkT", bound=Link)


def turn_before(latest: LinkT | None, turn: int) -> LinkT | None:
    """Returns the line upon which a new line of this turn stands, None where there is none.

    A turn that is answered again makes the turns after it worthless: they were said upon another answer.

    Args:
        latest: the last line of the sample so far.
        turn: what the new line answers.
    """
    while latest is not None and latest.turn >= turn:
        latest = latest.before
    return latest if latest is not None and latest.turn == turn - 1 else None


def chain(latest: LinkT | None) -> list[LinkT]:
    """Returns the lines of a sample, the first turn first."""
    lines: list[LinkT] = []
    while latest is not None:
        lines.append(latest)
        latest = latest.before
    return lines[::-1]
