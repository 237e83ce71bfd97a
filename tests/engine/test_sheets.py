"""Pages put together: where each lies, and how many sheets there are."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest

from eyechart.engine.sheets import STRIPS, SheetLayout, sheets
from eyechart.messages import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)


def page(size: tuple[int, int], colour: tuple[int, int, int]) -> Image:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(buffer, "PNG")
    return Image("p_0.png", base64=base64.b64encode(buffer.getvalue()))


def at(sheet: PIL.Image.Image, *points: tuple[int, int]) -> list[object]:
    return [sheet.getpixel(point) for point in points]


def test_pages_fill_a_grid_row_by_row():
    pages = [page((10, 20), colour) for colour in (RED, GREEN, BLUE)]
    (sheet,) = sheets(pages, SheetLayout(1, 2))
    assert sheet.size == (20, 40)
    assert at(sheet, (5, 10), (15, 10), (5, 30), (15, 30)) == [RED, GREEN, BLUE, WHITE]


def test_every_page_has_room_for_the_largest():
    pages = [page((10, 10), RED), page((30, 20), GREEN), page((10, 10), BLUE)]
    (sheet,) = sheets(pages, SheetLayout(1, 2))
    assert sheet.size == (60, 40)
    assert at(sheet, (5, 5), (30, 0), (59, 19), (5, 25), (15, 5)) == [RED, GREEN, GREEN, BLUE, WHITE]


def test_in_the_reference_the_first_page_says_how_much_room_there_is():
    pages = [page((10, 10), RED), page((30, 20), GREEN), page((10, 10), BLUE)]
    (sheet,) = sheets(pages, SheetLayout(1, 2, first_page_cells=True))
    assert sheet.size == (20, 20)
    assert at(sheet, (5, 5), (15, 5), (15, 15), (5, 15)) == [RED, GREEN, GREEN, WHITE]  # the third lies below it all
    (sheet,) = sheets(pages[::-1], SheetLayout(1, 3, first_page_cells=True))
    assert sheet.size == (30, 10)
    assert at(sheet, (5, 5), (15, 5), (29, 5)) == [BLUE, GREEN, GREEN]


@pytest.mark.parametrize(
    ("pages", "most", "counts"),
    [(1, 5, [1]), (3, 5, [1, 1, 1]), (6, 5, [2, 2, 2]), (11, 5, [3, 3, 3, 2]), (6, 1, [6]), (120, 5, [24] * 5)],
)
def test_pages_are_spread_over_the_sheets(pages: int, most: int, counts: list[int]):
    found = list(sheets([page((3, 3), RED)] * pages, SheetLayout(most, 1)))
    assert [sheet.height // 3 for sheet in found] == counts


@pytest.mark.parametrize(("pages", "counts"), [(1, [1]), (20, [20]), (21, [11, 10]), (41, [14, 14, 13])])
def test_strips_have_at_most_20_pages_and_are_as_few_as_can_be(pages: int, counts: list[int]):
    found = list(sheets([page((20, 1), RED)] * pages, SheetLayout(1, STRIPS)))
    assert [sheet.height // (56 + 50) for sheet in found] == counts


def test_wide_pages_lie_below_each_other_under_headers():
    (sheet,) = sheets([page((20, 10), RED), page((20, 10), GREEN)], SheetLayout(1, STRIPS))
    assert sheet.size == (1120, 2 * (40 + 560 + 10))
    assert at(sheet, (9, 40), (9, 599), (9, 601), (9, 605), (9, 650), (1119, 605)) == [
        RED, RED, WHITE, (0, 0, 0), GREEN, (0, 0, 0),
    ]  # fmt: skip
    assert at(sheet, (9, 2 * 610 - 5)) == [WHITE]  # no line after the last
    header = sheet.crop((0, 0, 1120, 40)).convert("L")
    assert header.getbbox() is not None
    assert min(header.get_flattened_data() if hasattr(header, "get_flattened_data") else header.getdata()) < 64


def test_high_pages_stand_side_by_side():
    (sheet,) = sheets([page((20, 10), RED), page((10, 20), GREEN)], SheetLayout(1, STRIPS))  # the last one decides
    assert sheet.size == (1120 + 10 + 560 + 10, 40 + 1120)
    assert at(sheet, (9, 40), (9, 601), (1125, 9), (1125, 1159), (1131, 40), (1689, 1159)) == [
        RED, WHITE, (0, 0, 0), (0, 0, 0), GREEN, GREEN,
    ]  # fmt: skip


def test_pages_of_other_modes_are_put_on_sheets_too():
    buffer = io.BytesIO()
    PIL.Image.new("L", (10, 10), 128).save(buffer, "PNG")
    grey = Image("g.png", base64=base64.b64encode(buffer.getvalue()))
    for layout in (SheetLayout(1, 1), SheetLayout(1, STRIPS)):
        (sheet,) = sheets([grey], layout)
        assert sheet.mode == "RGB"
        assert at(sheet, (5, sheet.height - 12 if layout.columns == STRIPS else 5)) == [(128, 128, 128)]
