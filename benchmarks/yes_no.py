"""Questions that are answered with yes or no: HallusionBench, MME, POPE."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import ClassVar, Final

from ..errors import DataError
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.hallusion_bench import Place, hallusion_table, place_of
from ..scoring.judge import Judge
from ..scoring.mme import mme_table
from ..scoring.pope import pope_table
from ..scoring.rubrics.yes_no import ask_yes_no
from ..scoring.yes_no import NO, UNKNOWN, YES, Answered, Verdict, read_yn, read_yn_anywhere
from .base import Scored
from .judged import RulesThenJudge
from .prompts import PictureQuestion

__all__ = ["MME", "POPE", "HallusionBench", "YesNo"]

_SHOWN: Final = 200
"""How many characters of an answer its record shows."""


class YesNo(PictureQuestion, RulesThenJudge):
    """A benchmark whose rows have a question and the answer Yes or No; its subclasses differ in their tables.

    A sample's record has ``extracted`` (``Yes``, ``No`` or ``Unknown``), ``score`` (whether that is the right answer),
    ``prediction_seen`` (the beginning of the answer as it was read) and ``rule``: ``word``, ``judge``, ``none`` or
    ``failed``.

    Attributes:
        groups: the columns that group the table.
        bundled: what `bundle` names, in the plural.
    """

    groups: ClassVar[tuple[str, ...]]
    bundled: ClassVar[str] = ""

    def reads_column(self, name: str) -> bool:
        """Right answers, questions for the judge, and groups come from the stored table."""
        return name in ("answer", "question") or name in self.groups

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads yes or no by the exact rules.

        Raises:
            DataError: the benchmark has no right answers, or the row's is neither Yes nor No.
        """
        if self.is_lost(prediction):
            self._truth(sample)
            record = {"extracted": UNKNOWN, "score": False, "prediction_seen": None, "rule": "failed"}
            return Scored(sample, record, 0.0, failed=True)
        said = self._read(cell_text(prediction))
        return self._scored(sample, prediction, said, "none" if said == UNKNOWN else "word")

    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge up to five times whether the answer says yes or no.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark has no right answers, or the row's is neither Yes nor No.
        """
        verdict = await ask_yes_no(
            judge,
            benchmark=self.name,
            index=sample.index,
            question=cell_text(sample.cells.get("question")),
            answer=cell_text(prediction),
            read=self._read,
            unknown_decides=not self.protocol.judge_unknown_again,
        )
        if verdict is None:
            return self._scored(sample, prediction, UNKNOWN, "none")
        return self._scored(sample, prediction, verdict, "judge")

    @abstractmethod
    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the benchmark's own table."""

    def bundle(self, sample: Sample) -> Hashable | None:
        """Names what is right only when every question about it is; None where each question counts alone."""
        del sample
        return None

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says of how much not every question was asked, which makes it easier to get right."""
        yield from super().caveats(scored)
        if found := self.partly_asked(scored, self.bundle):
            partly, bundles = found
            yield (
                f"{partly} of {bundles} {self.bundled} were not asked all their questions; "
                "the scores are higher than those of the whole benchmark would be"
            )

    def answered(self, scored: Sequence[Scored]) -> list[Answered]:
        """Returns what the table is built from.

        Rows of one index, which only the reference's protocol lets through, share what was read for the last of them,
        each with a right answer of its own.
        """
        last: dict[str, Verdict] = {s.sample.index: s.record["extracted"] for s in scored}
        return [
            Answered(
                self._truth(s.sample),
                last[s.sample.index],
                s.sample.cluster,
                {group: s.sample.cells.get(group) for group in self.groups},
            )
            for s in scored
        ]

    def _read(self, text: str) -> Verdict:
        return read_yn(text) if self.protocol.yes_no_between_blanks else read_yn_anywhere(text)

    def _truth(self, sample: Sample) -> Cell:
        if "answer" not in sample.cells:
            raise self.no_answers()
        answer = sample.cells["answer"]
        if self.protocol.yes_no_as_spelled:
            return answer
        word = cell_text(answer).strip().capitalize()
        if word not in (YES, NO):
            shown = cell_text(answer)[:80]
            raise DataError(f"{self.name}, row {sample.index}, column 'answer': {shown!r} is neither Yes nor No")
        return word

    def _scored(self, sample: Sample, prediction: Cell, said: Verdict, rule: str) -> Scored:
        right = Answered(self._truth(sample), said, sample.cluster, {}).right
        seen = cell_text(prediction)[:_SHOWN]
        return Scored(sample, {"extracted": said, "score": right, "prediction_seen": seen, "rule": rule}, float(right))


class HallusionBench(YesNo):
    """Figures, original and altered, with questions about each; columns ``category`` and ``l2-category``."""

    groups = ("category", "l2-category")
    bundled = "sets of figures"

    def bundle(self, sample: Sample) -> Hashable | None:
        """Names the set that a figure belongs to; None where the index does not say."""
        try:
            return (*(sample.cells.get(group) for group in self.groups), self._place(sample).set)
        except DataError:
            return None

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.hallusion_bench.hallusion_table`.

        Raises:
            DataError: an index does not say which set, figure and question a row is.
        """
        places = [self._place(s.sample) for s in scored]
        return hallusion_table(
            list(zip(places, self.answered(scored), strict=True)),
            across_categories=self.protocol.groups_across_categories,
            nan_splits=self.protocol.pandas_cells,
        )

    def _place(self, sample: Sample) -> Place:
        try:
            return place_of(sample.index, six_parts=not self.protocol.groups_across_categories)
        except DataError as error:
            raise DataError(f"{self.name}, row {sample.index}, column 'index': {error}") from error


class MME(YesNo):
    """Pictures with two questions each; columns ``category`` and ``image_path``."""

    groups = ("category", "image_path")
    bundled = "pictures"

    def bundle(self, sample: Sample) -> Hashable | None:
        """Names the picture."""
        path = sample.cells.get("image_path")
        return sample.cells.get("category"), sample.cluster if path is None else path

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mme.mme_table`."""
        return mme_table(self.answered(scored))


class POPE(YesNo):
    """Questions whether an object is in the picture; column ``category``."""

    groups = ("category",)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.pope.pope_table`."""
        return pope_table(self.answered(scored), unread_as_no=self.protocol.unread_as_no)
