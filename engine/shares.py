"""What limited a run, and for how long: shares of the time, kept by the dispatcher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FINISHING", "LOADING", "PREPARING", "RETRIES", "TimeShares", "asking_words", "shares_text"]

LOADING: Final = "loading"
"""The model, on this machine, is loaded."""
PREPARING: Final = "preparing"
"""Slots are free and no sample is ready: rows are read, pictures encoded."""
RETRIES: Final = "retries"
"""All that is left waits for another try."""
FINISHING: Final = "last answers"
"""Everything was asked; the last answers are on their way."""

_LEAST: Final = 0.005


class TimeShares:
    """Seconds by what kept the next request back.

    The names are those of `Gate.why` (``nproc``, ``rpm``, ``tpm``, ``server``: it pauses, or takes no more) and the
    four above.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def add(self, reason: str, seconds: float) -> None:
        """Adds time for which `reason` held."""
        if seconds > 0:
            self._seconds[reason] = self._seconds.get(reason, 0.0) + seconds

    @property
    def total_s(self) -> float:
        """Seconds that were added."""
        return sum(self._seconds.values())

    def shares(self) -> dict[str, float]:
        """Shares of the whole by reason, the largest first; empty before any time has passed."""
        total = self.total_s
        largest_first = sorted(self._seconds.items(), key=lambda entry: -entry[1])
        return {reason: round(seconds / total, 4) for reason, seconds in largest_first}


def shares_text(shares: Mapping[str, float]) -> str:
    """Writes shares as people read them: ``nproc 83 %, server 12 %, preparing 5 %``; the tiniest are left out."""
    return ", ".join(f"{reason} {share:.0%}".replace("%", " %") for reason, share in shares.items() if share >= _LEAST)


def asking_words(about: Mapping[str, Any]) -> str:
    """Says in a line how a model was asked: what limited it, where ``nproc: auto`` settled, what each replica did.

    Args:
        about: what `engine.models.asking_summary` returned; nothing is said of nothing.
    """
    if not about:
        return ""
    parts = []
    if about["limited_by"]:
        parts.append(f"limited by {shares_text(about['limited_by'])}")
    replicas = about["replicas"]
    if about["nproc"] == "auto":
        found = " + ".join(str(replica["nproc"]) for replica in replicas)
        at_rest = all(replica["settled"] for replica in replicas)
        parts.append(f"nproc auto {'settled at' if at_rest else 'was still growing at'} {found}")
    if len(replicas) > 1:
        told = ", ".join(f"{replica['answered']} at {replica['address']}" for replica in replicas)
        parts.append(f"answers: {told}")
    return "; ".join(parts)
