"""Fixtures of engine tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer


@pytest.fixture
async def serve_replies(anyio_backend: object) -> AsyncIterator[Callable[..., Any]]:
    """``url = await serve_replies(200, {...})``: a server that says the same to everybody."""
    async with AsyncExitStack() as stack:

        async def start(status: int, body: dict[str, Any]) -> str:
            async def reply(request: web.Request) -> web.Response:
                await request.read()
                return web.json_response(body, status=status)

            app = web.Application()
            app.router.add_route("*", "/{path:.*}", reply)
            server = await stack.enter_async_context(TestServer(app))
            return str(server.make_url("/v1"))

        yield start
