"""Fixtures that every room's tests share."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import settings

from eyechart.mockserver import MockServer, MockSettings

StartServer: TypeAlias = Callable[..., Awaitable[MockServer]]

# Machines that run tests are shared: how long one example takes says nothing about the code.
settings.register_profile("eyechart", deadline=None)
settings.load_profile("eyechart")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: runs on a clock that jumps instead of waiting")


@pytest.fixture(scope="session")
def virtual_time_loop() -> type[asyncio.AbstractEventLoop]:
    """The class `VirtualTimeLoop` of tests/virtual_time.py."""
    # Tests are imported by file, not by path, so that a plain import finds no module beside this one.
    spec = importlib.util.spec_from_file_location("eyechart_virtual_time", Path(__file__).with_name("virtual_time.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    loop_class: type[asyncio.AbstractEventLoop] = module.VirtualTimeLoop
    return loop_class


@pytest.fixture
def virtual_time(virtual_time_loop: type[asyncio.AbstractEventLoop]) -> tuple[str, dict[str, object]]:
    """A backend whose clock jumps instead of waiting."""
    return "asyncio", {"loop_factory": virtual_time_loop}


@pytest.fixture
def anyio_backend(
    request: pytest.FixtureRequest, virtual_time: tuple[str, dict[str, object]]
) -> str | tuple[str, dict[str, object]]:
    """The engine runs on asyncio: aiohttp knows nothing else. Marked `virtual_time`, a test waits for nothing."""
    return "asyncio" if request.node.get_closest_marker("virtual_time") is None else virtual_time


@pytest.fixture
async def mock_server(anyio_backend: object) -> AsyncIterator[StartServer]:
    """Starts mock servers in the test's loop: ``server = await mock_server(latency=0.1)``; all stop with the test."""
    async with AsyncExitStack() as stack:

        async def start(**fields: Any) -> MockServer:
            return await stack.enter_async_context(MockServer(MockSettings(**fields)))

        yield start
