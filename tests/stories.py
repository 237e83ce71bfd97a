"""Runs that something disturbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import anyio

from eyechart.engine.config import RunPlan
from eyechart.engine.report import Report
from eyechart.engine.run import run_plan

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
    """Plays the disturbed runs of a story, then the last one, in virtual time; none may hang or leave a task behind."""

    async def part(run: Callable[..., Coroutine[Any, Any, None]], *about: D_contra) -> None:
        with anyio.fail_after(100_000):
            await run(*about)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def everything() -> None:
        for disturbance in disturbances:
            await part(story.disturbed, disturbance)
        await part(story.to_the_end)

    anyio.run(everything, backend_options={"loop_factory": virtual_time_loop})


@asynccontextmanager
async def run_meanwhile(plan: RunPlan, **about: Any) -> AsyncIterator[list[Report]]:
    """Runs a plan while the context's block does something else; in the end the list holds the report."""
    reports: list[Report] = []

    async def run() -> None:
        reports.append(await run_plan(plan, **about))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield reports
