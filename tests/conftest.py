"""Fixtures that every room's tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The engine runs on asyncio: aiohttp knows nothing else."""
    return "asyncio"
