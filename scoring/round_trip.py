"""What a spreadsheet does to a table of predictions: the reference writes one and scores what it reads back.

The rules are those of xlsxwriter 3.3 (writing) and of pandas 3.1 with openpyxl 3.1 (reading). The tests compare them
with real files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..records import Cell
from .cells import infer_column

__all__ = ["round_trip", "round_trip_table"]

_CELL_UNITS: Final = 32767
"""Excel's limit of a cell's text, in UTF-16 units."""
_URL_UNITS: Final = 2079
"""Longest address, and longest anchor, of a link in UTF-16 units; a longer one leaves the cell empty."""
_SHEET_LINKS: Final = 65530
"""Links in one sheet; a cell with a further one stays empty."""

_LINK: Final = re.compile(r"(?:ftp|http)s?://|mailto:|(?:in|ex)ternal:|file://")
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|x005F_|_x[0-9a-fA-F]{4}_")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_ESCAPE: Final = re.compile("(_x[0-9a-fA-F]{4}_)")
_SPECIAL_START: Final = frozenset("={mhfie")


class _WriteError(Exception):
    """The spreadsheet library would stop here: the file ends with the cell before."""


def round_trip(values: Sequence[Cell]) -> list[Cell]:
    """Returns one column as it comes back from a spreadsheet.

    Texts such as ``N/A`` become None, a text that starts with ``=`` becomes 0, a column of number-like texts becomes
    numbers. A cell that makes the reference's writer stop is missing, and so are all below it.
    """
    return infer_column(_Sheet().write(values), "excel")


def round_trip_table(
    columns: Mapping[str, Sequence[Cell]], wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, list[Cell]]:
    """Returns a table as it comes back from a spreadsheet; the columns are written in the given order.

    A cell that makes the reference's writer stop takes the rest of its column and all later columns with it.

    Args:
        columns: the table.
        wanted: which columns to return; the others only count for what they do to the ones after them.
    """
    sheet = _Sheet()
    result: dict[str, list[Cell]] = {}
    for name, values in columns.items():
        if wanted(name):
            result[name] = infer_column(sheet.write(values), "excel")
        else:
            sheet.write([v for v in values if isinstance(v, str) and v[:1] in _SPECIAL_START])
    return result


class _Sheet:
    """A sheet that is being written: what it holds after each column, and whether writing has stopped."""

    def __init__(self) -> None:
        self._links = 0
        self._stopped = False

    def write(self, values: Sequence[Cell]) -> list[Cell]:
        """Returns the cells that the file holds for one column."""
        if self._stopped:
            return [None] * len(values)
        written: list[Cell] = []
        try:
            written.extend(self._text(v) if isinstance(v, str) else _plain(v) for v in values)
        except _WriteError:
            self._stopped = True
            written.extend([None] * (len(values) - len(written)))
        return written

    def _text(self, text: str) -> Cell:
        if text[:1] in _SPECIAL_START:
            if text.startswith("=") or (text.startswith("{=") and text.endswith("}")):
                # A formula is written without a value, and read as 0.
                return 0
            if _LINK.match(text):
                return self._link(text)
        return _stored(text)

    def _link(self, text: str) -> Cell:
        address, _, anchor = text.partition("#")
        if _units(address) > _URL_UNITS or _units(anchor) > _URL_UNITS:
            return None
        shown = _link_text(text)
        self._links += 1
        return _stored(shown) if self._links <= _SHEET_LINKS else None


def _link_text(text: str) -> str:
    """Returns what the cell of a link shows."""
    if text.startswith(("mailto:", "internal:")):
        return text.partition(":")[2]
    if not text.startswith(("external:", "file://")):
        return text
    path = text.replace("external:", "file:///", 1).replace("file:///", "", 1).replace("file://", "", 1)
    path = path.replace("/", "\\")
    if not path or (len(path) == 1 and path.isalpha()):
        # The writer looks at the second character of the path to tell a drive letter, and there is none.
        raise _WriteError
    return path


def _stored(text: str) -> str:
    """Returns a text as the file's table of strings gives it back."""
    if len(text) > _CELL_UNITS // 2:
        text = _cut(text)
    if _UNSAFE.search(text):
        # The writer escapes control characters; the reader undoes no escape but the one of the underscore, anywhere.
        text = _ESCAPE.sub(r"_x005F\1", text)
        text = _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
        text = text.replace("x005F_", "")
    return text


def _plain(value: float | bool | None) -> Cell:
    """Returns a number, a boolean or nothing as the file gives it back."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
    try:
        # Numbers are written with 16 digits.
        number = float(f"{value:.16G}")
    except OverflowError:
        return str(value)
    return int(number) if number.is_integer() else number


def _units(text: str) -> int:
    """Counts UTF-16 units."""
    return len(text) + sum(ch > "\uffff" for ch in text)


def _cut(text: str) -> str:
    """Cuts a text to what a cell holds, never through a character."""
    units = 0
    for position, ch in enumerate(text):
        units += 2 if ch > "\uffff" else 1
        if units > _CELL_UNITS:
            return text[:position]
    return text
