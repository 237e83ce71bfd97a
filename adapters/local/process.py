"""One worker process, seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final

from .settings import LocalSettings
from .wire import WireError, frame_bytes, read_frame_async

__all__ = ["WorkerProcess"]

_START: Final = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "importlib.import_module(sys.argv[1]).main(json.loads(sys.argv[3]))"
)
_LEAVING_S: Final = 5.0
"""Seconds that a process may take to end after its last reply, so that it is known how it ended by itself."""
_LAST_WORDS: Final = 2000
_SHOWN: Final = 300


class WorkerProcess:
    """A process that loads a model and answers; started by `listen`.

    Args:
        settings: what it is told.
        device: which device it works on; None lets it find out what there is.
        environment: its variables; None for those of this process.
        only_look: tell which devices there are, and end.

    Attributes:
        module: whose `main` it runs.
        is_heard: whether it runs, as far as is known, and replies are listened for.
    """

    module: ClassVar[str] = f"{__package__}.worker"

    def __init__(
        self,
        settings: LocalSettings,
        device: str | None,
        *,
        environment: Mapping[str, str] | None = None,
        only_look: bool = False,
    ) -> None:
        self._environment = environment
        self._told = {"settings": settings.as_json(), "device": device, "only_look": only_look}
        self._process: Process | None = None
        self._killed = False
        self._is_reaped = False
        self.is_heard = False
        self._last_words = b""
        self._silent_s: float | None = None
        self._sign_at = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id; None before it is started."""
        return self._process.pid if self._process else None

    def send(self, head: Mapping[str, Any], pieces: Sequence[bytes]) -> None:
        """Sends a frame; what a dead process does not read is lost, which `listen` tells."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._sign_at = asyncio.get_running_loop().time()
        if not self._process.stdin.is_closing():
            self._process.stdin.writelines(frame_bytes(head, pieces))

    def kill(self) -> None:
        """Ends it at once, with all that it started: that may hold its pipes open."""
        self._killed = True
        if self._process is not None and not self._is_reaped:
            with suppress(ProcessLookupError, PermissionError):  # it is gone; on macOS, not quite gone
                os.killpg(self._process.pid, signal.SIGKILL)

    async def listen(
        self, hear: Callable[[Mapping[str, Any]], None], *, is_busy: Callable[[], bool], patience_s: float
    ) -> str:
        """Starts the process and passes on what it says until it ends.

        Args:
            hear: is given the head of every frame.
            is_busy: whether it has something to do, so that it should give a sign of life.
            patience_s: seconds that it may keep silent then before it is ended.

        Returns:
            How it ended, to follow "the process": ``was ended by SIGKILL (last words: …)``.
        """
        if self._is_killed():
            return "was never started"
        # A session of its own: Ctrl-C is for the run, which ends its workers itself.
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _START, self.module, json.dumps(sys.path), json.dumps(self._told),
                stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True, env=self._environment,
            )  # fmt: skip
        except OSError as error:
            return f"could not be started: {error}"
        if self._is_killed():
            self.kill()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        words = asyncio.ensure_future(self._remember(self._process.stderr))
        self.is_heard = True
        try:
            await self._read(self._process.stdout, hear, is_busy, patience_s)
            self.is_heard = False
            await self._let_end(self._process)
        finally:
            self.is_heard = False
            self.kill()
            code = await self._process.wait()
            self._is_reaped = True
            await words
            self._close()
        return self._ending(code)

    def _is_killed(self) -> bool:
        return self._killed

    async def _read(
        self,
        stream: asyncio.StreamReader,
        hear: Callable[[Mapping[str, Any]], None],
        is_busy: Callable[[], bool],
        patience_s: float,
    ) -> None:
        now = asyncio.get_running_loop().time
        frame = asyncio.ensure_future(read_frame_async(stream))
        self._sign_at = now()
        try:
            while True:
                if not is_busy():
                    self._sign_at = now()
                done, _ = await asyncio.wait([frame], timeout=self._sign_at + patience_s - now())
                if not done:
                    if is_busy() and now() - self._sign_at >= patience_s:
                        self._silent_s = patience_s
                        return
                    continue
                try:
                    head, _pieces = frame.result()
                except (EOFError, WireError, OSError):
                    return
                self._sign_at = now()
                frame = asyncio.ensure_future(read_frame_async(stream))
                hear(head)
        finally:
            frame.cancel()
            with suppress(asyncio.CancelledError, EOFError, WireError, OSError):
                await frame

    async def _let_end(self, process: Process) -> None:
        """Waits for a process that closed its replies; one that hangs is not waited for."""
        if self._silent_s is None and not self._is_killed():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVING_S):
                    await process.wait()

    async def _remember(self, stream: asyncio.StreamReader) -> None:
        """Keeps the end of what it writes to standard error, and makes room for more."""
        while piece := await stream.read(65_536):
            self._last_words = (self._last_words + piece)[-_LAST_WORDS:]

    def _close(self) -> None:
        """Closes the pipes now, not when the garbage collector comes to them."""
        transport = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()

    def _ending(self, code: int) -> str:
        if self._silent_s is not None:
            return f"gave no sign of life for {self._silent_s:g} s and was ended"
        how = f"ended with status {code}"
        if code < 0:
            name = str(-code)
            with suppress(ValueError):
                name = signal.Signals(-code).name
            how = f"was ended by {name}"
            if name == "SIGKILL":
                how += " (by the system, where memory ran out?)"
        words = " ".join(self._last_words.decode("utf-8", "replace").split())
        return f"{how}; its last words: …{words[-_SHOWN:]}" if words else how
