"""How a task's configuration says that videos are shown: the fields taken together, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..benchmarks.families import VIDEOS
from ..benchmarks.video import VideoOptions
from .config_data import file_name
from .config_eval import EvalConfig
from .config_plan import VideoPlan
from .config_problems import Problem

__all__ = ["video_plan", "video_problems"]

_EVAL: Final = "eval_config"
_BY_NUMBER_ONLY: Final = "MVBench"


def video_plan(config: EvalConfig) -> VideoPlan:
    """Returns how videos are shown. A rate of frames takes the place of their number where no number is given."""
    return VideoPlan(
        options=VideoOptions(
            nframe=_nframe(config),
            fps=config.fps,
            max_frames=config.max_frames,
            pack=config.pack,
            use_subtitle=config.use_subtitle,
        ),
        transport=config.video_transport,
        base_url=config.video_base_url,
        total_pixels=config.total_pixels,
        keeps_frames=config.frame_cache,
        patience_s=config.video_timeout,
    )


def _nframe(config: EvalConfig) -> int:
    return 0 if config.fps > 0 and "nframe" not in config.model_fields_set else config.nframe


def video_problems(config: EvalConfig) -> Iterator[Problem]:
    """Finds what cannot be done together, with benchmarks on videos or at all."""
    nframe, by_rate = _nframe(config), config.fps > 0
    if by_rate and nframe > 0:
        text = f"says how many frames a second, and nframe: {nframe} how many of a video; leave one out"
        yield Problem((_EVAL, "fps"), text)
    if config.max_frames is not None and nframe > config.max_frames:
        yield Problem((_EVAL, "max_frames"), f"is less than nframe ({nframe})")
    if config.video_transport == "http" and config.video_base_url is None:
        text = "is missing, expected the address under which the server finds the files of data_root"
        yield Problem((_EVAL, "video_base_url"), text)
    if config.video_transport != "http" and config.video_base_url is not None:
        yield Problem((_EVAL, "video_base_url"), "has no effect without video_transport: http")
    names = [name for name in map(file_name, config.data) if name in VIDEOS]
    if by_rate and _BY_NUMBER_ONLY in names:
        text = f"{_BY_NUMBER_ONLY} shows parts of videos and takes nframe only; MVBench_MP4 takes fps"
        yield Problem((_EVAL, "fps"), text)
    if names and not by_rate and nframe < 1:
        yield from _no_frames(config, names)


def _no_frames(config: EvalConfig, names: Sequence[str]) -> Iterator[Problem]:
    whole = config.video_llm if config.base_url is not None else all(entry.video_llm for entry in config.model)
    if not whole:
        text = f"is 0 without fps: nothing of the videos of {names[0]} would be shown to a model without video_llm"
        yield Problem((_EVAL, "nframe"), text)
    elif config.use_subtitle and "Video-MME" in names:
        text = "is 0 without fps: subtitles are those that stand at the frames, so there would be none"
        yield Problem((_EVAL, "nframe"), text)
