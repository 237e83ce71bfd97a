"""Where the pictures of rows stand that were read before, in a few bytes per row."""

from __future__ import annotations

import struct
import threading
from typing import Final, NamedTuple

__all__ = ["SeenRow", "SeenRows"]

_ENTRY: Final = struct.Struct("<QI9s")
_CLUSTER: Final = "image:"


class SeenRow(NamedTuple):
    """What is known of a row without reading its picture.

    Attributes:
        start: where its picture begins within the row, in bytes.
        length: how long the picture is.
        cluster: of the sample, `Sample.cluster`.
    """

    start: int
    length: int
    cluster: str


class SeenRows:
    """Rows by number, 21 bytes for each up to the last one that was noted. Thread-safe."""

    def __init__(self) -> None:
        self._entries = bytearray()
        self._lock = threading.Lock()

    def get(self, row: int) -> SeenRow | None:
        """Returns what was noted of a row, None for nothing."""
        at = row * _ENTRY.size
        if at >= len(self._entries):
            return None
        start, length, key = _ENTRY.unpack_from(self._entries, at)
        return SeenRow(start, length, _CLUSTER + key.hex()) if length else None

    def note(self, row: int, start: int, length: int, cluster: str) -> None:
        """Notes a row whose cluster is a `pictures.picture_key`; any other is not worth it and left out."""
        if not cluster.startswith(_CLUSTER) or length >> 32:
            return
        at = row * _ENTRY.size
        with self._lock:
            if at >= len(self._entries):
                self._entries.extend(bytes(at + _ENTRY.size - len(self._entries)))
            _ENTRY.pack_into(self._entries, at, start, length, bytes.fromhex(cluster.removeprefix(_CLUSTER)))
