"""MMBench-Video with all questions on a video in one request."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from ..messages import Message, Text
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.packed import Packed, read_packed
from .base import Benchmark, Scored
from .mmbench_video import FRAMES_SHOWN, MMBenchVideo
from .prompts import question_of
from .stored_table import stored_table

__all__ = ["PackedMMBenchVideo"]

_TASK: Final = "You are an AI assistant responsible for answering questions about videos."
_QUESTIONS: Final = (
    "Please analyze these images and provide the answer / answers to the following question / questions about the "
    "video content.\n"
    "If multiple questions are provided (with indices I1, I2, I3, ...), you should organize your answers in the "
    "following json format:\n"
    "{\n"
    "    'I1': 'Answer to Question I1',\n"
    "    'I2': 'Answer to Question I2',\n"
    "    ...\n"
    "}\n"
    "Otherwise, please directly reply with your response to the only question.\n"
    "Even if the information in these separate frames is not enough to give an answer,\n"
    "PLEASE GIVE A RESPONSE TO EACH OF THE QUESTIONS IN THE FORMAT DESCRIBED ABOVE.\n"
)


class PackedMMBenchVideo(MMBenchVideo):
    """`MMBenchVideo` asked video by video: a sample is a video, and its index the video's name.

    Results and tables are by question again. A question's record has its ``prediction`` too, None where the reply has
    no answer to it, and ``status``: how the reply was read (`scoring.packed`).
    """

    def __len__(self) -> int:
        return len(self._videos)

    @property
    def rows(self) -> int:
        """Number of videos."""
        return len(self)

    def samples(self) -> Iterator[Sample]:
        """Yields a sample for each video, in the order in which the file names them first."""
        for row, (video, members) in enumerate(self._videos.items()):
            yield Sample(video, row, members[0].cells, members[0].cluster)

    def whole(self) -> Benchmark:
        """Returns the benchmark that shows videos, which are asked about one question at a time."""
        other = MMBenchVideo(self.name, self.source, self.protocol, self.options)
        other.probe = self.probe
        return other.whole()

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the task, frames, and all questions on the video by their index.

        Raises:
            MediaError: the video is missing or broken.
            DataError: a row lacks what the prompt needs.
        """
        frames = self.all_frames(sample)
        told = _TASK + FRAMES_SHOWN.format(count=len(frames)) + _QUESTIONS
        questions = {row.index: question_of(self.source, row) for row in self._members(sample)}
        asked = f"Questions: \n{json.dumps(questions)}\nAnswers: \n"
        return [Message("user", (Text(told), *frames, Text(asked)))]

    def stored(self, samples: Sequence[Sample], answers: Sequence[Cell]) -> tuple[list[Sample], list[Cell]]:
        """Passes the answers to single questions through a spreadsheet, as the reference does, and packs them again."""
        packed = [self._read(answer) for answer in answers]
        rows = [
            (row, found.answers.get(row.index))
            for s, found in zip(samples, packed, strict=True)
            for row in self._members(s)
        ]
        _, cells = stored_table([row for row, _ in rows], [_cell(answer) for _, answer in rows], lambda _: False)
        kept = {row.index: cell for (row, _), cell in zip(rows, cells, strict=True)}
        again: list[Cell] = []
        for sample, answer, found in zip(samples, answers, packed, strict=True):
            known = {row.index: kept[row.index] for row in self._members(sample) if kept[row.index] is not None}
            again.append(json.dumps(known) if found.status == "PARSE_OK" else answer)
        return list(samples), again

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Takes the reply apart and leaves every answer open.

        Raises:
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        found = self._read(prediction)
        rows = [self._row(row, found, prediction) for row in self._members(sample)]
        return self._packed(sample, rows, failed=prediction is None)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Has the judge rate the answers in the reply, one after the other.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        found = self._read(prediction)
        rows = []
        for row in self._members(sample):
            scored = self._row(row, found, prediction)
            answer = scored.record["prediction"]
            if answer is not None:
                rated = await self.grade(row, self.text(_cell(answer)), judge)
                scored = Scored(row, {**scored.record, **rated.record}, rated.points)
            rows.append(scored)
        return self._packed(sample, rows, failed=prediction is None)

    def complete(self, scored: Sequence[Scored]) -> Sequence[Scored]:
        """Returns the questions in place of the videos."""
        return [row for s in scored for row in s.record["questions"]]

    def more_tables(self, scored: Sequence[Scored]) -> dict[str, Table]:
        """Adds ``pack``: how many replies were read, and how many questions have an answer, in the reference's words.

        Columns: ``GEN_FAIL``, ``PARSE_OK`` and ``PARSE_FAIL`` (replies), ``VALIDQ`` and ``INVALIDQ`` (questions with
        and without an answer), those that occurred.
        """
        statuses = {s.sample.cluster: str(s.record["status"]) for s in scored}
        counts = Counter(statuses.values())
        counts += Counter("INVALIDQ" if s.record["prediction"] is None else "VALIDQ" for s in scored)
        return {"pack": Table(tuple(counts), (dict(counts),), ())}

    def _members(self, sample: Sample) -> list[Sample]:
        """Returns the questions on a video."""
        return self._videos[sample.index]

    @cached_property
    def _videos(self) -> dict[str, list[Sample]]:
        videos: dict[str, list[Sample]] = {}
        for row in super().samples():
            videos.setdefault(self.video_of(row), []).append(row)
        return videos

    def _read(self, prediction: Cell) -> Packed:
        if prediction is None:
            return Packed("GEN_FAIL", {})
        return read_packed(cell_text(prediction), literal=self.protocol.packed_lines_as_written)

    def _row(self, row: Sample, found: Packed, prediction: Cell) -> Scored:
        answer = found.answers.get(row.index)
        scored = super().score(row, None if answer is None else _cell(answer))
        rule = scored.record["rule"]
        if answer is None and prediction is not None:
            rule = "none"
        record = {**scored.record, "prediction": answer, "status": found.status, "rule": rule}
        return Scored(row, record, scored.points, failed=prediction is None)

    @staticmethod
    def _packed(sample: Sample, rows: Sequence[Scored], *, failed: bool) -> Scored:
        known = [row.points for row in rows if not math.isnan(row.points)]
        points = sum(known) / len(known) if len(known) == len(rows) else math.nan
        rules = Counter(row.record["rule"] for row in rows)
        record: dict[str, Any] = {"rule": rules.most_common(1)[0][0], "questions": tuple(rows)}
        return Scored(sample, record, points, failed=failed)


def _cell(answer: Any) -> Cell:
    """Returns an answer as a table holds it: a list or mapping by its text."""
    return answer if isinstance(answer, str | int | float | bool) else str(answer)
