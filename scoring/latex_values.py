r"""What a LaTeX formula of numbers is worth, in one of two dialects: as the reference reads it, or as a person does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

from .arithmetic import Number, Unreadable, multiply, power, python_value
from .latex import LatexToken, latex_tokens, undressed

__all__ = ["PLAIN", "SYMPY", "Dialect", "Name", "Value", "as_number", "latex_value"]


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How formulas are read.

    Attributes:
        neighbours_add: two numbers side by side are a sum (``5 6`` is 11, ``3(4)`` is 7, ``1\frac{1}{2}`` is 1.5). Off:
            only a fraction below 1 is added to the whole number before it; other neighbours are factors, and a number
            after another one is no formula.
        braces_are_sets: what stands in braces as a whole is a set and has no value.
        names: letters and texts are names, which whoever asks looks up. Off: they have no value.
        roots: square roots and pi have values.
        loose: a minus in an exponent, ``**``, and arguments without braces where one digit is meant.
    """

    neighbours_add: bool
    braces_are_sets: bool
    names: bool
    roots: bool
    loose: bool


SYMPY: Final = Dialect(neighbours_add=True, braces_are_sets=True, names=True, roots=False, loose=False)
"""What the reference's parser makes of a formula, where sympy shows the result as a plain number or one name.

The rest has no value: what sympy shows with a name in it (``sqrt(3)``, ``2*pi``) is no Python number to the reference.
"""
PLAIN: Final = Dialect(neighbours_add=False, braces_are_sets=False, names=False, roots=True, loose=True)
"""What a person makes of a formula."""


@dataclass(frozen=True, slots=True)
class Name:
    r"""A letter or the words of a ``\text``; several side by side, or one with an index, do not stand alone."""

    text: str
    alone: bool = True


Value: TypeAlias = Fraction | Number | Name
"""A number that is exact because it stands there as it is, a computed number, or a name."""

_THOUSANDS: Final = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_LITERAL: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_TEXT_MARKS: Final = str.maketrans("", "", " ()")
_FACTORS: Final = frozenset({"number", "frac", "binom", "sqrt", "radical", "text", "open", "pi", "letter"})
_SETS: Final = frozenset({"{", r"\{"})
_CONTAINERS: Final = frozenset({"(", "[", r"\("})
_HALVES: Final = (Fraction(1, 2), Fraction(-1, 2))
_LARGEST_CHOICE: Final = 1000
_MOST_LEVELS: Final = 40
"""How deep a formula may be nested."""


def latex_value(text: str, dialect: Dialect, names: Mapping[str, Number] = MappingProxyType({})) -> Value:
    """Returns the value of a formula.

    Args:
        text: the formula in lower case, with LaTeX or without.
        dialect: how it is read.
        names: values of names, for a dialect that has names.

    Raises:
        Unreadable: the formula has no value in this dialect, or it is too long, too deep or too large.
    """
    formula = undressed(text)
    try:
        if _THOUSANDS.fullmatch(formula):
            return _thousands(formula)
        return _Reader(latex_tokens(formula), dialect, names).whole()
    except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
        raise Unreadable from error


def as_number(value: Value) -> Number:
    """Returns a value as Python computes with it.

    Raises:
        Unreadable: it is a name.
    """
    if isinstance(value, Name):
        raise Unreadable
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else value.numerator / value.denominator
    return value


def _thousands(text: str) -> Value:
    """Reads ``1,234.5``; in what starts with 0 the comma is a decimal one: ``0,500`` is a half."""
    if text.startswith("0"):
        return float(text.replace(",", "."))
    if text.startswith("-0"):
        raise Unreadable
    digits = text.replace(",", "")
    return float(digits) if "." in digits else Fraction(int(digits))


