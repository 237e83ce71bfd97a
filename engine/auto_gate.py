"""The gate of an endpoint whose requests in flight are found while the run goes on (``nproc: auto``)."""

from __future__ import annotations

import math

from .auto_nproc import Climb
from .limits import Gate, Limits

__all__ = ["AutoGate"]

_SLOW_SHARE = 1 / 3


class AutoGate(Gate):
    """A `Gate` whose cap is what `Climb` finds; ``limits.nproc`` is the bound that it never passes.

    Args:
        limits: what a user allows.
        timeout_s: time limit of an answer; levels whose answers take a third of it on average are not kept.
    """

    def __init__(self, limits: Limits, *, timeout_s: float = math.inf) -> None:
        super().__init__(limits)
        self.climb = Climb(limits.nproc, slow_s=timeout_s * _SLOW_SHARE)
        self._answered = 0

    @property
    def cap(self) -> int:
        """Requests in flight at present, at most."""
        return self.climb.level

    @property
    def reach(self) -> int:
        """Requests that may soon be in flight."""
        return self.cap

    def why(self, now: float) -> str | None:
        """Names what keeps the next request back; ``nproc`` as long as the endpoint has not shown its own limit."""
        reason = super().why(now)
        at_cap = reason in ("nproc", "server") and self.paused_until <= now
        return ("server" if self.climb.settled and self.cap < self.limits.nproc else "nproc") if at_cap else reason

    def leave(self, now: float) -> float:
        """Takes a slot; returns the tokens charged, to be handed back to `arrive`."""
        self.climb.left(now)
        return super().leave(now)

    def arrive(self, now: float, charged: float, tokens: int | None) -> None:
        """Gives the slot back."""
        super().arrive(now, charged, tokens)
        answered = self._answered > 0
        self._answered -= answered
        self.climb.returned(now, answered=answered)

    def succeeded(self) -> None:
        """Notes an answer; its slot is given back a little later, once it is on disk."""
        super().succeeded()
        self._answered += 1

    def refused(self, now: float, left_at: float, retry_after: float | None) -> None:
        """Notes a refusal for overload: the endpoint pauses, and half as many requests are in flight after it."""
        super().refused(now, left_at, retry_after)
        if not self.refuses_some(now):
            self.climb.refused(now, left_at)

    def timed_out(self, now: float, left_at: float) -> None:
        """Notes an answer that did not come in time: half as many requests are in flight from now on."""
        self.climb.timed_out(now, left_at)
