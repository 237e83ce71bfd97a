"""Limits of one endpoint: how many requests are in flight, how many leave a minute, and when it asked for silence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["Gate", "Limits"]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_MEMORY_PAUSES = 30.0
_LONGEST_MEMORY_S = 60.0
_SURPRISES = 2
_SURPRISES_SHARE = 0.03
"""Refusals that do not fit a number of places, at least so many and so many of those in flight, are no accident."""
_LATELY = 32.0
"""Requests, at least, by which is told whether most are refused lately; twice as many as may be in flight."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user allows.

    Attributes:
        nproc: requests in flight at most.
        rpm: requests a minute at most; None is unlimited.
        tpm: tokens a minute (prompt and completion) at most; None is unlimited.
    """

    nproc: int
    rpm: float | None = None
    tpm: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("nproc", self.nproc), ("rpm", self.rpm), ("tpm", self.tpm)):
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be positive, not {value}")


@dataclass(slots=True)
class _Wave:
    """Refusals that one pause is for.

    Attributes:
        began: when the first of them came.
        size: requests that were in flight then.
        cap: how many were trusted to be.
        should_fit: the wave before said that so many find a place.
        cap_before: how many were trusted to be before that.
        surprises: refusals of waves just before this that should have fitted as well.
        refused: how many of those in flight were refused by now.
    """

    began: float = -math.inf
    size: int = 0
    cap: float = 1.0
    should_fit: bool = False
    cap_before: float = 1.0
    surprises: int = 0
    refused: int = 0

    @property
    def held(self) -> int:
        """Requests that the server kept."""
        return self.size - self.refused

    def followed_by(self, now: float, size: int, cap: float, *, soon: bool) -> _Wave:
        """Returns a new wave; ``soon``: what the server held in this one counts still."""
        if not soon or size > self.held:
            return _Wave(now, size, cap)
        again = self.should_fit
        cap_before, surprises = (self.cap_before, self.surprises + self.refused) if again else (self.cap, 0)
        return _Wave(now, size, cap, True, cap_before, surprises)

    @property
    def shows_other_reasons(self) -> bool:
        """Whether so many are refused of those for which there should be places that places are not the reason."""
        least = max(_SURPRISES, _SURPRISES_SHARE * self.size)
        return self.should_fit and least <= self.surprises + self.refused and self.refused <= self.size / 2


class Gate:
    """Says when the next request may leave. Pure bookkeeping: the caller passes the time, in seconds of any clock.

    Requests under ``rpm`` leave evenly spaced: a minute's worth at once would only be refused by the server. Tokens
    are charged with the mean of the answers so far when a request leaves and corrected when its usage is known.

    When the server says that it is overrun (429, 503), the whole endpoint pauses, as long as the server asks or else
    from one second, doubling to a minute. Refusals of requests that left before the pause began belong to the same
    wave and do not lengthen it. Each wave also lowers the requests in flight to what the server held when it refused,
    by half at most; each success gives a share of one back, so that a server that takes 16 at once is not asked by 256
    again and again. What it held stays a wall for thirty times the pause, a minute at most: else a server with a fixed
    number of places would be asked for one too many every few answers, and each time pause. Where a server then refuses
    some of what it has just held and goes on answering others, as a gateway does with one sick server behind it, then
    neither fewer at a time nor a pause of all would help: for as long a refusal holds back its own request alone,
    unless most are refused. ``nproc`` stays the upper bound.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.in_flight = 0
        self.paused_until = -math.inf
        self._wave = _Wave()
        self._wave_pause = _FIRST_PAUSE_S
        self._cap = float(limits.nproc)
        self._wall = math.inf
        self._wall_until = -math.inf
        self._some_until = -math.inf
        self._lately_left = self._lately_refused = 0.0
        self._lately = max(_LATELY, 2.0 * limits.nproc)
        self._next_by_rpm = -math.inf
        self._token_debt_paid_at = -math.inf
        self._mean_tokens = 0.0
        self._seen_usage = 0

    @property
    def cap(self) -> int:
        """Requests in flight that the endpoint is trusted with at present, 1 to nproc."""
        return max(1, int(self._cap))

    @property
    def reach(self) -> int:
        """Requests that may soon be in flight: so many are worth being prepared."""
        return self.limits.nproc

    def wait_s(self, now: float) -> float:
        """Returns seconds until a request may leave: 0 for now, infinity while all slots are taken."""
        if self.in_flight >= self.cap:
            return math.inf
        return max(0.0, self.paused_until - now, self._next_by_rpm - now, self._token_debt_paid_at - now)

    def why(self, now: float) -> str | None:
        """Names what keeps the next request back: ``nproc``, ``server``, ``rpm``, ``tpm``; None when nothing does."""
        if self.paused_until > now:
            return "server"
        if self.in_flight >= self.cap:
            return "nproc" if self.cap >= self.limits.nproc else "server"
        waits = {"rpm": self._next_by_rpm - now, "tpm": self._token_debt_paid_at - now}
        name = max(waits, key=lambda key: waits[key])
        return name if waits[name] > 0 else None

    def leave(self, now: float) -> float:
        """Takes a slot; returns the tokens charged, to be handed back to `arrive`."""
        self.in_flight += 1
        self._lately_left += 1.0 - self._lately_left / self._lately
        self._lately_refused -= self._lately_refused / self._lately
        if now >= self._wall_until:
            self._wall = math.inf
        if self.limits.rpm:
            self._next_by_rpm = max(now, self._next_by_rpm) + 60.0 / self.limits.rpm
        self._charge(now, self._mean_tokens)
        return self._mean_tokens

    def arrive(self, now: float, charged: float, tokens: int | None) -> None:
        """Gives the slot back; ``tokens`` is what the server counted, None when it gave no number."""
        self.in_flight -= 1
        if tokens is None:
            return
        self._seen_usage += 1
        self._mean_tokens += (tokens - self._mean_tokens) / min(self._seen_usage, 100)
        self._charge(now, tokens - charged)

    def _charge(self, now: float, tokens: float) -> None:
        if self.limits.tpm:
            self._token_debt_paid_at = max(now, self._token_debt_paid_at) + tokens * 60.0 / self.limits.tpm

    def refuses_some(self, now: float) -> bool:
        """Whether the endpoint has shown that it refuses requests here and there, for no reason that all share."""
        return now < self._some_until and self._lately_refused <= self._lately_left / 2

    def succeeded(self) -> None:
        """Notes an answer: the endpoint copes with what it gets."""
        self._wave_pause = _FIRST_PAUSE_S
        bound = min(float(self.limits.nproc), max(self._cap, self._wall))
        self._cap = min(bound, self._cap + 1.0 / self._cap)

    def refused(self, now: float, left_at: float, retry_after: float | None) -> None:
        """Notes a refusal for overload of a request that left at ``left_at``."""
        self._lately_refused += 1.0
        if self.refuses_some(now):
            return
        begins = left_at >= self._wave.began
        pause = (self._wave_pause if begins else 0.0) if retry_after is None else retry_after
        if begins:
            self._wave = self._wave.followed_by(now, self.in_flight, self._cap, soon=now < self._wall_until)
            self._wave_pause = min(_LONGEST_PAUSE_S, self._wave_pause * 2)
            self._wall_until = now + min(_LONGEST_MEMORY_S, _MEMORY_PAUSES * pause)
        self.paused_until = max(self.paused_until, now + pause)
        self._wave.refused += 1
        self._make_fit()

    def _make_fit(self) -> None:
        """Lowers what the endpoint is trusted with to what it held, or back where that was of no use."""
        wave = self._wave
        if wave.shows_other_reasons:
            self._cap, self._wall, self._some_until = wave.cap_before, math.inf, self._wall_until
            return
        least = max(1.0, wave.cap / 2)
        self._cap = max(least, min(self._cap, float(wave.held)))
        # A server that held less refused for another reason than its number of places.
        self._wall = float(wave.held) if wave.held >= least else math.inf

    def timed_out(self, now: float, left_at: float) -> None:
        """Notes that a request that left at ``left_at`` got no answer in time: no reason to slow down by itself."""
