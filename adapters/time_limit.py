"""A time limit that does not count the time in which this process was not running."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

__all__ = ["TimeLimit"]

_LATE_S: Final = 1.0
_SECOND_CHANCE_S: Final = 5.0


class TimeLimit:
    """Ends what runs inside ``async with`` after some seconds, with a TimeoutError.

    A process that is suspended (by a scheduler, a debugger, Ctrl-Z) finds on waking that all its timers are due, and
    that the answers it waited for have long arrived, but are not read yet. A timer that comes much too late therefore
    ends nothing: it waits a few seconds more, in which what has arrived is read.

    Args:
        seconds: from entering.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._wait(self._seconds)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _wait(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._due, self._is_due)

    def _is_due(self) -> None:
        if self._loop.time() - self._due > _LATE_S:
            self._wait(min(self._seconds, _SECOND_CHANCE_S))
        else:
            self._timeout.reschedule(self._due)
