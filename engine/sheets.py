"""Several pages of a document on one picture: a grid, or a long strip, as the reference makes them for some models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from ..messages import Image
from .media import MAX_PIXELS, load_image

__all__ = ["STRIPS", "SheetLayout", "sheets"]

STRIPS: Final = -1
"""Number of columns that stands for strips."""

_STRIP_PAGES: Final = 20
_EDGE: Final = 1120
_HEADER: Final = 40
_GAP: Final = 10
_LINE: Final = 2


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """How pages are put together.

    Attributes:
        sheets: most sheets for one document; without meaning for strips.
        columns: columns of a sheet; -1 for strips of at most 20 pages, each page under a header of its own.
        first_page_cells: a page has as much room on a grid as the first one of its sheet needs, and what is larger
            lies over its neighbours or is cut off. Else as much as the largest one needs.
    """

    sheets: int
    columns: int
    first_page_cells: bool = False


def sheets(pages: Sequence[Image], layout: SheetLayout) -> Iterator[PIL.Image.Image]:
    """Yields the sheets of a document.

    Raises:
        MediaError: a page cannot be read.
        ValueError: a sheet would be too large.
    """
    strips = layout.columns == STRIPS
    most = math.ceil(len(pages) / _STRIP_PAGES) if strips else layout.sheets
    each = max(1, math.ceil(len(pages) / most))
    for first in range(0, len(pages), each):
        batch = pages[first : first + each]
        yield _strip(batch) if strips else _grid(batch, layout)


def _grid(pages: Sequence[Image], layout: SheetLayout) -> PIL.Image.Image:
    sizes = [load_image(page).size for page in (pages[:1] if layout.first_page_cells else pages)]
    width, height = max(width for width, _ in sizes), max(height for _, height in sizes)
    sheet = _canvas(width * layout.columns, height * math.ceil(len(pages) / layout.columns))
    x = y = 0
    for number, page in enumerate(pages, 1):
        picture = load_image(page)
        sheet.paste(picture, (x, y))
        x += picture.width if layout.first_page_cells else width
        if number % layout.columns == 0:
            x, y = 0, y + (picture.height if layout.first_page_cells else height)
    return sheet


def _strip(pages: Sequence[Image]) -> PIL.Image.Image:
    """Puts pages below each other where the last one is wider than high, else side by side."""
    pictures = [_enlarged(load_image(page)) for page in pages]
    upright = pictures[-1].width > pictures[-1].height
    if upright:
        sheet = _canvas(max(p.width for p in pictures), sum(p.height + _HEADER + _GAP for p in pictures))
    else:
        sheet = _canvas(sum(p.width + _GAP for p in pictures), max(p.height for p in pictures) + _HEADER)
    draw = PIL.ImageDraw.Draw(sheet)
    font = PIL.ImageFont.load_default(_HEADER)
    x = y = 0
    for number, picture in enumerate(pictures):
        draw.text((x, y), f"<IMAGE {number}>", font=font, fill="black")
        sheet.paste(picture, (x, y + _HEADER))
        if upright:
            y += _HEADER + picture.height + _GAP
            line = (0, y - _GAP // 2), (sheet.width, y - _GAP // 2)
        else:
            x += picture.width + _GAP
            line = (x - _GAP // 2, 0), (x - _GAP // 2, sheet.height)
        if number + 1 < len(pictures):
            draw.line(line, fill="black", width=_LINE)
    return sheet


def _enlarged(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Scales the longer edge to 1120 pixels."""
    ratio = picture.width / picture.height
    size = (_EDGE, int(_EDGE / ratio)) if picture.width > picture.height else (int(_EDGE * ratio), _EDGE)
    return picture.convert("RGB").resize((max(1, size[0]), max(1, size[1])), PIL.Image.Resampling.BILINEAR)


def _canvas(width: int, height: int) -> PIL.Image.Image:
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"a sheet of its pages would have {width} x {height} pixels; more than {MAX_PIXELS} are refused. Set "
            "concat_num higher, or max_pages lower"
        )
    return PIL.Image.new("RGB", (width, height), "white")
