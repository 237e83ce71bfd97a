"""Captions: one free text about a picture, compared with several that people wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ..messages import Message
from ..records import Cell, Sample, Table
from ..scoring.caption_table import CaptionRow, caption_table
from ..scoring.caption_words import caption_words
from ..scoring.captions import bleu, bleu_counts, cider, reference_captions, rouge_l
from ..scoring.cells import cell_text
from .base import Benchmark, Scored
from .prompts import pictures_then_text, question_of

__all__ = ["INSTRUCTION", "Captions"]

INSTRUCTION: Final = (
    "Please describe this image in general. Directly provide the description, "
    'do not include prefix like "This image depicts". '
)
"""What is asked where the benchmark's file has no questions of its own."""


class Captions(Benchmark):
    """A benchmark whose rows have a picture and its reference captions.

    Columns: ``answer`` (a Python list literal of captions), optionally ``question``.

    A sample's record has ``hypothesis`` (the caption as it was compared, None where there is none), ``cider`` (0 to
    10), ``rouge_l`` and ``bleu`` (four fractions), ``bleu_counts`` (what the caption adds to the BLEU of all, see
    `scoring.captions.bleu_counts`) and ``rule`` (``caption`` or ``failed``). CIDEr weighs words by how rare they are
    among the references of all rows that are scored, so that it is known once all of them are. Until then a caption's
    points are its ROUGE-L.
    """

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the pictures, then the question, or the same instruction for every row where there are no questions.

        Raises:
            MediaError: a picture is missing.
            DataError: there are questions, and the row has none.
        """
        text = question_of(self.source, sample) if "question" in self.source.columns else INSTRUCTION
        return pictures_then_text(self.source, sample, text)

    def reads_column(self, name: str) -> bool:
        """Reference captions come from the stored table."""
        return name == "answer"

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Compares the caption with its references; a failed one has no words, and shares none with them.

        Raises:
            DataError: the benchmark has no reference captions, or a row's are no list of texts.
        """
        references = self._references(sample)
        failed = self.is_lost(prediction)
        text = "" if failed else self._compared(cell_text(prediction))
        counts = bleu_counts(text, references)
        overlap = 0.0 if failed else rouge_l(text, references)
        record: dict[str, Any] = {
            "hypothesis": None if failed else text,
            "rouge_l": overlap,
            "bleu": list(bleu(counts)),
            "bleu_counts": list(counts),
            "rule": "failed" if failed else "caption",
        }
        return Scored(sample, record, overlap, failed=failed)

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Adds CIDEr to the records.

        Raises:
            DataError: a row's reference captions are no list of texts.
        """
        captions = [s.record["hypothesis"] or "" for s in scored]
        values = cider(captions, [self._references(s.sample) for s in scored])
        return [replace(s, record={**s.record, "cider": value}) for s, value in zip(scored, values, strict=True)]

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.caption_table`."""
        rows = [
            CaptionRow(s.record["cider"], s.record["rouge_l"], tuple(s.record["bleu_counts"]), s.sample.cluster)
            for s in scored
        ]
        return caption_table(rows)

    def _compared(self, caption: str) -> str:
        return caption if self.protocol.captions_as_written else caption_words(caption)

    def _references(self, sample: Sample) -> list[str]:
        return [self._compared(caption) for caption in self.parsed_answer(sample, reference_captions)]
