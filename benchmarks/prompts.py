"""What the plain families' prompts have in common."""

from __future__ import annotations

from ..errors import DataError
from ..messages import Message, Text
from ..records import Sample
from .base import Benchmark, Source

__all__ = ["PictureQuestion", "no_question", "pictures_then_text", "question_of"]


class PictureQuestion(Benchmark):
    """A benchmark that shows a row's pictures and then asks its question.

    Attributes:
        instruction: follows every question.
    """

    instruction: str = ""

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the pictures, then question and instruction as one text.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question.
        """
        return pictures_then_text(self.source, sample, question_of(self.source, sample) + self.instruction)


def question_of(source: Source, sample: Sample) -> str:
    """Returns the question of a row.

    Raises:
        DataError: it has none.
    """
    question = sample.cells.get("question")
    if question is None:
        raise no_question(source, sample)
    return str(question)


def no_question(source: Source, sample: Sample) -> DataError:
    """Returns the error of a row that asks nothing."""
    return DataError(f"{source.path}, row {sample.index} has no question: its cell in column 'question' is empty")


def pictures_then_text(source: Source, sample: Sample, text: str) -> list[Message]:
    """Returns one user message: all pictures of the row in order, then one text.

    Raises:
        MediaError: a picture is missing.
    """
    return [Message("user", (*source.images(sample), Text(text)))]
