"""Frames of videos as JPEG: decoded once for all questions that show them, in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from ..benchmarks.sampling import VideoFacts
from ..errors import MediaError
from .decoders import Decoders
from .frame_store import load_frames, save_frames
from .media_files import content_key
from .shared_cache import SharedCache

__all__ = ["FrameSampler"]

_MOST_FRAME_BYTES: Final = 256 << 20
_FACTS_KEPT: Final = 4 << 20
_CLIPS_KEPT: Final = 1 << 20
_LONGEST_STEM: Final = 60
_Clip: TypeAlias = tuple[str, tuple[int, ...], int | None]


class FrameSampler:
    """Gives facts, frames and parts of videos. Thread-safe and blocking: used in worker threads.

    Args:
        decoders: the processes that decode; by default one for each processor, at most four.
        cache_bytes: base64 text of frames that is kept in memory for further questions on the same video.
        store: folder to keep decoded frames in beyond this run, None for none.
        clips: folder for parts of videos and for converted ones, which exist as files; None where none are needed.
    """

    def __init__(
        self,
        decoders: Decoders | None = None,
        *,
        cache_bytes: int = 256 << 20,
        store: Path | None = None,
        clips: Path | None = None,
    ) -> None:
        self._decoders = decoders or Decoders()
        self._store = store
        self._clips = clips
        self._facts: SharedCache[str, VideoFacts] = SharedCache(_FACTS_KEPT, lambda _: 0)
        self._frames: SharedCache[_Clip, dict[int, bytes]] = SharedCache(
            cache_bytes, lambda frames: sum(map(len, frames.values()))
        )
        self._cut: SharedCache[tuple[Any, ...], Path] = SharedCache(_CLIPS_KEPT, lambda _: 0)
        self._keys: dict[tuple[str, int, int, int], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoders.close()

    def interrupt(self) -> None:
        """Ends all decoding; whoever waits for it gets a MediaError. Safe to call from any thread."""
        self._decoders.interrupt()

    @property
    def decoded(self) -> int:
        """How often frames were decoded, or looked for in the store."""
        return self._frames.made

    def facts(self, video: Path) -> VideoFacts:
        """Returns how many frames a video has, and how many a second.

        Raises:
            MediaError: it is missing or broken.
        """
        return self._facts.get(self._key(video), lambda: self._look(video))

    def frames(self, video: Path, indices: Sequence[int], max_pixels: int | None = None) -> tuple[bytes, ...]:
        """Returns base64 text of the JPEGs of frames, in the given order; equal indices share one text.

        Args:
            video: file of the video.
            indices: numbers of the frames, from 0.
            max_pixels: larger frames are scaled down to so many pixels; None for no limit.

        Raises:
            MediaError: the video is missing or broken, has no such frame, or the frames take more than 256 MiB.
        """
        wanted = tuple(sorted(set(indices)))
        key = (self._key(video), wanted, max_pixels)
        found = self._frames.get(key, lambda: self._decode(video, key))
        return tuple(found[index] for index in indices)

    def clip(self, video: Path, span: tuple[float, float] | None, rate: float | None) -> Path:
        """Returns an mp4 file that shows a span of a video, or the pictures of a folder at a rate, made where needed.

        Raises:
            MediaError: the video is missing or broken, or shows nothing in that span.
        """
        key = (self._key(video), span, rate)
        return self._cut.get(key, lambda: self._make_clip(video, key))

    def _key(self, video: Path) -> str:
        """Returns `content_key`, from memory where the file is the same as when it was asked for last."""
        try:
            status = video.stat()
        except (OSError, ValueError):
            return content_key(video)
        state = (str(video), status.st_ino, status.st_size, status.st_mtime_ns)
        if state not in self._keys:
            self._keys[state] = content_key(video)
        return self._keys[state]

    def _look(self, video: Path) -> VideoFacts:
        replies = self._decoders.ask({"op": "facts", "video": str(video.absolute())})
        facts = json.loads(replies[-1][1])
        if facts["frames"] < 1:
            raise MediaError(f"video {video.name}: it has no frames")
        return VideoFacts(facts["frames"], facts["fps"])

    def _decode(self, video: Path, key: _Clip) -> dict[int, bytes]:
        _, wanted, max_pixels = key
        stored = None if self._store is None else self._store / f"{_digest(key)}.frames"
        found = None if stored is None else load_frames(stored)
        if found is None or found.keys() != set(wanted):
            found = self._ask(video, wanted, max_pixels)
            if stored is not None:
                save_frames(stored, found)
        return found

    def _ask(self, video: Path, wanted: Sequence[int], max_pixels: int | None) -> dict[int, bytes]:
        request = {
            "op": "frames",
            "video": str(video.absolute()),
            "indices": wanted,
            "max_pixels": max_pixels,
            "max_bytes": _MOST_FRAME_BYTES,
        }
        replies = self._decoders.ask(request)
        return {struct.unpack(">Q", body[:8])[0]: body[8:] for kind, body in replies if kind == b"f"}

    def _make_clip(self, video: Path, key: tuple[Any, ...]) -> Path:
        if self._clips is None:
            raise MediaError(f"video {video.name}: there is no folder for parts of videos")
        _, span, rate = key
        out = self._clips / f"{video.stem[:_LONGEST_STEM]}-{_digest(key)}.mp4"
        if out.is_file():
            return out
        part = out.with_name(f"{out.name}.{os.getpid()}.part")
        try:
            self._clips.mkdir(parents=True, exist_ok=True)
            self._decoders.ask(
                {"op": "cut", "video": str(video.absolute()), "span": span, "rate": rate, "out": str(part.absolute())}
            )
            part.replace(out)
        except OSError as error:
            raise MediaError(f"video {video.name}: {self._clips} cannot be written: {error.strerror}") from None
        finally:
            part.unlink(missing_ok=True)
        return out


def _digest(key: object) -> str:
    return hashlib.blake2b(repr(key).encode(), digest_size=12).hexdigest()
