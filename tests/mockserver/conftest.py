"""A client for the mock server's tests."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
import orjson
import pytest

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self):
        return orjson.loads(self.body)

    @property
    def text(self):
        return self.json["choices"][0]["message"]["content"]


def chat(text="What is it?", *pictures, **fields):
    """Body of a request: a text after pictures, given as bytes of their files."""
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(picture).decode()}}
        for picture in pictures
    ]
    content = [*parts, {"type": "text", "text": text}] if parts else text
    return {"model": "m", "messages": [{"role": "user", "content": content}], **fields}


@pytest.fixture
async def session(anyio_backend):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


@pytest.fixture
def ask(session):
    """``await ask(server, "text", picture, max_tokens=5)``: one chat request, read to its end."""

    async def ask(server, text="What is it?", *pictures, key=None, body=None, **fields):
        data = body if body is not None else orjson.dumps(chat(text, *pictures, **fields))
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        async with session.post(server.url, data=data, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    return ask


@pytest.fixture
def pixel():
    """A PNG file of one pixel."""
    return PIXEL


@pytest.fixture
def settled(anyio_backend):
    """``await settled(server)`` waits until a number of requests, none by default, is in the server."""

    async def settled(server, number=0):
        with anyio.fail_after(5):
            while server.stats.in_flight != number:  # noqa: ASYNC110 - the server has no event to offer
                await anyio.sleep(0.002)

    return settled
