"""MMBench-Video: free answers on long videos, one question at a time or all of a video at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, ClassVar, Final

from ..errors import DataError
from ..messages import Message, Part, Text, Video
from ..records import Cell, Sample, Table
from ..scoring.judge import Judge
from ..scoring.mmbench_video import (
    BEST,
    NO_RATING,
    RatedRow,
    ask_rating,
    capability_table,
    parse_dimensions,
    read_rating,
)
from .base import Scored
from .open_ended import OpenEnded
from .prompts import question_of
from .video import ON_THE_WEB, VideoBenchmark

__all__ = ["FRAMES_SHOWN", "MMBenchVideo"]

FRAMES_SHOWN: Final = (
    "\nYou will be provided with {count} separate frames uniformly sampled from a video, the frames are provided in "
    "chronological order of the video.\n"
)
"""Says what the frames are; ``{count}`` stands for their number."""
_ONE_QUESTION: Final = (
    "Please analyze these images and provide the answer to the question about the video content.\n"
    "Please directly reply with your response to the only question.\n"
)


class MMBenchVideo(VideoBenchmark, OpenEnded):
    """A benchmark whose answers a judge rates from 0 to 3 (Fang et al. 2024).

    Columns: ``video`` (its file is ``video/<video>.mp4``), ``video_path`` (its base name is the file that is shown
    as a whole), ``question``, ``answer``, ``dimensions`` (a Python list of capabilities).

    A sample's record has ``score`` (-1 for an answer without a rating) and ``rule`` (see `OpenEnded`). Points are
    thirds of the rating.
    """

    shown = ("question", "answer")
    ungraded: ClassVar[Mapping[str, Any]] = MappingProxyType({"score": NO_RATING})

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds what the frames are, frames and question; or the bare question and the video.

        Raises:
            MediaError: the video is missing or broken.
            DataError: the row lacks what the prompt needs.
        """
        question = question_of(self.source, sample)
        if self.shows_video:
            return [Message("user", (Text(question), self._video(sample)))]
        frames = self.all_frames(sample)
        told = FRAMES_SHOWN.format(count=len(frames)) + _ONE_QUESTION
        return [Message("user", (Text(told), *frames, Text(f"Question: {question}\nAnswer: ")))]

    def reads_column(self, name: str) -> bool:
        """What the judge is shown, and the capabilities, come from the stored table."""
        return name in ("question", "answer", "dimensions")

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Leaves every answer open; a missing one has no rating.

        Raises:
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        scored = super().score(sample, prediction)
        if prediction is not None:
            return scored
        lost = self.protocol.failed_text is None
        return Scored(sample, {**self.ungraded, "rule": "failed" if lost else "none"}, 0.0, failed=lost)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Has the judge rate the answer, where there is one.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the benchmark lacks a column that the judge is to be shown.
        """
        if prediction is None:
            return self.score(sample, prediction)
        return await super().judge(sample, prediction, judge)

    async def grade(self, sample: Sample, answer: str, judge: Judge) -> Scored:
        """Asks the judge once how near the answer comes to the right one.

        Raises:
            JudgeError: the judge cannot be reached.
        """
        reply = await ask_rating(
            judge,
            benchmark=self.name,
            index=sample.index,
            question=self.text(sample.cells["question"]),
            answer=self.text(sample.cells["answer"]),
            prediction=answer,
        )
        rating = read_rating(reply, literal=self.protocol.any_rating)
        rule = "none" if rating < 0 else "judge"
        points = math.nan if rating < 0 else rating / BEST
        return Scored(sample, {"score": rating, "rule": rule}, points)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mmbench_video.capability_table`.

        Raises:
            DataError: no judge has rated the answers, or a row's capabilities are no list of known ones.
        """
        self.refuse_open(scored)
        return capability_table([self.rated(s.sample, s.record["score"]) for s in scored])

    def rated(self, sample: Sample, rating: int) -> RatedRow:
        """Returns a row of the table.

        Raises:
            DataError: the row's capabilities are no list of known ones.
        """
        try:
            return RatedRow(rating, sample.cluster, parse_dimensions(self.cell(sample, "dimensions")))
        except DataError as error:
            raise DataError(f"{self.name}, row {sample.index}, column 'dimensions': {error}") from error

    def all_frames(self, sample: Sample) -> Sequence[Part]:
        """Returns the frames of a row's video.

        Raises:
            MediaError: the video is missing or broken.
        """
        path = self.path_of(sample)
        return self.frames(path, self.indices(self.probe(path)), self.cell(sample, "video"))

    def _video(self, sample: Sample) -> Video:
        address = self.cell(sample, "video_path")
        if address.startswith(ON_THE_WEB):
            return Video(address)
        return Video(str(self.file("video", PurePosixPath(address).name)))
