"""What the plain families' prompts have in common."""

from __future__ import annotations

from ..messages import Message, Text
from ..records import Sample
from .base import Source

__all__ = ["pictures_then_text"]


def pictures_then_text(source: Source, sample: Sample, text: str) -> list[Message]:
    """Returns one user message: all pictures of the row in order, then one text.

    Raises:
        MediaError: a picture is missing.
    """
    return [Message("user", (*source.images(sample), Text(text)))]
