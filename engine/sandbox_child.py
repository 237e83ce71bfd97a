"""The inside of a sandbox: a process that carries out one function again and again, within limits of its own.

Requests come on standard input and results leave on standard output, in frames: one byte that says what it is, the
length in eight bytes, the content. Nothing that a decoder prints can get between them. A request is two frames, JSON
and payload. The process says once that it is ready; a task ends as done or as failed.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import resource
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import FileIO
from typing import Any, BinaryIO, Final, TypeAlias

__all__ = ["DONE", "FAILED", "READY", "REQUEST", "RESULT", "Task", "read_frame", "serve", "write_frame"]

Task: TypeAlias = Callable[[Mapping[str, Any], bytes], Iterator[bytes]]
"""What is carried out: takes a request and its payload, yields results. ValueError says why there are none."""

REQUEST: Final = b"Q"
READY: Final = b"A"
RESULT: Final = b"R"
DONE: Final = b"D"
FAILED: Final = b"F"

_HEAD: Final = struct.Struct(">cQ")
_PIECE: Final = 1 << 20
_MEGABYTE: Final = 1_000_000
# What the libraries that run here are known to raise on damaged files. Anything else ends the process.
_FAULTS: Final = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, SyntaxError)


def read_frame(stream: BinaryIO | FileIO) -> tuple[bytes, bytes]:
    """Reads what a frame is, and its content.

    Raises:
        EOFError: the other side is gone.
    """
    kind, length = _HEAD.unpack(_read(stream, _HEAD.size))
    return kind, _read(stream, length)


def _read(stream: BinaryIO | FileIO, length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        piece = stream.read(min(length - len(content), _PIECE))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)


def write_frame(stream: BinaryIO, kind: bytes, content: bytes) -> None:
    """Writes a frame.

    Raises:
        OSError: the other side is gone.
    """
    stream.write(_HEAD.pack(kind, len(content)))
    stream.write(content)
    stream.flush()


def serve(task: str, memory: int) -> None:
    """Carries out requests until there are no more.

    Args:
        task: module and name of a `Task`, as ``package.module:name``.
        memory: bytes of address space that the process may have.
    """
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)
        _limit(resource.RLIMIT_AS, memory)
        _limit(resource.RLIMIT_CORE, 0)
        module, _, name = task.partition(":")
        carry_out: Task = getattr(importlib.import_module(module), name)
        requests: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(requests,), daemon=True).start()
        write_frame(replies, READY, b"")
        while True:
            request, payload = requests.get()
            _answer(carry_out, json.loads(request), payload, replies, memory)


def _listen(requests: queue.SimpleQueue[tuple[bytes, bytes]]) -> None:
    """Takes requests; without anybody who could send more the process ends, even where its task hangs."""
    # Without a buffer: the lock of one would be held here for ever, and Python could not end in good order.
    with suppress(EOFError, MemoryError), FileIO(0, closefd=False) as stream:
        while True:
            requests.put((read_frame(stream)[1], read_frame(stream)[1]))
    os._exit(0)


def _answer(carry_out: Task, request: Mapping[str, Any], payload: bytes, replies: BinaryIO, memory: int) -> None:
    try:
        for result in carry_out(request, payload):
            write_frame(replies, RESULT, result)
    except ValueError as error:
        kind, text = FAILED, str(error)
    except MemoryError:
        kind, text = FAILED, f"it needs more than {memory // _MEGABYTE:,} MB of memory"
    except _FAULTS as error:
        kind, text = FAILED, f"{type(error).__name__}: {error}"
    else:
        kind, text = DONE, ""
    write_frame(replies, kind, text.encode(errors="replace"))


def _limit(kind: int, most: int) -> None:
    with suppress(OSError, ValueError):  # some systems know no such limit
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
