"""Which row has which index, in a few bytes per row."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

__all__ = ["IndexTable"]


class IndexTable:
    """An open-addressing hash table from a row's index to its number.

    It keeps hashes and row numbers only, about 24 bytes a row however long the indices are, and asks for the text of
    a row where hashes agree.
    """

    def __init__(self, text_of: Callable[[int], str]) -> None:
        """Starts empty.

        Args:
            text_of: returns the index of a row that is in the table.
        """
        self._text_of = text_of
        self._hashes: array[int] = array("q")
        self._rows: array[int] = array("Q")
        self._slots: array[int] = array("Q", [0]) * 64

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, text: str) -> int | None:
        """Returns the row with this index, the last one that was added if there are several."""
        key = hash(text)
        found = None
        for entry in self._matches(key):
            if self._text_of(self._rows[entry]) == text:
                found = max(entry, -1 if found is None else found)
        return None if found is None else self._rows[found]

    def add(self, text: str, row: int) -> None:
        """Adds a row."""
        if 2 * (len(self._rows) + 1) > len(self._slots):
            self._grow()
        self._rows.append(row)
        self._hashes.append(hash(text))
        self._place(len(self._rows) - 1)

    def _matches(self, key: int) -> Iterator[int]:
        mask = len(self._slots) - 1
        slot = key & mask
        while entry := self._slots[slot]:
            if self._hashes[entry - 1] == key:
                yield entry - 1
            slot = (slot + 1) & mask

    def _place(self, entry: int) -> None:
        mask = len(self._slots) - 1
        slot = self._hashes[entry] & mask
        while self._slots[slot]:
            slot = (slot + 1) & mask
        self._slots[slot] = entry + 1

    def _grow(self) -> None:
        self._slots = array("Q", [0]) * (4 * len(self._slots))
        for entry in range(len(self._rows)):
            self._place(entry)
