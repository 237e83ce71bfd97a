"""Fixtures that every room's tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Machines that run tests are shared: how long one example takes says nothing about the code.
settings.register_profile("eyechart", deadline=None)
settings.load_profile("eyechart")


@pytest.fixture
def anyio_backend() -> str:
    """The engine runs on asyncio: aiohttp knows nothing else."""
    return "asyncio"


@pytest.fixture
def virtual_time() -> tuple[str, dict[str, object]]:
    """The backend whose clock jumps: a room's tests return it from their own `anyio_backend` (tests/virtual_time.py)."""
    from virtual_time import VirtualTimeLoop

    return "asyncio", {"loop_factory": VirtualTimeLoop}
