"""Asks a model behind an OpenAI-style chat completions endpoint, over aiohttp."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from yarl import URL

from ..errors import ConfigError, EyechartError, MalformedReply
from ..messages import Message
from ..records import Reply
from .base import Request
from .errors_http import classify
from .errors_transport import TRANSPORT_ERRORS, explain
from .payload import ChatOptions, encode_chat
from .reply import parse_reply
from .secrets import secrets_of_address, secrets_within, telling, without
from .time_limit import TimeLimit

__all__ = ["Endpoint", "OpenAIChat", "completions_url"]

_PATH: Final = "/chat/completions"
_VERSION: Final = re.compile(r"/v\d+(?:beta)?$")
_WRITE_AT_ONCE: Final = 256 * 1024
_ERROR_BODY: Final = 64 * 1024
# Servers close idle connections after 5 s (uvicorn) or more; a request sent into a closing one is lost.
_KEEP_ALIVE_S: Final = 4.0
_NO_KEY: Final = "EMPTY"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to reach a model.

    Attributes:
        api_base: address, with or without ``/v1`` or ``/v1/chat/completions`` (`completions_url`).
        key: sent as ``Authorization: Bearer``; empty sends none. Never shown.
        timeout: seconds for one request, from connecting to the last byte of the answer.
        connect_timeout: seconds for connecting, part of `timeout`.
        verify: check TLS certificates.
        max_reply_bytes: longer answers are refused as `MalformedReply`.
        split_think: take a ``<think>`` block out of the answer's text (`parse_reply`).
        proxy: address of an HTTP proxy, None for none; the environment is not asked.

    Raises:
        ConfigError: the key cannot stand in a header, a limit is not positive.
    """

    api_base: str
    key: str = field(default=_NO_KEY, repr=False)
    timeout: float = 300.0
    connect_timeout: float = 30.0
    verify: bool = True
    max_reply_bytes: int = 32 * 1024 * 1024
    split_think: bool = False
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not (self.key.isascii() and self.key.isprintable()):
            raise ConfigError("key: it holds characters that cannot be sent (a line break or a letter outside ASCII?)")
        for name in ("timeout", "connect_timeout", "max_reply_bytes"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}: it has to be greater than 0")


def completions_url(api_base: str) -> str:
    """Returns the address of chat completions for an API's address.

    ``http://host:8000``, ``http://host:8000/v1``, ``http://host:8000/v1/chat/completions``, each with or without a
    slash at the end, are the same; so is any other version, as in ``/api/paas/v4``. Any other path is taken as the
    complete address, as the reference takes it. A query is kept.

    Raises:
        ConfigError: it is no http(s) address, or holds a user name or password.
    """
    text = api_base.strip()
    try:
        parts = urlsplit(text)
        _check(parts)
    except ValueError as error:
        shown = text.rpartition("@")[2] if "@" in text else text
        hint = f"; did you mean http://{shown}?" if "://" not in text and shown else ""
        raise ConfigError(f"api_base {shown!r}: {error}{hint}") from None
    path = parts.path.rstrip("/")
    if not path:
        path = "/v1"
    if _VERSION.search(path):
        path += _PATH
    return urlunsplit((parts.scheme.lower(), parts.netloc, path, parts.query, ""))


def _check(parts: SplitResult) -> None:
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("it has to start with http:// or https://")
    if not parts.hostname or any(c.isspace() for c in parts.netloc):
        raise ValueError("it names no host")
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        raise ValueError("no host can have this name: a part of it is empty or too long") from None
    if parts.username is not None:
        raise ValueError("it holds a user name or password; put the key into the field key")
    _ = parts.port  # raises ValueError when it is no number


class _Body(Payload):
    """A request body that is written piece by piece, any number of times; `Request.chunks` is shared, never copied."""

    _default_content_type = "application/json"
    _autoclose = True

    def __init__(self, request: Request) -> None:
        super().__init__(request.chunks)
        self._size: int = request.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        del encoding, errors
        return b"".join(self._value)

    async def write(self, writer: AbstractStreamWriter) -> None:
        if self._size <= _WRITE_AT_ONCE:
            await writer.write(b"".join(self._value))  # one system call costs less than three spare a copy
            return
        for chunk in self._value:
            if len(chunk) <= _WRITE_AT_ONCE:
                await writer.write(chunk)
                continue
            # In slices the transport buffers one slice at a time instead of a copy of the whole.
            view = memoryview(chunk)
            for start in range(0, len(view), _WRITE_AT_ONCE):
                await writer.write(view[start : start + _WRITE_AT_ONCE])

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        del content_length  # it is the size of this body
        await self.write(writer)


