"""What a request's end means for all concerned: its replica, its endpoint, and whether and when it is sent again."""

from __future__ import annotations

from ..errors import AuthError, EndpointError, NotFound
from .replicas import Fleet, Replica
from .retry import Attempts, Health, RetryPolicy

__all__ = ["Tries"]


class Tries:
    """Books successes and failures of requests to one endpoint.

    Args:
        fleet: the endpoint's addresses.
        policy: which failures are worth another try, and when.
        health: whether the endpoint is worth asking at all.
    """

    def __init__(self, fleet: Fleet, policy: RetryPolicy, health: Health) -> None:
        self.fleet = fleet
        self._policy = policy
        self._health = health

    @property
    def successes(self) -> int:
        """Answers of the endpoint so far."""
        return self._health.successes

    def succeeded(self, replica: Replica) -> None:
        """Notes an answer."""
        self._health.success()
        self.fleet.succeeded(replica)

    def failed(
        self, error: EndpointError, attempts: Attempts, replica: Replica, *, sample: str, now: float, left_at: float
    ) -> float | None:
        """Notes a failed request.

        Args:
            error: what happened.
            attempts: what the sample went through before; this failure is added.
            replica: where it happened.
            sample: what was asked about.
            now: current time.
            left_at: when the request left.

        Returns:
            Seconds until the next try, or None when there is to be none.

        Raises:
            EndpointUnusable: nothing will come of asking this endpoint on.
        """
        attempts.counts[type(error)] = attempts.counts.get(type(error), 0) + 1
        if attempts.first_failure_at is None:
            attempts.first_failure_at, attempts.successes_then = now, self.successes
        elsewhere = self.fleet.failed(replica, error, now, left_at)
        if not elsewhere:
            self._health.failure(error, sample=sample, now=now)
        wait = self._policy.next_wait_s(error, attempts, now=now, successes=self.successes)
        if elsewhere and (wait is not None or isinstance(error, AuthError | NotFound)):
            return 0.0  # another replica is well
        return wait
