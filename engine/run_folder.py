"""The folder of a run: its lock, its manifest, the paths inside it, and how an unfinished one is found again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson

from ..errors import EyechartError, RunLocked, StorageError
from .files import cannot_write, write_json

__all__ = ["RunFolder", "find_run", "read_manifest"]

_MANIFEST = "run.json"
_LOCK = ".lock"
_STAMP = "%Y%m%d_%H%M%S"


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Returns what ``run.json`` of a folder says; None where there is none or it cannot be read as one."""
    try:
        manifest = orjson.loads((folder / _MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _runs(work_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yields the runs in a folder, newest first."""
    try:
        folders = sorted((p for p in work_dir.iterdir() if p.is_dir()), key=lambda p: p.name, reverse=True)
    except OSError:
        return
    for folder in folders:
        if (manifest := read_manifest(folder)) is not None:
            yield folder, manifest


def find_run(work_dir: Path, digest: str, *, finished_too: bool) -> Path | None:
    """Returns a run of the same configuration that is not finished, or, if wanted, a finished one; the newest of each.

    An unfinished one goes first, whatever its name: folders are named after the time, and clocks are set back at times.
    """
    same = [(folder, manifest.get("state")) for folder, manifest in _runs(work_dir) if manifest.get("digest") == digest]
    unfinished = [folder for folder, state in same if state != "finished"]
    finished = [folder for folder, state in same if state == "finished"]
    return next(iter(unfinished or (finished if finished_too else [])), None)


class RunFolder:
    """A run folder that this process may write. Holds the lock until it is closed; a killed process loses it."""

    def __init__(self, path: Path) -> None:
        """Opens a folder and locks it, making it if need be.

        Raises:
            RunLocked: another process writes it.
            StorageError: it cannot be written.
        """
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock_fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            self._lock()
        except EyechartError:
            os.close(self._lock_fd)
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._lock_fd, 0)
            os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._lock_fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise RunLocked(
                f"{self.path} is being written by another process (pid {holder}). Wait for it, or give this run "
                "another work_dir"
            ) from error
        except OSError as error:
            raise cannot_write(self.path / _LOCK, error) from error

    @classmethod
    def create(cls, work_dir: Path, now: datetime) -> Self:
        """Makes a new folder named after the time; two runs of the same second get a folder each.

        Raises:
            StorageError: it cannot be made.
        """
        stamp = now.strftime(_STAMP)
        for suffix in ("", *(f"_{n}" for n in range(2, 100))):
            path = work_dir / f"{stamp}{suffix}"
            try:
                work_dir.mkdir(parents=True, exist_ok=True)
                path.mkdir()
            except FileExistsError as error:
                if not work_dir.is_dir():
                    raise StorageError(f"work_dir {work_dir} is not a folder") from error
                continue
            except OSError as error:
                raise StorageError(f"cannot make a run folder in {work_dir}: {error.strerror}") from error
            return cls(path)
        raise StorageError(f"cannot make a run folder in {work_dir}: there are 99 of this second")

    def job(self, model: str, benchmark: str) -> Path:
        """Returns the folder of one benchmark asked of one model."""
        return self.path / model / benchmark

    def save_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replaces ``run.json``.

        Raises:
            StorageError: it cannot be written.
        """
        write_json(self.path / _MANIFEST, manifest)

    def close(self) -> None:
        """Releases the lock."""
        os.close(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
