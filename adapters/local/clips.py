"""Frames of a video for a model that takes videos: which ones its own processor says, decoded with decord."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from .bodies import Clip, Refused

__all__ = ["frames_of"]

_SAMPLING: Final = ("num_frames", "fps")
_FRAMES_A_SECOND: Final = 2.0
"""Where neither the settings nor the processor's own say a number, as in the examples of Qwen2-VL and Qwen2.5-VL."""


def frames_of(clip: Clip, video_processor: Any, sampling: Mapping[str, Any]) -> tuple[Any, Any]:
    """Decodes the frames that a model is shown of a video.

    Args:
        clip: the video.
        video_processor: the model's, whose ``sample_frames`` chooses.
        sampling: ``num_frames`` or ``fps``, where they are set.

    Returns:
        Frames (frames, height, width, 3; 8-bit RGB), and transformers' `VideoMetadata` with their numbers.

    Raises:
        Refused: the video cannot be decoded, or has no frames.
    """
    import decord  # noqa: PLC0415
    from transformers.video_utils import VideoMetadata  # noqa: PLC0415

    if not sampling and all(getattr(video_processor, name, None) is None for name in _SAMPLING):
        sampling = {"fps": _FRAMES_A_SECOND}
    source = io.BytesIO(clip.source) if isinstance(clip.source, bytes) else str(clip.source)
    try:
        reader = decord.VideoReader(source, num_threads=1)
        count, rate = len(reader), float(reader.get_avg_fps())
        metadata = VideoMetadata(total_num_frames=count, fps=rate, duration=count / rate, video_backend="decord")
        chosen = [int(number) for number in video_processor.sample_frames(metadata, **sampling)]
        frames = reader.get_batch(chosen).asnumpy()
    except (decord.DECORDError, OSError, RuntimeError, ValueError, ZeroDivisionError) as error:
        raise Refused(f"a video cannot be decoded: {' '.join(str(error).split())[:150]}") from None
    metadata.height, metadata.width = frames.shape[1:3]
    metadata.frames_indices = chosen
    return frames, metadata
