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
from typing import Any, Final

from .settings import LocalSettings
from .wire import WireError, frame_bytes, read_frame_async

__all__ = ["WorkerProcess"]

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    f"from {__package__}.worker import main; main(json.loads(sys.argv[2]))"
)
_LAST_WORDS: Final = 2000
_SHOWN: Final = 300


class WorkerProcess:
    """A process that loads a model and answers; started by `listen`.

    Args:
        settings: what it is told.
        device: which device it works on; None lets it find out what there is.
        only_look: tell which devices there are, and end.
    """

    def __init__(self, settings: LocalSettings, device: str | None, *, only_look: bool = False) -> None:
        self._told = {"settings": settings.as_json(), "device": device, "only_look": only_look}
        self._process: Process | None = None
        self._killed = False
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
        """Ends it at once."""
        self._killed = True
        if self._process is not None and self._process.returncode is None:
            # Not by its own method, which would take the exit status away from the event loop that waits for it.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

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
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _START, json.dumps(sys.path), json.dumps(self._told),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
        )  # fmt: skip
        if self._is_killed():
            self.kill()
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        words = asyncio.ensure_future(self._remember(self._process.stderr))
        try:
            await self._read(self._process.stdout, hear, is_busy, patience_s)
        finally:
            self.kill()
            code = await self._process.wait()
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
