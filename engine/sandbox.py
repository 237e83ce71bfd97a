"""Decoders that cannot be trusted with a run: they work in processes of their own, within time and memory.

A library that reads files from outside may crash, hang or ask for all memory there is. In a sandbox that costs what it
was asked for and nothing else. Its processes are started when there is something to do, and kept for what comes next.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Final, cast

from .config_env import child_environment
from .sandbox_child import FAILED, READY, REQUEST, RESULT, read_frame, write_frame

__all__ = ["Sandbox", "SandboxError"]

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    f"from {__package__}.sandbox_child import serve; serve(sys.argv[2], int(sys.argv[3]))"
)
_TASKS_PER_PROCESS: Final = 200
"""What a library leaks from task to task ends with its process."""
_MEGABYTE: Final = 1_000_000
_DYING_S: Final = 2.0
_START_S: Final = 60.0
_UNREADY: Final = "the process to read it did not start within 60 s"
_IDLE: Final = "it was given up after {:g} s without any result"
_LONG: Final = "it was given up after {:g} s"
_STOPPED: Final = "the run is being stopped"


class SandboxError(Exception):
    """A task has no result: it refused what it was given, took too long, too much memory, or crashed."""


class Sandbox:
    """Processes that carry out one `sandbox_child.Task`. Thread-safe; a call blocks its thread.

    Args:
        task: module and name of the task, as ``package.module:name``.
        processes: most processes at a time; further calls wait.
        memory: bytes of address space that each may have.
    """

    def __init__(self, task: str, *, processes: int, memory: int) -> None:
        self._task = task
        self._memory = memory
        self._slots = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def run(
        self, request: Mapping[str, Any], payload: bytes, *, step_s: float, total_s: float, most_bytes: int
    ) -> list[bytes]:
        """Carries out the task.

        Args:
            request: what is asked, ready for JSON.
            payload: the bytes to work on.
            step_s: seconds to each result.
            total_s: seconds to the last.
            most_bytes: bytes of all results.

        Raises:
            SandboxError: the task has no result; the text says why.
        """
        with self._slots, self._worker() as worker:
            return worker.run(request, payload, step_s, total_s, most_bytes)

    def close(self) -> None:
        """Ends all processes; tasks that are being carried out fail, and so do further ones."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill(_STOPPED)
        for worker in idle:
            worker.end()

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        """Lends a process; one that failed, or has done enough, is not used again."""
        worker = self._take()
        try:
            yield worker
        finally:
            with self._lock:
                self._busy.discard(worker)
                usable = worker.sound and worker.done < _TASKS_PER_PROCESS and not self._closed
                if usable:
                    self._idle.append(worker)
            if not usable:
                worker.end()

    def _take(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise SandboxError(_STOPPED)
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    self._busy.add(worker)
                    return worker
                worker.end()
            try:
                worker = _Worker(self._task, self._memory)
            except OSError as error:
                raise SandboxError(f"no process can be started for it: {error}") from error
            self._busy.add(worker)
            return worker


class _Worker:
    """One process.

    Attributes:
        sound: the last task ended as it should, so that another may follow.
        done: how many tasks it has been given.
    """

    def __init__(self, task: str, memory: int) -> None:
        self.sound = True
        self.done = 0
        self._ready = False
        self._lock = threading.Lock()
        self._waiting = False
        self._killed_for: str | None = None
        # A session of its own: Ctrl-C is for the run, which ends this process when it is done.
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-c", _START, json.dumps([str(place) for place in sys.path]), task, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=child_environment(),
        )
        self._requests = cast("BinaryIO", self._process.stdin)
        self._replies = cast("BinaryIO", self._process.stdout)

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def run(
        self, request: Mapping[str, Any], payload: bytes, step_s: float, total_s: float, most_bytes: int
    ) -> list[bytes]:
        """Carries out a task, see `Sandbox.run`."""
        self.sound, self.done = False, self.done + 1
        results: list[bytes] = []
        room = most_bytes
        try:
            self._wait_until_ready()
            ends = time.monotonic() + total_s
            with self._within(step_s, _IDLE.format(step_s)):
                write_frame(self._requests, REQUEST, json.dumps(request).encode())
                write_frame(self._requests, REQUEST, payload)
            while (found := self._next(step_s, ends - time.monotonic(), total_s))[0] == RESULT:
                results.append(found[1])
                room -= len(found[1])
                if room < 0:
                    raise SandboxError(f"it comes to more than {most_bytes // _MEGABYTE:,} MB")
        except (EOFError, OSError):
            raise SandboxError(self._cause_of_death()) from None
        if found[0] == FAILED:
            # Its libraries may remember what went wrong: PDFium tells the last error even where the next is another.
            raise SandboxError(found[1].decode())
        self.sound = True
        return results

    def _wait_until_ready(self) -> None:
        """Gives a new process its own time: what it takes to load libraries is no fault of the first task."""
        if not self._ready:
            with self._within(_START_S, _UNREADY):
                self._ready = read_frame(self._replies)[0] == READY

    def _next(self, step_s: float, left_s: float, total_s: float) -> tuple[bytes, bytes]:
        """Reads the next frame in time."""
        if step_s < left_s:
            limit = self._within(step_s, _IDLE.format(step_s))
        else:
            limit = self._within(left_s, _LONG.format(total_s))
        with limit:
            return read_frame(self._replies)

    def kill(self, reason: str | None = None) -> None:
        """Ends the process at once; whoever waits for its results is told the reason."""
        self._killed_for = self._killed_for or reason
        with suppress(ProcessLookupError):
            self._process.kill()

    def end(self) -> None:
        """Ends the process and lets go of it."""
        self.kill()
        self._process.wait()
        with suppress(OSError):  # what was still to be written to it
            self._requests.close()
        self._replies.close()

    @contextmanager
    def _within(self, seconds: float, problem: str) -> Iterator[None]:
        """Kills the process if what is done inside takes longer."""
        timer = threading.Timer(max(0.0, seconds), self._expire, (problem,))
        timer.daemon = True
        self._waiting = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._waiting = False

    def _expire(self, problem: str) -> None:
        with self._lock:
            if self._waiting:
                self.kill(problem)

    def _cause_of_death(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_DYING_S)
        self.kill()
        code = self._process.wait()
        if self._killed_for is not None:
            return self._killed_for
        try:
            how = signal.Signals(-code).name
        except ValueError:
            how = f"exit code {code}"
        return f"it crashes what reads it ({how})"
