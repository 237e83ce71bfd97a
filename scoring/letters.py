"""Reading an option letter out of free text: the rule of multiple choice (ms-vlmeval 0.0.20, `can_infer`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ..records import Cell
from .whole_words import word_spans

__all__ = ["FAILED_MARK", "NO_LETTER", "Reading", "Rule", "read_letter"]

FAILED_MARK: Final = "Failed to obtain answer via API"
"""A text that contains this stands for a failed request and names no letter by itself."""
NO_LETTER: Final = "Z"
"""What stands for a refusal or an answer outside the options; never a correct letter."""

Rule: TypeAlias = Literal["option", "refusal", "Z", "text", "none"]

_REFUSALS: Final = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_SEPARATORS: Final = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_MORE_SEPARATORS: Final = str.maketrans(dict.fromkeys(".()[],:;!*#{}$|\\", " "))
_QUOTES: Final = "/\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb_~^<>-\u2013\u2014?"
_QUOTED: Final = re.compile(f"[{re.escape(_QUOTES)}]")
_ASSIGNED: Final = re.compile(r"=(?=[\"'`]?[A-Z]\b)")
"""An equals sign before a letter, as in ``answer=B``; one behind it makes a formula, ``A=12``."""
_TAG: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9_]{1,19}>")
_FULL_WIDTH: Final = MappingProxyType({ord(ch) + 0xFEE0: ch for ch in ascii_uppercase})
_UNSPACED: Final = re.compile("[\u2e80-\uffef]+")
"""Chinese, Japanese and Korean writing with its marks, which stands beside letters without a space."""
_LAST_TOKENS: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer was read as.

    Attributes:
        letter: letter of an option, ``Z`` for none of them, None when no rule reads the answer.
        rule: which rule read it: ``option`` (a letter standing alone), ``refusal`` (a known refusal), ``Z`` (the
            letter Z standing alone), ``text`` (the text of exactly one option), ``none``.
    """

    letter: str | None
    rule: Rule


def read_letter(
    answer: Cell, options: Mapping[str, Cell], *, bare_letters: bool = True, option_in_word: bool = True
) -> Reading:
    """Reads the option that an answer names.

    First a letter of an option that stands alone: exactly one such letter, first seen among the last four words.
    Then the text of an option: exactly one option whose text occurs in the answer, in an answer no longer than twice
    the texts of all options.

    Args:
        answer: the answer; what is no text is read as ``str`` shows it.
        options: texts by capital letter, without missing ones.
        bare_letters: see `Protocol`.
        option_in_word: see `Protocol`.
    """
    text = str(answer)
    found = _by_letter(text, options, bare=bare_letters)
    return found if found is not None else _by_text(text, options, in_word=option_in_word)


def _by_letter(text: str, options: Mapping[str, Cell], *, bare: bool) -> Reading | None:
    if FAILED_MARK in text:
        return None
    if any(refusal in text for refusal in _REFUSALS):
        return Reading(NO_LETTER, "refusal")
    tokens = text.translate(_SEPARATORS).split() if bare else _free_tokens(text)
    present = set(tokens)
    letters = [letter for letter in options if letter in present]
    if len(letters) == 1:
        near_end = tokens.index(letters[0]) >= len(tokens) - _LAST_TOKENS
        return Reading(letters[0], "option") if near_end else None
    if not letters and NO_LETTER in present:
        return Reading(NO_LETTER, "Z")
    return None


def _free_tokens(text: str) -> list[str]:
    """Splits a text where a reader would: at tags, at marks of any script, and where Latin letters meet others."""
    if not text.isascii():
        text = _UNSPACED.sub(" ", text.translate(_FULL_WIDTH))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "=" in text:
        text = _ASSIGNED.sub(" ", text)
    tokens = text.translate(_MORE_SEPARATORS).split()
    if _QUOTED.search(text):
        return [bare for token in tokens if (bare := token.strip(_QUOTES))]
    return tokens


def _by_text(text: str, options: Mapping[str, Cell], *, in_word: bool) -> Reading:
    lowered = text.lower()
    if len(lowered) > 2 * sum(len(str(option)) for option in options.values()):
        return Reading(None, "none")
    texts = {letter: str(option).lower() for letter, option in options.items()}
    if in_word:
        matching = [letter for letter, option in texts.items() if option in lowered]
    else:
        matching = _standing_alone(lowered, texts)
    return Reading(matching[0], "text") if len(matching) == 1 else Reading(None, "none")


def _standing_alone(answer: str, texts: Mapping[str, str]) -> list[str]:
    """Returns the options that an answer gives in words of their own, and not only as a part of a longer option."""
    spans = {letter: list(word_spans(answer, text.strip())) for letter, text in texts.items()}
    covered = _covered({span for own in spans.values() for span in own})
    return [letter for letter, own in spans.items() if any(span not in covered for span in own)]


def _covered(spans: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Returns the spans that lie within another one."""
    covered = set()
    reach = -1
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end <= reach:
            covered.add((start, end))
        reach = max(reach, end)
    return covered
