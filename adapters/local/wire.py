"""What the pool and its workers say to each other: a JSON head and any number of pieces of bytes, on pipes.

A frame is the length of the head (8 bytes), the head, and the pieces, whose lengths the head holds under ``pieces``.
Pictures cross as they are, neither escaped nor copied into JSON, and nothing is ever unpickled.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

import orjson

__all__ = ["Frame", "WireError", "frame_bytes", "read_frame", "read_frame_async"]

Frame: TypeAlias = tuple[dict[str, Any], list[bytes]]
"""Head and pieces."""

_LENGTH: Final = struct.Struct(">Q")
_LONGEST_HEAD: Final = 1 << 28
_LONGEST_PIECE: Final = 1 << 40


class WireError(Exception):
    """What came is no frame."""


def frame_bytes(head: Mapping[str, Any], pieces: Sequence[bytes] = ()) -> Iterator[bytes]:
    """Yields a frame's bytes, the pieces as they are."""
    encoded = orjson.dumps({**head, "pieces": [len(piece) for piece in pieces]})
    yield _LENGTH.pack(len(encoded))
    yield encoded
    yield from pieces


def read_frame(stream: BinaryIO) -> Frame:
    """Reads a frame.

    Raises:
        EOFError: the other side is gone.
        WireError: what came is no frame.
    """
    head = _head(_exactly(stream, _head_length(_exactly(stream, _LENGTH.size))))
    return head, [_exactly(stream, length) for length in head["pieces"]]


async def read_frame_async(stream: asyncio.StreamReader) -> Frame:
    """Reads a frame, as `read_frame`."""
    head = _head(await _exactly_async(stream, _head_length(await _exactly_async(stream, _LENGTH.size))))
    return head, [await _exactly_async(stream, length) for length in head["pieces"]]


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


async def _exactly_async(stream: asyncio.StreamReader, length: int) -> bytes:
    try:
        return await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        raise EOFError from None


def _head_length(data: bytes) -> int:
    length: int = _LENGTH.unpack(data)[0]
    if length > _LONGEST_HEAD:
        raise WireError(f"a head of {length} bytes")
    return length


def _head(data: bytes) -> dict[str, Any]:
    try:
        head = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WireError(str(error)) from None
    if not isinstance(head, dict) or not isinstance(head.get("pieces"), list):
        raise WireError("a head that is no mapping")
    for length in head["pieces"]:
        if not isinstance(length, int) or not 0 <= length <= _LONGEST_PIECE:
            raise WireError(f"a piece of {length!r} bytes")
    return head
