"""What the benchmarks on videos have in common: how their videos are shown, and where the files are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from ..errors import DataError, MediaError
from ..messages import Frame, Image
from ..records import Sample
from ..scoring.cells import cell_text
from ..scoring.protocol import Protocol
from .base import Benchmark, Source
from .probe import look_into
from .sampling import FORMULAS, VideoFacts, rate_points, thinned

__all__ = ["DEFAULT_OPTIONS", "ON_THE_WEB", "Probe", "VideoBenchmark", "VideoOptions", "file_below"]

ON_THE_WEB: Final = ("http://", "https://")
"""What a cell begins with that names a video by an address, and no file."""

Probe: TypeAlias = Callable[[Path], VideoFacts]
"""Says how many frames a video has; raises MediaError where it cannot be read."""


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How videos are shown.

    Attributes:
        nframe: frames of each video; 0 where `fps` says how many.
        fps: frames a second; 0 or less where `nframe` says how many. The reference names frames by it as it is
            written, so that ``1`` and ``1.0`` are not the same.
        max_frames: most frames of a video with `fps`; None for no limit.
        pack: ask all questions on a video in one request (MMBench-Video).
        use_subtitle: show the subtitles at the frames (Video-MME).
    """

    nframe: int = 8
    fps: int | float = -1
    max_frames: int | None = None
    pack: bool = False
    use_subtitle: bool = False


DEFAULT_OPTIONS: Final = VideoOptions()


class VideoBenchmark(Benchmark):
    """A benchmark whose rows ask about a video beside the benchmark's file. Samples on one video are a cluster.

    Attributes:
        options: how videos are shown.
        probe: looks into videos; an engine puts its own in place before the first prompt.
        shows_video: prompts show the video as it is instead of frames.
    """

    def __init__(self, name: str, source: Source, protocol: Protocol, options: VideoOptions = DEFAULT_OPTIONS) -> None:
        super().__init__(name, source, protocol)
        self.options = options
        self.probe: Probe = look_into
        self.shows_video = False
        self._root = source.path.parent

    @property
    def settings(self) -> str:
        """How videos are shown."""
        return f"{self.options} {self.shows_video}"

    def whole(self) -> Benchmark:
        """Returns the same benchmark with videos in its prompts instead of frames."""
        other = copy.copy(self)
        other.shows_video = True
        return other

    def samples(self) -> Iterator[Sample]:
        """Yields the samples in file order; those on one video share their cluster."""
        for sample in self.source.samples():
            yield replace(sample, cluster=f"video:{self.video_of(sample)}")

    def in_asking_order(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Puts the questions on one video next to each other, so that its frames need not be held for long."""
        videos: dict[str, list[Sample]] = {}
        for sample in samples:
            videos.setdefault(sample.cluster, []).append(sample)
        for members in videos.values():
            yield from members

    def stamp(self, sample: Sample) -> str:
        """Returns size and time of the sample's files: a stored answer holds as long as they are the same."""
        try:
            return ",".join(map(_state, self.files_of(sample)))
        except (MediaError, DataError):  # the row fails by itself
            return "none"

    def lacks(self, sample: Sample) -> Path | None:
        """Returns the sample's first file that is not there; None for none."""
        return next((path for path in self.files_of(sample) if not path.exists()), None)

    def video_of(self, sample: Sample) -> str:
        """Names the video of a row; equal for rows on the same one."""
        return cell_text(sample.cells.get("video"))

    def path_of(self, sample: Sample) -> Path:
        """Returns the file of a row's video, by default ``video/<video>.mp4``.

        Raises:
            MediaError: it leads out of the benchmark's folder.
            DataError: the row names no video.
        """
        return self.file("video", f"{self.cell(sample, 'video')}.mp4")

    def files_of(self, sample: Sample) -> Sequence[Path]:
        """Returns the files that a row's prompt shows or reads, by default the video.

        Raises:
            MediaError: a path leads out of the benchmark's folder.
            DataError: the row names no video.
        """
        return (self.path_of(sample),)

    def cell(self, sample: Sample, column: str) -> str:
        """Returns a cell that every row needs.

        Raises:
            DataError: it is missing.
        """
        value = sample.cells.get(column)
        if value is None:
            raise DataError(f"{self.source.path}, row {sample.index} has nothing in column {column!r}")
        return cell_text(value)

    def file(self, *parts: str) -> Path:
        """Returns a file below the benchmark's folder.

        Raises:
            MediaError: the path leads out of it.
        """
        return file_below(self._root, *parts)

    def indices(self, facts: VideoFacts) -> tuple[int, ...]:
        """Returns the frames of a whole video that are shown.

        Raises:
            DataError: the options say neither how many nor how many a second.
        """
        options = self.options
        if options.fps > 0:
            found = thinned(rate_points(facts, options.fps), options.max_frames)
            return found if found or self.protocol.short_videos_unseen else (0,)
        if options.nframe < 1:
            raise DataError(f"{self.name}: neither nframe nor fps says how many frames of a video are shown")
        return FORMULAS[self.name](facts, options.nframe)

    def frames(self, video: Path, indices: tuple[int, ...], folder: str) -> tuple[Image, ...]:
        """Returns frames as pictures, named as in the reference's cache.

        Args:
            video: the file.
            indices: numbers of the frames.
            folder: what the cache calls the video.
        """
        return tuple(
            Image(name=f"{folder}/{name}", frame=Frame(video, indices, position))
            for position, name in enumerate(self.frame_names(len(indices)))
        )

    def frame_names(self, count: int) -> list[str]:
        """Returns the reference's file names of so many frames of a video."""
        ending = f"-{self.options.fps}fps" if self.options.fps > 0 else ""
        return [f"frame-{number}-of-{count}{ending}.jpg" for number in range(1, count + 1)]


def file_below(root: Path, *parts: str) -> Path:
    """Returns a path below a folder; links are followed, as hub caches are made of them.

    Raises:
        MediaError: it leads out of the folder.
    """
    path = PurePosixPath(*parts)
    if any(PurePosixPath(part).is_absolute() for part in parts) or ".." in path.parts or "\0" in str(path):
        raise MediaError(f"video {str(path)[:200]!r}: it leads out of the benchmark's folder {root} and is not read")
    return root / path


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_size}:{status.st_mtime_ns}"
