"""VCR: pictures of text with some of it covered, which the model restores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from ..errors import DataError
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.protocol import Protocol
from ..scoring.vcr import (
    NOT_RESTORED,
    Blank,
    Restored,
    answer_text,
    covered_texts,
    refuses,
    restored_table,
    restores,
)
from ..scoring.words import Words, chinese_words
from .base import Scored, Source
from .prompts import PictureQuestion

__all__ = ["VCR"]


class VCR(PictureQuestion):
    """A benchmark whose rows have covered texts, a Python list of them in the column ``answer``.

    The question tells what to do. Scores count covered texts, not rows.

    A sample's record has an entry for each covered text, by its number from 0: ``crossed_text``, the part of the answer
    most like it (``max_sim_string``, ``max_sim_val``), ``precision``, ``recall``, ``f1``, ``jaccard``, ``rouge1`` and
    ``exact_match``; and ``rule``: how texts were cut into words (`Words.name`), ``refusal`` or ``failed``.

    Attributes:
        words: how texts are cut into words; None for what the protocol says of Chinese.
    """

    def __init__(self, name: str, source: Source, protocol: Protocol, *, words: Words | None = None) -> None:
        super().__init__(name, source, protocol)
        self.words = words

    def reads_column(self, name: str) -> bool:
        """Covered texts come from the stored table."""
        return name == "answer"

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Looks for each covered text in the answer.

        Raises:
            DataError: the benchmark has no covered texts, a row's are no list or too long, or what is needed to cut
                texts into words is not installed.
        """
        covered = self._covered(sample)
        if self.is_lost(prediction):
            return _scored(sample, covered, [NOT_RESTORED] * len(covered), "failed")
        answer = answer_text("" if prediction is None else cell_text(prediction))
        if refuses(answer, covered, anywhere=self.protocol.covered_refusals):
            return _scored(sample, covered, [NOT_RESTORED] * len(covered), "refusal")
        try:
            words = self.words or chinese_words(self.protocol.chinese_words)
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from error
        read = words.split(answer)
        return _scored(sample, covered, [restores(read, text, words) for text in covered], words.name)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.vcr.restored_table`."""
        return restored_table(
            [
                Blank(record["exact_match"], record["jaccard"], s.sample.cluster)
                for s in scored
                for record in s.record.values()
                if isinstance(record, Mapping)
            ]
        )

    def _covered(self, sample: Sample) -> list[str]:
        return self.parsed_answer(sample, covered_texts)


def _scored(sample: Sample, covered: Sequence[str], restored: Sequence[Restored], rule: str) -> Scored:
    record: dict[str, Any] = {
        str(number): {
            "crossed_text": text,
            "max_sim_string": found.text,
            "max_sim_val": found.similarity,
            "precision": found.precision,
            "recall": found.recall,
            "f1": found.f1,
            "jaccard": found.jaccard,
            "rouge1": found.rouge1,
            "exact_match": found.exact_match,
        }
        for number, (text, found) in enumerate(zip(covered, restored, strict=True))
    }
    points = fmean(found.exact_match for found in restored) if restored else 0.0
    return Scored(sample, record | {"rule": rule}, points, failed=rule == "failed")
