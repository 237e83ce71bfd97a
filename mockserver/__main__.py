"""The mock server as a process of its own: ``python -m eyechart.mockserver --set latency=0.05``.

Prints one line of JSON, ``{"url": …, "base_url": …, "pid": …}``, once it listens. SIGTERM and SIGINT end it, and with
``--stop-with-stdin`` the end of its standard input: a parent that dies takes it along.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from typing import Any

import orjson

from ..errors import EyechartError
from .server import MockServer, serve
from .settings import parse_settings


def main() -> int:
    """Runs a mock server until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m eyechart.mockserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a field of MockSettings")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input ends")
    args = parser.parse_args()
    try:
        settings = parse_settings(args.set)
        asyncio.run(_run(serve(settings, args.host, args.port, _announce), args.stop_with_stdin))
    except EyechartError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"mock server: cannot listen on {args.host}:{args.port}: {error.strerror}\n")
        return 1
    return 0


async def _run(serving: Coroutine[Any, Any, None], stop_with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    if stop_with_stdin:
        # A thread, because an event loop cannot wait for every kind of standard input (a file, /dev/null).
        threading.Thread(target=_wait_for_end, args=(loop, task), daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _wait_for_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    # Unbuffered: a buffered reader that still waits would hold its lock while the interpreter shuts down.
    while os.read(0, 2**16):
        pass
    with contextlib.suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(task.cancel)


def _announce(server: MockServer) -> None:
    line = {"url": server.url, "base_url": server.base_url, "pid": os.getpid()}
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
