"""Group commit: answers of many requests reach the journal together, and each learns when its own is on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from anyio import CapacityLimiter, to_thread

from .journal import Journal

__all__ = ["GroupCommit", "writing"]


@dataclass(slots=True)
class _Batch:
    lines: list[bytes] = field(default_factory=list)
    written: anyio.Event = field(default_factory=anyio.Event)


class GroupCommit:
    """The one writer of a journal.

    Attributes:
        closed: set when `run` has ended, however it ended.

    While a batch is being written the next one fills up, so the number of writes adapts to the disk by itself: a fast
    disk sees single lines, a slow one large batches, and the event loop never waits for either.
    """

    def __init__(self, journal: Journal, *, sync_interval_s: float = 1.0) -> None:
        self._journal = journal
        self._interval = sync_interval_s
        self._pending = _Batch()
        self._wake = anyio.Event()
        self._closing = False
        # Threads of its own: a prepare stage that fills the shared ones must not hold up answers.
        self._write_thread = CapacityLimiter(1)
        self._sync_thread = CapacityLimiter(1)
        self._unsynced = False
        self.closed = anyio.Event()

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._journal.path

    async def write(self, line: bytes) -> None:
        """Hands in a line and returns once it is in the file.

        A failed write surfaces in `run`, which ends the run; then this never returns by itself but is cancelled.
        """
        batch = self._pending
        batch.lines.append(line)
        self._wake.set()
        await batch.written.wait()

    async def run(self) -> None:
        """Writes batches until `close`, syncing to disk at least once a second while there is anything new.

        Raises:
            StorageError: a write failed; the lines of its batch count as not written.
        """
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._sync_regularly)
                await self._write_batches()
                tasks.cancel_scope.cancel()
            if self._unsynced:
                await to_thread.run_sync(self._journal.sync, limiter=self._sync_thread)
        finally:
            self.closed.set()

    async def _write_batches(self) -> None:
        while not (self._closing and not self._pending.lines):
            await self._wake.wait()
            self._wake = anyio.Event()
            batch, self._pending = self._pending, _Batch()
            if batch.lines:
                await to_thread.run_sync(self._journal.append, batch.lines, limiter=self._write_thread)
                self._unsynced = True
                batch.written.set()

    def close(self) -> None:
        """Lets `run` end once everything handed in is written."""
        self._closing = True
        self._wake.set()

    async def _sync_regularly(self) -> None:
        while True:
            await anyio.sleep(self._interval)
            if self._unsynced:
                self._unsynced = False
                await to_thread.run_sync(self._journal.sync, limiter=self._sync_thread)


@asynccontextmanager
async def writing(commits: Sequence[GroupCommit]) -> AsyncIterator[None]:
    """Runs the writers of journals as long as the context is open.

    What was handed in is written before the context closes, even when an error ends it: a run that gives up an endpoint
    keeps the answers that are on their way to the disk. Only cancellation from outside ends the writers at once.

    Raises:
        StorageError: a write failed. Inside an exception group.
    """
    async with anyio.create_task_group() as writers:
        for commit in commits:
            writers.start_soon(commit.run)
        try:
            yield
        finally:
            for commit in commits:
                commit.close()
            with anyio.CancelScope(shield=True):
                for commit in commits:
                    await commit.closed.wait()
