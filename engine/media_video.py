"""Videos in messages: their frames as pictures, or the video itself in the form that a server takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias
from typing import Protocol as Interface
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import pybase64
import xxhash

from ..errors import MediaError
from ..messages import Image, InlineMedia, Part, Video
from .media_files import content_key, read_file

__all__ = ["FrameSource", "Transport", "VideoSettings", "media_digest", "prepared_video", "with_frames"]

Transport: TypeAlias = Literal["data", "file", "path", "http"]
"""How a video travels: inside the request, as ``file://`` address, as bare path, or as an address on the web."""

_MP4: Final = ".mp4"
_SCHEMES: Final = frozenset({"http", "https", "data", "file"})
_MIMES: Final = {
    ".avi": "video/x-msvideo",
    ".flv": "video/x-flv",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}


class FrameSource(Interface):
    """What gives frames and parts of videos; see `engine.frames.FrameSampler`."""

    def frames(self, video: Path, indices: Sequence[int], max_pixels: int | None = None) -> tuple[bytes, ...]:
        """Returns base64 text of JPEGs, in the order of the indices."""

    def clip(self, video: Path, span: tuple[float, float] | None, rate: float | None) -> Path:
        """Returns an mp4 file of a part of a video, or of the pictures of a folder."""


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How videos are shown.

    Attributes:
        transport: how a video that is shown as such reaches the server.
        base_url: with transport ``http``, the address under which the server finds the files of `root`.
        root: folder that stands for `base_url`.
        total_pixels: pixels that all frames of one message share; larger frames are scaled down. None: no limit.
        source: where frames and parts of videos come from; None where nobody decodes videos.
    """

    transport: Transport = "data"
    base_url: str | None = None
    root: Path | None = field(default=None, repr=False)
    total_pixels: int | None = None
    source: FrameSource | None = field(default=None, repr=False, compare=False)


def with_frames(parts: Sequence[Part], settings: VideoSettings, *, longest: int = 0) -> Sequence[Part]:
    """Returns the parts with the frames of videos decoded; all frames of one video are decoded at once.

    Args:
        parts: parts of a message.
        settings: how videos are shown.
        longest: frames whose base64 text is at most so long are sent as they are, and come back ready to be sent;
            others come back as pictures that hold their base64 text.

    Raises:
        MediaError: a video cannot be decoded.
    """
    wanted = [part.frame for part in parts if isinstance(part, Image) and part.frame is not None]
    if not wanted:
        return parts
    source = _source(settings, wanted[0].video)
    most = None if settings.total_pixels is None else max(1, settings.total_pixels // len(wanted))
    clips = dict.fromkeys((frame.video, frame.indices) for frame in wanted)
    texts = {(video, indices): source.frames(video, indices, most) for video, indices in clips}
    shown: list[Part] = []
    for part in parts:
        if not isinstance(part, Image) or part.frame is None:
            shown.append(part)
            continue
        text = texts[part.frame.video, part.frame.indices][part.frame.position]
        ready = len(text) <= longest
        shown.append(
            InlineMedia("image", "image/jpeg", text, media_digest(text))
            if ready
            else replace(part, frame=None, base64=text)
        )
    return shown


def prepared_video(video: Video, settings: VideoSettings, max_bytes: int) -> Part:
    """Returns a video as it goes into a request: `InlineMedia`, or a `Video` whose address the server reads itself.

    Args:
        video: a file, a folder of pictures, or an address on the web, which stays as it is.
        settings: how videos are shown.
        max_bytes: larger files are refused where they travel inside the request.

    Raises:
        MediaError: it cannot be read, cut or converted.
    """
    address = urlsplit(video.url) if "://" in video.url[:16] or video.url.startswith("data:") else None
    if address is not None and address.scheme.lower() not in _SCHEMES:
        raise MediaError(f"video {video.url[:200]}: it is no address of a video; expected http, https, data or a file")
    if address is not None and address.scheme.lower() != "file":
        if video.span is not None:
            raise MediaError(f"video {video.url[:200]}: only a file can be shown in part")
        return video
    path = Path(video.url if address is None else url2pathname(address.path))
    if video.span is not None or video.rate is not None or (video.as_mp4 and path.suffix.lower() != _MP4):
        path = _source(settings, path).clip(path, video.span, video.rate)
    if settings.transport == "data":
        return _inline(path, max_bytes)
    return Video(_address(path, settings), digest=content_key(path, with_time=False))


def _source(settings: VideoSettings, path: Path) -> FrameSource:
    if settings.source is None:
        raise MediaError(f"video {path.name}: nobody decodes videos here")
    return settings.source


def _inline(path: Path, max_bytes: int) -> InlineMedia:
    try:
        raw = read_file(path, max_bytes)
    except (OSError, ValueError) as error:
        raise MediaError(f"video {path.name}: {error}") from None
    if not raw:
        raise MediaError(f"video {path.name}: it is empty")
    text = pybase64.b64encode(raw)
    return InlineMedia("video", _MIMES.get(path.suffix.lower(), "video/mp4"), text, media_digest(text))


def _address(path: Path, settings: VideoSettings) -> str:
    if settings.transport == "path":
        return str(path.absolute())
    if settings.transport == "file":
        return path.absolute().as_uri()
    root = settings.root or Path()
    try:
        inside = path.absolute().relative_to(root.absolute())
    except ValueError:
        raise MediaError(
            f"video {path.name}: it lies outside {root}, whose files the server finds under its address"
        ) from None
    return f"{(settings.base_url or '').rstrip('/')}/{quote(inside.as_posix())}"


def media_digest(text: bytes) -> str:
    """Hashes what is shown, for fingerprints: 128 bits of XXH3, a thirtieth of the time that SHA-256 takes.

    Nobody gains by two pictures with one hash, so it need not withstand anyone who looks for them.
    """
    return xxhash.xxh3_128_hexdigest(text)
