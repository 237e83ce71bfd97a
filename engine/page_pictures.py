"""Rendered pages, and sheets of them, as files that a request can carry."""

from __future__ import annotations

import binascii
import io
from collections.abc import Callable
from typing import Final

import PIL.Image
import PIL.ImageChops

from .media import reference_jpeg

__all__ = ["page_encoder"]

_PNG_BYTES_PER_PIXEL: Final = 1
_FINE_QUALITY: Final = 95


def page_encoder(*, reference: bool) -> Callable[[PIL.Image.Image], bytes]:
    """Returns what makes the base64 text of a page's file.

    Args:
        reference: as the reference hands pages on: JPEG of quality 75, no edge below 100 pixels. Else PNG, or JPEG of
            quality 95 without subsampling where PNG takes more than 8 bits a pixel: text and drawings lose nothing,
            scans and photographs nothing that shows, and both fit into a request. Pages without colour are grey.
    """
    return reference_jpeg if reference else _page_text


def _page_text(picture: PIL.Image.Image) -> bytes:
    picture = _without_needless_colour(picture)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    if file.tell() > picture.width * picture.height * _PNG_BYTES_PER_PIXEL:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=_FINE_QUALITY, subsampling=0)
    return binascii.b2a_base64(file.getvalue(), newline=False)


def _without_needless_colour(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Returns a page of text in one channel: the same pixels, for a third of the time and the bytes."""
    red, green, blue = picture.split()
    differs = PIL.ImageChops.difference
    grey = differs(red, green).getbbox() is None and differs(green, blue).getbbox() is None
    return red if grey else picture
