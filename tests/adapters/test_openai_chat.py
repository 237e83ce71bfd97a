"""Asking over a real socket: a small server on 127.0.0.1 that misbehaves as told."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import ssl
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from serving import Handler, serving

from eyechart.adapters.base import Model
from eyechart.adapters.errors_transport import explain
from eyechart.adapters.openai_chat import Endpoint, OpenAIChat, completions_url
from eyechart.adapters.payload import ChatOptions
from eyechart.errors import (
    AuthError,
    ConfigError,
    EndpointError,
    MalformedReply,
    NotFound,
    RateLimited,
    ServerFault,
    Timeout,
    Transport,
)
from eyechart.messages import InlineMedia, Message, Text
from eyechart.records import Reply, Usage

pytestmark = pytest.mark.anyio

ANSWER = {
    "choices": [{"message": {"content": " A"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1},
}
KEY = "sk-very-secret-0123456789"
HELLO = [Message("user", (Text("hello"),))]


@asynccontextmanager
async def asking(address: str, **limits: float | str | bool) -> AsyncIterator[OpenAIChat]:
    """Gives a model at the address, closed at the end."""
    model = OpenAIChat(Endpoint(address, **{"key": KEY, "timeout": 5.0, **limits}), ChatOptions("m"))  # type: ignore[arg-type]
    try:
        yield model
    finally:
        await model.aclose()


async def failure(handler: Handler, **limits: float | str | bool) -> EndpointError:
    """Returns the error of one question, after looking for the key in everything that a user could see of it."""
    async with serving(handler) as address, asking(address, **limits) as model:
        with pytest.raises(EndpointError) as caught:
            await model.ask(model.encode(HELLO))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert KEY[:8] not in shown
    # Loggers that print local variables or causes would find the request's headers in aiohttp's own error.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return caught.value


def answering(status: int = 200, text: str = "", **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


async def test_a_question_and_its_answer() -> None:
    seen: list[tuple[str, str, str | None, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        assert request.content_length == len(body)
        seen.append((request.path, request.content_type, request.headers.get("Authorization"), body))
        return web.json_response(ANSWER)

    async with serving(handler) as address, asking(f"{address}/v1/") as model:
        request = model.encode(HELLO)
        reply = await model.ask(request)
        assert await model.ask(request) == reply
    assert reply == Reply("A", finish_reason="stop", usage=Usage(5, 1))
    body = b"".join(request.chunks)
    assert seen == [("/v1/chat/completions", "application/json", f"Bearer {KEY}", body)] * 2


async def test_no_key_sends_no_header() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.json_response(ANSWER)

    async with serving(handler) as address, asking(address, key="") as model:
        assert (await model.ask(model.encode(HELLO))).text == "A"


async def test_ten_megabytes_arrive_as_they_are_and_connections_are_kept() -> None:
    big = InlineMedia("image", "image/png", os.urandom(5 * 2**20).hex().encode(), "0" * 64)
    peers: set[object] = set()
    lengths: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        url = (await request.json())["messages"][0]["content"][0]["image_url"]["url"]
        assert url.encode() == b"data:image/png;base64," + big.base64
        lengths.append(len(url))
        return web.json_response(ANSWER)

    async with serving(handler) as address, asking(address) as model:
        request = model.encode([Message("user", (big, Text("q")))])
        for _ in range(3):
            await model.ask(request)
    assert len(lengths) == 3
    assert len(peers) == 1


async def test_many_at_once_each_have_a_connection() -> None:
    together = asyncio.Barrier(150)

    async def handler(_: web.Request) -> web.Response:
        async with asyncio.timeout(4):
            await together.wait()
        return web.json_response(ANSWER)

    async with serving(handler) as address, asking(address) as model:
        request = model.encode(HELLO)
        replies = await asyncio.gather(*(model.ask(request) for _ in range(150)))
    assert {reply.text for reply in replies} == {"A"}


async def test_gzip_is_read() -> None:
    async def handler(_: web.Request) -> web.Response:
        body = gzip.compress(json.dumps(ANSWER).encode())
        return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")

    async with serving(handler) as address, asking(address) as model:
        assert (await model.ask(model.encode(HELLO))).text == "A"


async def test_a_model_can_be_asked_in_another_loop_after_it_was_closed() -> None:
    async with serving(answering(text=json.dumps(ANSWER))) as address, asking(address) as model:
        await model.aclose()
        assert (await model.ask(model.encode(HELLO))).text == "A"
        await model.aclose()
        assert (await model.ask(model.encode(HELLO))).text == "A"


async def test_a_key_that_the_server_echoes_is_taken_out() -> None:
    error = await failure(answering(401, f"no such key {KEY}!"))
    assert type(error) is AuthError
    assert str(error) == "HTTP 401 Unauthorized: no such key [key]!"


@pytest.mark.parametrize("before", [*range(240, 300, 7)])
async def test_a_key_that_is_cut_off_is_taken_out(before: int) -> None:
    error = await failure(answering(401, f"{'x' * before}{KEY} {'y' * 300}"))
    assert len(str(error)) <= 300


@pytest.mark.parametrize("key", ["none", "local", "dummy-key"])
async def test_an_answer_that_holds_a_plain_word_for_a_key_stays_as_it_is(key: str) -> None:
    async def says(_: web.Request) -> web.Response:
        return web.json_response({"choices": [{"message": {"content": f"It is {key}."}, "finish_reason": "stop"}]})

    async with serving(says) as address, asking(address, key=key) as model:
        assert (await model.ask(model.encode(HELLO))).text == f"It is {key}."


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": f"http://elsewhere.example/v1?key={KEY}"})

    error = await failure(handler)
    assert type(error) is NotFound
    assert "http://elsewhere.example/v1?key=[key]" in str(error)
    assert asked == ["/v1/chat/completions"]


async def test_retry_after_counts_from_the_wall_clock() -> None:
    dates = {"Date": "Thu, 01 Jan 1970 00:01:10 GMT", "Retry_After": "Thu, 01 Jan 1970 00:01:40 GMT"}
    handler = answering(429, "slow", **dates)
    async with serving(handler) as address:
        model = OpenAIChat(Endpoint(address), ChatOptions("m"), wall_clock=lambda: 1e9)
        with pytest.raises(RateLimited) as caught:
            await model.ask(model.encode(HELLO))
        await model.aclose()
    assert caught.value.retry_after == 30.0


async def test_a_reset_connection() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        raw = request.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        request.transport.abort()
        return web.Response()

    error = await failure(handler)
    assert type(error) is Transport


async def test_a_connection_closed_without_an_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    error = await failure(handler)
    assert type(error) is Transport
    assert "closed the connection without an answer" in str(error)


async def test_a_body_that_breaks_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices":')
        assert request.transport is not None
        request.transport.close()
        return response

    error = await failure(handler)
    assert type(error) is Transport
    assert "broke off" in str(error)


async def test_an_error_whose_body_breaks_off_keeps_its_status() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"out of memory")
        assert request.transport is not None
        request.transport.close()
        return response

    error = await failure(handler)
    assert type(error) is ServerFault
    assert "out of memory" in str(error)


@pytest.mark.parametrize("started", [False, True])
async def test_a_slow_answer(started: bool) -> None:
    forever = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if started:
            await response.prepare(request)
            await response.write(b'{"choices":')
        await forever.wait()
        return response

    error = await failure(handler, timeout=0.2)
    assert type(error) is Timeout
    assert "within 0.2 s (total)" in str(error)


async def test_no_connection_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        async with asking(f"http://127.0.0.1:{address[1]}", connect_timeout=0.2) as model:
            with pytest.raises(Timeout, match=r"no connection to .* within 0\.2 s \(connect\)"):
                await model.ask(model.encode(HELLO))
        for one in waiting:
            one.close()


async def test_a_huge_body_is_refused() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b" " * 65536)
        return response

    error = await failure(handler, max_reply_bytes=100_000)
    assert type(error) is MalformedReply
    assert "longer than 100000 bytes" in str(error)


async def test_a_small_body_that_unpacks_to_a_huge_one_is_refused() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b" " * 10**7), headers={"Content-Encoding": "gzip"})

    error = await failure(handler, max_reply_bytes=100_000)
    assert type(error) is MalformedReply


async def test_a_wrong_compression() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"no gzip at all", headers={"Content-Encoding": "gzip"})

    assert type(await failure(handler)) in {Transport, MalformedReply}


async def test_what_is_no_http_server() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"220 mail.example ESMTP\r\n" + KEY.encode() + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server, asking(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as model:
        with pytest.raises(MalformedReply, match="does not answer as an HTTP server") as caught:
            await model.ask(model.encode(HELLO))
    assert KEY[:8] not in str(caught.value)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with asking(f"http://127.0.0.1:{port}") as model:
        with pytest.raises(Transport, match=f"connection refused at http://127.0.0.1:{port}: is the server running"):
            await model.ask(model.encode(HELLO))


async def test_a_name_that_does_not_exist() -> None:
    async with asking("http://no-such-host.invalid/v1") as model:
        with pytest.raises(Transport, match="no-such-host"):
            await model.ask(model.encode(HELLO))


async def test_tls_to_a_server_without_it() -> None:
    async with serving(answering()) as address, asking(address.replace("http:", "https:")) as model:
        with pytest.raises(Transport, match="TLS"):
            await model.ask(model.encode(HELLO))


def test_other_transport_errors_have_plain_words() -> None:
    certificate = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    cases: list[tuple[BaseException, type[Exception], str]] = [
        (certificate, Transport, "self-signed"),
        (aiohttp.InvalidURL("http://["), ConfigError, "api_base"),
        (aiohttp.ClientOSError(24, "Too many open files"), Transport, "ulimit"),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), Transport, "was reset"),
        (BrokenPipeError(32, "Broken pipe"), Transport, "closed by the server"),
        (OSError("odd"), Transport, "odd"),
        (aiohttp.ClientConnectionError(), Transport, "ClientConnectionError"),
    ]
    for error, kind, words in cases:
        plain = explain(error, "http://h", total_s=1, connect_s=1)
        assert type(plain) is kind
        assert words in str(plain)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        (" http://h:1/v1 ", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/chat/completions/", "http://h:1/v1/chat/completions"),
        ("https://h/compatible-mode/v1", "https://h/compatible-mode/v1/chat/completions"),
        ("https://h/v1beta", "https://h/v1beta/chat/completions"),
        ("https://h/my/gateway", "https://h/my/gateway"),
        ("HTTPS://h/api/v3", "https://h/api/v3/chat/completions"),
        ("https://h/a/chat/completions?api-version=2", "https://h/a/chat/completions?api-version=2"),
        ("http://[::1]:8/v1", "http://[::1]:8/v1/chat/completions"),
    ],
)
def test_completions_url(base: str, url: str) -> None:
    assert completions_url(base) == url


@pytest.mark.parametrize(
    "base",
    [
        "", "localhost:8000/v1", "ftp://h", "http://", "http://h:port", "http://a b/v1", "http://[::1/v1",
        "http://a..b/v1", f"http://{'a' * 64}.org",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_asked(base: str) -> None:
    with pytest.raises(ConfigError, match="api_base"):
        completions_url(base)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="field key") as caught:
        completions_url(f"http://me:{KEY}@h/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("limits", [{"key": "a\nb"}, {"key": "schlüssel"}, {"timeout": 0.0}, {"connect_timeout": -1.0}])
def test_settings_that_cannot_work(limits: dict[str, float | str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Endpoint("http://h", **limits)  # type: ignore[arg-type]


def test_the_key_is_in_no_repr_and_the_address_in_no_identity() -> None:
    endpoint = Endpoint("http://h:1", key=KEY)
    assert KEY not in repr(endpoint)
    model: Model = OpenAIChat(endpoint, ChatOptions("m", extra={"seed": 1}))
    moved = OpenAIChat(Endpoint("https://other/v1"), ChatOptions("m", extra={"seed": 1}))
    assert model.identity == moved.identity
    assert json.loads(json.dumps(model.identity))["request"] == {
        "model": "m",
        "temperature": 0.0,
        "max_tokens": 2048,
        "seed": 1,
    }
    assert OpenAIChat(endpoint, ChatOptions("m")).identity != model.identity
