"""Whether two free answers to a question of mathematics are the same: by the reference's rule, or by a plainer one.

The reference's rule is `is_equal` of MATH-Vision (Wang et al. 2024) as ms-vlmeval 0.0.20 has it.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from .arithmetic import LONGEST_FORMULA, Number, Unreadable, python_value
from .latex import undressed
from .latex_values import PLAIN, SYMPY, Name, Value, as_number, latex_value

__all__ = ["evaluated_equal", "plain_number", "same_answer", "same_number"]

_TOLERANCE: Final = 1e-6
_OF_THE_RIGHT: Final = "a"
_OF_THE_ANSWER: Final = "b"
"""Names that the reference's rule itself gives to the two values, and that an answer can use."""

_FULL_WIDTH: Final = {0xFEE0 + code: code for code in range(0x21, 0x7F)}
_ASCII: Final = MappingProxyType(_FULL_WIDTH | {0x2013: "-", 0x2212: "-", 0x00B7: "*"})
"""Full-width characters, dashes that mean a minus, and a dot that means a product, as ASCII has them."""
_SPACED_THOUSANDS: Final = re.compile(r"(?<=[0-9])(?: |\\,|\\;|\\ )(?=[0-9]{3}(?![0-9]))")
_REWRITTEN: Final = (
    (re.compile(r"\\[()\[\]]"), ""),
    (re.compile(r"\\text\s?\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[,:;!]|\\q?quad"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\frac\s*([0-9])\s*([0-9])"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<!\^)(?<!\{)\u00b0"), r"^\\circ"),
    (re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?|\.[0-9]+)e([+-]?[0-9]{1,3})\b"), r"(\1*10^{\2})"),
    (re.compile(r"(?<![0-9])\s+|\s+(?![0-9])"), ""),
)
_LISTS: Final = frozenset({"()", "[]", "{}"})


def evaluated_equal(answer: str, right: str) -> bool:
    """Compares two answers as the reference does, which runs them as programs; here they are only read.

    They are equal when their texts are, but for case and outer spaces; or when both are numbers less than 1e-6
    apart, read as Python (``2^3`` is 1, ``5 or 6`` is 5) or else as LaTeX (``5 6`` is 11, ``2:3`` two thirds). The
    answer ``a`` equals every number, and every number equals a right answer ``b``: these are names in the rule's own
    program.
    """
    answer, right = answer.lower().strip(), right.lower().strip()
    return answer == right or _equal_as_python(answer, right) or _equal_as_latex(answer, right)


def same_answer(answer: str, right: str) -> bool:
    r"""Compares two answers as a reader does.

    They are the same when they are the same text, but for case, spaces, and what LaTeX and Markdown put around a
    formula; when both are numbers less than 1e-6 apart, with fractions, powers, roots and pi; or when they are lists
    of the same answers in the same brackets.
    """
    answer, right = _tidied(answer), _tidied(right)
    if answer == right or same_number(_plain_value(answer), _plain_value(right)):
        return True
    items, wanted = _items(answer), _items(right)
    return (
        items is not None
        and wanted is not None
        and len(items) == len(wanted)
        and all(a == b or same_number(_plain_value(a), _plain_value(b)) for a, b in zip(items, wanted, strict=True))
    )


def plain_number(text: str) -> Number | None:
    """Returns the number that an answer is, as `same_answer` reads it; None for any other text."""
    return _plain_value(_tidied(text))


def same_number(left: Number | None, right: Number | None) -> bool:
    """Whether two numbers are less than 1e-6 apart; None, for no number, is near to nothing."""
    if left is None or right is None:
        return False
    try:
        return abs(left - right) < _TOLERANCE
    except OverflowError:
        return False


def _equal_as_python(answer: str, right: str) -> bool:
    try:
        value = python_value(right)
        return same_number(python_value(answer, {_OF_THE_RIGHT: value}), value)
    except Unreadable:
        return False


def _equal_as_latex(answer: str, right: str) -> bool:
    try:
        wanted = _unnamed(latex_value(right, SYMPY))
        if isinstance(wanted, Name):
            found = _unnamed(latex_value(answer, SYMPY))
            return found == wanted if isinstance(found, Name) else wanted.text == _OF_THE_ANSWER
        names = {_OF_THE_RIGHT: as_number(wanted)}
        return same_number(as_number(_unnamed(latex_value(answer, SYMPY, names))), as_number(wanted))
    except Unreadable:
        return False


def _unnamed(value: Value) -> Value:
    """Returns a value whose name, if it has one, is one of the rule's own; other names are read as Python.

    Raises:
        Unreadable: the name is no number.
    """
    if not isinstance(value, Name) or (value.alone and value.text in (_OF_THE_RIGHT, _OF_THE_ANSWER)):
        return value
    if not value.alone:
        raise Unreadable
    return python_value(value.text)


def _tidied(text: str) -> str:
    """Returns an answer without what does not change its meaning."""
    text = text.translate(_ASCII).lower().strip()
    try:
        text = undressed(text).strip("*")
    except Unreadable:
        return text
    text = _SPACED_THOUSANDS.sub("", text)
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    text = text.removesuffix(".")
    while text.startswith("(") and text.endswith(")") and not _holds_marks(text[1:-1]):
        text = text[1:-1]
    return text


def _holds_marks(text: str) -> bool:
    return any(mark in text for mark in ",()")


def _plain_value(text: str) -> Number | None:
    try:
        return as_number(latex_value(text, PLAIN))
    except Unreadable:
        return None


def _items(text: str) -> list[str] | None:
    """Returns the items of a list, the first with its bracket's kind before it; None for what is no list."""
    if len(text) > LONGEST_FORMULA or "," not in text:
        return None
    text = text.replace(r"\{", "{").replace(r"\}", "}")
    brackets = text[0] + text[-1]
    if brackets not in _LISTS:
        return text.split(",")
    return [brackets, *text[1:-1].split(",")]
