"""MTVQA: questions about text in pictures, in nine languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..errors import DataError
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.mtvqa import contains_answer, language_table
from ..scoring.tables import Row
from .base import Scored
from .prompts import PictureQuestion

__all__ = ["MTVQA"]

_INSTRUCTION: Final = "\nAnswer the question using a word or phrase in the language of the question."
_SPLIT: Final = "test"


class MTVQA(PictureQuestion):
    """A benchmark whose rows have a question, one accepted answer and a language.

    Columns: ``question``, ``answer``, ``category`` (the language), optionally ``split``, which is ``test`` in every
    row.

    A sample's record has ``score`` (0.0 or 1.0), ``prediction_read`` (the answer as it was read) and ``rule``
    (``substring`` or ``failed``).
    """

    instruction = _INSTRUCTION

    def reads_column(self, name: str) -> bool:
        """Accepted answers, languages and splits come from the stored table."""
        return name in ("answer", "category", "split")

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Looks for the accepted answer in the answer.

        Raises:
            DataError: the benchmark has no accepted answers, or a row is of another split than ``test``.
        """
        answer = self._answer(sample)
        if self.is_lost(prediction):
            return Scored(sample, {"score": 0.0, "prediction_read": None, "rule": "failed"}, 0.0, failed=True)
        text = cell_text(prediction)
        everywhere = self.protocol.empty_text_everywhere
        points = float(answer is not None and contains_answer(text, answer, empty_everywhere=everywhere))
        return Scored(sample, {"score": points, "prediction_read": text, "rule": "substring"}, points)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mtvqa.language_table`."""
        rows = [Row(s.points, s.sample.cluster, {"category": s.sample.cells.get("category")}) for s in scored]
        return language_table(rows)

    def _answer(self, sample: Sample) -> str | None:
        """Returns the accepted answer; None where there is none, so that nothing is right."""
        answer = self.scored_cell(sample)
        split = sample.cells.get("split", _SPLIT)
        if cell_text(split).lower() != _SPLIT:
            raise DataError(
                f"{self.name}, row {sample.index}, column 'split': only the split {_SPLIT!r} is scored, not {split!r}"
            )
        return None if answer is None and not self.protocol.pandas_cells else cell_text(answer)
