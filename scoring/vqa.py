"""Scoring short free answers against accepted ones: relaxed accuracy, exact match, ANLS, VQA score.

All rules compare texts; none of them evaluates data or model output. Sources: ChartQA (relaxed accuracy, Masry et al.
2022), DocVQA (ANLS, Mathew et al. 2021), VQA (consensus accuracy and normalisation, Antol et al. 2015), each in the
form of ms-vlmeval 0.0.20, whose departures from the papers are noted where they matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from rapidfuzz.distance import Levenshtein

from .contractions import CONTRACTIONS
from .literals import parse_list
from .protocol import VLMEVAL, Protocol

__all__ = ["AnswerScore", "MetricName", "accepted_answers", "normalise", "score_answer"]

MetricName: TypeAlias = Literal["relaxed_accuracy", "accuracy", "anls", "vqa_score", "normalised_match"]
"""The ways to score a short answer:

- ``relaxed_accuracy``: numbers within 5 % of an accepted one, other texts equal but for case; best of the answers.
- ``accuracy``: equal but for case and outer white space; best of the answers.
- ``anls``: normalised edit distance to the nearest answer, 1 - distance, nothing below one half.
- ``vqa_score``: agreement with annotators, leave-one-out: min(1, others who agree / 3), mean over the annotators.
- ``normalised_match``: equal after the normalisation of the VQA score, mean over the answers.
"""

_TOLERANCE: Final = 0.05
_ANLS_THRESHOLD: Final = 0.5
_AGREEING: Final = 3
_MAX_PERIODS: Final = 32


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """How one answer compares with the accepted ones.

    Attributes:
        gt: accepted answers as they were compared.
        pred: the answer as it was compared.
        match: agreement with each accepted answer; for ANLS the normalised distance.
        score: worth of the answer, 0 to 1.
        mean_match: mean of `match`, which the reference writes per row as ``eval_score``.
    """

    gt: Sequence[str]
    pred: str
    match: Sequence[float]
    score: float
    mean_match: float


def accepted_answers(text: str) -> list[str]:
    """Returns the accepted answers of a row: the items of a Python list literal as texts, else the text itself.

    Raises:
        DataError: the list literal is too long to be read.
    """
    items = parse_list(text)
    return [text] if items is None else [str(item) for item in items]


def score_answer(
    metric: MetricName, prediction: str, answers: Sequence[str], protocol: Protocol = VLMEVAL
) -> AnswerScore:
    """Scores an answer; without any accepted answer the score is NaN.

    Args:
        metric: how to compare.
        prediction: the answer as given.
        answers: accepted answers (`accepted_answers`).
        protocol: whose ``zero_as_text`` and ``anls_given_length`` to follow.
    """
    gt, pred, match = _COMPARE[metric](prediction, answers, protocol)
    if not match:
        return AnswerScore(gt, pred, match, math.nan, math.nan)
    mean = fmean(match)
    if metric in ("relaxed_accuracy", "accuracy"):
        score = max(match)
    elif metric == "anls":
        score = 1 - min(match)
        score = score if score >= _ANLS_THRESHOLD else 0.0
    else:
        score = mean
    return AnswerScore(gt, pred, match, score, mean)


_Compared: TypeAlias = tuple[Sequence[str], str, list[float]]


def _relaxed(prediction: str, answers: Sequence[str], protocol: Protocol) -> _Compared:
    pred = prediction.strip()
    return answers, pred, [_relaxed_match(pred, answer, protocol) for answer in answers]


def _relaxed_match(pred: str, target: str, protocol: Protocol) -> float:
    number, wanted = _number(pred), _number(target)
    if number is not None and wanted:
        return float(abs(number - wanted) / abs(wanted) <= _TOLERANCE)
    if number == wanted == 0 and not protocol.zero_as_text:
        return 1.0
    return float(pred.lower() == target.lower())


def _number(text: str) -> float | None:
    """Reads a number or a percentage as Python's float does; None when it is neither."""
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def _accuracy(prediction: str, answers: Sequence[str], _: Protocol) -> _Compared:
    pred = prediction.strip()
    return answers, pred, [float(answer.strip().lower() == pred.lower()) for answer in answers]


def _anls(prediction: str, answers: Sequence[str], protocol: Protocol) -> _Compared:
    given = protocol.anls_given_length
    return answers, prediction, [_anls_distance(answer, prediction, given_length=given) for answer in answers]


def _anls_distance(answer: str, prediction: str, *, given_length: bool) -> float:
    texts = [" ".join(text.lower().split()) for text in (answer, prediction)]
    # The length of the texts as given counts white space, which lowers the distance in the reference.
    length = max(len(text.upper()) for text in (answer, prediction)) if given_length else max(map(len, texts))
    return Levenshtein.distance(*texts) / length if length else 0.0


def _consensus(prediction: str, answers: Sequence[str], _: Protocol) -> _Compared:
    gt = [normalise(answer) for answer in answers]
    pred = normalise(prediction)
    agreeing = gt.count(pred)
    return gt, pred, [min(1.0, (agreeing - (answer == pred)) / _AGREEING) for answer in gt]


def _normalised(prediction: str, answers: Sequence[str], _: Protocol) -> _Compared:
    gt = [normalise(answer) for answer in answers]
    pred = normalise(prediction)
    return gt, pred, [float(answer == pred) for answer in gt]


_COMPARE: Final[Mapping[MetricName, Callable[[str, Sequence[str], Protocol], _Compared]]] = MappingProxyType(
    {
        "relaxed_accuracy": _relaxed,
        "accuracy": _accuracy,
        "anls": _anls,
        "vqa_score": _consensus,
        "normalised_match": _normalised,
    }
)

_PUNCTUATION: Final = ';/[]"{}()=+\\_-><@`,?!'
_DIGITS_WITH_COMMA: Final = re.compile(r"\d,\d")
_LONE_PERIOD: Final = re.compile(r"(?<!\d)\.(?!\d)")
_NUMBER_WORDS: Final = MappingProxyType(
    {
        "none": "0",
        "zero": "0",
        "one": "1",
        "two": "2",
        "three": "3",
        "four": "4",
        "five": "5",
        "six": "6",
        "seven": "7",
        "eight": "8",
        "nine": "9",
        "ten": "10",
    }
)
_ARTICLES: Final = frozenset({"a", "an", "the"})


def normalise(text: str) -> str:
    """Normalises an answer as the VQA evaluation does: punctuation, number words, articles, contractions.

    A mark is deleted where the text has it next to a space, or has a comma between digits anywhere, and becomes a
    space otherwise. At most 32 periods are removed, as in the reference (a flag stands where a count belongs).
    """
    text = text.replace("\n", " ").replace("\t", " ").strip()
    comma = _DIGITS_WITH_COMMA.search(text) is not None
    result = text
    for mark in _PUNCTUATION:
        if mark in text:
            delete = comma or f"{mark} " in text or f" {mark}" in text
            result = result.replace(mark, "" if delete else " ")
    result = _LONE_PERIOD.sub("", result, count=_MAX_PERIODS)
    words = (_NUMBER_WORDS.get(word, word) for word in result.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)
