"""Cells of a benchmark file as values: the text that stands there, or what ``pandas.read_csv`` makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ..errors import DataError
from ..records import Cell
from ..scoring.cells import NA_WORDS, huge_integer_first, infer_column
from .tsv import Fields

__all__ = ["NA_BYTES", "ColumnTypes", "distinct_names"]

NA_BYTES: Final = frozenset(word.encode() for word in NA_WORDS)
"""The words that pandas reads as a missing value, as they stand in a file."""


def distinct_names(names: Sequence[str], path: Path, *, numbered: bool) -> tuple[str, ...]:
    """Returns the names of a file's columns, no two of them equal.

    Args:
        names: the names as they stand in the header.
        path: the file, for the error.
        numbered: call the second column of a name ``<name>.1`` and so on, as pandas does.

    Raises:
        DataError: two columns have one name, and they are not to be numbered.
    """
    distinct = list(names)
    used: Counter[str] = Counter()
    for k, name in enumerate(names):
        if used[name] and not numbered:
            raise DataError(
                f"{path} has two columns named {name!r} (columns {names.index(name) + 1} and {k + 1}); rename one"
            )
        own, count = name, used[name]
        while count:
            used[name] = count + 1
            own = f"{name}.{count}"
            count = count + 1 if own in distinct else used[own]
        distinct[k] = own
        used[own] = count + 1
    return tuple(distinct)


class ColumnTypes:
    """The values of all columns that are numbers or booleans from the first row to the last.

    A column counts as text from its first cell that is neither; only the others are kept in memory.
    """

    def __init__(self, columns: Iterable[int]) -> None:
        """Watches these columns, by position."""
        self._texts: dict[int, list[Cell]] = {column: [] for column in columns}
        self._values: dict[int, list[Cell]] = {}
        self._verbatim: set[int] = set()

    def add(self, fields: Fields) -> None:
        """Takes the next row of the file."""
        ruled_out = []
        for column, texts in self._texts.items():
            cell = fields[column] or b""
            text = cell.decode()
            texts.append(text)
            if not cell.isdigit() and cell not in NA_BYTES and isinstance(infer_column([text], "csv")[0], str):
                ruled_out.append(column)
        for column in ruled_out:
            if huge_integer_first(self._texts.pop(column)):
                self._verbatim.add(column)

    def finish(self) -> None:
        """Settles the types after the last row."""
        self._values = {column: infer_column(texts, "csv") for column, texts in self._texts.items()}
        self._texts = {}

    def is_text(self, column: int) -> bool:
        """Says whether a cell of this column is the text that stands there, or missing."""
        return column not in self._values

    def cell(self, row: int, column: int, cell: bytes | None) -> Cell:
        """Returns the value of a cell, given its row from 0 and its bytes."""
        values = self._values.get(column)
        if values is not None:
            return values[row]
        if column in self._verbatim:
            return (cell or b"").decode()
        return None if cell is None or cell in NA_BYTES else cell.decode()
