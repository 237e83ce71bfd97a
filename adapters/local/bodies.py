"""What a request says, read back from its body: a local model is asked with the very bytes that a server would get.

So the turns, the joined texts and the order of pictures are the same in both cases by construction.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

import orjson
from PIL import Image as Pillow
from PIL import ImageOps

__all__ = ["Clip", "Part", "Picture", "Refused", "Turn", "Words", "kind_of", "parse"]

_DAMAGED: Final = (
    Pillow.DecompressionBombError, ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's readers are known to raise on damaged or huge files."""


class Refused(Exception):
    """A question that this model cannot be asked; the text says why.

    Attributes:
        kind: name of the class in `eyechart.errors` that the failure gets.
    """

    def __init__(self, text: str, kind: str = "BadRequest") -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, decoded: RGB, turned as its file says."""

    image: Pillow.Image


@dataclass(frozen=True, slots=True)
class Clip:
    """A video: its file, or the file's bytes."""

    source: Path | bytes


Part: TypeAlias = Words | Picture | Clip


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: who speaks, and what is said and shown."""

    role: str
    parts: tuple[Part, ...]


def parse(body: bytes) -> list[Turn]:
    """Reads the turns of a chat completion request (`adapters.payload.encode_chat`).

    Raises:
        Refused: a picture or video cannot be decoded, or a video lies on the web.
    """
    turns = []
    count = 0
    for message in _json(body)["messages"]:
        content = message["content"]
        parts = []
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            count += part["type"] == "image_url"
            parts.append(_part(part, count))
        turns.append(Turn(message["role"], tuple(parts)))
    return turns


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:  # half a surrogate pair, which strict JSON forbids
        return json.loads(body)


def kind_of(turns: list[Turn]) -> str:
    """Returns which media a question shows: ``pictures``, ``videos``, both, or nothing of these."""
    shown = {type(part) for turn in turns for part in turn.parts}
    return "+".join(name for kind, name in ((Picture, "pictures"), (Clip, "videos")) if kind in shown)


def _part(part: Mapping[str, Any], number: int) -> Part:
    match part["type"]:
        case "text":
            return Words(part["text"])
        case "image_url":
            return Picture(_decoded(part["image_url"]["url"], number))
        case _:
            return Clip(_clip(part["video_url"]["url"]))


def _decoded(url: str, number: int) -> Pillow.Image:
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
        with Pillow.open(io.BytesIO(data)) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except _DAMAGED as error:
        raise Refused(f"picture {number} cannot be decoded: {error}") from None


def _clip(url: str) -> Path | bytes:
    if url.startswith("data:"):
        try:
            return base64.b64decode(url.partition(",")[2], validate=True)
        except binascii.Error as error:
            raise Refused(f"a video cannot be decoded: {error}") from None
    address = urlsplit(url)
    if address.scheme in ("http", "https"):
        raise Refused("a video on the web is fetched by servers only; give the file")
    return Path(url2pathname(address.path)) if address.scheme == "file" else Path(url)
