"""Reading Yes or No out of free text: the rule of HallusionBench, MME and POPE (ms-vlmeval 0.0.20), and a wider one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ..records import Cell

__all__ = ["NO", "UNKNOWN", "YES", "Answered", "Verdict", "read_yn", "read_yn_anywhere", "says_unknown"]

Verdict: TypeAlias = Literal["Yes", "No", "Unknown"]
YES: Final = "Yes"
NO: Final = "No"
UNKNOWN: Final = "Unknown"

_MARKS: Final = ';/[]"{}()=+\\_-><@`,?!'
"""What `read_yn` takes away; not among it are ``*``, ``:``, ``'`` and every mark outside ASCII."""
_COMMA_IN_NUMBER: Final = re.compile(r"\d,\d")
_PERIOD: Final = re.compile(r"(?<!\d)\.(?!\d)")
_MOST_PERIODS: Final = 32

# A letter or digit, also one that an accent follows. Chinese, Japanese and Korean are written without blanks around
# foreign words, so that their letters are none here.
_LETTER: Final = r"(?:[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[\u0300-\u036f])"
_WORD: Final = re.compile(rf"(?<!{_LETTER})(yes|no(?!\.\d)|unknown)(?!{_LETTER})")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered question on its way into a table.

    Attributes:
        truth: the right answer, as the benchmark has it.
        said: what the given answer was read as.
        cluster: equal for samples that show the same picture.
        cells: the columns that group the table, None for one that is missing.
    """

    truth: Cell
    said: Verdict
    cluster: str
    cells: Mapping[str, Cell]

    @property
    def right(self) -> bool:
        """Whether the answer was read as the right one."""
        return self.said != UNKNOWN and self.said == self.truth


def read_yn(text: str) -> Verdict:
    """Reads the answer that stands between blanks, once marks are gone; ``Unknown`` for none or both.

    A mark of `_MARKS` becomes a blank, so that ``yes/no`` is two words. But where it stands beside a blank somewhere in
    the text it is deleted throughout, and so are all marks in a text that has a comma between digits: ``no,it, is``
    becomes ``noit is``. The first 32 periods that touch no digit are deleted as well.
    """
    lowered = text.lower()
    in_number = _COMMA_IN_NUMBER.search(lowered) is not None
    marks = {
        ord(mark): "" if in_number or f"{mark} " in lowered or f" {mark}" in lowered else " "
        for mark in _MARKS
        if mark in lowered
    }
    words = set(_PERIOD.sub("", lowered.translate(marks), count=_MOST_PERIODS).split())
    return _verdict(words)


def read_yn_anywhere(text: str) -> Verdict:
    """Reads the answer that stands as a word of its own, between whatever marks; ``Unknown`` for none or both.

    Marks are what is neither letter nor digit: Markdown, quotes, colons, punctuation of any script; Chinese, Japanese
    and Korean letters end a word, too. ``no.1``, a number, is no answer.
    """
    return _verdict(set(_WORD.findall(text.lower())))


def says_unknown(text: str) -> bool:
    """Whether the word ``unknown`` stands in the text, as `read_yn_anywhere` sees words."""
    return UNKNOWN.lower() in _WORD.findall(text.lower())


def _verdict(words: set[str]) -> Verdict:
    if ("yes" in words) == ("no" in words):
        return UNKNOWN
    return YES if "yes" in words else NO
