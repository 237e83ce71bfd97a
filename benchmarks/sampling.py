"""Which frames of a video a model is shown: the index formulas of the benchmarks (ms-vlmeval 0.0.20).

All are pure. With N frames at F frames a second, n frames asked for, or f frames a second:

- interior points (MMBench-Video, Video-MME): ``int(i * N / (n + 1))`` for i from 1 to n
- span middles (MVBench, MVBench_MP4): the middles of n equal parts of a span, rounded half to even
- rate points (all but MVBench): ``int(i * F / f)`` for i below ``int(N / F * f)``
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from ..errors import MediaError

__all__ = ["FORMULAS", "VideoFacts", "interior_points", "rate_points", "span_middles", "thinned"]

Span: TypeAlias = tuple[float, float]

_MOST_POINTS: Final = 100_000
"""A day of video at one frame a second. A damaged file may say that it lasts for ages."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What prompts need to know of a video.

    Attributes:
        frames: number of frames.
        fps: frames a second on average; 0 or less where the file does not say, or says what is no number.
    """

    frames: int
    fps: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.fps):
            object.__setattr__(self, "fps", 0.0)


def interior_points(facts: VideoFacts, nframe: int) -> tuple[int, ...]:
    """Returns n frames that divide a video into n + 1 equal parts; a short video has some of them several times."""
    step = facts.frames / (nframe + 1)
    return tuple(int(i * step) for i in range(1, nframe + 1))


def span_middles(facts: VideoFacts, nframe: int, span: Span | None = None, *, first: int = 0) -> tuple[int, ...]:
    """Returns the frames in the middles of n equal parts of a span.

    A span that begins behind the end gives indices that go down, some of them beyond the last frame.

    Args:
        facts: the video.
        nframe: number of frames.
        span: first and last second, both finite; None for the whole video.
        first: index of the first frame: 1 for a folder, whose pictures are numbered from 1.
    """
    last = facts.frames - 1 + first
    start, end = first, last
    if span is not None:
        start, end = max(first, round(span[0] * facts.fps)), min(round(span[1] * facts.fps), last)
    part = (end - start) / nframe
    return tuple(int(start + part / 2 + round(part * i)) for i in range(nframe))


def rate_points(facts: VideoFacts, fps: float) -> tuple[int, ...]:
    """Returns f frames a second; none of a video that is shorter than one interval, or whose rate is not known.

    Raises:
        MediaError: by what its file says, the video has more frames to show than any request can hold.
    """
    if facts.fps <= 0:
        return ()
    lasts = facts.frames / facts.fps
    if lasts * fps > _MOST_POINTS:
        raise MediaError(
            f"the video says that it lasts {lasts:,.0f} s ({facts.frames} frames, {facts.fps:g} a second), of which "
            f"{fps:g} frames a second are asked for; more than {_MOST_POINTS:,} frames are not shown"
        )
    count = int(lasts * fps)
    step = facts.fps / fps
    return tuple(int(i * step) for i in range(count))


def thinned(indices: tuple[int, ...], most: int | None) -> tuple[int, ...]:
    """Returns at most so many of the indices, evenly spread and the first among them; None for all."""
    if most is None or len(indices) <= most:
        return indices
    return tuple(indices[k * len(indices) // most] for k in range(most))


FORMULAS: Final[Mapping[str, Callable[[VideoFacts, int], tuple[int, ...]]]] = MappingProxyType(
    {
        "MMBench-Video": interior_points,
        "MVBench": span_middles,
        "MVBench_MP4": span_middles,
        "Video-MME": interior_points,
    }
)
"""Where a benchmark's frames lie when a number of them is asked for."""
