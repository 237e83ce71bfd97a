"""Dialogues in a table cell: a list of turns, written by us as JSON and by benchmark files as a Python list."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, TypeAlias

from ..records import Cell
from .cells import cell_text
from .literals import parse_literal

__all__ = ["Turns", "read_turns", "turns_text"]

Turns: TypeAlias = Sequence[str | None]
"""What was said in each turn, None where nothing was."""

_OPEN: Final = ("[", "(")


def turns_text(turns: Turns) -> str:
    """Returns the turns as one text, from which `read_turns` reads them back."""
    return json.dumps(list(turns), ensure_ascii=False)


def read_turns(cell: Cell) -> list[str | None]:
    """Returns the turns of a cell: the items of a list, None for a missing one; any other text is a single turn.

    Raises:
        ValueError: the cell looks like a list and cannot be read.
        DataError: it looks like a list and is too long to be read as one of Python's.
    """
    if cell is None:
        return []
    text = cell_text(cell)
    if not text.lstrip().startswith(_OPEN):
        return [text]
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = parse_literal(text)
    if not isinstance(value, list | tuple):
        raise ValueError("it is not a list")  # noqa: TRY004 - the text is wrong
    return [None if item is None else str(item) for item in value]
