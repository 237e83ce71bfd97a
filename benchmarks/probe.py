"""A look into a video without an engine: how many frames it has, and how many a second.

A run looks into videos in processes of their own (engine/frames.py), where a broken file can do no harm; this is for
who builds prompts by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import MediaError
from .sampling import VideoFacts

__all__ = ["look_into"]


def look_into(video: Path) -> VideoFacts:
    """Returns the facts of a video.

    Raises:
        MediaError: it is missing, or no video that can be read.
    """
    import decord  # noqa: PLC0415  (only who shows videos needs it)

    if not video.is_file():
        raise MediaError(f"video {video.name}: there is no such file ({video})")
    try:
        reader: Any = decord.VideoReader(str(video), ctx=decord.cpu(0), num_threads=1)
        facts = VideoFacts(len(reader), float(reader.get_avg_fps()))
    except (decord.DECORDError, RuntimeError, OSError, ValueError):
        raise MediaError(f"video {video.name}: it is no video that can be opened") from None
    if facts.frames < 1:
        raise MediaError(f"video {video.name}: it has no frames")
    return facts
