"""How table cells are read: which words mean a missing value, and when a column of texts becomes numbers.

The rules are those of pandas 3.1 (`read_csv` with its C engine for benchmark files, `read_excel` for prediction
tables), measured and written down here so that scoring needs neither a spreadsheet nor pandas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..records import Cell

__all__ = ["NA_WORDS", "Reader", "cell_text", "huge_integer_first", "infer_column"]

Reader: TypeAlias = Literal["csv", "excel"]
"""Which of the two readers of the reference a column passes through."""

NA_WORDS: Final = frozenset(
    {
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    }
)
"""Texts that pandas reads as a missing value by default."""

_NUMBER: Final = re.compile(
    r"[ \t\n\v\f\r]*[+-]?(?:(?P<whole>[0-9]+)|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t\n\v\f\r]*"
)
_INFINITE: Final = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_TRUE: Final = frozenset({"True", "TRUE", "true"})
_FALSE: Final = frozenset({"False", "FALSE", "false"})
_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_UINT64_MAX: Final = 2**64 - 1


def cell_text(cell: Cell) -> str:
    """Returns a cell as the reference's ``str(cell)`` shows it: ``nan`` for a missing one, ``12.0`` for a float."""
    return "nan" if cell is None else str(cell)


def infer_column(values: Sequence[Cell], reader: Reader) -> list[Cell]:
    """Reads the cells of one column as pandas does.

    Words for missing values become None. A column that holds nothing but numbers becomes integers, or floats as soon
    as one cell has a decimal point or an exponent, or is missing; one that holds nothing but true and false becomes
    booleans. A single other text keeps every cell as it is written.

    Args:
        values: the cells: texts for a benchmark file; texts, numbers, booleans and None for a spreadsheet.
        reader: whose rules to follow where the two differ (integers above 64 bits, spelling of booleans).
    """
    cells: list[Cell] = [None if isinstance(v, str) and v in NA_WORDS else v for v in values]
    numbers = _Numbers.of(cells)
    mixed = numbers is None or numbers.float_text
    if reader == "csv" and mixed and huge_integer_first(cells):
        return list(values)
    if numbers is None:
        return _booleans(cells, reader) or cells
    if numbers.range_conflict and not (reader == "csv" and mixed):
        return list(values)
    return numbers.column(reader)


def huge_integer_first(cells: Iterable[Cell]) -> bool:
    """Whether the first cell that is neither missing nor a 64-bit integer is a larger integer.

    The parser of `read_csv` then gives up on integers, and with them on missing values: when it meets other text
    further down, every cell of the column is the text that stands there, words for missing values and all.
    """
    for cell in cells:
        number = _number(cell) if isinstance(cell, str) else None
        if isinstance(number, int) and _INT64_MIN <= number <= _UINT64_MAX:
            continue
        if cell is not None and cell not in NA_WORDS:
            return isinstance(number, int)
    return False


@dataclass(slots=True)
class _Numbers:
    """A column of numbers on its way to one type."""

    cells: list[int | float | bool | None]
    float_text: bool = False
    missing: bool = False
    whole: bool = False
    negative: bool = False
    unsigned: bool = False
    huge: bool = False

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> _Numbers | None:
        """Returns the column's numbers, or None when a cell is no number."""
        numbers = cls([])
        for cell in cells:
            if not isinstance(cell, str):
                numbers.add(cell)
                continue
            number = _number(cell)
            if number is None:
                return None
            numbers.add(number)
            if number == 0 and isinstance(number, int) and "-" in cell:
                # An integer `-0` keeps its sign when the column turns out to hold floats.
                numbers.cells[-1] = -0.0
        return numbers

    def add(self, number: float | bool | None) -> None:
        self.cells.append(number)
        if number is None:
            self.missing = True
        elif isinstance(number, bool):
            return
        elif isinstance(number, int):
            self.whole = True
            self.negative |= number < 0
            self.unsigned |= _INT64_MAX < number <= _UINT64_MAX
            if not _INT64_MIN <= number <= _UINT64_MAX:
                self.huge = True
        else:
            self.float_text = True

    @property
    def range_conflict(self) -> bool:
        """Integers that need an unsigned type next to cells that rule it out: pandas then leaves the column alone."""
        return self.unsigned and not self.huge and (self.negative or self.missing)

    def column(self, reader: Reader) -> list[Cell]:
        """Returns the cells in the one type that pandas gives the column."""
        if reader == "csv" and self.missing and not self.float_text and not self.huge:
            # Integers with gaps are read as integers first: no negative zero survives.
            return [None if n is None else _as_float(int(n)) for n in self.cells]
        if self.float_text or (self.missing and not (reader == "csv" and self.huge)):
            return [None if n is None else _as_float(n) for n in self.cells]
        if self.whole:
            return [None if n is None else int(n) for n in self.cells]
        return list(self.cells)


def _number(text: str) -> int | float | None:
    """Reads a text as pandas' number parser does; None when it is no number."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return float(text) if _INFINITE.fullmatch(text) else None
    if found["whole"] is None:
        return float(text)
    try:
        return int(text)
    except ValueError:
        # Python refuses to convert integers of more than 4300 digits; pandas then keeps the text.
        return None


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _booleans(cells: Sequence[Cell], reader: Reader) -> list[Cell] | None:
    """Returns the column as booleans, or None when a cell is anything else."""
    result: list[Cell] = []
    for cell in cells:
        word = cell.capitalize() if reader == "csv" and isinstance(cell, str) else cell
        if cell is None or isinstance(cell, bool):
            result.append(cell)
        elif word in _TRUE:
            result.append(True)
        elif word in _FALSE:
            result.append(False)
        else:
            return None
    return result
