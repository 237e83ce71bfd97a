r"""LaTeX formulas as texts: boxes are opened, what only adorns is taken off, and the rest is cut into tokens.

The reference reads formulas with latex2sympy2_extended 1.11. Written down here, from measurements, is the part of its
rules that decides about formulas of plain numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .arithmetic import LONGEST_FORMULA, Unreadable

__all__ = ["LatexToken", "latex_tokens", "undressed"]

_BOX: Final = re.compile(r"\\(?:boxed|fbox)")
_BRACE: Final = re.compile(r"[{}]")
_BRACKET_SIZE: Final = re.compile(r"\\m?(?:left|right)(?=\\?[()\[\]{}]|\\[lr](?:brack|brace|group))")
_ADORNMENT: Final = re.compile(r"\\mathrm\{th\}|\\!\s*|\\text\s*\{\s*\}|\\\$|\$|(?<!\\)[\"']|\\displaystyle")
_SYNONYMS: Final = (
    (re.compile(r"\\(?:math(?:rm|it|bf)|text(?:normal|bf|it|rm))"), r"\\text"),
    (re.compile(r"\\[dtc]frac"), r"\\frac"),
    (re.compile(r"\s*\{\s*,\s*\}"), ","),
    (re.compile(r",?\\ldots"), " "),
    (re.compile(r"(?<!\\)\\\s"), " "),
    (re.compile(r" sqrt"), r"\\sqrt"),
    (re.compile(r"[\n\t]"), " "),
    (re.compile(r"\\\\(?=[a-zA-Z])"), r"\\"),
)

_SPACE: Final = r"[ \t\r\n]+|\\[,:;!]|\\(?:neg)?(?:thin|med|thick)space|\\q?quad"
_DEGREE: Final = r"\\(?:circle|circ|degree)|\u00b0"
_TIMES: Final = r"[*\u00d7\u2217\u2218\u2219\u2297\u22a0\u22a1\u22c4\u22c5\u22c6\u22c8\u22c9\u22ca]|\\times|\\cdot"
_GREEK: Final = (
    r"\\(?:alpha|beta|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|upsilon|phi|chi|psi|omega)"
)
_TOKEN: Final = re.compile(
    rf"""(?P<space>{_SPACE})
    |(?P<degree>\^(?:{_DEGREE}|\{{(?:{_DEGREE})\}}))
    |(?P<number>[0-9]*\.[0-9]+|[0-9]+)
    |(?P<add>[+\u2214\u2295\u229e])
    |(?P<subtract>[-\u2212\u2238])
    |(?P<stars>\*\*)
    |(?P<multiply>{_TIMES})
    |(?P<divide>[/\u00f7\u2215:]|\\div|\\over(?!line))
    |(?P<frac>\\frac)
    |(?P<binom>\\[td]?binom)
    |(?P<sqrt>\\sqrt)
    |(?P<radical>\u221a)
    |(?P<approx>\\approx|~=|[\u2248\u224a\u224b\u2243\u2245])
    |(?P<text>\\(?:text|mbox)\s?\{{[^}}]*\}})
    |(?P<open>\\[{{(]|\\l(?:brack|brace|group)|[(\[{{])
    |(?P<close>\\[}})]|\\r(?:brack|brace|group)|[)\]}}])
    |(?P<power>\^)
    |(?P<below>_)
    |(?P<pi>\\pi|\u03c0)
    |(?P<letter>[a-z\u03b1-\u03c9]|{_GREEK})""",
    re.VERBOSE,
)
_PAIRS: Final = frozenset({"()", "[]", "{}", r"\{\}", r"\(\)", r"\lbrack\rbrack", r"\lbrace\rbrace", r"\lgroup\rgroup"})


@dataclass(frozen=True, slots=True)
class LatexToken:
    """A piece of a formula.

    Attributes:
        kind: what it is: ``number``, ``frac``, ``open``, …
        text: as it stands there.
        partner: of a bracket, the position of the other one among the tokens.
    """

    kind: str
    text: str
    partner: int = -1


def undressed(text: str) -> str:
    r"""Returns a formula without dollar signs, quotes, bracket sizes and synonyms of the same command.

    Where it holds boxes (``\boxed{5}``), it is what they hold, joined by commas where that differs. A last box without
    braces, or without an end, holds the rest of the text.

    Raises:
        Unreadable: what is left is too long for a formula.
    """
    text = _unboxed(text)
    if len(text) > LONGEST_FORMULA:
        raise Unreadable
    text = _ADORNMENT.sub("", _BRACKET_SIZE.sub("", text))
    for pattern, replacement in _SYNONYMS:
        text = pattern.sub(replacement, text)
    return text.strip()


def latex_tokens(formula: str) -> list[LatexToken]:
    """Cuts an undressed formula into tokens, without its spaces.

    Raises:
        Unreadable: it holds what no formula of numbers holds, or brackets that do not match.
    """
    tokens: list[LatexToken] = []
    opened: list[int] = []
    position = 0
    while position < len(formula):
        found = _TOKEN.match(formula, position)
        if found is None:
            raise Unreadable
        position = found.end()
        token = LatexToken(str(found.lastgroup), found[0])
        if token.kind == "space":
            continue
        if token.kind == "open":
            opened.append(len(tokens))
        elif token.kind == "close":
            token = _closing(token, tokens, opened)
        tokens.append(token)
    if opened:
        raise Unreadable
    return tokens


def _unboxed(text: str) -> str:
    contents: list[str] = []
    end = len(text)
    for found in reversed(list(_BOX.finditer(text))):
        start = found.end()
        while start < end and text[start].isspace():
            start += 1
        if start >= end:
            break
        close = _end_of_braces(text, start, end) if text[start] == "{" else None
        if close is None:
            if not contents:
                contents.append(text[start:])
            break
        content = text[start + 1 : close].strip()
        if not contents or contents[-1] != content:
            contents.append(content)
        end = found.start()
    return ",".join(reversed(contents)) if contents else text


def _end_of_braces(text: str, start: int, end: int) -> int | None:
    depth = 0
    for found in _BRACE.finditer(text, start, end):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.start()
    return None


def _closing(token: LatexToken, tokens: list[LatexToken], opened: list[int]) -> LatexToken:
    """Returns a closing bracket that knows the opening one, which from now on knows it, too."""
    start = opened.pop() if opened else -1
    if start < 0 or tokens[start].text + token.text not in _PAIRS:
        raise Unreadable
    tokens[start] = LatexToken("open", tokens[start].text, len(tokens))
    return LatexToken("close", token.text, start)
