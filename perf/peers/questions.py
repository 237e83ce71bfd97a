"""The questions of a TSV, for peers that want them in another form."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Question:
    """A question with four options.

    Attributes:
        index: its number.
        question: what is asked.
        options: the texts of the options, A first.
        answer: letter of the right one.
        image: the JPEG in base64.
    """

    index: int
    question: str
    options: list[str]
    answer: str
    image: str

    @property
    def data_url(self) -> str:
        """The picture as a data URL."""
        return f"data:image/jpeg;base64,{self.image}"


def questions(data: Path) -> Iterator[Question]:
    """Yields the questions of a file as `common.write_benchmark` makes it."""
    csv.field_size_limit(sys.maxsize)
    with data.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            options = [row[letter] for letter in "ABCD"]
            yield Question(int(row["index"]), row["question"], options, row["answer"], row["image"])
