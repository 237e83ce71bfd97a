"""The sampler of a run, and the benchmarks that look into videos through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from anyio import create_task_group

from ..benchmarks.base import Benchmark
from ..benchmarks.video import VideoBenchmark
from .config_plan import RunPlan
from .decoders import Decoders
from .frames import FrameSampler
from .media_video import VideoSettings

__all__ = ["looking_through", "open_sampler", "sampling", "shown_to", "video_settings"]

B = TypeVar("B", bound=Benchmark)


def open_sampler(plan: RunPlan) -> FrameSampler:
    """Makes the sampler of a run; it starts no process before the first video."""
    own = plan.data_root / ".eyechart"
    return FrameSampler(
        Decoders(patience_s=plan.videos.patience_s),
        store=own / "frames" if plan.videos.keeps_frames else None,
        clips=own / "clips",
    )


@asynccontextmanager
async def sampling(plan: RunPlan, stop: anyio.Event) -> AsyncIterator[FrameSampler]:
    """Opens the sampler of a run, and ends its decoding when the run is cancelled or its grace time is over.

    Args:
        plan: the run.
        stop: set to end the run early.
    """
    with open_sampler(plan) as sampler:

        async def interrupt() -> None:
            try:
                await stop.wait()
                await anyio.sleep(plan.grace_s)
            finally:
                sampler.interrupt()  # threads that wait for a decoder are not waited for

        async with create_task_group() as tasks:
            tasks.start_soon(interrupt)
            yield sampler
            tasks.cancel_scope.cancel()


def looking_through(benchmark: B, sampler: FrameSampler) -> B:
    """Lets a benchmark look into videos through a sampler; returns it."""
    if isinstance(benchmark, VideoBenchmark):
        benchmark.probe = sampler.facts
    return benchmark


def shown_to(benchmark: Benchmark, *, video_llm: bool) -> Benchmark:
    """Returns a benchmark as a model is asked it: with frames, or with whole videos."""
    return benchmark.whole() if video_llm else benchmark


def video_settings(plan: RunPlan, sampler: FrameSampler | None) -> VideoSettings:
    """Returns how videos are put into requests.

    Args:
        plan: the run.
        sampler: where frames come from; None where no videos are shown.
    """
    videos = plan.videos
    return VideoSettings(
        transport=videos.transport,
        base_url=videos.base_url,
        root=plan.data_root,
        total_pixels=videos.total_pixels,
        source=sampler,
    )
