"""Reading an option letter out of free text: the rule of multiple choice (ms-vlmeval 0.0.20, `can_infer`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..records import Cell

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


def read_letter(answer: Cell, options: Mapping[str, Cell]) -> Reading:
    """Reads the option that an answer names.

    First a letter of an option that stands alone: exactly one such letter, first seen among the last four words.
    Then the text of an option: exactly one option whose text occurs in the answer, in an answer no longer than twice
    the texts of all options.

    Args:
        answer: the answer; what is no text is read as ``str`` shows it.
        options: texts by capital letter, without missing ones.
    """
    text = str(answer)
    found = _by_letter(text, options)
    return found if found is not None else _by_text(text, options)


def _by_letter(text: str, options: Mapping[str, Cell]) -> Reading | None:
    if FAILED_MARK in text:
        return None
    if any(refusal in text for refusal in _REFUSALS):
        return Reading(NO_LETTER, "refusal")
    tokens = text.translate(_SEPARATORS).split()
    present = set(tokens)
    letters = [letter for letter in options if letter in present]
    if len(letters) == 1:
        near_end = tokens.index(letters[0]) >= len(tokens) - _LAST_TOKENS
        return Reading(letters[0], "option") if near_end else None
    if not letters and NO_LETTER in present:
        return Reading(NO_LETTER, "Z")
    return None


def _by_text(text: str, options: Mapping[str, Cell]) -> Reading:
    lowered = text.lower()
    texts = {letter: str(option).lower() for letter, option in options.items()}
    if len(lowered) > 2 * sum(len(str(option)) for option in options.values()):
        return Reading(None, "none")
    matching = [letter for letter, option in texts.items() if option in lowered]
    return Reading(matching[0], "text") if len(matching) == 1 else Reading(None, "none")
