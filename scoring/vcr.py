"""VCR: covered texts that an answer restores (Zhang et al. 2024, in the form of ms-vlmeval 0.0.20).

The part of the answer that is most like a covered text is looked for, as many words long, and compared with it word by
word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nsmallest
from typing import Final

from ..errors import DataError
from ..records import Cell, Metric, Table
from .literals import parse_list
from .stats import estimate
from .words import Words

__all__ = ["NOT_RESTORED", "Blank", "Restored", "answer_text", "covered_texts", "refuses", "restored_table", "restores"]

_SPEAKER: Final = "Assistant: "
_REFUSALS: Final = ("I can't", "I cannot", "sorry", "无法", "抱歉")
_IN_ANY_CASE: Final = "sorry"
_MOST_TEXTS: Final = 100
_LONGEST_TEXT: Final = 1000
_COMPARED: Final = 10_000_000
"""Pairs of characters that one search compares: thousands of candidates where the covered text is a phrase."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How the most similar part of an answer compares with a covered text.

    Attributes:
        text: that part, its words joined.
        similarity: likeness of the two texts, 0 to 1 (Ratcliff and Obershelp).
        precision: share of the part's different words that the covered text has.
        recall: share of the covered text's different words that the part has.
        f1: harmonic mean of the two.
        jaccard: different words of both, as a share of those of either.
        rouge1: F-measure over words with their counts, of the part as it is cut when it stands alone.
        exact_match: 1.0 when the words are the same, in order.
    """

    text: str
    similarity: float
    precision: float
    recall: float
    f1: float
    jaccard: float
    rouge1: float
    exact_match: float


NOT_RESTORED: Final = Restored("", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""What a covered text gets that the answer has no word of."""


@dataclass(frozen=True, slots=True)
class Blank:
    """One covered text of the result table.

    Attributes:
        exact_match: 0.0 or 1.0.
        jaccard: 0 to 1.
        cluster: picture it belongs to.
    """

    exact_match: float
    jaccard: float
    cluster: str


def covered_texts(cell: str) -> list[str]:
    """Returns the covered texts of a row, in order.

    Raises:
        DataError: the cell is no Python list, or one of more or longer texts than can be looked for in bounded time.
    """
    items = parse_list(cell)
    if items is None:
        raise DataError(f"the answer {cell[:80]!r} is no Python list of texts")
    texts = [str(item) for item in items]
    if len(texts) > _MOST_TEXTS or any(len(text) > _LONGEST_TEXT for text in texts):
        raise DataError(
            f"at most {_MOST_TEXTS} covered texts of {_LONGEST_TEXT} characters are looked for in one answer"
        )
    return texts


def answer_text(prediction: str) -> str:
    """Returns an answer without what stands before the last ``Assistant: ``."""
    return prediction.rpartition(_SPEAKER)[2]


def refuses(answer: str, covered: Sequence[str], *, anywhere: bool) -> bool:
    """Whether an answer has words of a refusal.

    Args:
        answer: the answer's text.
        covered: the covered texts of its row.
        anywhere: these words count even where a covered text has them, so that whoever restores it refuses.
    """
    return any(
        _says(answer, words) and (anywhere or not any(_says(text, words) for text in covered)) for words in _REFUSALS
    )


def _says(text: str, words: str) -> bool:
    return words in (text.lower() if words == _IN_ANY_CASE else text)


def restores(answer: Sequence[str], covered: str, words: Words) -> Restored:
    """Compares a covered text with the part of an answer that is most like it.

    Candidates are the runs of as many words as the covered text has that share a word with it; the most similar one
    counts, of several the first. An answer with thousands of candidates that might be more similar than the best is
    searched among the most likely ones only.

    Args:
        answer: the words of the answer.
        covered: the covered text.
        words: how texts are cut into words.
    """
    wanted = words.split(covered)
    best, similarity = _most_similar(_candidates(answer, wanted, words.space, covered), covered)
    if best is None:
        return NOT_RESTORED
    found = answer[best.first : best.first + len(wanted)]
    mine, theirs = set(found), set(wanted)
    both = len(mine & theirs)
    precision, recall = both / len(mine), both / len(theirs)
    return Restored(
        text=best.text,
        similarity=similarity,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall),
        jaccard=both / len(mine | theirs),
        rouge1=_rouge1(words.split(best.text), wanted),
        exact_match=float(list(found) == list(wanted)),
    )


@dataclass(frozen=True, slots=True, order=True)
class _Candidate:
    """A part of the answer; those that may be the most similar come first.

    Attributes:
        unlike: one minus a likeness that it does not exceed, that of the letters in any order.
        first: position of its first word in the answer.
        text: its words, joined.
    """

    unlike: float
    first: int
    text: str


def _most_similar(candidates: Iterable[_Candidate], covered: str) -> tuple[_Candidate | None, float]:
    """Returns the candidate most like a covered text, and how like it is; none where nothing is."""
    matcher = SequenceMatcher(None, b=covered)
    best: _Candidate | None = None
    similarity = 0.0
    for candidate in nsmallest(1 + _COMPARED // (1 + len(covered) ** 2), candidates):
        if candidate.unlike > 1 - similarity:
            break
        matcher.set_seq1(candidate.text)
        found = matcher.ratio()
        if found > similarity or (best and found == similarity and candidate.first < best.first):
            best, similarity = candidate, found
    return best, similarity


def _candidates(answer: Sequence[str], wanted: Sequence[str], space: str, covered: str) -> Iterator[_Candidate]:
    """Yields the runs of words that share one with the covered text, each text once, in order."""
    length, known, letters = len(wanted), frozenset(wanted), Counter(covered)
    seen: set[str] = set()
    last_shared = -1
    for end, word in enumerate(answer, 1):
        if word in known:
            last_shared = end - 1
        first = end - length
        if not 0 <= first <= last_shared:
            continue
        text = space.join(answer[first:end])
        if text not in seen:
            seen.add(text)
            shared = sum(min(count, text.count(letter)) for letter, count in letters.items())
            yield _Candidate(1 - 2.0 * shared / (len(text) + len(covered)), first, text)


def _rouge1(found: Sequence[str], wanted: Sequence[str]) -> float:
    shared = (Counter(found) & Counter(wanted)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(found), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def restored_table(blanks: Sequence[Blank]) -> Table:
    """Builds the result table: means over all covered texts of all rows, as fractions.

    Args:
        blanks: the covered texts, in order.
    """
    clusters = [blank.cluster for blank in blanks]
    columns = {
        "Exact_Match": [blank.exact_match for blank in blanks],
        "Jaccard": [blank.jaccard for blank in blanks],
    }
    metrics = tuple(Metric(name, "", estimate(values, clusters)) for name, values in columns.items() if values)
    record: dict[str, Cell] = dict.fromkeys(columns)
    record |= {metric.name: metric.estimate.mean for metric in metrics}
    return Table(tuple(record), (record,), metrics)
