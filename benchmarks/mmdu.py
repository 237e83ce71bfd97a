"""MMDU: dialogues about several pictures, in which the model's own answers are the history."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, ClassVar, Final

from ..errors import DataError
from ..messages import Image, Message, Part, Text
from ..records import Cell, Failure, Sample, Table
from ..scoring.dialogues import read_turns
from ..scoring.judge import Judge
from ..scoring.mmdu import BEST, GradedTurn, Grades, ask_turn, grade_value, no_grades, read_grades, turn_table
from ..scoring.rubrics.mmdu import DIMENSIONS
from .base import Scored
from .open_ended import OpenEnded
from .prompts import no_question

__all__ = ["MMDU"]

_PICTURE: Final = "<ImageHere>"
_NOTHING_FITS: Final = ": Failed with all possible conversation turns."
_RAISED: Final = frozenset({"ContextOverflow", "Timeout", "Transport"})
"""Failures that the reference's client meets as exceptions, upon which it tries without the oldest turns."""
_OVERALL: Final = DIMENSIONS[-1]
_SUCCEED: Final = "Succeed"
_ZEROS: Final[Grades] = MappingProxyType(dict.fromkeys(DIMENSIONS, 0))


class MMDU(OpenEnded):
    """A benchmark whose rows are dialogues.

    Columns: ``question`` and ``answer``, both lists with an item for each turn. ``<ImageHere>`` in a question stands
    for the next of the row's pictures.

    A sample's record has ``res``, the grades of each turn, ``log``, what came of reading them, and ``rule``: ``judge``,
    ``none`` (no turn has a grade), ``failed`` (no turn has an answer) or ``needs judge``. Its points are the mean
    Overall Score of its turns.
    """

    is_dialogue = True
    shown = ("answer",)
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType({"res": (), "log": ""})

    def turns(self, sample: Sample) -> int:
        """Returns the number of questions.

        Raises:
            DataError: the row has none.
        """
        return len(self._questions(sample))

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the first turn: the text around its pictures.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question, or fewer pictures than its questions show.
        """
        return self.turn_prompt(sample, ())

    def turn_prompt(self, sample: Sample, answers: Sequence[str]) -> list[Message]:
        """Builds the dialogue up to the next question: earlier questions, each with the model's own answer.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question, or fewer pictures than its questions show.
        """
        pictures = iter(self.source.images(sample))
        messages: list[Message] = []
        for question, answer in zip(self._questions(sample), (*answers, None), strict=False):
            messages.append(Message("user", tuple(self._parts(sample, question, pictures))))
            if answer is not None:
                messages.append(Message("assistant", (Text(answer),)))
        return messages

    def failed_turn(self, failure: Failure) -> str | None:
        """Returns the text that stands for the answer of a turn that failed; None ends the dialogue there."""
        text = self.protocol.failed_text
        if text is None:
            return None
        if failure.stage == "prepare":
            return f"{text}{failure.message}"
        return f"{text}{_NOTHING_FITS}" if failure.kind in _RAISED else text

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Returns them as they are: lists pass a spreadsheet unchanged, but for those too long for a cell of it."""
        return list(samples), list(answers)

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Gives a dialogue without any answer 0 where no text stands for it, and leaves any other open.

        Raises:
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        scored = super().score(sample, prediction)
        if not scored.failed:
            return scored
        res = [dict(_ZEROS)] * self.turns(sample)
        return Scored(sample, {"res": res, "log": "", "rule": "failed"}, 0.0, failed=True)

    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Asks the judge once about each turn that has an answer.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row's questions, reference answers or answers cannot be read.
        """
        questions, references = self._questions(sample), self._list(sample, "answer", sample.cells["answer"])
        answers = self._list(sample, "prediction", answer)
        if len(references) < len(questions):
            raise self._broken(sample, "answer", f"{len(references)} answers stand beside {len(questions)} questions")
        found: list[Grades] = []
        log: list[str] = []
        failed = False
        for turn, question in enumerate(questions):
            said = answers[turn] if turn < len(answers) else None
            if said is None:
                failed = True
                grades, told = self._no_answer()
            else:
                reply = await ask_turn(
                    judge,
                    benchmark=self.name,
                    index=sample.index,
                    turn=turn,
                    question=question,
                    reference=references[turn] or "",
                    answer=said,
                )
                grades, told = self._read(reply, turn)
                failed |= self.protocol.failed_text is not None and said.startswith(self.protocol.failed_text)
            found.append(grades)
            log.append(told)
        return self._scored(sample, found, log, failed=failed)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mmdu.turn_table`.

        Raises:
            DataError: no judge has graded the answers.
        """
        self.refuse_open(scored)
        turns = [
            GradedTurn({name: self._value(grades.get(name)) for name in DIMENSIONS}, s.sample.cluster)
            for s in scored
            for grades in s.record["res"]
        ]
        return turn_table(turns, unread_count=self.protocol.unread_grades_count)

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says how many turns have no grade: a dialogue with some that have is not among the unparsed."""
        turns = [self._value(grades.get(_OVERALL)) for s in scored for grades in s.record["res"]]
        if unread := turns.count(None):
            what = "count as 0 in the row all" if self.protocol.unread_grades_count else "count in no mean"
            yield f"the judge gave no readable {_OVERALL} to {unread} of {len(turns)} turns; they {what}"

    # -- rows --------------------------------------------------------------------------------------------------------

    def _questions(self, sample: Sample) -> list[str]:
        questions = self._list(sample, "question", sample.cells.get("question"))
        if not questions:
            raise no_question(self.source, sample)
        return ["" if question is None else question for question in questions]

    def _list(self, sample: Sample, column: str, cell: Cell) -> list[str | None]:
        try:
            return read_turns(cell)
        except ValueError as error:
            raise self._broken(sample, column, str(error)) from None

    def _broken(self, sample: Sample, column: str, why: str) -> DataError:
        return DataError(f"{self.source.path}, row {sample.index}, column {column!r}: {why}")

    def _parts(self, sample: Sample, question: str, pictures: Iterator[Image]) -> Iterator[Part]:
        first, *others = question.split(_PICTURE)
        if first or not others:
            yield Text(first)
        for text in others:
            picture = next(pictures, None)
            if picture is None:
                raise self._broken(sample, "image", f"the questions show more pictures ({_PICTURE}) than the row has")
            yield picture
            if text:
                yield Text(text)

    # -- grades ------------------------------------------------------------------------------------------------------

    def _no_answer(self) -> tuple[Grades, str]:
        if self.protocol.failed_text is None:
            return _ZEROS, "no answer"
        return no_grades(), "list index out of range"

    def _read(self, reply: str, turn: int) -> tuple[Grades, str]:
        try:
            grades = read_grades(reply, between_braces=self.protocol.grades_between_braces)
        except ValueError as error:
            return no_grades(), str(error)
        missing = [name for name in DIMENSIONS if name not in grades]
        if missing:
            return grades, f"Following Dims are not in results of turn {turn}: {','.join(missing)}"
        return grades, _SUCCEED

    def _value(self, grade: Cell) -> float | None:
        return grade_value(grade, whole=self.protocol.whole_grades)

    def _scored(self, sample: Sample, found: Sequence[Grades], log: Sequence[str], *, failed: bool) -> Scored:
        names = dict.fromkeys(chain.from_iterable(found))
        res = [dict.fromkeys(names) | dict(grades) for grades in found]
        values = [self._value(grades.get(_OVERALL)) for grades in found]
        unread = 0.0 if self.protocol.unread_grades_count else math.nan
        known = [value / BEST for value in values if value is not None]
        counted = len(values) if self.protocol.unread_grades_count else len(known)
        points = sum(known) / counted if known else unread
        read = any(value is not None for value in values)
        record = {"res": res, "log": "\n".join(log), "rule": "judge" if read else "none"}
        return Scored(sample, record, points, failed=failed)
