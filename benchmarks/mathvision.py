"""MATH-Vision (Wang et al. 2024): problems of mathematical competitions with a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import ClassVar

from ..records import Cell, Sample
from ..scoring.cells import cell_text
from ..scoring.math_equality import evaluated_equal, same_answer
from ..scoring.rubrics import final_answer_mathvision
from .judged_math import JudgedMath

__all__ = ["MathVision"]


class MathVision(JudgedMath):
    """A benchmark whose rows have choices, or ask for a value.

    Columns: ``question``, ``choices`` (a Python list literal of texts, empty for a free answer), ``answer`` (a letter,
    or the value as LaTeX), ``category``. A free answer is read without a judge only when it is the right one.
    """

    rubric: ClassVar[ModuleType] = final_answer_mathvision
    heading = "Subject"
    by_name = True

    def choices(self, sample: Sample) -> Mapping[str, Cell]:
        """Returns the choices of the row's list; none where the cell is missing.

        Raises:
            DataError: there is no such column, or the cell is no list.
        """
        return {} if self.scored_cell(sample, "choices") is None else self.listed_choices(sample)

    def free_answer(self, sample: Sample, prediction: Cell) -> tuple[Cell, str]:
        """Reads an answer that is the right one as it stands."""
        text = cell_text(prediction)
        return (text, "equal") if text and self._equals(sample, text) else (None, "none")

    def is_right(self, sample: Sample, result: Cell) -> bool:
        """Whether the letter that a result names, or else the value that it is, is the right one."""
        if not self.choices(sample):
            return self._equals(sample, cell_text(result))
        letter = self.result_letter(sample, result)
        if self.protocol.evaluated_answers:
            return self._equals(sample, str(letter or False))
        return letter is not None and letter == cell_text(sample.cells["answer"]).strip().upper()

    def groups(self, sample: Sample) -> Iterator[Cell]:
        """Yields the subject."""
        category = sample.cells.get("category")
        if category is not None or ("category" in sample.cells and self.protocol.pandas_cells):
            yield category

    def _equals(self, sample: Sample, text: str) -> bool:
        right = self.scored_cell(sample, "answer")
        if self.protocol.evaluated_answers:
            return evaluated_equal(text, cell_text(right))
        return right is not None and same_answer(text, cell_text(right))
