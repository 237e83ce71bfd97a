"""Retries: which failures are worth another try, when, and when a sample or a whole endpoint is given up.

Failures come in three kinds. Some are about the *request* (a 500 on a bad picture, an empty answer, a broken body):
they use up the sample's tries. Some are about the *endpoint* (429, 503, refused connections): any sample would have met
them, so they cost the sample nothing until the endpoint's patience is over. And some cannot change (400, a refused
key): they are never repeated.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import (
    AuthError,
    BadRequest,
    EmptyAnswer,
    EndpointError,
    EndpointUnusable,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Transport,
)

__all__ = ["Attempts", "Health", "RetryPolicy"]

_LONGEST_WAIT_S = 60.0
_HOPELESS_IN_A_ROW = 3
_CHECK_KEY = "check the key (EYECHART_API_KEY, or key in the configuration)"
_CHECK_NAME = "check the model's name at the server (type) and the address (api_base)"
_SERVER_FAULTS_WHILE_OTHERS_SUCCEED = 3
_EMPTY_ANSWERS = 3
_TRANSPORT_SHARE = 3  # a broken connection weighs a third of a failure: mostly it is the network's, not the sample's


@dataclass(slots=True)
class Attempts:
    """What one sample went through so far.

    Attributes:
        sent: requests sent.
        first_failure_at: when the first of them failed, None before.
        successes_then: successes of the endpoint at that time.
        counts: failures by error class.
    """

    sent: int = 0
    first_failure_at: float | None = None
    successes_then: int = 0
    counts: dict[type[EndpointError], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when to ask again.

    Attributes:
        tries: requests that a sample may lose to failures of its own before it is given up (the reference's ``retry``).
        wait_s: scale of the first wait; waits double up to a minute and are drawn evenly below that (full jitter, as in
            "Exponential Backoff And Jitter", M. Brooker, AWS Architecture Blog, 2015).
        patience_s: how long a sample waits for an endpoint that refuses it without end.
        draw: uniform draw from [0, 1).
    """

    tries: int = 6
    wait_s: float = 1.0
    patience_s: float = 600.0
    draw: Callable[[], float] = random.random

    def next_wait_s(self, error: EndpointError, attempts: Attempts, *, now: float, successes: int) -> float | None:
        """Returns seconds until the next try, or None when the sample is given up.

        Args:
            error: what just happened; already counted in ``attempts``.
            attempts: what the sample went through.
            now: current time.
            successes: successes of the endpoint so far.
        """
        if not error.retryable or self._given_up(error, attempts, now, successes):
            return None
        exponent = min(sum(attempts.counts.values()) - 1, 16)
        wait = self.draw() * min(_LONGEST_WAIT_S, self.wait_s * 2.0**exponent)
        return max(wait, error.retry_after or 0.0)

    def _given_up(self, error: EndpointError, attempts: Attempts, now: float, successes: int) -> bool:
        counts = attempts.counts
        others_succeed = successes > attempts.successes_then
        started = now if attempts.first_failure_at is None else attempts.first_failure_at
        waited = now - started > self.patience_s
        if isinstance(error, RateLimited | Overloaded):
            return waited and counts.get(RateLimited, 0) + counts.get(Overloaded, 0) >= self.tries
        if isinstance(error, Transport):
            # The last sample of a run has no others beside it: it would be asked for ever.
            return (others_succeed or waited) and counts[Transport] >= self.tries * _TRANSPORT_SHARE
        if isinstance(error, EmptyAnswer) and counts[EmptyAnswer] >= min(self.tries, _EMPTY_ANSWERS):
            return True
        if isinstance(error, ServerFault) and others_succeed:
            return counts[ServerFault] >= min(self.tries, _SERVER_FAULTS_WHILE_OTHERS_SUCCEED)
        own = sum(n for kind, n in counts.items() if not issubclass(kind, RateLimited | Overloaded | Transport))
        return own >= self.tries


class Health:
    """Whether an endpoint is worth asking at all.

    Args:
        patience_s: seconds without any success, while requests fail, after which the endpoint is given up.
        startup_patience_s: the same as long as it gave no sign of life: a server that is down should be told at once.
    """

    def __init__(self, *, patience_s: float = 600.0, startup_patience_s: float = 30.0) -> None:
        self.successes = 0
        self._patience = patience_s
        self._startup_patience = min(startup_patience_s, patience_s)
        self._alive = False
        self._failing_since: float | None = None
        self._failing_samples: set[str] = set()
        self._hopeless_in_a_row = 0

    def success(self) -> None:
        """Notes an answer."""
        self.successes += 1
        self._alive = True
        self._failing_since = None
        self._failing_samples.clear()
        self._hopeless_in_a_row = 0

    def failure(self, error: EndpointError, *, sample: str, now: float) -> None:
        """Notes a failed request.

        Raises:
            EndpointUnusable: nothing will come of asking on.
        """
        if isinstance(error, AuthError | NotFound):
            self._hopeless_in_a_row += 1
            if self._hopeless_in_a_row >= _HOPELESS_IN_A_ROW:
                hint = _CHECK_KEY if isinstance(error, AuthError) else _CHECK_NAME
                raise EndpointUnusable(f"{str(error).rstrip('.')}; {hint}") from error
            return
        self._hopeless_in_a_row = 0
        if isinstance(error, BadRequest | EmptyAnswer):
            return  # the endpoint is well: it read the request
        if self._failing_since is None:
            self._failing_since = now
        if len(self._failing_samples) <= 1:
            self._failing_samples.add(sample)
        if isinstance(error, RateLimited | Overloaded):
            self._alive = True  # it asks for time, which is what the patience is for
        patience = self._patience if self._alive else self._startup_patience
        # One sample that cannot succeed says nothing about the endpoint, unless that cannot even be reached.
        unreachable = isinstance(error, Transport) and not self.successes
        if now - self._failing_since >= patience and (unreachable or len(self._failing_samples) > 1):
            raise EndpointUnusable(f"nothing was answered for {patience:.0f} s; last: {error}") from error
