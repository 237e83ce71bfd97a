"""Turns the pictures and videos of messages into what a request can carry.

The usual way of a picture is short: its base64 text goes out as the benchmark holds it, byte for byte, after a cheap
look at its header and end. It is decoded only when something asks for other pixels (``img_size``, a size limit, the
reference's image cache), when its end is missing so that a decoder has to judge, or when its format is one that
servers commonly refuse (BMP, TIFF and others that Pillow reads): those are sent as PNG, which shows the same pixels.

All functions are pure and thread-safe: no Pillow global is read for a decision or changed; sizes are checked from the
header before pixels are allocated.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import PIL.Image
import pybase64

from ..errors import MediaError
from ..messages import Image, InlineMedia, Message, Part, Video
from ..scoring.protocol import Protocol
from .media_files import read_file
from .media_video import VideoSettings, media_digest, prepared_video, with_frames
from .sniff import look, sound_base64

__all__ = [
    "DECODER_ERRORS",
    "MAX_PIXELS",
    "MediaSettings",
    "file_bytes",
    "load_image",
    "media_digest",
    "media_settings",
    "prepare_messages",
    "reference_jpeg",
]

MAX_PIXELS: Final = 178_956_970
"""Where Pillow refuses a picture by default: 512 MiB of RGB."""
MAX_BYTES: Final = 1 << 30
_REFERENCE_MIN_EDGE: Final = 100
_JPEG_QUALITY: Final = 75
_SENT_AS_THEY_ARE: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
# No format whose reader starts another program (EPS runs Ghostscript) or that no benchmark uses.
_READ: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO", "AVIF")
_JPEG_MAX_EDGE: Final = 65_500
_FLATTENED: Final = frozenset({"RGBA", "P", "LA"})
_JPEG_MODES: Final = frozenset({"1", "L", "RGB", "CMYK", "YCbCr"})
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_VIDEOS: Final = VideoSettings()
DECODER_ERRORS: Final = (
    PIL.Image.DecompressionBombError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,  # where the user has made warnings errors
    struct.error,
    zlib.error,
)
"""What Pillow's readers are known to raise on damaged files, besides its own classes."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """How pictures and videos are sent.

    Attributes:
        img_size: longest edge in pixels; larger pictures are scaled down. -1: no limit.
        total_img_size: edge of the square whose area all pictures of one message share; each gets
            ``total_img_size / sqrt(n)`` as its longest edge. With `reencode` the reference's formula instead:
            ``img_size / sqrt(n)``, and nothing without ``img_size``. -1: no limit.
        max_file_size: longest base64 text in characters; larger pictures are scaled down as JPEG until they fit.
            None: no limit.
        min_edge: shortest edge in pixels; smaller pictures are scaled up, sizes cut to whole pixels. 0: no limit.
        reencode: send every picture as JPEG of quality 75, as the reference does.
        max_pixels: larger pictures are refused (decompression bombs).
        max_bytes: larger files are refused.
        videos: how videos are shown.
    """

    img_size: int = -1
    total_img_size: int = -1
    max_file_size: int | None = None
    min_edge: int = 0
    reencode: bool = False
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    videos: VideoSettings = _VIDEOS

    def target(self, n_images: int) -> int:
        """Returns the longest edge allowed for each of n pictures of one message, 0 or less for any."""
        if self.total_img_size <= 0:
            return self.img_size
        if self.reencode:
            return min(self.img_size, int(self.img_size / math.sqrt(n_images))) if self.img_size > 0 else -1
        shared = max(1, int(self.total_img_size / math.sqrt(n_images)))
        return min(self.img_size, shared) if self.img_size > 0 else shared

    def keeps(self, size: tuple[int, int], characters: int, target: int) -> bool:
        """Whether a picture of this size may be sent as it is."""
        return (
            not self.reencode
            and (target <= 0 or max(size) <= target)
            and min(size) >= self.min_edge
            and (self.max_file_size is None or characters <= self.max_file_size)
        )

    def longest_kept(self, target: int) -> int:
        """Returns the longest base64 text of a JPEG that may be sent as it is, whatever its size in pixels."""
        if self.reencode or self.min_edge or target > 0:
            return 0
        return sys.maxsize if self.max_file_size is None else self.max_file_size


def media_settings(
    protocol: Protocol,
    *,
    img_size: int = -1,
    total_img_size: int = -1,
    max_file_size: int | None = None,
    videos: VideoSettings = _VIDEOS,
) -> MediaSettings:
    """Returns the settings that a protocol and a model's fields ask for."""
    return MediaSettings(
        img_size=img_size,
        total_img_size=total_img_size,
        max_file_size=max_file_size,
        min_edge=_REFERENCE_MIN_EDGE if protocol.cached_images else 0,
        reencode=protocol.cached_images,
        videos=videos,
    )


