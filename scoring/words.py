"""Texts as sequences of words, by one of several named ways: scores of different ways are not the same number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..errors import DataError
from .english_words import english_words
from .protocol import ChineseWords

__all__ = ["CHARACTERS", "ENGLISH", "Words", "chinese_words", "with_gaps"]

_MODEL: Final = "zh_core_web_sm"
_OTHER_PARTS: Final = ("tok2vec", "tagger", "parser", "attribute_ruler", "ner")


@dataclass(frozen=True, slots=True)
class Words:
    """A way to cut texts into words.

    Attributes:
        name: how reports call it.
        split: returns the words of a text, in order; white space may be among them.
        space: what stands between the words of a phrase.
    """

    name: str
    split: Callable[[str], Sequence[str]]
    space: str


def with_gaps(words: Iterable[str], text: str) -> list[str]:
    """Returns the words that a segmenter found, with the white space between them as words of their own.

    One space after a word belongs to the word, as in spaCy. Words that are white space only count as gaps.

    Raises:
        DataError: a word does not stand in the text after the one before it.
    """
    found: list[str] = []
    done = 0
    for word in words:
        if not word or word.isspace():
            continue
        start = text.find(word, done)
        if start < 0:
            raise DataError(f"the segmenter found the word {word[:40]!r}, which is not in the text at this place")
        if start > done:
            found.append(text[done:start])
        found.append(word)
        done = start + len(word)
        done += text.startswith(" ", done)
    if done < len(text):
        found.append(text[done:])
    return found


def _characters(text: str) -> list[str]:
    return with_gaps(text, text)


ENGLISH: Final = Words("english_words", english_words, " ")
"""Words and marks as spaCy 3.8 cuts English, which its model en_core_web_sm does by the same rules."""
CHARACTERS: Final = Words("characters", _characters, "")
"""Every character but white space, as spaCy cuts Chinese without a model."""


def chinese_words(name: ChineseWords) -> Words:
    """Returns a way to cut Chinese texts.

    Raises:
        DataError: it needs a model that is not installed.
    """
    return CHARACTERS if name == "characters" else _model_words()


@cache
def _model_words() -> Words:
    try:
        import spacy  # noqa: PLC0415  (slow to import, and an extra)

        segmenter = spacy.load(_MODEL, exclude=_OTHER_PARTS).tokenizer.pkuseg_seg
    except (ImportError, OSError) as error:
        raise DataError(
            f"Chinese texts are cut into words by spaCy's model {_MODEL}, which cannot be loaded: {error}. Install "
            "eyechart[chinese] and the model's wheel (docs/dependencies.md tells how) and score the answers again, or "
            "score by the protocol eyechart, which compares characters"
        ) from error
    # What spaCy's tokenizer makes of these words takes time that grows with the square of the text's length.
    return Words(_MODEL, lambda text: with_gaps(segmenter.cut(text), text), "")
