"""Which devices workers would have, without loading a model: torch is asked in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...errors import ConfigError
from .process import WorkerProcess
from .settings import LocalSettings

__all__ = ["Look", "look"]

_PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Look:
    """What torch found.

    Attributes:
        devices: one for each worker.
        torch: its version.
    """

    devices: tuple[str, ...]
    torch: str


async def look(settings: LocalSettings, *, environment: Mapping[str, str] | None = None) -> Look:
    """Finds out where a model would run.

    Raises:
        ConfigError: a device is asked for that is not there, or torch cannot be imported.
    """
    heard: list[Mapping[str, Any]] = []
    process = WorkerProcess(settings, None, environment=environment, only_look=True)
    ending = await process.listen(heard.append, is_busy=lambda: True, patience_s=_PATIENCE_S)
    if not heard:
        raise ConfigError(f"torch cannot be asked for devices: the process {ending}")
    if "fatal" in heard[0]:
        raise ConfigError(heard[0]["fatal"])
    seen = heard[0]["seen"]
    return Look(tuple(seen["devices"]), seen["torch"])
