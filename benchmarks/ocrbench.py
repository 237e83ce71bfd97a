"""OCRBench: reading text in pictures, one point per question."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.ocrbench import accepted_texts, contains_answer, points_table
from ..scoring.tables import Row
from .base import Scored
from .prompts import PictureQuestion

__all__ = ["OCRBench"]


class OCRBench(PictureQuestion):
    """A benchmark whose rows have a question, a list of accepted answers and one of ten categories.

    A sample's record has ``score`` (0.0 or 1.0), ``prediction_read`` (the answer as it was read) and ``rule``
    (``substring`` or ``failed``).
    """

    def reads_column(self, name: str) -> bool:
        """Accepted answers and categories come from the stored table."""
        return name in ("answer", "category")

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Looks for an accepted answer in the answer.

        Raises:
            DataError: the benchmark has no accepted answers, or a row's are no list.
        """
        self.scored_cell(sample)
        if self.is_lost(prediction):
            return Scored(sample, {"score": 0.0, "prediction_read": None, "rule": "failed"}, 0.0, failed=True)
        text = cell_text(prediction)
        answers = self.parsed_answer(sample, accepted_texts)
        category, empty_everywhere = sample.cells.get("category"), self.protocol.empty_text_everywhere
        points = float(contains_answer(text, answers, category, empty_everywhere=empty_everywhere))
        return Scored(sample, {"score": points, "prediction_read": text, "rule": "substring"}, points)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.ocrbench.points_table`.

        Raises:
            DataError: a right answer belongs to an unknown category.
        """
        rows = [Row(s.points, s.sample.cluster, {"category": s.sample.cells.get("category")}) for s in scored]
        return points_table(rows)
