"""Comparing short answers about documents: ANLS as DUDE and SlideVQA use it, exact match, and F1 over words.

Sources: ANLS (Biten et al. 2019) in the form of DUDE (Van Landeghem et al. 2023), exact match and F1 of SlideVQA
(Tanaka et al. 2023), all in the form of ms-vlmeval 0.0.20, whose departures are noted where they matter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

__all__ = ["NOT_ANSWERABLE", "SlideScores", "anls", "slide_scores", "word_f1"]

NOT_ANSWERABLE: Final = "Not answerable"
"""The right answer to a question that the document does not answer."""

_ANLS_THRESHOLD: Final = 0.5
_LEAST: Final = 1e-4


@dataclass(frozen=True, slots=True)
class SlideScores:
    """How an answer compares with the right one.

    Attributes:
        anls: `anls`.
        em: whether both are equal but for outer white space.
        f1: `word_f1`.
    """

    anls: float
    em: bool
    f1: float


def anls(answer: str, prediction: str) -> float:
    """Returns 1 minus the normalised edit distance, 0 where that is one half or less. Case counts."""
    length = max(len(answer), len(prediction))
    if not length:
        return 1.0
    similarity = 1.0 - Levenshtein.distance(answer, prediction) / length
    return similarity if similarity > _ANLS_THRESHOLD else 0.0


def slide_scores(answer: str, prediction: str, *, glued_lines: bool, repeated_words: bool) -> SlideScores:
    """Compares a prediction with the right answer, in lower case.

    Args:
        answer: the right answer.
        prediction: the answer that was given.
        glued_lines: as the reference, which deletes the line breaks of the right answer, so that ``Ana`` above
            ``Lopez`` is ``analopez``. Else a line break is a space, in both.
        repeated_words: as of `word_f1`.
    """
    answer, prediction = answer.lower(), prediction.lower()
    if glued_lines:
        answer = answer.replace("\n", "")
    else:
        answer, prediction = answer.replace("\n", " "), prediction.replace("\n", " ")
    return SlideScores(
        anls=anls(answer, prediction),
        em=answer.strip() == prediction.strip(),
        f1=word_f1(answer, prediction, repeated_words=repeated_words),
    )


def word_f1(answer: str, prediction: str, *, repeated_words: bool) -> float:
    """Returns the F1 of the words that two texts share; words are what stands between white space.

    Args:
        answer: the right answer.
        prediction: the answer that was given.
        repeated_words: as the reference, which counts every word of the prediction that the answer has, however often
            it comes, so that the result can exceed 1. Else a word counts as often as both have it.
    """
    wanted, given = Counter(answer.split()), Counter(prediction.split())
    if not wanted or not given:
        return 0.0
    if repeated_words:
        shared = sum(count for word, count in given.items() if word in wanted)
    else:
        shared = (wanted & given).total()
    recall, precision = shared / wanted.total(), shared / given.total()
    return 2 * recall * precision / (recall + precision) if recall + precision > _LEAST else 0.0
