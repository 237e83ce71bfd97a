"""MMMU: pictures inside the text, and open questions among those with options (Yue et al. 2024)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Final

from ..errors import DataError
from ..messages import Image, Message, Part, Text
from ..records import Cell, Sample
from ..scoring.cells import cell_text
from ..scoring.letters import NO_LETTER
from ..scoring.mmmu import is_open_answer_right
from .base import NO_JUDGE_NAME, Scored
from .multiple_choice import MultipleChoice
from .submission import Submission, json_file

__all__ = ["MMMU"]

_TAG: Final = re.compile(r"<image ([0-9])>")
_OTHER: Final = "Other Answers"
_LETTERS: Final = frozenset(ascii_uppercase)


class MMMU(MultipleChoice):
    """Multiple choice whose texts say where their pictures belong, ``<image 1>``, and whose rows may be open questions.

    A picture stands wherever the text names it, as often as it does; one that the text does not name is not shown. A
    text that names none follows its pictures.

    A row without an option ``A`` is open: its answer is a text, or a Python list of accepted texts. Under
    `Protocol.open_as_choice` the text becomes option ``A`` beside ``Other Answers``, and an answer is read as a choice
    between them; else it is compared with the accepted texts (`scoring.mmmu`), rule ``open``.
    """

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds one message of texts and pictures.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question, or its text names a picture that it has not.
        """
        pictures = self.source.images(sample)
        before, *rest = _TAG.split(self._text(sample))
        if not rest:
            return [Message("user", (*pictures, Text(before)))]
        parts: list[Part] = [Text(before)]
        for number, after in zip(rest[::2], rest[1::2], strict=True):
            parts += [self._named(sample, pictures, int(number)), Text(after)]
        return [Message("user", tuple(parts))]

    def reads_column(self, name: str) -> bool:
        """The answers of open questions come from the stored table, too."""
        return name == "answer" or super().reads_column(name)

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads the letter by the exact rules, or compares the answer to an open question.

        Raises:
            DataError: the accepted answers of an open question are too many to be read.
        """
        if prediction is None or not self._is_open(sample.cells) or self.protocol.open_as_choice:
            return super().score(sample, prediction)
        answer = cell_text(prediction)
        if "answer" not in sample.cells:
            return self._scored(sample, NO_LETTER, "open", answer)
        right = is_open_answer_right(answer, cell_text(sample.cells["answer"]))
        record = {"hit": int(right), "log": f"Match Log: {answer}. ", "letter": NO_LETTER, "rule": "open"}
        return Scored(sample, record, float(right))

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says which rows with options nobody can answer rightly."""
        return super().caveats([s for s in scored if not self._is_open(s.sample.cells)])

    def submission(
        self, answers: Sequence[tuple[Sample, Cell]], scored: Sequence[Scored], *, judge: str = NO_JUDGE_NAME
    ) -> Submission:
        """Makes the answers by ``id`` as JSON: letters, and the answers to open questions as they were given.

        An answer that no rule reads is handed in as it is, for the server to read; in the reference it is ``false``.
        """
        del judge
        told: dict[str, object] = {}
        for row, (_, given) in zip(scored, answers, strict=True):
            said = row.answer if self.protocol.open_as_choice else given
            if row.sample.cells.get("A") is None:
                read: object = said
            elif row.record["rule"] in ("none", "failed"):
                read = False if self.protocol.open_as_choice else said
            else:
                read = row.record["letter"]
            told[str(row.sample.cells.get("id", row.sample.index))] = read
        return Submission(".json", json_file(told))

    def _named(self, sample: Sample, pictures: Sequence[Image], number: int) -> Image:
        if number == 0 and pictures and self.protocol.pandas_cells:
            return pictures[-1]  # the reference counts from one by subtracting it
        if not 1 <= number <= len(pictures):
            raise DataError(
                f"{self.name}, row {sample.index}: its text names picture {number}, and it has {len(pictures)}"
            )
        return pictures[number - 1]

    def _is_open(self, cells: Mapping[str, Cell]) -> bool:
        return cells.get("A") is None if self.protocol.open_as_choice else not self._options(cells)

    def _choices(self, cells: Mapping[str, Cell]) -> dict[str, Cell]:
        options = self._options(cells)
        if not self._is_open(cells) or not self.protocol.open_as_choice:
            return options
        answer = {} if cells.get("answer") is None else {"A": cells["answer"]}
        return {**answer, "B": _OTHER, **{letter: text for letter, text in options.items() if letter not in "AB"}}

    def _right(self, cells: Mapping[str, Cell]) -> Cell:
        answer = cells["answer"]
        if self.protocol.open_as_choice and not (isinstance(answer, str) and answer in _LETTERS):
            return "A"
        return answer
