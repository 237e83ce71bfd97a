"""English texts as words, the way spaCy 3.8 cuts them, in time that grows with the text's length and no faster.

The rules are those of spaCy's tokenizer for English: a text is cut at white space; from each run between, prefixes and
suffixes are taken off until an exception, or nothing to take off, is left; what is left is an exception, an address, or
is cut at infixes. Exceptions that were taken apart on the way are put together at last. White space other than the one
space after a word is a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate
from typing import Final

from .english_exceptions import EXCEPTIONS
from .english_marks import LONGEST_SUFFIX, patterns

__all__ = ["english_words"]

_RUN: Final = re.compile(r"\S+|\s+")
_LONGEST_EXCEPTION: Final = max(map(len, EXCEPTIONS))
_REMEMBERED: Final = 10_000
_LONGEST_REMEMBERED: Final = 24


def english_words(text: str) -> list[str]:
    """Returns the words of a text, in order, with marks as words of their own."""
    words: list[str] = []
    starts: list[int] = []
    for run in _RUN.finditer(text):
        start, found = run.start(), run[0]
        if found.isspace():
            # The one space after a word belongs to the word.
            own = start > 0 and found[0] == " "
            start, found = start + own, found[own:]
            pieces: Sequence[str] = (found,) if found else ()
        else:
            pieces = _remembered(found) if len(found) <= _LONGEST_REMEMBERED else _cut(found)
        words += pieces
        starts += accumulate(map(len, pieces[:-1]), initial=start) if pieces else ()
    return _rejoined(text, words, starts)


@lru_cache(_REMEMBERED)
def _remembered(run: str) -> tuple[str, ...]:
    return tuple(_cut(run))


def _cut(run: str, *, exceptions: bool = True) -> list[str]:
    """Cuts a text without white space; its pieces joined are the text again."""
    start, end = 0, len(run)
    prefixes: list[str] = []
    suffixes: list[str] = []

    def whole(start: int, end: int) -> bool:
        return exceptions and 0 < end - start <= _LONGEST_EXCEPTION and run[start:end] in EXCEPTIONS

    while start < end and not whole(start, end):
        opening = patterns().prefix.match(run, start, end)
        inner = opening.end() if opening else start
        outer = end if inner > start and whole(inner, end) else _before_suffix(run, inner, end)
        if outer < end and whole(start, outer):
            inner = start
        if inner == start and outer == end:
            break
        if inner > start:
            prefixes.append(run[start:inner])
        if outer < end:
            suffixes.append(run[outer:end])
        start, end = inner, outer
    core = run[start:end]
    if core:
        prefixes += EXCEPTIONS[core] if whole(start, end) else _cut_inside(core)
    return prefixes + suffixes[::-1]


def _before_suffix(run: str, start: int, end: int) -> int:
    """Returns where the suffix of a text begins, its end when it has none."""
    if run.endswith("..", start, end):
        while end > start and run[end - 1] == ".":
            end -= 1
        return end
    tail = max(start, end - LONGEST_SUFFIX)
    found = patterns().suffix.search(run[tail:end])
    return tail + found.start() if found else end


def _cut_inside(core: str) -> Iterator[str]:
    """Yields the pieces of what is left between prefixes and suffixes."""
    if core.isalnum() or _is_address(core):
        yield core
        return
    done = 0
    for found in patterns().infix.finditer(core):
        start, end = found.span()
        if not start:
            continue
        if start > done:
            yield core[done:start]
        yield found[0]
        done = end
    if done < len(core):
        yield core[done:]


def _is_address(text: str) -> bool:
    """Whether a text is a web or mail address: scheme and user are optional, host and path are matched whole."""
    if "." not in text:
        return False
    scheme = patterns().scheme.match(text)
    hosts = [0, *([scheme.end()] if scheme else []), *(at.end() for at in re.finditer("(?<=.)@", text))]
    return any(patterns().host.fullmatch(text, host) for host in hosts)


@dataclass(frozen=True, slots=True)
class _Sequences:
    """What the rules alone make of the exceptions, and how many words that is, by the first of them."""

    words: frozenset[tuple[str, ...]]
    lengths: dict[str, set[int]]


@cache
def _sequences() -> _Sequences:
    cut = [tuple(_cut(text, exceptions=False)) for text in EXCEPTIONS]
    lengths: dict[str, set[int]] = {}
    for words in cut:
        if len(words) > 1:
            lengths.setdefault(words[0], set()).add(len(words))
    return _Sequences(frozenset(cut), lengths)


def _rejoined(text: str, words: list[str], starts: list[int]) -> list[str]:
    """Returns the words with exceptions in the place of what the rules made of them.

    Where two sequences overlap the longer one counts, of two alike the first, even if white space inside it says that
    it is no exception.
    """
    sequences = _sequences()
    found = [
        (-length, first)
        for first, word in enumerate(words)
        for length in sequences.lengths.get(word, ())
        if first + length <= len(words) and tuple(words[first : first + length]) in sequences.words
    ]
    changes: list[tuple[int, int, tuple[str, ...]]] = []
    taken: set[int] = set()
    for negative, first in sorted(found):
        last = first - negative - 1
        known = EXCEPTIONS.get(text[starts[first] : starts[last] + len(words[last])])
        if known and first not in taken and last not in taken:
            changes.append((first, last, known))
        taken.update(range(first, last + 1))
    return _replaced(words, sorted(changes)) if changes else words


def _replaced(words: Sequence[str], changes: Sequence[tuple[int, int, tuple[str, ...]]]) -> list[str]:
    result: list[str] = []
    done = 0
    for first, last, pieces in changes:
        result += words[done:first]
        result += pieces
        done = last + 1
    return result + list(words[done:])
