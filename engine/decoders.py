"""Processes that decode videos: a few, started when they are needed, each one stopped when it hangs or goes astray."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from ..errors import MediaError
from .config_env import child_environment

__all__ = ["Decoders", "Replies", "allowed_cores"]

Replies: TypeAlias = list[tuple[bytes, bytes]]
"""What came back: a letter and a body each (engine/frame_child.py tells which there are)."""

_PROGRAM: Final = Path(__file__).with_name("frame_child.py")
_HEAD: Final = struct.Struct(">cQ")
_LARGEST: Final = 1 << 30
_PIECE: Final = 1 << 20
_STOPPED: Final = "the run was stopped before it was decoded"


def allowed_cores() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _AstrayError(Exception):
    """A process gave no whole reply."""


class _Child:
    """One process; used by one thread at a time."""

    def __init__(self, program: Path, memory_bytes: int, threads: int) -> None:
        # -P: the folder of the program holds modules that are called like others.
        command = [sys.executable, "-P", str(program), str(memory_bytes), str(threads)]
        self._process = subprocess.Popen(  # noqa: S603 (a program of our own)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=child_environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._killed = False
        self.video = ""

    @property
    def alive(self) -> bool:
        """Whether it can be asked: it was not ended, nor did it end by itself."""
        return not self._killed and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, request: Mapping[str, Any], patience_s: float) -> Replies:
        """Sends a request and reads the replies to it, the last of them included.

        Raises:
            _AstrayError: it ended, or gave nothing for so long.
        """
        self.video = request["video"]
        self._write(json.dumps(request).encode() + b"\n")
        replies: Replies = []
        while not replies or replies[-1][0] == b"f":
            kind, size = _HEAD.unpack(self._read(_HEAD.size, patience_s))
            if size > _LARGEST:
                raise _AstrayError("the decoder replied nonsense")
            replies.append((kind, self._read(size, patience_s)))
        return replies

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._in.fileno(), left) :]
        except OSError:
            raise _AstrayError(self._ending()) from None

    def _read(self, size: int, patience_s: float) -> bytes:
        data = bytearray()
        until = time.monotonic() + patience_s
        while len(data) < size:
            left = until - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise _AstrayError(f"the decoder gave nothing for {patience_s:g} s and was stopped")
            piece = os.read(self._out.fileno(), min(size - len(data), _PIECE))
            if not piece:
                raise _AstrayError(self._ending())
            data += piece
        return bytes(data)

    def _ending(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.returncode
        how = f"status {code}"
        if code is not None and code < 0:
            with suppress(ValueError):
                how = signal.Signals(-code).name
        return f"the decoder crashed ({how})"

    def kill(self) -> None:
        """Ends it at once; whoever waits for a reply sees that it ended."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """Ends it and takes it away."""
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()


class Decoders:
    """Decoder processes that threads share.

    Args:
        most: processes at a time; by default four, or one for each processor where there are fewer.
        memory_bytes: address space of each, where the system can limit it.
        patience_s: seconds without any reply after which a process counts as hung.
        program: what they run; tests put others in place.
    """

    def __init__(
        self,
        *,
        most: int | None = None,
        memory_bytes: int = 4 << 30,
        patience_s: float = 120.0,
        program: Path = _PROGRAM,
    ) -> None:
        cores = allowed_cores()
        self._most = most or min(4, cores)
        self._program = program
        self._memory_bytes = memory_bytes
        self._threads = max(2, cores // self._most)
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._stopped = False

    def ask(self, request: Mapping[str, Any]) -> Replies:
        """Has a process work on a request; blocks until one is free and done.

        Args:
            request: see `engine.frame_child`; ``video`` names the file.

        Raises:
            MediaError: the video cannot be decoded: the process says so, hung or crashed.
        """
        name = Path(request["video"]).name
        with self._lent(request["video"]) as child:
            try:
                replies = child.ask(request, self._patience_s)
            except _AstrayError as error:
                child.kill()
                raise MediaError(f"video {name}: {_STOPPED if self._stopped else error}") from None
        kind, body = replies[-1]
        if kind == b"e":
            raise MediaError(f"video {name}: {body.decode()[:300]}")
        return replies

    def pids(self) -> list[int]:
        """Returns the ids of the processes."""
        with self._changed:
            return [child.pid for child in (*self._idle, *self._busy)]

    def interrupt(self) -> None:
        """Ends all processes and starts no more; who waits for one gets an error. Safe to call from any thread."""
        with self._changed:
            self._stopped = True
            for child in (*self._idle, *self._busy):
                child.kill()
            self._changed.notify_all()

    def close(self) -> None:
        """Ends all processes; nobody may be waiting for them any more."""
        self.interrupt()
        with self._changed:
            for child in self._idle:
                child.close()
            self._idle.clear()

    @contextmanager
    def _lent(self, video: str) -> Iterator[_Child]:
        child = self._borrow(video)
        try:
            yield child
        finally:
            with self._changed:
                self._busy.discard(child)
                if child.alive and not self._stopped:
                    self._idle.append(child)
                else:
                    child.close()
                self._changed.notify()

    def _start(self, video: str) -> _Child:
        try:
            return _Child(self._program, self._memory_bytes, self._threads)
        except OSError as error:
            name = Path(video).name
            raise MediaError(f"video {name}: a process to decode it cannot be started: {error.strerror}") from None

    def _borrow(self, video: str) -> _Child:
        """Returns a process, one that has this video open where there is such a one."""
        with self._changed:
            while not self._stopped:
                while self._idle:
                    known = next((child for child in self._idle if child.video == video), self._idle[-1])
                    self._idle.remove(known)
                    if known.alive:
                        self._busy.add(known)
                        return known
                    known.close()
                if len(self._busy) < self._most:
                    fresh = self._start(video)
                    self._busy.add(fresh)
                    return fresh
                self._changed.wait()
        raise MediaError(f"video {Path(video).name}: {_STOPPED}")
