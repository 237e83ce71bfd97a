"""Questions about documents: pages are shown, and a judge writes down the short answer that is then compared."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, ClassVar, Final

from ..errors import DataError, MediaError
from ..messages import Document, Image, Message, Text
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.document_answers import NOT_ANSWERABLE, anls, slide_scores
from ..scoring.document_tables import DocumentRow, MeanRow, evidence_table, mean_table
from ..scoring.extraction import REPLY_TOKENS, ask_extraction
from ..scoring.judge import Judge
from ..scoring.literals import parse_literal
from ..scoring.mmlongbench import answer_score
from ..scoring.round_trip import round_trip
from .base import Scored
from .open_ended import OpenEnded
from .pictures import parse_list
from .prompts import question_of

__all__ = ["DUDE", "DocumentQA", "MMLongBench", "SlideVQA"]

_JUDGED: Final = frozenset({"judge", "none"})
"""Rules of answers that a judge has read."""
_PDF: Final = b"JVBERi"
_PICTURES: Final = (b"/9j/", b"iVBORw0KGgo", b"R0lGOD", b"UklGR")
"""How base64 texts of JPEG, PNG, GIF and WebP files begin."""


class DocumentQA(OpenEnded):
    """A benchmark whose rows have a document, a question about it, and the right answer.

    Columns: ``image`` (a PDF, or a list of page pictures), ``image_path`` (a list of names of the pages, or their files
    where there is no column ``image``), ``question``, ``answer`` (missing where the document has none), ``doc_id`` for
    errors.

    A sample's record has ``pred`` (the short answer that the judge found in the model's), ``res`` (its reply), ``log``
    (the tries to get one), the figures of the benchmark, and ``rule`` (see `OpenEnded`).

    Attributes:
        pdfs: whether a row's single picture is a PDF unless it looks like a picture.
        figures: names of the figures in a record; the first is the worth of the answer.
        all_strips: whether the reference shows all of several long strips of pages.
    """

    shown = ("answer",)
    pdfs: ClassVar[bool] = True
    figures: ClassVar[tuple[str, ...]] = ("score",)
    all_strips: ClassVar[bool] = False
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType({"score": None, "pred": None, "res": None, "log": ""})

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the document, then the question as it is.

        Raises:
            MediaError: the row's document is missing.
            DataError: the row has no question.
        """
        question = question_of(self.source, sample)
        return [Message("user", (self._document(sample), Text(question)))]

    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Asks the judge for the short answer, and compares that with the right one.

        Raises:
            JudgeError: the judge cannot be reached.
        """
        found = await ask_extraction(
            judge,
            benchmark=self.name,
            index=sample.index,
            question=self.text(sample.cells.get("question")),
            prediction=answer,
            first_reply=self.protocol.unread_grades_count,
            max_tokens=REPLY_TOKENS if self.protocol.judge_reply_limits else None,
        )
        record = {"res": found.reply, "log": found.log}
        if found.answer is None and not self.protocol.unread_grades_count:
            return Scored(sample, {**self.ungraded, **record, "rule": "none"}, math.nan)
        rule = "none" if found.answer is None else "judge"
        return self._compared(sample, {**record, "pred": found.answer or "", "rule": rule})

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Compares anew what a spreadsheet makes of the short answers, where the protocol passes them through one."""
        judged = [k for k, s in enumerate(scored) if s.record["rule"] in _JUDGED and not math.isnan(s.points)]
        if not self.protocol.round_trip_table or not judged:
            return scored
        columns = {name: round_trip([scored[k].record[name] for k in judged]) for name in ("res", "log", "pred")}
        completed = list(scored)
        for k, cells in zip(judged, zip(*columns.values(), strict=True), strict=True):
            old = scored[k]
            read = dict(zip(columns, cells, strict=True))
            read["pred"] = self.read_back(old.record["pred"], read["pred"])
            new = self._compared(old.sample, {**old.record, **read})
            completed[k] = replace(new, failed=old.failed, answer=old.answer)
        return completed

    def read_back(self, written: str, read: Cell) -> Cell:
        """Returns what is compared of a short answer that a spreadsheet gives back as `read`."""
        del written
        return read

    @abstractmethod
    def compare(self, sample: Sample, prediction: Cell) -> dict[str, Any]:
        """Compares a short answer with the right one: `figures` by name."""

    def counted(self, scored: Sequence[Scored]) -> list[Scored]:
        """Returns what counts in the table: every sample but those whose answer the judge could not read.

        Raises:
            DataError: no judge has read the answers.
        """
        self.refuse_open(scored)
        return [s for s in scored if not math.isnan(s.points)]

    def means(self, scored: Sequence[Scored], names: Mapping[str, str], *, column: str) -> Table:
        """Builds the table of `scoring.document_tables.mean_table`; `names` has the name of each figure in it.

        Raises:
            DataError: no judge has read the answers.
        """
        rows = [
            MeanRow({name: float(s.record[figure]) for figure, name in names.items()}, s.sample.cluster)
            for s in self.counted(scored)
        ]
        return mean_table(rows, list(names.values()), column=column)

    def right_answer(self, sample: Sample) -> str:
        """Returns the right answer; a missing one says that the document does not answer the question."""
        answer = sample.cells["answer"]
        return NOT_ANSWERABLE if answer is None else cell_text(answer)

    def _compared(self, sample: Sample, record: dict[str, Any]) -> Scored:
        record = record | self.compare(sample, record["pred"])
        return Scored(sample, record, float(record[self.figures[0]]))

    def _document(self, sample: Sample) -> Document:
        pictures = self.source.images(sample)
        if not pictures:
            raise MediaError(f"{self.source.path}, row {sample.index} shows no page")
        names = _names(sample.cells.get("image_path"))
        own = sample.cells.get("doc_id")
        called = cell_text(own) if own is not None else pictures[0].name
        name = f"{called} ({self.source.path.name}, row {sample.index})"
        strip = self.protocol.first_strip_only and not self.all_strips
        if len(pictures) == 1 and _is_pdf(pictures[0], expected=self.pdfs):
            return Document(name, pdf=pictures[0], page_names=names, first_strip_only=strip)
        return Document(name, pages=self.pages(sample, pictures), first_strip_only=strip)

    def pages(self, sample: Sample, pictures: tuple[Image, ...]) -> tuple[Image, ...]:
        """Returns the pictures of a row's pages, called as the reference calls them."""
        del sample
        return pictures