class OpenAIChat:
    """A model behind an OpenAI-style endpoint (`Model`).

    The number of connections is not limited here: who asks decides how many requests are in flight.
    """

    def __init__(
        self, endpoint: Endpoint, options: ChatOptions, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Makes no connection yet.

        Args:
            endpoint: where to ask.
            options: what goes into every request.
            wall_clock: seconds since 1970, against which a date in Retry-After counts.

        Raises:
            ConfigError: the address cannot be used.
        """
        self._endpoint = endpoint
        self._options = options
        self._wall_clock = wall_clock
        address = completions_url(endpoint.api_base)
        self._url = URL(address, encoded=True)
        parts = urlsplit(address)
        self._at = f"{parts.scheme}://{parts.netloc}"
        self._shown_url = f"{self._at}{parts.path}"
        secrets = {endpoint.key, *secrets_of_address(address), *secrets_within(options.extra)}
        self._secrets, self._telling = secrets, telling(secrets)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Model, style and generation fields.

        The address is left out on purpose: a model that moves to another host or port keeps its answers.
        """
        return {**self._options.identity(), "split_think": self._endpoint.split_think}

    def encode(self, messages: Sequence[Message]) -> Request:
        """Turns messages, whose media are `InlineMedia` already, into a request; pure and thread-safe."""
        return encode_chat(messages, self._options)

    async def ask(self, request: Request) -> Reply:
        """Sends a request once and reads the reply.

        Raises:
            EndpointError: one of its classes, saying what went wrong; no secret of the request is part of the text,
                neither the key nor those in the address's query and in extra fields.
            ConfigError: the address can never be asked.
        """
        limits = self._endpoint
        try:
            async with TimeLimit(limits.timeout):
                return await self._ask(request)
        except TRANSPORT_ERRORS as error:
            plain = explain(error, self._at, total_s=limits.timeout, connect_s=limits.connect_timeout)
        except EyechartError as error:
            plain = error
        # Not chained: aiohttp's errors hold the request's headers, and with them the key.
        raise self._without_secrets(plain) from None

    async def aclose(self) -> None:
        """Closes connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, request: Request) -> Reply:
        session = self._session_here()
        async with session.post(
            self._url, data=_Body(request), allow_redirects=False, proxy=self._endpoint.proxy
        ) as response:
            if 200 <= response.status < 300:  # noqa: PLR2004 (success)
                body = await self._read_all(response)
                return self._scrubbed(parse_reply(body, split_think=self._endpoint.split_think))
            body = await self._read_start(response)
            raise classify(response.status, response.headers, body, now=self._wall_clock(), url=self._shown_url)

    async def _read_all(self, response: aiohttp.ClientResponse) -> bytes:
        """Reads a body up to the limit, which counts what comes out of decompression."""
        limit = self._endpoint.max_reply_bytes
        pieces: list[bytes] = []
        size = 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > limit:
                response.close()
                raise MalformedReply(f"the reply from {self._at} is longer than {limit} bytes", status=response.status)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _read_start(self, response: aiohttp.ClientResponse) -> bytes:
        """Reads what fits of an error's body; its status counts even when the body breaks off."""
        body = b""
        try:
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > _ERROR_BODY:
                    response.close()
                    break
        except (aiohttp.ClientError, OSError):
            response.close()
        return body[:_ERROR_BODY]

    def _session_here(self) -> aiohttp.ClientSession:
        """Returns the session of the running event loop; a session cannot move to another loop."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            limits = self._endpoint
            headers = {"Accept": "application/json"}
            if limits.key:
                headers["Authorization"] = f"Bearer {limits.key}"
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, ssl=bool(limits.verify))
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_timeout),
            )
            self._loop = loop
        return self._session

    def _scrubbed(self, reply: Reply) -> Reply:
        """Takes whole secrets out of an answer, which is kept and may be published."""
        told = f"{reply.text}\n{reply.reasoning}\n{reply.finish_reason}" if self._telling else ""
        echoed = [secret for secret in self._telling if secret in told]
        if not echoed:
            return reply
        return replace(
            reply,
            text=without(echoed, reply.text),
            reasoning=reply.reasoning and without(echoed, reply.reasoning),
            finish_reason=reply.finish_reason and without(echoed, reply.finish_reason),
        )

    def _without_secrets(self, error: EyechartError) -> EyechartError:
        """Takes secrets out of an error's text, should a server have echoed one."""
        text = without(self._secrets, str(error))
        if text == str(error):
            return error
        scrubbed = copy.copy(error)
        scrubbed.args = (text,)
        return scrubbed
