"""Python literals in benchmark cells, read without evaluating anything and within bounds."""

from __future__ import annotations

import ast
import warnings
from typing import Final

from ..errors import DataError

__all__ = ["parse_list", "parse_literal"]

_MAX_CHARACTERS: Final = 1_000_000
_LEADING_SPACE: Final = " \t\r\n\f"
"""What Python skips before an expression."""


def parse_list(text: str) -> list[object] | None:
    """Returns the items of a list literal, None for any other text.

    Raises:
        DataError: the text looks like a list and is too long to be read.
    """
    if not text.lstrip(_LEADING_SPACE).startswith(("[", "(")):
        return None
    try:
        value = parse_literal(text)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def parse_literal(text: str) -> object:
    """Returns the value of a Python literal.

    Raises:
        ValueError: the text is no literal.
        DataError: the text is too long to be read.
    """
    if len(text) > _MAX_CHARACTERS:
        raise DataError(f"a Python literal of {len(text)} characters is too long; at most {_MAX_CHARACTERS} are read")
    try:
        if "\\" not in text:
            return ast.literal_eval(text)
        # Python warns about unknown escapes such as `\d`, which LaTeX answers are full of.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"no Python literal: {type(error).__name__}") from error
