"""An event loop whose clock jumps instead of waiting: half an hour of backoff takes milliseconds.

Time stands still while callbacks run. When nothing is left to run and a timer is due later, the clock jumps to it. It
does not jump, and runs at the pace of the real clock, while something outside the loop is at work that may come back:

- a worker thread of anyio (`anyio.to_thread`, whatever limiter) or of the executor (`asyncio.to_thread`,
  `loop.run_in_executor`, name lookups);
- bytes on their way between sockets: before a jump, the loop looks at every TCP socket it watches. While one is still
  connecting or has bytes that its peer has not received, it waits for them, for at most `STALL` real seconds (a peer
  that never reads must not stop the clock for good).

So a server and its client may share one loop over loopback and see latencies, time limits and Retry-After in virtual
time. That is sound for both ends in this loop, on Linux. It is not sound, and tests must not do it, for

- a server or subprocess outside the process: the clock jumps while it thinks;
- threads that the loop did not start (`threading.Thread`, a bare `ThreadPoolExecutor.submit`). Wrap such a stretch into
  ``with loop.real_time():``.

`time.monotonic()` and `time.time()` stay real: code under test takes its time from the loop (`anyio.current_time`).
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyio._backends._asyncio import WorkerThread

__all__ = ["STALL", "VirtualTimeLoop"]

STALL = 0.25
"""Real seconds after which bytes that a peer does not take are taken to be stuck."""

_PAUSE = 0.0005
_START = 1000.0
_SAME_INSTANT = 1e-6
_TCP_SYN_SENT = 2
_TCP_INFO_SIZE = 256


class _JumpingSelector(selectors.BaseSelector):
    """Wraps the real selector; where it would wait for a timer alone, the clock is moved in place of waiting."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._inner = selectors.DefaultSelector()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._inner.select(timeout)
        events = self._inner.select(0)
        if events:
            return events
        if self._loop.busy():
            started = time.monotonic()
            events = self._inner.select(timeout)
            # Woken by the timeout, the timer must find itself due: real and virtual rounding may differ.
            self._loop.advance(time.monotonic() - started if events else timeout)
            return events
        events = self._settle()
        if not events:
            self._loop.advance(timeout)
        return events

    def _settle(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Waits for bytes on their way; returns events that they brought."""
        give_up = time.monotonic() + STALL
        while self._unsettled() and time.monotonic() < give_up:
            events = self._inner.select(_PAUSE)
            if events:
                return events
        return self._inner.select(0)

    def _unsettled(self) -> bool:
        return _in_the_air(key.fd for key in self._inner.get_map().values())

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own. Takes part in anyio's tests as ``anyio_backend``:

    ``("asyncio", {"loop_factory": VirtualTimeLoop})``
    """

    def __init__(self) -> None:
        self._now = _START
        self._outside = 0
        super().__init__(_JumpingSelector(self))
        # A timer is due within this much of the clock: sums of floats need not meet it exactly.
        self._clock_resolution = _SAME_INSTANT

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Moves the clock."""
        self._now += seconds

    def busy(self) -> bool:
        """Whether a thread is at work for this loop, or `real_time` is asked for."""
        if self._outside:
            return True
        return any(
            isinstance(thread, WorkerThread)
            and thread.loop is self
            and not thread.stopping
            and thread not in thread.idle_workers
            for thread in threading.enumerate()
        )

    @contextlib.contextmanager
    def real_time(self) -> Iterator[None]:
        """Lets the clock run at the pace of the real one."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def run_in_executor(  # type: ignore[override]  # a spread of type variables would say no more
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._outside += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, future: asyncio.Future[Any]) -> None:
        self._outside -= 1


@dataclass(frozen=True, slots=True)
class _Socket:
    """What the kernel says of a TCP socket: numbers of bytes since it was opened."""

    ends: tuple[Any, Any]
    connecting: bool
    sent: int
    waiting: int
    unacknowledged: bool
    received: int


def _look(fd: int) -> _Socket | None:
    """Reads the state of a TCP socket; None for anything else, and for one that is not connected."""
    try:
        probe = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        if probe.type != socket.SOCK_STREAM or probe.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        info = probe.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        if info[0] == _TCP_SYN_SENT:
            return _Socket((None, None), True, 0, 0, False, 0)
        received, waiting, sent, again = (
            struct.unpack_from("=Q", info, 128)[0],
            struct.unpack_from("=I", info, 144)[0],
            *struct.unpack_from("=QQ", info, 200),
        )
        unacknowledged = struct.unpack_from("=I", info, 24)[0] > 0
        ends = probe.getsockname()[:2], probe.getpeername()[:2]
        return _Socket(ends, False, sent - again, waiting, unacknowledged, received)
    except (OSError, struct.error):
        return None
    finally:
        probe.detach()


def _in_the_air(fds: Iterable[int]) -> bool:
    """Whether a connection is being made, or bytes were sent that the socket at the other end has not received."""
    if not sys.platform.startswith("linux"):
        return False
    sockets = [seen for fd in fds if (seen := _look(fd)) is not None]
    received = {seen.ends: seen.received for seen in sockets}
    for seen in sockets:
        if seen.connecting:
            return True
        if not seen.unacknowledged and not seen.waiting:
            continue
        # Loopback acknowledges up to 40 ms late: what the other socket counts is known at once.
        arrived = received.get((seen.ends[1], seen.ends[0]))
        if arrived is None or arrived < seen.sent + seen.waiting:
            return True
    return False
