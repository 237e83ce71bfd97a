"""A relay between a client and a server that cuts connections: a proxy, a gateway or a tunnel on a bad day."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from types import TracebackType
from typing import Self

__all__ = ["Relay"]


class Relay:
    """Passes bytes on to a server, whether they are addressed to it or, as to an HTTP proxy, by way of the relay.

    Args:
        port: of the server, on this machine.
        seed: of what is drawn.
        cut_bytes: how many bytes, both ways, a connection passes on at most; drawn evenly below that for each.
        refuse_chance: chance of a new connection to be closed at once.

    Attributes:
        cut: connections that were cut or closed at once.
        url: where it listens.
    """

    def __init__(self, port: int, *, seed: int, cut_bytes: int, refuse_chance: float = 0.0) -> None:
        self.cut = 0
        self.url = ""
        self._target = port
        self._draw = random.Random(seed)
        self._refuse_chance, self._cut_bytes = refuse_chance, cut_bytes
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self) -> None:
        """Cuts every connection that there is."""
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        broken = True
        try:
            if self._draw.random() >= self._refuse_chance:
                broken = await self._pass_on(reader, writer, self._draw.randrange(self._cut_bytes))
        except (OSError, asyncio.CancelledError):
            broken = True
        finally:
            self._tasks.discard(task)
            self.cut += broken
            if broken:
                _reset(writer)
            else:
                writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowed: int) -> bool:
        """Passes bytes on until one side closes; says whether the relay cut the connection itself."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        left = [allowed]
        ways = [
            asyncio.ensure_future(self._pump(reader, far_writer, left)),
            asyncio.ensure_future(self._pump(far_reader, writer, left)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return any(way.result() for way in done)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: list[int]) -> bool:
        while data := await source.read(65536):
            if len(data) >= left[0]:
                sink.write(data[: left[0]])
                await sink.drain()
                return True
            left[0] -= len(data)
            sink.write(data)
            await sink.drain()
        return False


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
