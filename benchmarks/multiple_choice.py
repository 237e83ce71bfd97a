"""Multiple choice: one question, options A to Z, one right letter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar, Final

from ..messages import Message
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.letters import NO_LETTER, read_letter
from ..scoring.protocol import Protocol
from ..scoring.rubrics.option_letter import LetterRubric
from ..scoring.tables import Row, plain_table
from .base import Scored, Source
from .judged import ReadLetter
from .prompts import no_question, pictures_then_text

__all__ = ["NO_JUDGE", "MultipleChoice", "match_log"]

NO_JUDGE: Final = "Failed in Prefetch, no GPT-based answer matching under `exact_matching` policy."
"""The reference's words for an answer that no rule reads when there is no judge."""

_NO_OPTION: Final = frozenset({"none", "refusal"})
"""Rules by which the letter Z is no option, even of a question that has an option Z."""
_UNJUDGED: Final = "Failed to predict, thus randomly generate one. "
"""The reference's words for an answer that the judge could not read either. Here it is never an option by chance."""


_LOG: Final = "Match Log: {}. "


class MultipleChoice(ReadLetter):
    """A benchmark whose rows have a question, options in columns of one capital letter, and the right letter.

    Columns: ``question``, ``A`` to ``Z`` (missing cells are no options), ``answer``, optionally ``hint`` for the
    prompt and ``split``, ``l2-category``, ``category`` (in any case of letters) for the table.

    A sample's record has ``hit`` (0 or 1, None where the right letter is not public), ``log`` (what was read),
    ``letter`` (``Z`` for none) and ``rule``: ``option``, ``text``, ``refusal``, ``Z``, ``judge``, ``none`` or
    ``failed``.

    Attributes:
        groups: columns that the tables are grouped by, in small letters.
    """

    groups: ClassVar[tuple[str, ...]] = ("split", "l2-category", "category")

    def __init__(self, name: str, source: Source, protocol: Protocol, *, rubric: LetterRubric | None = None) -> None:
        """Args: `rubric` is what a judge is shown instead of the usual question, in the question's language."""
        super().__init__(name, source, protocol)
        self._rubric = rubric
        self._letters = sorted(column for column in source.columns if _is_letter(column))
        # Of two columns that differ in case alone the later one counts, as in the reference.
        folded = {column.lower(): column for column in source.columns}
        self._groups = {group: folded[group] for group in self.groups if group in folded}

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the pictures, then hint, question, options and the instruction as one text.

        Raises:
            MediaError: a picture is missing.
            DataError: the row has no question.
        """
        return pictures_then_text(self.source, sample, self._text(sample))

    def reads_column(self, name: str) -> bool:
        """Options, question and groups come from the stored table; the right letter from the benchmark itself."""
        return _is_letter(name) or name == "question" or name in self._groups.values()

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads the letter by the exact rules."""
        if self.is_lost(prediction):
            return Scored(sample, {"hit": 0, "log": "", "letter": NO_LETTER, "rule": "failed"}, 0.0, failed=True)
        answer = cell_text(prediction)
        reading = read_letter(
            answer,
            self._choices(sample.cells),
            bare_letters=self.protocol.bare_letters,
            option_in_word=self.protocol.option_in_word,
        )
        shown = NO_JUDGE if reading.letter is None else answer
        return self._scored(sample, reading.letter or NO_LETTER, reading.rule, shown)

    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge up to three times which option the answer means.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark has no column of right letters.
        """
        verdict = await self.ask_letter(
            sample,
            prediction,
            judge,
            options=self._choices(sample.cells),
            right=cell_text(sample.cells.get("answer")),
            rubric=self._rubric,
        )
        if verdict.reply is None:
            return self._scored(sample, NO_LETTER, "none", _UNJUDGED)
        return self._scored(sample, verdict.letter, "judge", verdict.reply)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.tables.plain_table`.

        Raises:
            DataError: the benchmark has no column of right letters.
        """
        return self.plain(self.counted(scored))

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says which rows nobody can answer rightly, because their right letter is none of their options."""
        lost = [s.sample for s in scored if self._right(s.sample.cells) not in self._choices(s.sample.cells)]
        if lost:
            answer = cell_text(lost[0].cells["answer"])
            first = f"{self.source.path}, row {lost[0].index}, column 'answer': {answer!r}"
            yield f"the right answer of {len(lost)} rows is none of their options, so none is right (first: {first})"

    def counted(self, scored: Sequence[Scored]) -> list[Row]:
        """Returns what counts in the tables: every sample.

        Raises:
            DataError: the benchmark has no column of right letters.
        """
        if "answer" not in self.source.columns:
            raise self.no_answers()
        # Rows of one index, which only the reference's protocol lets through, share the result of the last of them.
        points = {s.sample.index: s.points for s in scored}
        return [self._row(s.sample, points[s.sample.index]) for s in scored]

    def plain(self, rows: Sequence[Row]) -> Table:
        """Builds the table of `scoring.tables.plain_table` by this benchmark's protocol."""
        return plain_table(rows, nan_splits=self.protocol.pandas_cells, stored=self.protocol.round_trip_table)

    def _row(self, sample: Sample, points: float) -> Row:
        return Row(points, sample.cluster, {group: sample.cells.get(name) for group, name in self._groups.items()})

    def _text(self, sample: Sample) -> str:
        """Returns hint, question, options and instruction."""
        lines = [] if sample.cells.get("hint") is None else [f"Hint: {sample.cells['hint']}\n"]
        lines.append(f"Question: {self._question(sample)}\n")
        options = self._options(sample.cells)
        if options:
            lines.append("Options:\n")
            lines.extend(f"{letter}. {text}\n" for letter, text in options.items())
            lines.append("Please select the correct answer from the options above. \n")
        return "".join(lines)

    def _question(self, sample: Sample) -> str:
        question = sample.cells.get("question")
        if question is None and not (self.protocol.pandas_cells and "question" in sample.cells):
            raise no_question(self.source, sample)
        return cell_text(question)

    def _options(self, cells: Mapping[str, Cell]) -> dict[str, Cell]:
        return {letter: text for letter in self._letters if (text := cells.get(letter)) is not None}

    def _choices(self, cells: Mapping[str, Cell]) -> dict[str, Cell]:
        """Returns what an answer may choose from: the options that the model was shown."""
        return self._options(cells)

    def _right(self, cells: Mapping[str, Cell]) -> Cell:
        """Returns the right letter."""
        return cells["answer"]

    def _scored(self, sample: Sample, letter: str, rule: str, shown: str) -> Scored:
        record: dict[str, Any] = {"hit": None, "log": _LOG.format(shown), "letter": letter, "rule": rule}
        if "answer" not in sample.cells:
            return Scored(sample, record, math.nan)
        # The letter Z is right only where it is an option and was read as one, not where it stands for no option.
        is_option = letter != NO_LETTER or (rule not in _NO_OPTION and sample.cells.get(NO_LETTER) is not None)
        record["hit"] = int(is_option and letter == self._right(sample.cells))
        return Scored(sample, record, float(record["hit"]))


def match_log(scored: Scored) -> str:
    """Returns what a sample's letter was read from: the answer, the judge's reply, or the words for neither."""
    before, after = _LOG.split("{}")
    return str(scored.record["log"]).removeprefix(before).removesuffix(after)


def _is_letter(column: str) -> bool:
    return len(column) == 1 and column in ascii_uppercase
