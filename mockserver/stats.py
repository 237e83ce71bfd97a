"""What a mock server counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MockStats"]


@dataclass(slots=True)
class MockStats:
    """Counters of a mock server since its start or the last reset.

    Attributes:
        requests: chat requests that arrived.
        answered: right answers that were sent in full, slow and padded ones too.
        refused: refusals by cause: ``key``, ``model``, ``body``, ``media``, ``context``, ``in_flight``, ``rpm``.
        faults: faults by kind, those of `fail_always` too.
        left: requests whose client left, or that ended with the server, before they had their reply; a connection that
            a fault broke off is not among them.
        in_flight: requests in the server now.
        peak_in_flight: most requests in flight at a time.
        bytes_in: bytes of the bodies.
        asked: how often each request came past the refusals, by its digest (model, texts and media).
        answers: how often each request was answered, by its digest.
        faulted: how many faults each request met, by its digest.
        recorded: parsed bodies in the order of arrival, media replaced by their SHA-256; only when asked for.
    """

    requests: int = 0
    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    left: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    bytes_in: int = 0
    asked: Counter[bytes] = field(default_factory=Counter)
    answers: Counter[bytes] = field(default_factory=Counter)
    faulted: Counter[bytes] = field(default_factory=Counter)
    recorded: list[dict[str, Any]] = field(default_factory=list)

    def enter(self) -> None:
        """A request arrived."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def reset(self) -> None:
        """Starts counting anew; requests in flight stay counted as such."""
        fresh = MockStats(in_flight=self.in_flight, peak_in_flight=self.in_flight)
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def as_json(self, questions: bool = False) -> dict[str, Any]:
        """The counters as plain values; with `questions` also how often each request came, by its hex digest."""
        data: dict[str, Any] = {
            "requests": self.requests,
            "answered": self.answered,
            "refused": dict(self.refused),
            "faults": dict(self.faults),
            "left": self.left,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "bytes_in": self.bytes_in,
            "distinct": len(self.asked),
            "answered_twice": sum(1 for count in self.answers.values() if count > 1),
        }
        if questions:
            data["questions"] = {digest.hex(): count for digest, count in self.asked.items()}
        return data
