"""The ``.part`` file of a download: what arrived, its MD5, and a lock that keeps other processes out."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from anyio import to_thread

from ..errors import StorageError

__all__ = ["PartFile"]

log = logging.getLogger(__name__)

_BLOCK: Final = 1 << 20
_WAIT_S: Final = 0.5
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def _storage_error(path: Path, err: OSError) -> StorageError:
    if err.errno in _FULL:
        return StorageError(
            f"cannot write {path}: the disk is full; free some space and try again, the download goes on"
        )
    return StorageError(f"cannot write {path}: {err.strerror}")


class PartFile:
    """``<target>.part``, open and locked.

    Attributes:
        target: the name that the file gets when it is complete.
        path: where it is until then.
        size: bytes in it.
    """

    def __init__(self, target: Path, path: Path, fd: int) -> None:
        """Takes over an open and locked file; see `open`."""
        self.target = target
        self.path = path
        self.size = 0
        self._fd = fd
        self._digest = hashlib.md5(usedforsecurity=False)
        self._notes = path.with_name(f"{path.name}.json")

    @classmethod
    async def open(cls, target: Path, sleep: Callable[[float], Awaitable[None]]) -> PartFile | None:
        """Opens the file and takes its lock, waiting for a process that has it; None when the target appears.

        Raises:
            StorageError: the file cannot be opened for writing.
        """
        path = target.with_name(f"{target.name}.part")
        told = False
        while not await to_thread.run_sync(target.exists):
            fd = await to_thread.run_sync(_lock, path)
            if fd is not None:
                part = cls(target, path, fd)
                await to_thread.run_sync(part._catch_up)
                return part
            if not told:
                log.warning("another process is downloading %s; waiting for it", target.name)
                told = True
            await sleep(_WAIT_S)
        return None

    @property
    def md5(self) -> str:
        """MD5 of what is there."""
        return self._digest.hexdigest()

    def write(self, block: bytes | bytearray) -> None:
        """Appends a block.

        Raises:
            StorageError: the disk is full or the file cannot be written.
        """
        view = memoryview(block)
        try:
            while view:
                view = view[os.pwrite(self._fd, view, self.size + len(block) - len(view)) :]
        except OSError as err:
            raise _storage_error(self.path, err) from err
        self.size += len(block)
        self._digest.update(block)

    def restart(self) -> None:
        """Forgets what arrived."""
        try:
            os.ftruncate(self._fd, 0)
        except OSError as err:
            raise _storage_error(self.path, err) from err
        self.size = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    def validator(self, url: str) -> str:
        """What the server called the state of the file that this is a part of; empty when unknown."""
        try:
            notes: Any = json.loads(self._notes.read_bytes())
        except (OSError, ValueError):
            return ""
        known = isinstance(notes, dict) and notes.get("url") == url
        return str(notes.get("validator") or "") if known else ""

    def remember(self, url: str, etag: str | None, last_modified: str | None) -> None:
        """Notes the state of the server's file for a later `validator`. A weak ETag says nothing about bytes."""
        validator = etag if etag and not etag.startswith("W/") else last_modified
        try:
            self._notes.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")
        except OSError as err:
            raise _storage_error(self._notes, err) from err

    def finish(self) -> None:
        """Gives the file its name, unless there is a file of that name by now.

        Raises:
            StorageError: the file cannot be written or renamed.
        """
        try:
            os.fsync(self._fd)
            try:
                os.link(self.path, self.target)
                self.path.unlink()
            except FileExistsError:
                self.path.unlink()
            except OSError:  # a file system without hard links
                self.path.rename(self.target)
            self._notes.unlink(missing_ok=True)
        except OSError as err:
            raise _storage_error(self.target, err) from err

    def put_aside(self) -> Path:
        """Keeps a complete file that is not the expected one under another name, which it returns."""
        aside = self.target.with_name(f"{self.target.name}.mismatch")
        try:
            self.path.replace(aside)
            self._notes.unlink(missing_ok=True)
        except OSError as err:
            raise _storage_error(aside, err) from err
        return aside

    def close(self) -> None:
        """Gives the lock back."""
        os.close(self._fd)

    def _catch_up(self) -> None:
        """Hashes what an earlier process left."""
        while block := os.pread(self._fd, _BLOCK, self.size):
            self._digest.update(block)
            self.size += len(block)


def _lock(path: Path) -> int | None:
    """Opens and locks the file; None when another process has it or just moved it away."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as err:
        raise _storage_error(path, err) from err
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError:  # a file system without locks; the name of the file is all the protection there is
        return fd
    try:
        if os.path.samestat(path.stat(), os.fstat(fd)):
            return fd
    except FileNotFoundError:
        pass
    os.close(fd)
    return None
