"""Short free answers, compared with accepted ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.protocol import Protocol
from ..scoring.tables import Row, vqa_table
from ..scoring.vqa import MetricName, accepted_answers, score_answer
from .base import Scored, Source
from .prompts import PictureQuestion

__all__ = ["SHORT_ANSWER", "VisualQA"]

SHORT_ANSWER: Final = "\nAnswer the question using a single word or phrase."
_GROUPS: Final = ("split", "category")


class VisualQA(PictureQuestion):
    """A benchmark whose rows have a question and its accepted answers.

    Columns: ``question``, ``answer`` (a text, or a Python list literal of texts), optionally ``split`` or ``category``
    for the table.

    A sample's record has ``gt`` and ``pred`` as they were compared, ``match`` (agreement with each accepted answer),
    ``score`` (worth of the answer), ``eval_score`` (mean of ``match``) and ``rule`` (the metric, or ``failed``).
    """

    def __init__(
        self, name: str, source: Source, protocol: Protocol, *, metric: MetricName, instruction: str = ""
    ) -> None:
        """Args: `metric` says how answers are compared, `instruction` follows every question."""
        super().__init__(name, source, protocol)
        self.metric = metric
        self.instruction = instruction
        self._groups = [group for group in _GROUPS if group in source.columns]

    def reads_column(self, name: str) -> bool:
        """Accepted answers and groups come from the stored table."""
        return name == "answer" or name in self._groups

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Compares the answer with the accepted ones; where these are not public, its points are NaN.

        Raises:
            DataError: a row's list of accepted answers is too long to be read.
        """
        if "answer" not in sample.cells:
            return Scored(sample, {"pred": cell_text(prediction), "rule": "withheld"}, math.nan)
        answers = self._answers(sample)
        if self.is_lost(prediction):
            record: dict[str, Any] = {"gt": answers, "pred": None, "match": [], "score": 0.0, "eval_score": 0.0}
            return Scored(sample, record | {"rule": "failed"}, 0.0, failed=True)
        found = score_answer(self.metric, cell_text(prediction), answers, self.protocol)
        points, mean = found.score, found.mean_match
        averaged = self.metric in ("vqa_score", "normalised_match")
        if math.isnan(points) and not (averaged and self.protocol.pandas_cells):
            # Without accepted answers nothing is right. In the reference a mean of none turns the whole table into NaN,
            # and a maximum of none stops the evaluation.
            points = mean = 0.0
        record = {
            "gt": list(found.gt),
            "pred": found.pred,
            "match": list(found.match),
            "score": points,
            "eval_score": mean,
            "rule": self.metric,
        }
        return Scored(sample, record, points)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.tables.vqa_table`.

        Raises:
            DataError: the benchmark has no accepted answers.
        """
        if "answer" not in self.source.columns:
            raise self.no_answers()
        rows = [
            Row(s.points, s.sample.cluster, {group: s.sample.cells.get(group) for group in self._groups})
            for s in scored
        ]
        return vqa_table(rows, nan_column=self.protocol.pandas_cells)

    def _answers(self, sample: Sample) -> list[str]:
        answer = sample.cells["answer"]
        if answer is None and not self.protocol.pandas_cells:
            return []
        return self.parsed_answer(sample, accepted_answers)
