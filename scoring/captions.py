"""How close captions are to those that people wrote: BLEU, ROUGE-L and CIDEr-D.

Sources: BLEU (Papineni et al. 2002), ROUGE-L (Lin 2004) and CIDEr-D (Vedantam et al. 2015), in the form of the COCO
caption evaluation (Chen et al. 2015; pycocoevalcap 1.2), whose departures from the papers are noted where they matter.
Words are what stands between white space: `scoring.caption_words` prepares a text where a protocol asks for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from rapidfuzz.distance import LCSseq

from ..errors import DataError
from .literals import parse_literal

__all__ = ["ORDERS", "BleuCounts", "bleu", "bleu_counts", "cider", "reference_captions", "rouge_l"]

ORDERS: Final = (1, 2, 3, 4)
"""Lengths of the n-grams that BLEU and CIDEr count."""
_SHOWN: Final = 80

BleuCounts: TypeAlias = tuple[int, ...]
"""What BLEU adds up over captions: words of the caption, words of the reference nearest in length, n-grams of each of
`ORDERS`, and how many of these a reference has, too."""
_NGram: TypeAlias = tuple[str, ...]


def reference_captions(answer: str) -> list[str]:
    """Returns the reference captions of a row, a Python literal: a list of one text or more.

    Raises:
        DataError: the cell is no such list.
    """
    try:
        value = parse_literal(answer)
    except ValueError:
        value = None
    if not isinstance(value, list) or not value or not all(isinstance(caption, str) for caption in value):
        raise DataError(f"{answer[:_SHOWN]!r} is no Python list of reference captions, as ['one', 'another']")
    return value


def bleu_counts(caption: str, references: Sequence[str]) -> BleuCounts:
    """Returns what one caption adds to the BLEU of all.

    An n-gram counts as often as the caption has it, and at most as often as the reference that has it most. Of two
    references equally near in length the shorter one counts.

    Args:
        caption: the caption.
        references: its reference captions, at least one.
    """
    words = caption.split()
    accepted = [reference.split() for reference in references]
    nearest = min((abs(len(other) - len(words)), len(other)) for other in accepted)[1]
    counted = [max(0, len(words) - order + 1) for order in ORDERS]
    matched: list[int] = []
    for order in ORDERS:
        if matched and not matched[-1]:
            matched.append(0)  # no longer n-gram matches where no shorter one does
            continue
        found = [Counter(_ngrams(other, order)) for other in accepted]
        wanted = Counter(_ngrams(words, order))
        matched.append(sum(min(count, max(other.get(ngram, 0) for other in found)) for ngram, count in wanted.items()))
    return (len(words), nearest, *counted, *matched)


def bleu(counts: BleuCounts) -> tuple[float, ...]:
    """Returns BLEU of 1-grams, of up to 2-grams, and so on up to 4-grams, as fractions.

    It is the geometric mean of the shares of n-grams that matched, times exp(1 - reference length / length) where that
    is below one. Tiny constants stand for smoothing in the COCO evaluation, so that a perfect caption scores a little
    less than 1 and one without a match a little more than 0.

    Args:
        counts: the sums over all captions; those of one caption give that caption's BLEU.
    """
    small, tiny = 1e-9, 1e-15
    length, reference_length, *shares = counts
    ratio = (length + tiny) / (reference_length + small)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    product = 1.0
    values = []
    for order, counted, matched in zip(ORDERS, shares[: len(ORDERS)], shares[len(ORDERS) :], strict=True):
        product *= (matched + tiny) / (counted + small)
        values.append(product ** (1 / order) * brevity)
    return tuple(values)


def rouge_l(caption: str, references: Sequence[str]) -> float:
    """Returns ROUGE-L of one caption, 0 to 1: the F-measure of the longest common subsequence of words, beta 1.2.

    As in the COCO evaluation precision and recall are each the best over the references, of different ones even, and
    words end at every single blank and nowhere else: two blanks have an empty word between them.

    Args:
        caption: the caption.
        references: its reference captions, at least one.
    """
    # The library compares hashes, and that of an empty word is that of a zero character: numbers are safe.
    numbers: dict[str, int] = {}
    words, *others = (
        [numbers.setdefault(word, len(numbers)) for word in text.split(" ")] for text in (caption, *references)
    )
    precision = recall = 0.0
    for other in others:
        common = LCSseq.similarity(words, other)
        precision = max(precision, common / len(words))
        recall = max(recall, common / len(other))
    if not precision:
        return 0.0
    weight: float = 1.2**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def cider(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Returns CIDEr-D of each caption, 0 to 10; the whole's is their mean.

    A caption and a reference are compared by their n-grams, each weighted by how often it stands there and by the
    logarithm of how rare it is: in how many rows a reference has it. A weight of the caption counts up to that of the
    reference, and a difference in length counts against it as in a normal distribution of 6 words. Therefore a score
    depends on which rows are scored together, and is 0 where there is but one.

    Args:
        captions: a caption for each row.
        references: the reference captions of each row, at least one.
    """
    unseen = math.log(len(captions)) if captions else 0.0
    rarity = _rarity(references, unseen)
    return [
        _cider_of(caption.split(), [reference.split() for reference in row], rarity, unseen)
        for caption, row in zip(captions, references, strict=True)
    ]


def _rarity(references: Sequence[Sequence[str]], unseen: float) -> dict[_NGram, float]:
    """Returns the logarithm of all rows by rows with it, for each n-gram of the references."""
    rows: Counter[_NGram] = Counter()
    for row in references:
        split = [reference.split() for reference in row]
        rows.update({ngram for words in split for order in ORDERS for ngram in _ngrams(words, order)})
    of_count = {count: unseen - math.log(count) for count in set(rows.values())}
    return {ngram: of_count[count] for ngram, count in rows.items()}


def _cider_of(
    words: Sequence[str], references: Sequence[Sequence[str]], rarity: Mapping[_NGram, float], unseen: float
) -> float:
    penalties = [math.exp(-((len(words) - len(other)) ** 2) / (2 * 6.0**2)) for other in references]
    total = 0.0
    for order in ORDERS:
        own = _weights(Counter(_ngrams(words, order)), rarity, unseen)
        norm = _norm(own)
        for other, penalty in zip(references, penalties, strict=True):
            counts = Counter(_ngrams(other, order))
            if own.keys().isdisjoint(counts):
                continue
            theirs = _weights(counts, rarity, unseen)
            common = sum(min(own[ngram], theirs[ngram]) * theirs[ngram] for ngram in own if ngram in theirs)
            if common:
                total += common / (norm * _norm(theirs)) * penalty
    return 10 * total / len(ORDERS) / len(references)


def _weights(counts: Mapping[_NGram, int], rarity: Mapping[_NGram, float], unseen: float) -> dict[_NGram, float]:
    return {ngram: count * rarity.get(ngram, unseen) for ngram, count in counts.items()}


def _norm(weights: Mapping[_NGram, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weights.values()))


def _ngrams(words: Sequence[str], order: int) -> Iterator[_NGram]:
    return zip(*[words[start:] for start in range(order)], strict=False)
