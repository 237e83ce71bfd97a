"""What sandboxes of the tests carry out."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any


def echo(request: Mapping[str, Any], payload: bytes) -> Iterator[bytes]:
    """Yields the payload as often as asked, after saying something where results go."""
    print("a library talks")  # noqa: T201
    sys.stdout.flush()
    for _ in range(request["times"]):
        yield payload


def pid(request: Mapping[str, Any], payload: bytes) -> Iterator[bytes]:
    """Yields the number of the process."""
    yield str(os.getpid()).encode()


def misbehave(request: Mapping[str, Any], payload: bytes) -> Iterator[bytes]:
    """Does what the request says, after a first result."""
    yield b"begun"
    match request["how"]:
        case "hang":
            time.sleep(600)
        case "spin":
            while True:
                pass
        case "dawdle":
            while True:
                time.sleep(0.05)
                yield b"a little"
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "leave":
            os._exit(3)
        case "grow":
            yield b"x" * len(bytearray(1 << 40))
        case "refuse":
            raise ValueError("it is no good")
        case "fault":
            raise KeyError("missing")
        case "defect":
            raise AssertionError
        case "flood":
            while True:
                yield b"x" * (1 << 20)
