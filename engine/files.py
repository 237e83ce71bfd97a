"""Files that are written whole: a reader sees the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from ..errors import StorageError

__all__ = ["cannot_write", "sync", "write_bytes", "write_json"]

_JSON: Final = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


def write_json(path: Path, content: Any) -> None:
    """Replaces a JSON file in one step.

    Raises:
        StorageError: it cannot be written, or JSON cannot hold its content.
    """
    try:
        data = orjson.dumps(content, option=_JSON)
    except orjson.JSONEncodeError as error:  # a path that is no UTF-8, say
        raise StorageError(f"cannot write {path}: {error}") from error
    write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> None:
    """Replaces a file in one step.

    Raises:
        StorageError: it cannot be written.
    """
    # Only the process that holds the run's lock writes here, so what a killed one left is overwritten by the next.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            sync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def sync(fd: int) -> None:
    """Forces a file to the disk, so that it survives a power failure; where there is nothing to sync it is done.

    Raises:
        OSError: the disk reports an error.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a pipe or an odd file system
            raise


def cannot_write(path: Path, error: OSError) -> StorageError:
    """Returns the error to raise when a file of a run cannot be written: why, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"the disk is full: no room for {path}. Free space and run the same command again; it continues"
        )
    return StorageError(
        f"cannot write {path}: {error.strerror}. Run the same command again once it is writable; it continues"
    )
