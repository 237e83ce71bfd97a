"""Mathematics over pictures: answers that a rule reads as they are, or a judge out of worked-out replies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from string import ascii_uppercase
from types import ModuleType
from typing import ClassVar, Final

from ..errors import DataError
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.letters import Reading, read_letter
from ..scoring.literals import parse_literal
from ..scoring.prefetch_table import PrefetchRow, prefetch_table
from ..scoring.round_trip import round_trip_table
from ..scoring.rubrics.final_answer import REPLY_TOKENS, ask_final_answer
from .base import Scored
from .judged import RulesThenJudge
from .prompts import PictureQuestion

__all__ = ["JudgedMath"]

_PREFETCHED: Final = "Prefetch succeed"
"""The reference's word for an answer that a rule read."""
_ADDED: Final = ("prediction", "res", "log")
"""Columns that scoring adds to the reference's table."""
_LARGEST_STORED: Final = 2**63 - 1
"""The largest whole number that every reader of JSON takes."""


class JudgedMath(PictureQuestion, RulesThenJudge):
    """A benchmark whose rows have a question with its hint and choices in it, and a letter or a value as right answer.

    Where a rule reads the answer as it stands (it is prefetched, as the reference says), no judge is asked. Else a
    judge says what the final answer is, and that is compared with the right one. Without a judge such an answer counts
    as unparsed: the accuracy is then a lower bound.

    A sample's record has ``res`` (the answer as it was read), ``res_type`` (the type of its cell in the reference's
    table), ``prediction_as_read``, ``log`` (the reference's words on how it was read, empty where nothing read it),
    ``prefetch``, ``hit`` and ``rule``: ``option``, ``text``, ``refusal``, ``Z`` (see `scoring.letters`), ``equal`` (it
    is the right answer), ``judge``, ``none`` or ``failed``.
    """

    rubric: ClassVar[ModuleType]
    """What the judge is shown."""
    heading: ClassVar[str]
    """Column that names the rows of the result table."""
    by_name: ClassVar[bool]
    """Whether the rows are sorted by name, or stand as their groups first appear."""

    @abstractmethod
    def choices(self, sample: Sample) -> Mapping[str, Cell]:
        """Returns the texts of a row's choices by letter; none for a free answer.

        Raises:
            DataError: they cannot be read.
        """

    @abstractmethod
    def free_answer(self, sample: Sample, prediction: Cell) -> tuple[Cell, str]:
        """Reads an answer without choices: what it is, and the rule that read it, ``none`` where a judge has to."""

    @abstractmethod
    def is_right(self, sample: Sample, result: Cell) -> bool:
        """Whether a result, an answer that was read, is the right one."""

    @abstractmethod
    def groups(self, sample: Sample) -> Iterable[Cell]:
        """Yields the rows of the table that a sample counts in, beside ``Overall``."""

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads the answer by rules.

        Raises:
            DataError: a column is missing, or a row's choices cannot be read.
        """
        if self.is_lost(prediction):
            return replace(self._scored(sample, None, None, "failed", ""), failed=True)
        options = self.choices(sample)
        result: Cell
        if prediction is None and not self.protocol.missing_as_nan:
            result, rule = None, "none"
        elif options:
            reading = self._reading(prediction, options)
            result, rule = reading.letter, str(reading.rule)
        else:
            result, rule = self.free_answer(sample, prediction)
        return self._scored(sample, prediction, result, rule, "" if rule == "none" else _PREFETCHED)

    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge up to five times what the final answer is.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: a column is missing, or a row's choices cannot be read.
        """
        final = await ask_final_answer(
            judge,
            self.rubric,
            benchmark=self.name,
            index=sample.index,
            question=cell_text(sample.cells.get("question")),
            reply=cell_text(prediction),
            max_tokens=REPLY_TOKENS if self.protocol.judge_reply_limits else None,
        )
        return self._scored(sample, prediction, final.text, self._judged_rule(sample, final.text), final.log)

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Reads results as the reference's table of judged answers gives them back, where the protocol keeps one."""
        if not (self.protocol.round_trip_table and scored):
            return scored
        # Rows of one index, which only the reference's protocol lets through, share the result of the last of them.
        last = {s.sample.index: s.record for s in scored}
        names = [name for name in scored[0].sample.cells if name not in _ADDED]
        columns: dict[str, list[Cell]] = {name: [s.sample.cells[name] for s in scored] for name in names}
        columns["prediction"] = [s.record["prediction_as_read"] for s in scored]
        columns |= {name: [last[s.sample.index][name] for s in scored] for name in ("res", "log")}
        read = round_trip_table(columns)
        kind = _number_type(read["res"])
        return [
            self._read_back(s, {name: cells[row] for name, cells in read.items()}, kind) for row, s in enumerate(scored)
        ]

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.prefetch_table.prefetch_table`."""
        rows = [
            PrefetchRow(s.record["hit"], s.record["prefetch"], s.sample.cluster, tuple(self.groups(s.sample)))
            for s in scored
        ]
        return prefetch_table(rows, self.heading, by_name=self.by_name)

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says how many answers wait for a judge."""
        unread = sum(not s.record["log"] and not s.failed for s in scored)
        if unread:
            told = f"{unread} of {len(scored)} answers were read by no rule and no judge and count as wrong"
            yield f"{told}: the accuracy is a lower bound"

    def listed_choices(self, sample: Sample) -> dict[str, Cell]:
        """Returns the choices of a row's Python list, by letter.

        Raises:
            DataError: there is no such list, or it is longer than the alphabet.
        """
        where = f"{self.name}, row {sample.index}, column 'choices'"
        text = cell_text(self.scored_cell(sample, "choices"))
        try:
            choices = parse_literal(text)
        except (DataError, ValueError) as error:
            raise DataError(f"{where}: {text[:80]!r} is no Python list of choices") from error
        if not isinstance(choices, list | tuple):
            raise DataError(f"{where}: {text[:80]!r} is no Python list of choices")
        if len(choices) > len(ascii_uppercase):
            raise DataError(f"{where}: {len(choices)} choices are more than there are letters")
        return {letter: str(choice) for letter, choice in zip(ascii_uppercase, choices, strict=False)}

    def result_letter(self, sample: Sample, result: Cell) -> str | None:
        """Returns the letter that a result names among the row's choices."""
        return self._reading(result, self.choices(sample)).letter

    def _reading(self, answer: Cell, options: Mapping[str, Cell]) -> Reading:
        return read_letter(
            cell_text(answer),
            options,
            bare_letters=self.protocol.bare_letters,
            option_in_word=self.protocol.option_in_word,
        )

    def _judged_rule(self, sample: Sample, reply: str | None) -> str:
        if reply is None or (self.choices(sample) and self.result_letter(sample, reply) is None):
            return "none"
        return "judge"

    def _scored(self, sample: Sample, prediction: Cell, result: Cell, rule: str, log: str) -> Scored:
        record = {
            "res": _storable(result),
            "res_type": type(result).__name__,
            "prediction_as_read": _storable(prediction),
            "log": log,
            "prefetch": log == _PREFETCHED,
            "hit": self._hits(sample, result, asked=log != ""),
            "rule": rule,
        }
        return Scored(sample, record, float(record["hit"] is True))

    def _read_back(self, scored: Scored, cells: Mapping[str, Cell], number_type: str | None) -> Scored:
        sample = replace(scored.sample, cells={name: cells[name] for name in scored.sample.cells})
        result, asked = cells["res"], scored.record["log"] != ""
        hit = self._hits(sample, result, asked=asked)
        record = {
            **scored.record,
            "res": _storable(result),
            "res_type": number_type or ("float" if result is None else type(result).__name__),
            "prediction_as_read": _storable(cells["prediction"]),
            "log": cells["log"] if asked else "",
            "prefetch": cells["log"] == _PREFETCHED,
            "hit": hit,
        }
        return replace(scored, sample=sample, record=record, points=float(hit))

    def _hits(self, sample: Sample, result: Cell, *, asked: bool) -> bool:
        """Whether a result is right; a missing one only where the reference takes it for the text ``nan``."""
        self.scored_cell(sample, "answer")
        if result is None and not (asked and self.protocol.missing_as_nan):
            return False
        return self.is_right(sample, result)


def _storable(result: Cell) -> Cell:
    if isinstance(result, int) and abs(result) > _LARGEST_STORED:
        return str(result)
    return result


def _number_type(results: Sequence[Cell]) -> str | None:
    """Returns the name of the type of a column of numbers, None for one that holds anything else."""
    if any(isinstance(result, str | bool) for result in results):
        return None
    whole = all(isinstance(result, int) for result in results)
    return "int64" if whole else "float64"
