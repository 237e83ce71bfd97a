"""Open questions of MMMU: does the conclusion of an answer hold an accepted one?

After the evaluation that the benchmark's authors describe (Yue et al. 2024, MMMU, appendix on evaluation): numbers are
compared after rounding to two places, texts regardless of case, and only what an answer concludes with counts.
"""

from __future__ import annotations

import math
import re
from typing import Final

from .literals import parse_list
from .whole_words import contains_words

__all__ = ["is_open_answer_right"]

_SENTENCE_END: Final = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z(\\$*])")
_CONCLUDES: Final = re.compile(r"\b(answer|therefore|thus|hence|so|final|finally|result|conclusion)\b", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"(?<![\w.])[-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?(?!\d|[.,]\d)", re.ASCII
)
_PLACES: Final = 2
_LONGEST: Final = 20_000
"""Characters of an answer that are looked at, from its end."""


def is_open_answer_right(answer: str, accepted: str) -> bool:
    """Whether an answer to an open question is right.

    Args:
        answer: what the model said.
        accepted: the accepted answer, or a Python list literal of several.

    Raises:
        DataError: the list is too long to be read.
    """
    texts = [str(item) for item in parse_list(accepted) or [accepted]]
    said = _conclusion(answer[-_LONGEST:])
    numbers = set(map(_rounded, _numbers(said)))
    return any(_holds(said, numbers, text.strip()) for text in texts)


def _holds(said: str, numbers: set[float], accepted: str) -> bool:
    whole = _numbers(accepted)
    if len(whole) == 1 and _NUMBER.fullmatch(accepted):
        return _rounded(whole[0]) in numbers
    return bool(accepted) and contains_words(said.lower(), accepted.lower())


def _conclusion(answer: str) -> str:
    """Returns the answer from its last sentence with a concluding word on, or its last sentence."""
    sentences = [sentence for sentence in _SENTENCE_END.split(answer.strip()) if sentence.strip()]
    concluding = [k for k, sentence in enumerate(sentences) if _CONCLUDES.search(sentence)]
    return "\n".join(sentences[concluding[-1] if concluding else -1 :])


def _numbers(text: str) -> list[float]:
    return [float(match[0].replace(",", "")) for match in _NUMBER.finditer(text)]


def _rounded(number: float) -> float:
    return round(number, _PLACES) if math.isfinite(number) else number
