"""Finding a text inside another one where it stands as words of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["contains_words", "word_spans"]

_SPACED_BELOW: Final = "\u0590"
"""Latin, Greek and Cyrillic letters come before this; they separate words by spaces, which others need not."""


def contains_words(text: str, words: str) -> bool:
    """Whether `words` occurs in `text` and is not part of a longer word or number: no ``one`` in ``none``."""
    return next(word_spans(text, words), None) is not None


def word_spans(text: str, words: str) -> Iterator[tuple[int, int]]:
    """Yields start and end of every place where `words` stands in `text` by itself.

    The rule holds for scripts that put spaces between words; beside letters of other scripts any place will do.
    """
    if not words:
        return
    start = text.find(words)
    while start >= 0:
        end = start + len(words)
        if not (_joins(text[start - 1 : start], words[0]) or _joins(words[-1], text[end : end + 1])):
            yield start, end
        start = text.find(words, start + 1)


def _joins(left: str, right: str) -> bool:
    """Whether two neighbouring characters are of one word."""
    return _is_spaced_letter(left) and _is_spaced_letter(right)


def _is_spaced_letter(ch: str) -> bool:
    return ch.isalnum() and ch < _SPACED_BELOW
