"""What is done to a run from inside its process: writes that fail, are slow or are the last thing that happens, clocks
that jump, names that do not resolve, too few file descriptors.

Harm reaches the engine through what it calls anyway: the audit events of `open`, `rename` and `mkdir`, `os.write` and
`os.fsync`, `time.time`, `socket.getaddrinfo`. Nothing of the engine is changed, but where a `call` is named.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["Trap", "change_modules", "jump_clocks", "limit_files", "lose_names", "set_traps", "use_proxy"]

Act = Callable[[], None]


@dataclass(slots=True)
class Trap:
    """Something that happens when the engine does something.

    Attributes:
        on: ``open`` (for writing), ``rename``, ``mkdir``, ``write``, ``sync``, or ``module:Class.function``.
        path: part of the file's name or its folder's; any where it is empty.
        act: ``kill``, ``kill half`` (of what is to be written), ``sleep SECONDS``, ``leak`` (a thread, file or task), or
            the name of an errno.
        skip: how often it passes before.
        times: how often it happens; for ever where it is None.
    """

    on: str
    path: str = ""
    act: str = "kill"
    skip: int = 0
    times: int | None = None
    seen: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def springs(self, on: str, path: str) -> bool:
        """Whether it happens now."""
        if on != self.on or self.path not in "/".join(path.split("/")[-2:]):
            return False
        with self._lock:
            self.seen += 1
            return self.seen > self.skip and (self.times is None or self.seen <= self.skip + self.times)

    def do(self, path: str) -> None:
        """Does what it is set for.

        Raises:
            OSError: of the number that the trap names.
        """
        what, _, amount = self.act.partition(" ")
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "leak":
            _leak(amount)
            return
        if what == "sleep":
            time.sleep(float(amount))
            return
        number = getattr(errno, what)
        raise OSError(number, os.strerror(number), path)


_leaked: list[object] = []


def _leak(what: str) -> None:
    """Leaves something behind: proof that it is seen."""
    if what == "thread":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    elif what == "file":
        _leaked.append(Path(__file__).open())  # noqa: SIM115
    elif what == "task":
        _leaked.append(asyncio.ensure_future(asyncio.sleep(60)))


def set_traps(traps: Sequence[Trap]) -> None:
    """Sets traps on what touches files, and on calls into the engine."""
    write, fsync = os.write, os.fsync

    def spring(on: str, path: str) -> None:
        for trap in traps:
            if trap.springs(on, path):
                trap.do(path)

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            spring("open", os.fsdecode(args[0]) if isinstance(args[0], str | bytes) else "")
        elif event == "os.rename":
            spring("rename", os.fsdecode(args[1]))
        elif event == "os.mkdir":
            spring("mkdir", os.fsdecode(args[0]))

    def trapped_write(fd: int, data: Any) -> int:
        for trap in traps:
            if trap.on == "write" and trap.springs("write", path := _path_of(fd)):
                if trap.act.endswith("half"):
                    write(fd, data[: len(data) // 2])
                trap.do(path)
        return write(fd, data)

    def trapped_sync(fd: int) -> None:
        spring("sync", _path_of(fd))
        fsync(fd)

    sys.addaudithook(heard)
    os.write, os.fsync = trapped_write, trapped_sync  # type: ignore[assignment]
    for trap in traps:
        if ":" in trap.on:
            _trap_call(trap, spring)


def _trap_call(trap: Trap, spring: Callable[[str, str], None]) -> None:
    module, _, name = trap.on.partition(":")
    holder: Any = importlib.import_module(module)
    *way, last = name.split(".")
    for step in way:
        holder = getattr(holder, step)
    plain = getattr(holder, last)

    def trapped(*args: Any, **about: Any) -> Any:
        spring(trap.on, "")
        return plain(*args, **about)

    setattr(holder, last, trapped)


def _path_of(fd: int) -> str:
    try:
        return str(Path(f"/proc/self/fd/{fd}").readlink())
    except OSError:
        return ""


def jump_clocks(jumps: Sequence[tuple[float, float]]) -> None:
    """Makes the wall clock jump; to be called before anything of the engine is imported.

    Args:
        jumps: seconds from now, and by how much the clock is wrong from then on.
    """
    began, plain = time.monotonic(), time.time

    def wrong() -> float:
        passed = time.monotonic() - began
        return sum(by for at, by in jumps if passed >= at)

    class Jumping(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.now(tz) + dt.timedelta(seconds=wrong())

    time.time = lambda: plain() + wrong()
    _after_import.append(partial(_replace, dt.datetime, Jumping))


_after_import: list[Act] = []


def change_modules() -> None:
    """Does what had to wait until the engine was imported."""
    for act in _after_import:
        act()


def _replace(plain: object, other: object) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("eyechart.") and getattr(module, "datetime", None) is plain:
            module.datetime = other  # type: ignore[attr-defined]


def lose_names(host: str, outages: Sequence[tuple[float, float]]) -> None:
    """Makes a host of this name, which is this machine, unknown during outages (from, to, in seconds from now)."""
    began, plain = time.monotonic(), socket.getaddrinfo

    def resolve(name: Any, *args: Any, **about: Any) -> Any:
        if name != host:
            return plain(name, *args, **about)
        passed = time.monotonic() - began
        if any(start <= passed < end for start, end in outages):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return plain("127.0.0.1", *args, **about)

    socket.getaddrinfo = resolve  # type: ignore[assignment]


def limit_files(most: int) -> None:
    """Bounds the file descriptors of this process."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def use_proxy(address: str) -> None:
    """Lets the engine reach its models by way of an HTTP proxy."""
    models: Any = importlib.import_module("eyechart.engine.models")
    models.Endpoint = partial(models.Endpoint, proxy=address)