class _Reader:
    """Reads tokens from left to right, a method for each rule of the grammar."""

    def __init__(self, tokens: Sequence[LatexToken], dialect: Dialect, names: Mapping[str, Number]) -> None:
        self._tokens = tokens
        self._dialect = dialect
        self._names = names
        self._at = 0
        self._level = 0

    def whole(self) -> Value:
        """Reads all tokens, less the brackets around all of them."""
        end = len(self._tokens)
        while self._kind() == "open" and self._tokens[self._at].partner == end - 1:
            bracket = self._tokens[self._at].text
            if self._dialect.braces_are_sets and bracket in _SETS:
                raise Unreadable
            if bracket not in _CONTAINERS:
                break
            self._at += 1
            end -= 1
        value = self._approximation(end)
        if self._at != end:
            raise Unreadable
        return value

    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _next(self) -> LatexToken:
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, kind: str) -> bool:
        found = self._kind() == kind
        self._at += found
        return found

    def _stands(self, bracket: str) -> bool:
        return self._kind() == "open" and self._tokens[self._at].text == bracket

    def _approximation(self, end: int) -> Value:
        r"""Reads ``x \approx 5``: a name is worth what is said of it, a number is worth itself."""
        value = self._sum()
        while self._took("approx"):
            if self._at >= end:
                raise Unreadable
            if isinstance(value, Name):
                value = self._sum()
            else:
                self._at = end
        return value

    def _sum(self) -> Value:
        self._level += 1
        if self._level > _MOST_LEVELS:
            raise Unreadable
        value = self._product()
        while self._kind() in ("add", "subtract"):
            sign = 1 if self._next().kind == "add" else -1
            value = as_number(value) + sign * as_number(self._product())
        self._level -= 1
        return value

    def _product(self) -> Value:
        value = self._signed()
        while self._kind() in ("multiply", "divide"):
            if self._next().kind == "multiply":
                value = multiply(as_number(value), as_number(self._signed()))
            else:
                value = _quotient(value, self._signed())
        return value

    def _signed(self) -> Value:
        minuses = 0
        while self._kind() in ("add", "subtract"):
            minuses += self._next().kind == "subtract"
        value = self._neighbours()
        if not minuses:
            return value
        return _negative(value) if minuses % 2 else _negative(_negative(value))

    def _neighbours(self) -> Value:
        kinds, values = [self._kind()], [self._degrees()]
        while self._kind() in _FACTORS:
            kinds.append(self._kind())
            values.append(self._degrees())
        if len(values) == 1:
            return values[0]
        return _added(values) if self._dialect.neighbours_add else _multiplied(kinds, values)

    def _degrees(self) -> Value:
        value = self._power()
        while self._took("degree"):
            pass
        return value

    def _power(self) -> Value:
        value = self._atom()
        while self._took("power") or (self._dialect.loose and self._took("stars")):
            value = self._raised(value, self._exponent())
            self._skip_index()
        return value

    def _exponent(self) -> Value:
        if self._dialect.loose:
            return _negative(self._atom()) if self._took("subtract") else self._atom()
        if self._stands("{") or self._kind() in ("number", "letter", "text"):
            return self._atom()
        raise Unreadable

    def _raised(self, base: Value, exponent: Value) -> Value:
        if not self._dialect.roots and isinstance(exponent, Fraction) and exponent in _HALVES:
            raise Unreadable
        return power(as_number(base), as_number(exponent))

    def _skip_index(self) -> None:
        """Skips an index such as the base of a number, ``101_{2}``."""
        if not self._took("below"):
            return
        token = self._next() if self._at < len(self._tokens) else LatexToken("", "")
        if token.kind == "open":
            inside = self._tokens[self._at : token.partner]
            if not inside or any(part.kind not in ("number", "letter") for part in inside):
                raise Unreadable
            self._at = token.partner + 1
        elif token.kind not in ("number", "letter"):
            raise Unreadable

    def _atom(self) -> Value:
        kind = self._kind()
        if kind == "open" and not self._stands(r"\("):
            return self._group()
        if kind in ("letter", "text") and self._dialect.names:
            return self._name()
        if kind in _OF_TWO:
            self._at += 1
            return _OF_TWO[kind](self._braced(), self._braced())
        if kind == "number":
            return self._number()
        if kind == "sqrt" or (kind == "radical" and self._dialect.loose):
            self._at += 1
            return self._root()
        if kind == "pi" and self._dialect.roots:
            self._at += 1
            return math.pi
        raise Unreadable

    def _group(self) -> Value:
        end = self._next().partner
        value = self._sum()
        if self._at != end:
            raise Unreadable
        self._at += 1
        return value

    def _braced(self) -> Value:
        if not self._stands("{"):
            raise Unreadable
        return self._group()

    def _number(self) -> Value:
        text = self._next().text
        self._skip_index()
        return float(text) if "." in text else Fraction(int(text))

    def _root(self) -> Value:
        degree: Value = Fraction(2)
        if self._stands("["):
            degree = self._group()
        elif not self._dialect.roots:
            raise Unreadable
        radicand = self._number() if self._dialect.loose and self._kind() == "number" else self._braced()
        exponent = 1 / degree if isinstance(degree, Fraction) else 1 / as_number(degree)
        return self._raised(radicand, exponent)

    def _name(self) -> Value:
        token = self._next()
        if token.kind == "letter":
            if token.text == "e":
                # Euler's number, which sympy shows by a name.
                raise Unreadable
            indexed = self._kind() == "below"
            self._skip_index()
            return Name(token.text, alone=False) if indexed else self._names.get(token.text, Name(token.text))
        words = token.text.partition("{")[2].removesuffix("}").translate(_TEXT_MARKS).strip()
        return python_value(words) if _LITERAL.fullmatch(words) else self._names.get(words, Name(words))


def _negative(value: Value) -> Value:
    return -value if isinstance(value, Fraction) else -as_number(value)


def _whole(value: Value) -> int | None:
    """Returns a whole number that stands there as it is; None for anything else."""
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else None


def _quotient(above: Value, below: Value) -> Value:
    numerator, denominator = _whole(above), _whole(below)
    if numerator is not None and denominator is not None:
        return Fraction(numerator, denominator)
    return as_number(above) / as_number(below)


def _choices(above: Value, below: Value) -> Value:
    """Returns in how many ways some of many can be chosen."""
    n, k = _whole(above), _whole(below)
    if n is None or k is None or not 0 <= n <= _LARGEST_CHOICE:
        raise Unreadable
    return Fraction(math.comb(n, k) if k >= 0 else 0)


_OF_TWO: Final[Mapping[str, Callable[[Value, Value], Value]]] = MappingProxyType({"frac": _quotient, "binom": _choices})
"""Commands of two arguments."""


def _added(values: Sequence[Value]) -> Value:
    """Joins neighbours from the right: a whole number and a positive exact one add up, all else is multiplied."""
    value = values[-1]
    for left in reversed(values[:-1]):
        whole = _whole(left)
        if whole is not None and isinstance(value, Fraction) and value > 0:
            value = whole - value if whole < 0 else whole + value
        elif isinstance(left, Name) and isinstance(value, Name):
            value = Name(left.text + value.text, alone=False)
        else:
            value = multiply(as_number(left), as_number(value))
    return value


def _multiplied(kinds: Sequence[str], values: Sequence[Value]) -> Value:
    """Multiplies neighbours; a fraction below 1 is added to a whole number before it."""
    if "number" in kinds[1:]:
        raise Unreadable
    whole, part = _whole(values[0]), values[1]
    if kinds == ["number", "frac"] and whole is not None and isinstance(part, Fraction) and 0 < part < 1:
        return whole + part
    value = as_number(values[0])
    for factor in values[1:]:
        value = multiply(value, as_number(factor))
    return value
