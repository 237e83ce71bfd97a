"""MathVista: what a free answer is worth, by the type of answer that a question asks for.

Lu et al. 2024, in the form of ms-vlmeval 0.0.20 (`typed_number`), and closer to the authors' own (`same_typed_answer`).
"""

from __future__ import annotations

from typing import Final

from ..records import Cell
from .cells import cell_text
from .math_equality import plain_number, same_answer, same_number

__all__ = ["same_typed_answer", "typed_number"]

_MOST_PLACES: Final = 15
"""Decimal places beyond which rounding changes nothing."""


def typed_number(cell: Cell, answer_type: Cell) -> int | float | None:
    """Returns what Python's `int` makes of a cell where an ``integer`` is asked for, `float` where a ``float`` is.

    None for cells that it does not take, and for other types of answers.
    """
    if cell is None or answer_type not in ("integer", "float"):
        return None
    try:
        return int(cell) if answer_type == "integer" else float(cell)
    except (OverflowError, ValueError):
        return None


def same_typed_answer(answer: str, right: str, answer_type: Cell, precision: Cell) -> bool:
    """Whether an answer is the right one.

    Numbers are compared by value, lists item by item, words regardless of case (`same_answer`). A ``float`` is also
    right when it is the right number once it is rounded to the places that the question asks for.
    """
    if same_answer(answer, right):
        return True
    found, places = plain_number(answer), _places(precision)
    if answer_type != "float" or places is None or not isinstance(found, int | float):
        return False
    return same_number(round(found, places), plain_number(right))


def _places(precision: Cell) -> int | None:
    """Returns the decimal places that a cell such as ``2.0`` names, None for any other."""
    number = plain_number(cell_text(precision))
    if not isinstance(number, int | float) or not 0 <= number <= _MOST_PLACES:
        return None
    return int(number)
