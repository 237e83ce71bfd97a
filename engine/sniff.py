"""Looks at a picture without decoding its pixels: is its base64 text sound, what is it, how large, has it an end.

Sizes follow the published formats: PNG (ISO 15948), JPEG (ITU-T T.81), GIF89a, WebP (RFC 9649), BMP.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from typing import Final

import pybase64

__all__ = ["Look", "look", "sound_base64"]

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_WHITE: Final = b" \t\r\n\v\f"
_DATA_URL_HEAD: Final = 128
_TAIL: Final = 66
_MAX_SEGMENTS: Final = 2000
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_END_OR_SCAN: Final = frozenset({0xD9, 0xDA})


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture's first and last bytes say.

    Attributes:
        mime: media type, None when the bytes are none of the known formats.
        size: width and height in pixels, None when the header does not give them where it should.
        complete: the mark that ends such a file is there; False means only that a decoder has to decide.
    """

    mime: str | None
    size: tuple[int, int] | None
    complete: bool


def sound_base64(text: bytes) -> tuple[bytes, bytes]:
    """Returns base64 text that is safe to put into a request, and the bytes that it stands for.

    White space and line breaks inside are dropped, and so is a leading ``data:...;base64,``; a text with nothing to be
    dropped comes back as the same object.

    Raises:
        ValueError: the text is empty, holds a character that is not base64, or is cut short.
    """
    try:
        raw = pybase64.b64decode(text, validate=True)
    except binascii.Error:
        text = _tidied(text)
        raw = pybase64.b64decode(text, validate=True)
    if not raw:
        raise ValueError("it is empty")
    return text, raw


def _tidied(text: bytes) -> bytes:
    """Drops what may stand around base64 text, and says what is wrong with the rest."""
    head, comma, rest = text[:_DATA_URL_HEAD].partition(b",")
    if comma and head.lstrip().lower().startswith(b"data:"):
        text = rest + text[_DATA_URL_HEAD:]
    text = text.translate(None, _WHITE)
    if strange := text.translate(None, _ALPHABET):
        found = strange[:1].decode("latin-1")
        raise ValueError(f"its base64 text holds {found!a}, which is no base64 character")
    if len(text) % 4:
        raise ValueError(f"its base64 text is cut short: {len(text)} characters are no multiple of 4")
    padding = text.find(b"=")
    if padding >= 0 and text[padding:] not in (b"=", b"=="):
        raise ValueError("its base64 text goes on after its end ('=' stands in the middle)")
    return text


def look(raw: bytes) -> Look:  # noqa: PLR0911 (one per format)
    """Looks at the first and last bytes of a picture's file."""
    tail = raw[-_TAIL:]
    if raw.startswith(b"\xff\xd8\xff"):
        return Look("image/jpeg", _jpeg_size(raw), b"\xff\xd9" in tail)
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        return Look("image/png", _unpacked(">II", raw, 16), b"IEND" in tail)
    if raw.startswith((b"GIF87a", b"GIF89a")):
        return Look("image/gif", _unpacked("<HH", raw, 6), tail.rstrip(b"\0").endswith(b";"))
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return Look("image/webp", _webp_size(raw), int.from_bytes(raw[4:8], "little") + 8 <= len(raw))
    if raw.startswith(b"BM"):
        return Look("image/bmp", _bmp_size(raw), complete=False)
    if raw.startswith((b"II*\0", b"MM\0*")):
        return Look("image/tiff", None, complete=False)
    return Look(None, None, complete=False)


def _unpacked(layout: str, raw: bytes, at: int) -> tuple[int, int] | None:
    if len(raw) < at + struct.calcsize(layout):
        return None
    width, height = struct.unpack_from(layout, raw, at)
    return width, height


def _bmp_size(raw: bytes) -> tuple[int, int] | None:
    old_header = raw[14:18] == b"\x0c\0\0\0"
    size = _unpacked("<HH" if old_header else "<ii", raw, 18)
    return size and (abs(size[0]), abs(size[1]))


def _webp_size(raw: bytes) -> tuple[int, int] | None:
    kind = raw[12:16]
    if len(raw) < 30:  # noqa: PLR2004 (the longest of the three headers)
        return None
    if kind == b"VP8X":
        return int.from_bytes(raw[24:27], "little") + 1, int.from_bytes(raw[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(raw[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        size = _unpacked("<HH", raw, 26)
        return size and (size[0] & 0x3FFF, size[1] & 0x3FFF)
    return None


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    """Walks from segment to segment to the start of frame; gives up after many segments or at anything odd."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        segment = raw[at : at + 9]
        if len(segment) < 4 or segment[0] != 0xFF or segment[1] in _END_OR_SCAN:  # noqa: PLR2004 (marker and length)
            return None
        marker = segment[1]
        if marker == 0xFF:  # noqa: PLR2004 (a fill byte before a marker)
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker in _START_OF_FRAME:
            size = _unpacked(">HH", segment, 5)
            return size and (size[1], size[0])
        else:
            at += 2 + max(2, int.from_bytes(segment[2:4], "big"))
    return None
