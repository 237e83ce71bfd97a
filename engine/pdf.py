"""Pages of a PDF as pictures. Runs inside a sandbox: what reads PDF files is written in C++ and may crash or hang."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

import PIL.Image
import pypdfium2
import pypdfium2.raw

from .page_pictures import page_encoder

__all__ = ["pages"]

_SCALE: Final = 2.0
"""144 dots per inch, as the reference renders; a PDF measures in 72nds of an inch."""

_SLACK: Final = 0.001
"""What a page may be wider than whole pixels before it has one more, as in the reference's renderer."""
_HEADER: Final = b"%PDF-"
_HEADER_WITHIN: Final = 1024
_NO_PAGES: Final = "it has no pages"
_ENCRYPTED: Final = "it is encrypted and opens only with a password"
_PROBLEMS: Final = MappingProxyType(
    {
        pypdfium2.raw.FPDF_ERR_SUCCESS: _NO_PAGES,  # what PDFium says of a document without any
        pypdfium2.raw.FPDF_ERR_PASSWORD: _ENCRYPTED,
        pypdfium2.raw.FPDF_ERR_SECURITY: _ENCRYPTED,
    }
)


def pages(request: Mapping[str, Any], payload: bytes) -> Iterator[bytes]:
    """Renders pages of a PDF, one after the other; a `sandbox_child.Task`.

    Args:
        request: ``first`` and ``step``: which page comes first, from 0, and how far it is to the next; ``max_pages``
            of the document; ``max_pixels`` of one page; ``reference``, see `page_pictures.page_encoder`.
        payload: the file.

    Raises:
        ValueError: the file, or one of these pages, cannot be rendered.
    """
    encode = page_encoder(reference=request["reference"])
    with _opened(payload) as document:
        if not len(document):
            raise ValueError(_NO_PAGES)
        with suppress(pypdfium2.PdfiumError):
            document.init_forms()  # what is filled in is drawn; a broken form is not, and its page is all the same
        for number in range(request["first"], min(len(document), request["max_pages"]), request["step"]):
            yield encode(_page(document, number, request["max_pixels"]))


def _opened(payload: bytes) -> Any:
    if _HEADER not in payload[:_HEADER_WITHIN]:
        raise ValueError("it is no PDF" if payload else "it is empty")
    try:
        return pypdfium2.PdfDocument(payload)
    except pypdfium2.PdfiumError as error:
        raise ValueError(_PROBLEMS.get(error.err_code, "it is damaged, or no PDF")) from None


def _page(document: Any, number: int, max_pixels: int) -> PIL.Image.Image:
    try:
        page = document[number]
    except pypdfium2.PdfiumError as error:
        raise ValueError(f"its page {number + 1} is damaged or missing ({error})") from None
    width, height = (max(1, math.ceil(points * _SCALE - _SLACK)) for points in page.get_size())
    if width * height > max_pixels:
        raise ValueError(
            f"its page {number + 1} would have {width} x {height} pixels; more than {max_pixels} are refused"
        )
    picture: PIL.Image.Image = page.render(scale=_SCALE, rev_byteorder=True).to_pil()
    page.close()
    return picture if picture.size == (width, height) else picture.crop((0, 0, width, height))
