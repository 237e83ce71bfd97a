"""What keeps a model from being asked faster, in words for a display."""

from __future__ import annotations

from .auto_gate import AutoGate
from .limits import Gate
from .replicas import Fleet

__all__ = ["limit_words"]


def limit_words(gate: Gate | Fleet, now: float) -> str:
    """Says what keeps the next request back, with the figures that belong to it."""
    if isinstance(gate, Gate):
        return _of_gate(gate, now)
    well = gate.well
    reason = gate.why(now)
    typical = next((replica for replica in well if replica.gate.why(now) == reason), well[0])
    words = _of_gate(typical.gate, now)
    if len(gate.replicas) == 1:
        return words
    return f"{words}, at {len(well)} of {len(gate.replicas)} addresses"


def _of_gate(gate: Gate, now: float) -> str:
    why = gate.why(now)
    auto = f"nproc auto {gate.cap}" if isinstance(gate, AutoGate) else ""
    most = gate.limits.nproc
    if why is None:
        words = "preparing samples"
    elif why in ("rpm", "tpm"):
        words = f"{why} {getattr(gate.limits, why):g}"
    elif gate.paused_until > now:
        words = f"the server, pause of {max(1, round(gate.paused_until - now))} s"
    elif why == "nproc":
        if auto:
            return f"nproc_max {most}" if gate.cap == most else f"{auto}, still growing"
        return f"nproc {most}"
    else:
        words = "the server" if auto else f"the server, takes {gate.cap} of nproc {most}"
    return f"{words}, {auto}" if auto else words
