"""The embedded demo model: reads the text of pictures with RapidOCR and looks the answer up in it.

A real model that runs in this process, on the processor, without a server, a key or a download: RapidOCR's package
carries its networks (PP-OCRv6 small: text detection and recognition, Apache-2.0). What it reads is its own; which of
the words answers the question is decided by the rules of `reading`.
"""

from __future__ import annotations

import base64
import binascii
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson
from anyio import CapacityLimiter, to_thread
from PIL import Image as Pillow
from PIL import ImageOps

from ..errors import BadRequest, ServerFault
from ..messages import Image, InlineMedia, Message, Text, Video
from ..records import Reply
from .base import Request
from .reading import Page, Piece, answer, level

if TYPE_CHECKING:
    from rapidocr import RapidOCR

__all__ = ["OcrReader"]

_NAME: Final = "EyechartReader"
_PACKAGES: Final = ("rapidocr", "onnxruntime")
_RULES: Final = 1
"""Raised when the rules of `reading` change, so that stored answers of older rules are asked again."""
_MOST_PIXELS: Final = 64_000_000
_LONGEST: Final = 30
"""How many times longer than high, or higher than long, a picture may be for RapidOCR; others get a margin."""
_SETTINGS: Final = MappingProxyType(
    {
        "Global.log_level": "critical",
        # Pictures are read side by side; threads inside each would only get in each other's way.
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
)


class OcrReader:
    """A `Model` that answers reading questions. Pictures are read in worker threads."""

    def __init__(self, *, workers: int) -> None:
        """Loads nothing yet.

        Args:
            workers: pictures that are read at the same time.
        """
        self._workers = workers
        self._limiter: CapacityLimiter | None = None
        self._idle: list[RapidOCR] = []
        self._lock = threading.Lock()

    @property
    def identity(self) -> Mapping[str, Any]:
        """Name, rules, and versions of what reads."""
        return {"model": _NAME, "rules": _RULES, **{name: _version(name) for name in _PACKAGES}}

    def encode(self, messages: Sequence[Message]) -> Request:
        """Keeps texts and pictures apart: the first chunk lists kinds of media and text, the others are base64.

        Raises:
            TypeError: a picture is not ready to be sent.
        """
        texts: list[str] = []
        kinds: list[str] = []
        media: list[bytes] = []
        for part in (part for message in messages for part in message.parts):
            match part:
                case Text(text):
                    texts.append(text)
                case InlineMedia(kind, _, data, _):
                    kinds.append(kind)
                    media.append(data)
                case Video():
                    kinds.append("video")
                    media.append(b"")
                case Image(name):
                    raise TypeError(f"picture {name} is not ready to be sent: it has to be InlineMedia")
        head = orjson.dumps({"kinds": kinds, "text": "\n".join(texts)})
        return Request((head, *media), len(head) + sum(map(len, media)))

    async def ask(self, request: Request) -> Reply:
        """Reads the pictures and answers.

        Raises:
            BadRequest: a picture cannot be decoded, is too large, or is a video.
            ServerFault: the reader itself failed.
        """
        if self._limiter is None:
            self._limiter = CapacityLimiter(self._workers)
        text = await to_thread.run_sync(self._answer, request, limiter=self._limiter)
        return Reply(text, finish_reason="stop")

    async def aclose(self) -> None:
        """Lets go of the networks."""
        with self._lock:
            self._idle.clear()

    def _answer(self, request: Request) -> str:
        head, *media = request.chunks
        asked = orjson.loads(head)
        if "video" in asked["kinds"]:
            raise BadRequest(f"{_NAME} reads pictures, no videos")
        return answer(asked["text"], Page(self._read(media)))

    def _read(self, media: Sequence[bytes]) -> Iterator[Piece]:
        below = 0.0
        for number, data in enumerate(media, 1):
            picture = _decode(data, number)
            with self._lock:
                reader = self._idle.pop() if self._idle else None
            reader = reader or _load()
            try:
                found: Any = reader(picture)
            except RuntimeError as error:
                raise ServerFault(f"{_NAME} failed on picture {number}: {error}") from error
            with self._lock:
                self._idle.append(reader)
            if found.txts is not None and found.boxes is not None:
                yield from level(zip(found.txts, found.boxes.tolist(), strict=True), below=below)
            below += 2.0 * max(picture.size)


def _decode(data: bytes, number: int) -> Pillow.Image:
    try:
        with Pillow.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise BadRequest(f"picture {number} is too large to be read: {picture.width} x {picture.height} pixels")
            return _with_margin(picture.convert("RGB"))
    except (binascii.Error, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise BadRequest(f"picture {number} cannot be decoded: {error}") from error


def _with_margin(picture: Pillow.Image) -> Pillow.Image:
    width, height = picture.size
    least = max(width, height) // _LONGEST
    if min(width, height) >= least:
        return picture
    margin = (max(0, least - width + 1) // 2, max(0, least - height + 1) // 2)
    return ImageOps.expand(picture, margin, "white")


def _load() -> RapidOCR:
    from rapidocr import RapidOCR  # noqa: PLC0415  (slow to import, and not installed everywhere)

    return RapidOCR(params=dict(_SETTINGS))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # found on the path without its metadata
        return "unknown"
