"""MathVista (Lu et al. 2024): mathematical reasoning over pictures of many kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import ClassVar

from ..errors import DataError
from ..records import Cell, Sample
from ..scoring.cells import cell_text
from ..scoring.literals import parse_literal
from ..scoring.mathvista import same_typed_answer, typed_number
from ..scoring.rubrics import final_answer_mathvista
from .judged_math import JudgedMath

__all__ = ["MathVista"]


class MathVista(JudgedMath):
    """A benchmark whose rows have choices, or ask for an answer of some type.

    Columns: ``question``, ``question_type`` (``multi_choice`` or ``free_form``), ``answer_type`` (``integer``,
    ``float``, ``list`` or ``text``), ``choices`` (a Python list literal of texts) and ``answer_option`` (the right
    letter) for choices, ``answer``, ``precision`` (decimal places of a float), ``skills`` (a Python list literal of
    names) and ``task`` for the table.
    """

    rubric: ClassVar[ModuleType] = final_answer_mathvista
    heading = "Task&Skill"
    by_name = False

    def choices(self, sample: Sample) -> Mapping[str, Cell]:
        """Returns the choices of a row that has them.

        Raises:
            DataError: a column is missing, or the cell is no list.
        """
        return self.listed_choices(sample) if self.scored_cell(sample, "question_type") == "multi_choice" else {}

    def free_answer(self, sample: Sample, prediction: Cell) -> tuple[Cell, str]:
        """Reads an answer that is the right one as it stands."""
        if not self.protocol.typed_answers:
            text = cell_text(prediction)
            return (text, "equal") if self._equals(sample, text) else (None, "none")
        number = typed_number(prediction, self.scored_cell(sample, "answer_type"))
        # The reference takes a zero for no number.
        return (number, "equal") if number and self._equals(sample, number) else (None, "none")

    def is_right(self, sample: Sample, result: Cell) -> bool:
        """Whether the letter that a result names, or else the answer that it is, is the right one."""
        if not self.choices(sample):
            return self._equals(sample, result)
        letter = self.result_letter(sample, result)
        return letter is not None and letter == self.scored_cell(sample, "answer_option")

    def groups(self, sample: Sample) -> Iterator[Cell]:
        """Yields the skills, then the task."""
        skills = sample.cells.get("skills")
        if skills is not None:
            yield from self._skills(sample, cell_text(skills))
        task = sample.cells.get("task")
        if task is not None or ("task" in sample.cells and self.protocol.pandas_cells):
            yield task

    def _skills(self, sample: Sample, text: str) -> list[str]:
        """Returns the names of a list; any other text is one name."""
        try:
            names = parse_literal(text)
        except DataError as error:
            raise DataError(f"{self.name}, row {sample.index}, column 'skills': {error}") from error
        except ValueError:
            return [text]
        return [str(name) for name in names] if isinstance(names, list | tuple) else [text]

    def _equals(self, sample: Sample, result: Cell) -> bool:
        right, answer_type = self.scored_cell(sample, "answer"), self.scored_cell(sample, "answer_type")
        if self.protocol.typed_answers:
            number = typed_number(result, answer_type)
            return number is not None and number == typed_number(right, answer_type)
        if right is None:
            return False
        return same_typed_answer(cell_text(result), cell_text(right), answer_type, sample.cells.get("precision"))
