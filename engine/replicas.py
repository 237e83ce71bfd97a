"""Several addresses that serve the same model: who is asked next, and what happens when one of them fails.

Every address is a `Replica` with a `Gate` of its own: ``nproc``, ``rpm`` and ``tpm`` hold for each address, and a
Retry-After of one pauses that one only. A request goes to the replica with the fewest requests in flight among those
that may be asked, so that a faster one gets more and equal ones get the same.

A replica that fails several times in a row without an answer in between is set aside: others are asked in its place,
and a request that failed for its sake goes to another replica at once. From time to time, after pauses that double up
to a minute, one request probes it. As long as no other replica is well, none is set aside: then what fails is the
endpoint as a whole, and retries and patience (`engine/retry.py`) rule as they do for a single address.

Dialogues, whose later turns profit from the prompt cache of the replica that answered the earlier ones, stick to it
(`Fleet.stick_s`, and `wanted` of `Fleet.pick`) as long as it is well and does not pause for long.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from ..adapters.base import Model, RunsHere
from ..errors import (
    AuthError,
    EndpointError,
    MalformedReply,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
    Transport,
)
from .limits import Gate

__all__ = ["Fleet", "Replica"]

log = logging.getLogger("eyechart")

_FAILURES: Final = 3
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_SHORT_PAUSE_S: Final = 5.0
_MISCONFIGURED = AuthError | NotFound
_OF_THE_REPLICA = _MISCONFIGURED | Transport | Overloaded | ServerFault | Timeout | MalformedReply
_WORTH_ANOTHER = _MISCONFIGURED | Transport | Overloaded | RateLimited


class Replica:
    """One address of a model.

    Args:
        model: asks it.
        gate: what may be in flight to it, and when.
        address: what it is called towards people.

    Attributes:
        answered: answers that it gave.
        failed: requests that failed there.
        set_aside: how often it was set aside.
    """

    def __init__(self, model: Model, gate: Gate, address: str = "") -> None:
        self.model = model
        self.gate = gate
        self.address = address
        self.answered = 0
        self.failed = 0
        self.set_aside = 0
        self._in_a_row = 0
        self._down = False
        self._down_since = -math.inf
        self._probe_at = -math.inf
        self._pause_s = _FIRST_PAUSE_S

    @property
    def is_down(self) -> bool:
        """Whether it is set aside."""
        return self._down

    def wait_s(self, now: float, *, alone: bool) -> float:
        """Returns seconds until it may be asked; ``alone``: no other replica is well."""
        wait = self.gate.wait_s(now)
        if not self._down or alone:
            return wait
        return math.inf if self.gate.in_flight else max(wait, self._probe_at - now)

    def succeeded(self) -> bool:
        """Notes an answer; says whether it was set aside until now."""
        self.gate.succeeded()
        self.answered += 1
        self._in_a_row = 0
        self._pause_s = _FIRST_PAUSE_S
        was_down, self._down = self._down, False
        return was_down

    def note_failure(self, error: EndpointError, now: float, left_at: float) -> bool:
        """Notes a failed request that left at ``left_at``; says whether it is set aside from now on."""
        self.failed += 1
        if isinstance(error, RateLimited | Overloaded):
            self.gate.refused(now, left_at, error.retry_after)
        elif isinstance(error, Timeout):
            self.gate.timed_out(now, left_at)
        if not isinstance(error, _OF_THE_REPLICA):
            return False
        self._in_a_row += 1
        if self._down:
            if left_at >= self._down_since:  # a probe; what was in flight when it went down says nothing new
                self._pause(error, now)
            return False
        if self._in_a_row < _FAILURES and not isinstance(error, _MISCONFIGURED):
            return False
        self._down, self._down_since = True, now
        self.set_aside += 1
        self._pause(error, now)
        return True

    def _pause(self, error: EndpointError, now: float) -> None:
        if isinstance(error, _MISCONFIGURED):
            self._pause_s = _LONGEST_PAUSE_S  # a key or a name does not mend itself
        self._probe_at = now + self._pause_s
        self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)


class Fleet:
    """The replicas of a model.

    Args:
        replicas: at least one.
        tell: is told, once for each replica, that it is set aside and why.
    """

    def __init__(self, replicas: Sequence[Replica], tell: Callable[[str], None] = lambda _: None) -> None:
        self.replicas = tuple(replicas)
        self._tell = tell

    @classmethod
    def of(cls, model: Model, gate: Gate) -> Fleet:
        """Makes the fleet of a model with one address."""
        return cls([Replica(model, gate)])

    @property
    def model(self) -> Model:
        """One of the models: all encode alike."""
        return self.replicas[0].model

    @property
    def reach(self) -> int:
        """Requests that may soon be in flight, all replicas together."""
        return sum(replica.gate.reach for replica in self.replicas)

    @property
    def in_flight(self) -> int:
        """Requests in flight, all replicas together."""
        return sum(replica.gate.in_flight for replica in self.replicas)

    @property
    def well(self) -> Sequence[Replica]:
        """The replicas that are asked; all of them while all are set aside."""
        return [replica for replica in self.replicas if not replica.is_down] or self.replicas

    def wait_s(self, now: float) -> float:
        """Returns seconds until a request may leave: 0 for now, infinity while all slots are taken."""
        if len(self.replicas) == 1:
            return self.replicas[0].gate.wait_s(now)
        alone = self._all_down
        return min(replica.wait_s(now, alone=alone) for replica in self.replicas)

    def stick_s(self, now: float, wanted: Replica | None) -> float:
        """Returns seconds until a request may leave that should go to one replica: 0 for now, there or elsewhere.

        It waits for a slot there (infinity while all are taken), or for a pause to be over that is short.
        """
        if wanted is not None and not wanted.is_down:
            wait = wanted.gate.wait_s(now)
            if wait <= _SHORT_PAUSE_S or math.isinf(wait):
                return wait
        return self.wait_s(now)

    def pick(self, now: float, *, wanted: Replica | None = None, unwanted: Replica | None = None) -> Replica:
        """Chooses who is asked, when `wait_s` is 0: a probe that is due, else the one with the fewest in flight.

        Args:
            now: current time.
            wanted: taken before all others if it is well and may be asked.
            unwanted: taken only if no other may be asked: the request has just failed there.
        """
        if len(self.replicas) == 1:
            return self.replicas[0]
        alone = self._all_down
        free = [replica for replica in self.replicas if replica.wait_s(now, alone=alone) <= 0]
        if wanted in free and not wanted.is_down:
            return wanted
        others = [replica for replica in free if replica is not unwanted] or free
        return min(others, key=lambda r: (alone or not r.is_down, r.gate.in_flight, r.answered + r.failed))

    @property
    def is_loading(self) -> bool:
        """Whether the model is on this machine and not loaded yet."""
        return any(isinstance(replica.model, RunsHere) and replica.model.is_loading for replica in self.replicas)

    def why(self, now: float) -> str | None:
        """Names what keeps the next request back, where it is the same for most replicas."""
        reasons = Counter(replica.gate.why(now) for replica in self.well)
        return None if reasons[None] else reasons.most_common(1)[0][0]

    def succeeded(self, replica: Replica) -> None:
        """Notes an answer of a replica."""
        if replica.succeeded() and len(self.replicas) > 1:
            log.warning("%s answers again", replica.address)

    def failed(self, replica: Replica, error: EndpointError, now: float, left_at: float) -> bool:
        """Notes a failed request that left at ``left_at``.

        Returns:
            Whether the failure is the replica's own affair: another one is well and should be asked the same at once.
        """
        down = replica.note_failure(error, now, left_at)
        if len(self.replicas) == 1:
            return False
        elsewhere = any(other is not replica and not other.is_down for other in self.replicas)
        if down:
            text = f"{replica.address} is set aside: {error}"
            log.warning("%s", text)
            if replica.set_aside == 1 and elsewhere:
                self._tell(text)
        return elsewhere and isinstance(error, _WORTH_ANOTHER)

    async def aclose(self) -> None:
        """Closes all connections."""
        for replica in self.replicas:
            await replica.model.aclose()

    @property
    def _all_down(self) -> bool:
        return all(replica.is_down for replica in self.replicas)
