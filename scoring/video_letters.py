"""Reading an option letter at the beginning of an answer, where models put it when they are asked for it alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..records import Cell
from .letters import NO_LETTER, Reading, read_letter

__all__ = ["read_stated_letter"]

_ALONE: Final = re.compile(r"[\s(\[{*\"'`$]{0,8}([A-Za-z])[\s)\]}.,:;*\"'`$]{0,8}")
_MARKED: Final = re.compile(r"[(\[*\"'`]{0,4}([A-Za-z])[*\"'`]{0,3}[)\].:][)\].:*\"'`]{0,4}")


def read_stated_letter(answer: str, options: Mapping[str, Cell]) -> Reading:
    """Reads the option that an answer names.

    An answer that is nothing but a letter, in whatever case and marks, means that letter, and so does one whose first
    word is a letter with a bracket, a full stop or a colon (``b) the cup``). Any other is read as the answers to
    other multiple-choice questions are (`letters.read_letter`): a letter that stands alone among the last words, else
    the text of exactly one option. The article in ``A man walks in`` is no option.

    Args:
        answer: the answer.
        options: texts by capital letter.
    """
    words = answer.split(maxsplit=1)
    found = _ALONE.fullmatch(answer) or (_MARKED.fullmatch(words[0]) if words else None)
    if found is not None and (letter := found[1].upper()) in options and letter != NO_LETTER:
        return Reading(letter, "option")
    return read_letter(answer, options, bare_letters=False, option_in_word=False)
