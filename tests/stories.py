"""Runs that something disturbs, played in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import anyio

D_contra = TypeVar("D_contra", contravariant=True)


class Story(Protocol[D_contra]):
    """Runs over one folder."""

    async def disturbed(self, disturbance: D_contra) -> None:
        """Runs until the disturbance ends it."""

    async def to_the_end(self) -> None:
        """Runs undisturbed and checks what is there in the end."""


def play(
    story: Story[D_contra], disturbances: Sequence[D_contra], virtual_time_loop: type[asyncio.AbstractEventLoop]
) -> None:
    """Plays the disturbed runs of a story and then the last one; none may hang or leave a task behind."""

    async def part(run: Callable[..., Coroutine[Any, Any, None]], *about: D_contra) -> None:
        with anyio.fail_after(100_000):
            await run(*about)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def everything() -> None:
        for disturbance in disturbances:
            await part(story.disturbed, disturbance)
        await part(story.to_the_end)

    anyio.run(everything, backend_options={"loop_factory": virtual_time_loop})
