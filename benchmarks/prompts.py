"""What the plain families' prompts have in common."""

from __future__ import annotations

from ..errors import DataError
from ..messages import Message, Text
from ..records import Sample
from .base import Source

__all__ = ["no_question", "pictures_then_text", "question_of"]


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
