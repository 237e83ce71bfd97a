"""What a Python expression of numbers is worth: parsed, never run, and within bounds of size and time."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

__all__ = ["LONGEST_FORMULA", "Number", "Unreadable", "multiply", "power", "python_value"]

Number: TypeAlias = int | float | complex

LONGEST_FORMULA: Final = 1000
"""Characters of the longest text that is read as a formula."""
_MOST_LEVELS: Final = 100
"""How deep an expression may be nested."""
_MOST_BITS: Final = 1 << 17
"""About the bits of the largest whole number that is computed, 40,000 digits: ``9**9**9`` has no value here."""

_FAULTS: Final = (ArithmeticError, TypeError, ValueError)
"""What arithmetic raises where it has no result."""
_CROWDED: Final = re.compile(r"(?<=[0-9.])(?=(?:and|else|for|if|in|is|not|or)\b)")
"""Where Python reads a number and a word that touch, as in ``5or 6``, and warns."""
_NO_NUMBERS: Final = frozenset("'\"\\\x00")
"""Characters of texts, which no arithmetic needs and of which Python's parser warns."""


class Unreadable(ValueError):
    """The text has no value, or none that can be had within bounds."""


def python_value(text: str, names: Mapping[str, Number] = MappingProxyType({})) -> Number:
    """Returns the value of a Python expression of numbers.

    Operators are those of arithmetic, bits (``2^3`` is 1), comparison and ``and``, ``or``, ``not``; there are no calls,
    no texts and no containers.

    Args:
        text: the expression.
        names: values of the names that it may use.

    Raises:
        Unreadable: the text is no such expression, it has no result, or it is too long, too deep or too large.
    """
    if len(text) > LONGEST_FORMULA or not _NO_NUMBERS.isdisjoint(text):
        raise Unreadable
    try:
        tree = ast.parse(_CROWDED.sub(" ", text.lstrip(" \t")), mode="eval")
        return _value(tree.body, names, 0)
    except (*_FAULTS, SyntaxError, RecursionError, MemoryError) as error:
        raise Unreadable from error


def multiply(left: Number, right: Number) -> Number:
    """Returns the product.

    Raises:
        Unreadable: it is too large.
    """
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return left * right


def power(base: Number, exponent: Number) -> Number:
    """Returns ``base ** exponent``.

    Raises:
        Unreadable: it is too large.
        ArithmeticError: it has no value.
    """
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1:
        _check_bits((base.bit_length() - 1) * exponent)
    result: Number = base**exponent
    return result


def _shift_left(left: int, right: int) -> int:
    _check_bits(left.bit_length() + right)
    return left << right


def _check_bits(bits: int) -> None:
    if bits > _MOST_BITS:
        raise Unreadable


_BINARY: Final[Mapping[type[ast.operator], Callable[..., Number]]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: multiply,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: power,
        ast.BitXor: operator.xor,
        ast.BitAnd: operator.and_,
        ast.BitOr: operator.or_,
        ast.LShift: _shift_left,
        ast.RShift: operator.rshift,
    }
)
_UNARY: Final[Mapping[type[ast.unaryop], Callable[..., Number]]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Invert: operator.invert, ast.Not: operator.not_}
)
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[..., bool]]] = MappingProxyType(
    {
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
)


def _value(node: ast.expr, names: Mapping[str, Number], level: int) -> Number:
    if level > _MOST_LEVELS:
        raise Unreadable
    match node:
        case ast.Constant(value=int() | float() | complex() as number):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, names, level + 1), _value(right, names, level + 1))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_value(operand, names, level + 1))
        case ast.BoolOp(op=op, values=values):
            return _choice(values, names, level, stop=isinstance(op, ast.Or))
        case ast.Compare():
            return _comparison(node, names, level)
    raise Unreadable


def _choice(values: list[ast.expr], names: Mapping[str, Number], level: int, *, stop: bool) -> Number:
    """Returns the first value that is as true as `stop`, else the last one; what follows is not looked at."""
    for node in values[:-1]:
        value = _value(node, names, level + 1)
        if bool(value) == stop:
            return value
    return _value(values[-1], names, level + 1)


def _comparison(node: ast.Compare, names: Mapping[str, Number], level: int) -> bool:
    left = _value(node.left, names, level + 1)
    for op, operand in zip(node.ops, node.comparators, strict=True):
        if type(op) not in _COMPARISONS:
            raise Unreadable
        right = _value(operand, names, level + 1)
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True
