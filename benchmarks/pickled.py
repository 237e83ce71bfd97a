"""Reads the one kind of pickle that a benchmark ships its videos in, and runs nothing of it.

MMBench-Video holds its videos as pickled dictionaries from names to bytes. A pickle is a program for a small stack
machine (PEP 307, PEP 3154); of its instructions this reader knows those that such a dictionary needs, and stops at any
other. It imports nothing, calls nothing, and hands the bytes on in pieces as they come: a dictionary of many gigabytes
needs no more memory than one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import BinaryIO, Final, TypeAlias

from ..errors import DataError

__all__ = ["read_pickled_files"]

_PIECE: Final = 1 << 20
_LONGEST_NAME: Final = 1000
_PROTO, _FRAME, _STOP, _MARK, _DICT, _SET, _SETS, _MEMO = b"\x80", b"\x95", b".", b"(", b"}", b"s", b"u", b"\x94"
_ENDS: Final = frozenset({_MARK, _DICT, _SET, _SETS, _MEMO})
# What stands behind an instruction: the size of a number, or of the length of what follows.
_SKIPPED: Final = MappingProxyType({_PROTO: 1, _FRAME: 8, b"q": 1, b"r": 4})
_TEXTS: Final = MappingProxyType({b"\x8c": "<B", b"X": "<I", b"\x8d": "<Q"})
_BYTES: Final = MappingProxyType({b"C": "<B", b"B": "<I", b"\x8e": "<Q"})

Take: TypeAlias = Callable[[bytes], object]
"""Takes the next piece of an entry's bytes."""


def read_pickled_files(file: BinaryIO, open_entry: Callable[[str], Take]) -> Iterator[tuple[str, int]]:
    """Reads a pickled dictionary from names to bytes.

    Args:
        file: the pickle, of protocol 3 or later.
        open_entry: called with each name before its bytes come; what it returns is given them piece by piece.

    Yields:
        Each name with the number of its bytes, once all of them were given.

    Raises:
        DataError: it holds anything else, or breaks off.
    """
    name: str | None = None
    while (instruction := file.read(1)) != _STOP:
        if instruction in _SKIPPED:
            _exactly(file, _SKIPPED[instruction])
        elif instruction in _TEXTS:
            size = _number(file, _TEXTS[instruction])
            if name is not None or size > _LONGEST_NAME:
                raise DataError("it is no dictionary from names to bytes")
            name = _name(_exactly(file, size))
        elif instruction in _BYTES:
            if name is None:
                raise DataError("it holds bytes without a name")
            size = _number(file, _BYTES[instruction])
            _copy(file, size, open_entry(name))
            yield name, size
            name = None
        elif instruction not in _ENDS:
            told = "it breaks off" if not instruction else f"it holds the instruction {instruction!r}"
            raise DataError(f"{told}; only a dictionary from names to bytes is read, and nothing is ever run")
    if name is not None:
        raise DataError("it holds a name without bytes")


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise DataError("it breaks off")
    return data


def _number(file: BinaryIO, layout: str) -> int:
    (number,) = struct.unpack(layout, _exactly(file, struct.calcsize(layout)))
    return int(number)


def _name(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DataError("it holds a name that is no UTF-8") from None


def _copy(file: BinaryIO, size: int, take: Take) -> None:
    left = size
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise DataError("it breaks off")
        take(piece)
        left -= len(piece)
