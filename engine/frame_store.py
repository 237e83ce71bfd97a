"""Decoded frames on disk, one file for each video and sampling; written only where the configuration asks for it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["load_frames", "save_frames"]

_MAGIC: Final = b"eyechart frames 1\n"


def save_frames(path: Path, frames: Mapping[int, bytes]) -> None:
    """Writes frames by their index: a line of JSON with their sizes, then one after the other.

    A file that cannot be written is left out: the frames are decoded again some day.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                sizes = [[index, len(frame)] for index, frame in frames.items()]
                file.write(_MAGIC + json.dumps(sizes).encode() + b"\n")
                file.writelines(frames.values())
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)


def load_frames(path: Path) -> dict[int, bytes] | None:
    """Reads such a file; None where there is none, or not a whole one."""
    try:
        with path.open("rb") as file:
            if file.readline(len(_MAGIC)) != _MAGIC:
                return None
            sizes = json.loads(file.readline())
            frames = {int(index): file.read(int(size)) for index, size in sizes}
            whole = all(len(frames[int(index)]) == size for index, size in sizes) and not file.read(1)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return frames if whole else None
