"""Which questions run together: pure arithmetic over what waits.

A batch is as long as its longest prompt, and the padding of the others is computed like anything else. So of what
waits, in a bounded window from the oldest on, neighbours by length are taken together, always with the oldest among
them: nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["BatchSize", "Candidate", "choose"]

_GOOD_BATCHES: Final = 8
"""Batches that have to fit before a larger one is tried again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that waits.

    Attributes:
        tokens: about how many tokens its prompt has.
        kind: questions of different kinds (with pictures, with videos, texts) are not put together.
        alone: it is asked by itself, because a worker died over it.
    """

    tokens: int
    kind: str = ""
    alone: bool = False


def choose(waiting: Sequence[Candidate], *, most: int, most_tokens: int, answer_tokens: int) -> list[int]:
    """Returns the positions of the questions to be asked together, the oldest among them.

    Args:
        waiting: what waits, the oldest first; the window.
        most: questions in a batch at most.
        most_tokens: tokens in a batch at most, every question counted as the longest. One question always goes.
        answer_tokens: tokens that are set aside for each answer.
    """
    oldest = waiting[0]
    if oldest.alone:
        return [0]
    near = sorted(
        (position for position, other in enumerate(waiting) if other.kind == oldest.kind and not other.alone),
        key=lambda position: (waiting[position].tokens, position),
    )
    middle = near.index(0)
    best = [0]
    best_worth = (0, 0)
    for start in range(max(0, middle - most + 1), middle + 1):
        chosen = near[start : start + most]
        while len(chosen) > 1 and len(chosen) * (waiting[chosen[-1]].tokens + answer_tokens) > most_tokens:
            chosen.pop()
        if 0 not in chosen:
            continue
        longest = waiting[chosen[-1]].tokens
        worth = (len(chosen), -sum(longest - waiting[position].tokens for position in chosen))
        if worth > best_worth:
            best, best_worth = chosen, worth
    return sorted(best)


class BatchSize:
    """How many questions a worker is given at a time: halved when memory runs out, then doubled back step by step.

    Args:
        most: the number to begin with, and to come back to.
    """

    def __init__(self, most: int) -> None:
        self.now = most
        self._most = most
        self._good = 0

    def ran_out(self, fitted: int) -> None:
        """Notes that memory ran out for a batch, of which parts of `fitted` questions fitted."""
        self.now = max(1, min(self.now, fitted))
        self._good = 0

    def fitted(self) -> None:
        """Notes a batch that fitted."""
        self._good += 1
        if self._good >= _GOOD_BATCHES and self.now < self._most:
            self.now = min(self._most, 2 * self.now)
            self._good = 0