class DUDE(DocumentQA):
    """DUDE (Van Landeghem et al. 2023): answers are compared by ANLS, in lower case."""

    def compare(self, sample: Sample, prediction: Cell) -> dict[str, Any]:
        """Compares by ANLS."""
        return {"score": anls(self.right_answer(sample).lower(), cell_text(prediction).lower())}

    def read_back(self, written: str, read: Cell) -> Cell:
        """Keeps what is no text any more as it was: numbers and empty answers stop the reference."""
        return read if isinstance(read, str) else written

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table: one row, ``anls``.

        Raises:
            DataError: no judge has read the answers.
        """
        return self.means(scored, {"score": "anls"}, column="avg_score")


class SlideVQA(DocumentQA):
    """SlideVQA (Tanaka et al. 2023): ANLS, exact match and F1 over words.

    A sample's record has them as ``anls``, ``em`` and ``f1``.
    """

    pdfs = False
    figures = ("anls", "em", "f1")
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"anls": None, "em": None, "f1": None, "pred": None, "res": None, "log": ""}
    )

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Gives a failed request 0 where no text stands for it, and leaves any other answer open.

        Raises:
            DataError: the benchmark has no column of right answers.
        """
        scored = super().score(sample, prediction)
        if not scored.failed:
            return scored
        return replace(scored, record={**self.ungraded, "anls": 0.0, "em": False, "f1": 0.0, "rule": "failed"})

    def pages(self, sample: Sample, pictures: tuple[Image, ...]) -> tuple[Image, ...]:
        """Calls a deck's only page after the row, as the reference does."""
        if len(pictures) > 1 or pictures[0].path is not None:
            return pictures
        return (replace(pictures[0], name=f"{sample.index}.jpg"),)

    def compare(self, sample: Sample, prediction: Cell) -> dict[str, Any]:
        """Compares by `scoring.document_answers.slide_scores`."""
        found = slide_scores(
            self.right_answer(sample),
            cell_text(prediction),
            glued_lines=self.protocol.glued_lines,
            repeated_words=self.protocol.repeated_words,
        )
        return {"anls": found.anls, "em": found.em, "f1": found.f1}

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table: ``anls``, ``EM`` and ``F1``.

        Raises:
            DataError: no judge has read the answers.
        """
        return self.means(scored, {"anls": "anls", "em": "EM", "f1": "F1"}, column="avg")


class MMLongBench(DocumentQA):
    """MMLongBench-Doc (Ma et al. 2024): answers are compared by the format of the right one.

    Further columns: ``answer_format``, ``evidence_pages`` and ``evidence_sources`` (Python list literals).
    """

    all_strips = True

    def reads_column(self, name: str) -> bool:
        """Formats and evidence come from the stored table, too."""
        return name in ("answer_format", "evidence_pages", "evidence_sources") or super().reads_column(name)

    def compare(self, sample: Sample, prediction: Cell) -> dict[str, Any]:
        """Compares by `scoring.mmlongbench.answer_score`."""
        answer_format = sample.cells.get("answer_format")
        bare_numbers = self.protocol.bare_numbers
        return {"score": answer_score(self._answer(sample), prediction, answer_format, bare_numbers=bare_numbers)}

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.document_tables.evidence_table`.

        Raises:
            DataError: no judge has read the answers.
        """
        return evidence_table([self._row(s) for s in self.counted(scored)])

    def _answer(self, sample: Sample) -> Cell:
        # In the reference a missing answer is a number that nothing equals; no published row has one.
        return sample.cells["answer"] if self.protocol.pandas_cells else self.right_answer(sample)

    def _row(self, scored: Scored) -> DocumentRow:
        cells = scored.sample.cells
        sources, pages = _list_of(cells.get("evidence_sources")), _list_of(cells.get("evidence_pages"))
        return DocumentRow(
            score=scored.points,
            cluster=scored.sample.cluster,
            sources=frozenset(item for item in sources or () if isinstance(item, str)),
            pages=None if pages is None else len(pages),
            answerable=self._answer(scored.sample) != NOT_ANSWERABLE,
            claimed=scored.record["pred"] != NOT_ANSWERABLE,
        )


def _is_pdf(image: Image, *, expected: bool) -> bool:
    if image.base64 is None:
        return image.path is not None and image.path.suffix.lower() == ".pdf"
    return image.base64.startswith(_PDF) or (expected and not image.base64.startswith(_PICTURES))


def _names(cell: Cell) -> tuple[str, ...]:
    """Returns the base names in a cell ``image_path``, which the source has found to be well formed."""
    if cell is None:
        return ()
    return tuple(PurePosixPath(path.decode()).name for path in parse_list(cell_text(cell).encode()))


def _list_of(cell: Cell) -> list[Any] | None:
    """Returns a list literal's items; None for a cell that is none."""
    try:
        value = parse_literal(cell_text(cell))
    except (ValueError, DataError):
        return None
    return value if isinstance(value, list) else None