def prepare_messages(messages: Sequence[Message], settings: MediaSettings) -> list[Message]:
    """Returns the messages with `InlineMedia` in the place of pictures, of frames and of videos that are files.

    A video with an http(s) or data address stays a `Video`; one that the server reads by its address becomes one.

    Raises:
        MediaError: a picture or video cannot be read; the text names it and says why.
    """
    return [_prepared(message, settings) for message in messages]


def _prepared(message: Message, settings: MediaSettings) -> Message:
    n_images = sum(isinstance(part, Image) for part in message.parts)
    target = settings.target(n_images) if n_images else -1
    parts: list[Part] = []
    for part in with_frames(message.parts, settings.videos, longest=settings.longest_kept(target)):
        if isinstance(part, Image):
            parts.append(_prepared_image(part, settings, target))
        elif isinstance(part, Video):
            parts.append(prepared_video(part, settings.videos, settings.max_bytes))
        else:
            parts.append(part)
    return Message(message.role, tuple(parts))


def load_image(image: Image, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> PIL.Image.Image:
    """Opens a picture as the model is to see it before any scaling, `Image.stored_as` applied.

    Returns:
        The picture; Pillow decodes it when its pixels are first used, and may do so at a smaller scale.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        return _stored(_opened(file_bytes(image, max_bytes), max_pixels), image, max_pixels)
    except DECODER_ERRORS as error:
        raise _failed(image, error) from None


def reference_jpeg(picture: PIL.Image.Image) -> bytes:
    """Returns the base64 text by which the reference hands a picture on: JPEG of quality 75, no edge below 100."""
    return _scaled_jpeg(picture, MediaSettings(min_edge=_REFERENCE_MIN_EDGE, reencode=True), -1)


def _prepared_image(image: Image, settings: MediaSettings, target: int) -> InlineMedia:
    try:
        if settings.reencode or image.stored_as:
            raw = file_bytes(image, settings.max_bytes)
            picture = _stored(_opened(raw, settings.max_pixels), image, settings.max_pixels)
            return _encoded(picture, settings, target)
        return _passed_on(image, settings, target)
    except DECODER_ERRORS as error:
        raise _failed(image, error) from None


def _passed_on(image: Image, settings: MediaSettings, target: int) -> InlineMedia:
    """Sends the bytes as they are where that is right; the short way of nearly all pictures."""
    text, raw = sound_base64(_base64_of(image, settings.max_bytes))
    seen = look(raw)
    mime = seen.mime if seen.mime in _SENT_AS_THEY_ARE else None
    if seen.size is not None:
        _check_pixels(seen.size, settings.max_pixels)
        if mime is not None and seen.complete and settings.keeps(seen.size, len(text), target):
            return _inline(text, mime)
    picture = _opened(raw, settings.max_pixels)
    if not settings.keeps(picture.size, len(text), target):
        return _inline(_scaled_jpeg(picture, settings, target), "image/jpeg")
    picture.load()
    return _encoded(picture, settings, target) if mime is None else _inline(text, mime)


def _encoded(picture: PIL.Image.Image, settings: MediaSettings, target: int) -> InlineMedia:
    """Encodes a picture: as PNG where its pixels may stay as they are, else as JPEG, scaled as asked."""
    if settings.keeps(picture.size, 0, target):
        text = _text(picture if picture.mode in _PNG_MODES else picture.convert("RGB"), "PNG")
        if settings.max_file_size is None or len(text) <= settings.max_file_size:
            return _inline(text, "image/png")
    return _inline(_scaled_jpeg(picture, settings, target), "image/jpeg")


def _scaled_jpeg(picture: PIL.Image.Image, settings: MediaSettings, target: int) -> bytes:
    """Scales and encodes as the reference does: bicubic, quality 75, sizes cut to whole pixels."""
    picture = _flattened(picture)
    if picture.mode not in _JPEG_MODES:
        picture = picture.convert("RGB")
    if target > 0:
        picture.thumbnail((target, target))
    shown = picture
    if min(picture.size) < settings.min_edge:
        shown = _resized(picture, settings.min_edge / min(picture.size), settings.max_pixels)
    text = _text(shown, "JPEG")
    while settings.max_file_size is not None and len(text) > settings.max_file_size:
        smaller = _resized(shown, math.sqrt(settings.max_file_size / len(text)), settings.max_pixels)
        if smaller.size == shown.size:
            smaller = _resized(shown, 1 - 1 / max(shown.size), settings.max_pixels)
        shown, text = smaller, _text(smaller, "JPEG")
    return text


def _resized(picture: PIL.Image.Image, factor: float, max_pixels: int) -> PIL.Image.Image:
    width, height = int(picture.size[0] * factor), int(picture.size[1] * factor)
    if width < 1 or height < 1:
        raise ValueError("it cannot be made small enough for max_file_size")
    _check_pixels((width, height), max_pixels)
    return picture.resize((width, height))


def _flattened(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Drops alpha and palette without compositing, as the reference does."""
    if picture.mode not in _FLATTENED:
        return picture
    picture.load()
    # Alpha is dropped anyway; left in, Pillow warns that it cannot keep it.
    picture.info.pop("transparency", None)
    return picture.convert("RGB")


def _stored(picture: PIL.Image.Image, image: Image, max_pixels: int) -> PIL.Image.Image:
    """Passes a picture through the reference's image cache."""
    if image.stored_as is None:
        return picture
    picture = _flattened(picture)
    if image.stored_as == "png":
        picture.load()
        return picture
    if picture.mode not in _JPEG_MODES:
        picture = picture.convert("RGB")
    return _opened(_file(picture, "JPEG"), max_pixels)


def _file(picture: PIL.Image.Image, file_format: str) -> bytes:
    buffer = io.BytesIO()
    if file_format == "JPEG":
        if max(picture.size) > _JPEG_MAX_EDGE:
            raise ValueError(
                f"it would have {picture.size[0]} x {picture.size[1]} pixels; JPEG ends at {_JPEG_MAX_EDGE}"
            )
        picture.save(buffer, format=file_format, quality=_JPEG_QUALITY)
    else:
        picture.save(buffer, format=file_format)
    return buffer.getvalue()


def _text(picture: PIL.Image.Image, file_format: str) -> bytes:
    return pybase64.b64encode(_file(picture, file_format))


def _opened(raw: bytes, max_pixels: int) -> PIL.Image.Image:
    """Opens a file's bytes; its size is checked, its pixels are not decoded yet."""
    if not raw:
        raise ValueError("it is empty")
    picture = PIL.Image.open(io.BytesIO(raw), formats=_READ)
    _check_pixels(picture.size, max_pixels)
    return picture


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"its header says {width} x {height} pixels")
    if width * height > max_pixels:
        raise ValueError(f"it has {width} x {height} pixels; more than {max_pixels} are refused")


def file_bytes(image: Image, max_bytes: int = MAX_BYTES) -> bytes:
    """Returns the bytes of a picture's file, or of any other file that an `Image` stands for.

    Raises:
        ValueError: it is too large, or its base64 text is broken.
        OSError: it cannot be read.
    """
    if image.path is not None:
        return read_file(image.path, max_bytes)
    return sound_base64(_base64_of(image, max_bytes))[1]


def _base64_of(image: Image, max_bytes: int) -> bytes:
    if image.path is not None:
        return pybase64.b64encode(read_file(image.path, max_bytes))
    text = image.base64 or b""
    if len(text) * 3 // 4 > max_bytes:
        raise ValueError(f"it is larger than {max_bytes} bytes")
    return text


def _inline(text: bytes, mime: str) -> InlineMedia:
    return InlineMedia("image", mime, text, media_digest(text))


def _failed(image: Image, error: BaseException) -> MediaError:
    # KeyError: this Pillow is built without the last of the formats, and no other one fits.
    if isinstance(error, PIL.UnidentifiedImageError | KeyError):
        return MediaError(f"picture {image.name}: it is no picture that can be read")
    reason = " ".join(str(error).split()) or type(error).__name__
    return MediaError(f"picture {image.name}: {reason[:200]}")
