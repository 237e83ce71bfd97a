"""Faults: which request meets which, and what goes over the wire then."""

from __future__ import annotations

import asyncio
import hashlib
import math
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

import orjson
from aiohttp import web

from .dialects import Cause, overflow, refusal
from .settings import MockSettings

__all__ = ["AT_ONCE", "RIGHT_ANSWER", "FaultDraw", "Reply", "json_response", "retry_after", "send_fault"]

AT_ONCE: Final = frozenset({"rate_limit", "rate_limit_date", "unavailable"})
"""Faults of a server that never looks at the request: they do not wait for its latency."""

RIGHT_ANSWER: Final = frozenset({"slow_body", "huge_body", "content_type"})
"""Faults that still deliver the right answer to a client that copes."""

_DRIPS: Final = 20
_CHUNK: Final = b" " * 2**16
_PAGE: Final = "<html><head><title>Sign in</title></head><body>Please sign in to the network.</body></html>"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a fault needs to know.

    Attributes:
        request: the request to answer.
        settings: durations, sizes, dialect.
        body: the right answer's body.
        without_text: the right answer's body with another text, or null, in place of the answer.
    """

    request: web.Request
    settings: MockSettings
    body: bytes
    without_text: Callable[[str | None], bytes]


class FaultDraw:
    """Draws faults and jitter from the seed, the request and how often it came: never from the order of arrival.

    Args:
        settings: seed and chances.
    """

    def __init__(self, settings: MockSettings) -> None:
        self._key = settings.seed.to_bytes(16, "big", signed=True)
        self._table = settings.fault_table

    def draw(self, digest: bytes, nth: int) -> tuple[str | None, float]:
        """The fault that a request meets, and its jitter.

        Args:
            digest: the request's digest.
            nth: how often this request came before.

        Returns:
            Kind of fault or None, and an even number from -1 to 1.
        """
        raw = hashlib.blake2b(digest + nth.to_bytes(8, "big"), digest_size=16, key=self._key).digest()
        chance = int.from_bytes(raw[:8], "big") / 2**64
        sway = int.from_bytes(raw[8:], "big") / 2**63 - 1.0
        for kind, rate in self._table:
            if chance < rate:
                return kind, sway
            chance -= rate
        return None, sway


async def send_fault(kind: str, reply: Reply) -> web.StreamResponse:
    """Answers a request with a fault; where the connection is broken off, what is returned goes nowhere."""
    if kind in _SENDERS:
        return await _SENDERS[kind](reply)
    if kind in _REFUSED:
        return _refused(reply.settings, *_REFUSED[kind])
    if kind == "context_overflow":
        bound = reply.settings.max_context or 4096
        said = overflow(reply.settings.dialect, bound + 575, bound)
        return json_response(said.status, said.body)
    status, headers, body = _plain(kind, reply)
    return web.Response(status=status, headers=headers, body=body)


def json_response(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with a JSON value, or with a plain text."""
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)


def retry_after(settings: MockSettings, seconds: float | None = None) -> dict[str, str]:
    """The header Retry-After in seconds; empty where the settings leave it out."""
    if settings.retry_after is None:
        return {}
    return {"Retry-After": f"{settings.retry_after if seconds is None else seconds:g}"}


_REFUSED: Final[Mapping[str, tuple[Cause, str]]] = {
    "bad_request": ("body", "messages: the conversation cannot be rendered"),
    "bad_image": ("bad_image", "cannot identify image file"),
    "auth": ("key", "Not authenticated"),
    "not_found": ("model", "The model does not exist."),
    "server_error": ("fault", "CUDA error: an illegal memory access was encountered"),
    "unavailable": ("closing", "The server is loading the model."),
}


def _refused(settings: MockSettings, cause: Cause, message: str) -> web.Response:
    said = refusal(settings.dialect, cause, message)
    if cause == "fault" and isinstance(said.body, str):
        return json_response(said.status, {"detail": message})
    return json_response(said.status, said.body, retry_after(settings) if cause == "closing" else None)


def _plain(kind: str, reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the faults that are an ordinary response."""
    as_json = {"Content-Type": "application/json"}
    if kind in {"rate_limit", "rate_limit_date"}:
        said = orjson.dumps(refusal(reply.settings.dialect, "busy", "Rate limit reached. Please try again later.").body)
        if kind == "rate_limit" or reply.settings.retry_after is None:
            return 429, as_json | retry_after(reply.settings), said
        # A date has whole seconds: rounded up, so that nobody comes back too early.
        when = formatdate(math.ceil(time.time() + reply.settings.retry_after), usegmt=True)
        return 429, as_json | {"Retry-After": when}, said
    bodies: dict[str, tuple[int, dict[str, str], bytes]] = {
        "server_error_text": (500, {"Content-Type": "text/plain; charset=utf-8"}, b"Internal Server Error"),
        "truncated_json": (200, as_json, reply.body[: len(reply.body) // 2]),
        "malformed_json": (200, as_json, reply.body.replace(b'":', b'"=')),
        "empty": (200, as_json, reply.without_text("")),
        "null_content": (200, as_json, reply.without_text(None)),
        "content_type": (200, {"Content-Type": "text/html; charset=utf-8"}, reply.body),
        "html_page": (200, {"Content-Type": "text/html; charset=utf-8"}, _PAGE.encode()),
        "error_object": (200, as_json, b'{"error":{"message":"The engine is gone.","type":"server_error","code":500}}'),
    }
    return bodies[kind]


async def _hang(reply: Reply) -> web.StreamResponse:
    """Waits until the connection's end, or the server's, cancels this task."""
    del reply
    await asyncio.Event().wait()
    raise AssertionError("nobody sets the event")


async def _reset(reply: Reply) -> web.StreamResponse:
    _break_off(reply.request)
    return web.Response()  # goes nowhere: there is no connection any more


async def _reset_body(reply: Reply) -> web.StreamResponse:
    response = await _send_half(reply)
    _break_off(reply.request)
    return response


async def _early_end(reply: Reply) -> web.StreamResponse:
    response = await _send_half(reply)
    if reply.request.transport is not None:
        reply.request.transport.close()
    return response


async def _slow_body(reply: Reply) -> web.StreamResponse:
    response = await _start(reply.request, len(reply.body))
    step = math.ceil(len(reply.body) / _DRIPS)
    for start in range(0, len(reply.body), step):
        await asyncio.sleep(reply.settings.slow_body_seconds / _DRIPS)
        await response.write(reply.body[start : start + step])
    await response.write_eof()
    return response


async def _huge_body(reply: Reply) -> web.StreamResponse:
    response = await _start(reply.request, len(reply.body) + reply.settings.huge_bytes)
    left = reply.settings.huge_bytes
    while left > 0:
        await response.write(_CHUNK[:left])
        left -= len(_CHUNK)
    await response.write(reply.body)
    await response.write_eof()
    return response


_SENDERS: Final[Mapping[str, Callable[[Reply], Awaitable[web.StreamResponse]]]] = {
    "hang": _hang,
    "reset": _reset,
    "reset_body": _reset_body,
    "early_end": _early_end,
    "slow_body": _slow_body,
    "huge_body": _huge_body,
}


async def _start(request: web.Request, length: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(length)})
    await response.prepare(request)
    return response


async def _send_half(reply: Reply) -> web.StreamResponse:
    response = await _start(reply.request, len(reply.body))
    await response.write(reply.body[: len(reply.body) // 2])
    # A turn of the loop lets headers and half body go out before the connection does.
    await asyncio.sleep(0)
    return response


def _break_off(request: web.Request) -> None:
    """Ends a connection with a reset in place of an orderly close."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
