"""Files of pictures and videos: read whole within bounds, or told apart by a look at parts of them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

import xxhash

from ..errors import MediaError

__all__ = ["content_key", "read_file"]

_BLOCK: Final = 1 << 14
_BLOCKS: Final = 16


def read_file(path: Path, max_bytes: int) -> bytes:
    """Reads a file whole; devices and pipes are refused before they are opened, they may never end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    with path.open("rb") as file:
        raw = file.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise ValueError(f"{path} is larger than {max_bytes} bytes")
    return raw


def content_key(video: Path, *, with_time: bool = True) -> str:
    """Returns a key that tells videos apart: a hash of the size, the time and blocks spread over the file.

    Of a folder it covers the names and sizes of what is in it, and the times.

    Args:
        video: file or folder.
        with_time: whether a file that was written anew is another one, whatever is in it.

    Raises:
        MediaError: there is no such file or folder, or it is empty.
    """
    digest = xxhash.xxh3_128()
    try:
        status = video.stat()
        if stat.S_ISDIR(status.st_mode):
            for path in sorted(video.iterdir()):
                found = path.stat()
                digest.update(f"{path.name}\0{found.st_size}\0{found.st_mtime_ns if with_time else 0}\n".encode())
            return digest.hexdigest()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"video {video.name}: it is no file ({video})")
        if not status.st_size:
            raise MediaError(f"video {video.name}: the file is empty ({video})")
        digest.update(f"{status.st_size}\0{status.st_mtime_ns if with_time else 0}\n".encode())
        step = max(_BLOCK, (status.st_size - _BLOCK) // (_BLOCKS - 1))
        with video.open("rb") as file:
            for start in range(0, status.st_size, step):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    except (OSError, ValueError) as error:
        told = "there is no such file" if isinstance(error, FileNotFoundError) else str(error)
        raise MediaError(f"video {video.name}: {told} ({video})") from None
    return digest.hexdigest()
