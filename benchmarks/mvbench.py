"""MVBench: multiple choice on short clips, in the original files and as clips that are cut already."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..errors import DataError, MediaError
from ..messages import Image, Message, Part, Text, Video
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.letters import FAILED_MARK, NO_LETTER, read_letter
from ..scoring.literals import parse_list
from ..scoring.mvbench import MOST_OPTIONS, NO_OPTION, Choice, TaskRow, first_word_names, make_choice, task_table
from ..scoring.video_letters import read_stated_letter
from .base import Scored
from .judged import ReadLetter
from .prompts import question_of
from .sampling import VideoFacts, span_middles
from .video import VideoBenchmark

__all__ = ["MVBench", "MVBenchMP4"]

SYSTEM: Final = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of "
    "objects, and the action and pose of persons. Based on your observations, select the best option that accurately "
    "addresses the question.\n"
)
_INSTRUCTION: Final = "\nOnly give the best option."
_BEGINNING: Final = "Best option:("
_FOLDER_RATE: Final = 3.0
"""Pictures a second of a folder of frames."""
_GIF_RATE: Final = 25.0
_LONGEST_S: Final = 1e7
_READ: Final = frozenset({"task_type", "question", "answer", "candidates"})


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is shown of a row's video: its folder and name, what kind of file it is, and which part."""

    prefix: str
    video: str
    kind: str
    span: tuple[float, float] | None


class MVBenchMP4(ReadLetter, VideoBenchmark):
    """MVBench whose clips are cut already (Li et al. 2024).

    Columns: ``task_type``, ``prefix`` (folder of the video), ``video``, ``question``, ``candidates`` (a Python list of
    2 to 26 options), ``answer`` (text of the right one).

    A sample's record has ``score`` (1 or 0, -1 for an answer that is the reference's text for a failed request, None
    for a missing one), ``letter`` (what was read, ``Z`` for none) and ``rule``: ``first word`` (the reference's look
    at the beginning of an answer), those of `scoring.letters`, ``judge``, ``none`` or ``failed``.
    """

    system = (Message("system", (Text(SYSTEM),)),)

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds the task, frames or video, question and options, and the beginning of the answer.

        Raises:
            MediaError: the video is missing or broken, or has no such part.
            DataError: the row lacks what the prompt needs.
        """
        options = "".join(f"({letter}) {text}\n" for letter, text in self._choice(sample).options.items())
        question = f"Question: {question_of(self.source, sample)}\nOptions:\n{options}".rstrip()
        media = self._video(sample) if self.shows_video else self._frames(sample)
        return [
            *self.system,
            Message("user", (*media, Text(question), Text(_INSTRUCTION))),
            Message("assistant", (Text(_BEGINNING),)),
        ]

    def video_of(self, sample: Sample) -> str:
        """Names the video by its folder and its name."""
        return f"{sample.cells.get('prefix') or ''}{sample.cells.get('video') or ''}"

    def path_of(self, sample: Sample) -> Path:
        """Returns the file of the video that decides what the row's frames are.

        Raises:
            MediaError: its path leads out of the benchmark's folder.
            DataError: the row names no video.
        """
        return self._path(self._deciding(sample))

    def reads_column(self, name: str) -> bool:
        """Tasks, options and answers come from the stored table."""
        return name in _READ

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads the option by the exact rules.

        Raises:
            DataError: the row's options are no list, or it has no answer.
        """
        choice = self._choice(sample)
        counts, lost = float(self.protocol.failures_are_hits), self.protocol.failed_text is None
        if prediction is None:
            record = {"score": None, "letter": NO_LETTER, "rule": "failed" if lost else "none"}
            return Scored(sample, record, counts, failed=lost)
        answer = cell_text(prediction)
        if FAILED_MARK in answer and not lost:
            return Scored(sample, {"score": -1, "letter": NO_LETTER, "rule": "failed"}, counts)
        if self.protocol.option_by_prefix:
            if first_word_names(answer, choice.shown):
                return self._scored(sample, choice.shown, "first word", hit=True)
            reading = read_letter(answer, choice.options)
        else:
            reading = read_stated_letter(answer, choice.options)
        letter = reading.letter or NO_LETTER
        return self._scored(sample, letter, reading.rule, hit=letter == choice.letter)

    def is_settled(self, exact: Scored, prediction: Cell) -> bool:
        """A missing answer is never judged."""
        return prediction is None or super().is_settled(exact, prediction)

    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge up to three times which option the answer means.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row's options are no list, or it has no answer.
        """
        choice = self._choice(sample)
        verdict = await self.ask_letter(sample, prediction, judge, options=choice.options, right=choice.letter)
        rule = "none" if verdict.reply is None else "judge"
        return self._scored(sample, verdict.letter, rule, hit=verdict.letter == choice.letter)

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.mvbench.task_table`."""
        rows = [TaskRow(cell_text(s.sample.cells.get("task_type")), s.points > 0, s.sample.cluster) for s in scored]
        return task_table(rows)

    def caveats(self, scored: Sequence[Scored]) -> Iterator[str]:
        """Says which rows nobody can answer rightly, because their answer is none of their options."""
        lost = [s.sample for s in scored if self._choice(s.sample).shown == NO_OPTION]
        if lost:
            first = f"{self.source.path}, row {lost[0].index}, column 'answer'"
            yield f"the right answer of {len(lost)} rows is none of their options, so none is right (first: {first})"

    def _scored(self, sample: Sample, letter: str, rule: str, *, hit: bool) -> Scored:
        right = hit and letter != NO_LETTER
        record: dict[str, Any] = {"score": int(right), "letter": letter, "rule": rule}
        return Scored(sample, record, float(right))

    def _choice(self, sample: Sample) -> Choice:
        candidates = parse_list(self.cell(sample, "candidates"))
        if not candidates or len(candidates) > MOST_OPTIONS:
            raise DataError(
                f"{self.source.path}, row {sample.index}, column 'candidates': it is no Python list of 1 to "
                f"{MOST_OPTIONS} options"
            )
        return make_choice(candidates, sample.cells.get("answer"), as_text=not self.protocol.pandas_cells)

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _frames(self, sample: Sample) -> tuple[Image, ...]:
        shown = self._deciding(sample)
        path = self._path(shown)
        indices = self.indices(self.probe(path))
        return self.frames(path, indices or (0,), shown.video)

    def _video(self, sample: Sample) -> tuple[Part, ...]:
        return (Video(str(self._path(self._shown(sample)))),)

    def _path(self, shown: _Shown) -> Path:
        return self.file(shown.prefix, shown.video)

    def _shown(self, sample: Sample) -> _Shown:
        return _Shown(self.cell(sample, "prefix"), self.cell(sample, "video"), "video", None)

    def _deciding(self, sample: Sample) -> _Shown:
        """Returns what decides a row's frames: in the reference the first row with a video of this name."""
        own = self._shown(sample)
        return self._first_of_name.get(own.video, own) if self.protocol.clips_share_frames else own

    @cached_property
    def _first_of_name(self) -> dict[str, _Shown]:
        first: dict[str, _Shown] = {}
        for sample in self.source.samples():
            try:
                shown = self._shown(sample)
            except DataError:
                continue  # that row fails by itself
            first.setdefault(shown.video, shown)
        return first


class MVBench(MVBenchMP4):
    """MVBench in its original files: of some videos only a part is shown, and some are folders of pictures.

    Columns beside those of `MVBenchMP4`: ``data_type`` (``video``, ``gif``, or ``frame`` for a folder of pictures
    ``00001.jpg`` and so on, three a second), ``bound`` (whether only a part is shown), ``start``, ``end`` (its
    seconds).
    """

    def _frames(self, sample: Sample) -> tuple[Image, ...]:
        self._inside(self._shown(sample))  # the reference looks at the row's own part before it shows another
        shown = self._deciding(sample)
        indices = self._inside(shown)
        path = self._path(shown)
        if shown.kind != "frame":
            return self.frames(path, indices, shown.video)
        return tuple(
            Image(name=f"{shown.video}/{name}", path=path / f"{index:05d}.jpg", stored_as=self._stored_as)
            for name, index in zip(self.frame_names(len(indices)), indices, strict=True)
        )

    def _inside(self, shown: _Shown) -> tuple[int, ...]:
        """Returns the frames of a part.

        Raises:
            MediaError: the part lies beyond the end of the video.
        """
        path, nframe = self._path(shown), self.options.nframe
        if nframe < 1:
            raise DataError(f"{self.name}: nframe has to say how many frames of a video are shown")
        if shown.kind == "frame":
            facts, first = VideoFacts(_count(path), _FOLDER_RATE), 1
        else:
            found, first = self.probe(path), 0
            facts = VideoFacts(found.frames, _GIF_RATE if shown.kind == "gif" else found.fps)
        indices = span_middles(facts, nframe, shown.span, first=first)
        if not all(first <= index < facts.frames + first for index in indices):
            start, end = shown.span or (0.0, 0.0)
            length = facts.frames / facts.fps if facts.fps > 0 else 0.0
            raise MediaError(
                f"video {PurePosixPath(shown.video).name}: the part from {start:g} to {end:g} s begins behind its end "
                f"({length:.4g} s)"
            )
        return indices

    def _video(self, sample: Sample) -> tuple[Part, ...]:
        shown = self._shown(sample)
        if self.protocol.clips_share_frames and shown.span is not None:
            shown = self._first_part_of.get(shown.prefix + shown.video, shown)
        path = self._path(shown)
        rate = _FOLDER_RATE if shown.kind == "frame" else None
        converted = shown.kind == "gif" or self.protocol.cached_images
        return (Video(str(path), span=shown.span, rate=rate, as_mp4=converted),)

    @property
    def _stored_as(self) -> Any:
        return "jpeg" if self.protocol.cached_images else None

    def _shown(self, sample: Sample) -> _Shown:
        own = super()._shown(sample)
        kind = self.cell(sample, "data_type")
        if kind not in ("video", "gif", "frame"):
            raise DataError(f"{self.source.path}, row {sample.index}, column 'data_type': {kind[:80]!r} is not known")
        bound = sample.cells.get("bound")
        if cell_text(bound).strip().lower() not in ("true", "1", "1.0"):
            return _Shown(own.prefix, own.video, kind, None)
        return _Shown(own.prefix, own.video, kind, (self._second(sample, "start"), self._second(sample, "end")))

    def _second(self, sample: Sample, column: str) -> float:
        text = self.cell(sample, column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= _LONGEST_S:
            raise DataError(f"{self.source.path}, row {sample.index}, column {column!r}: {text[:80]!r} is no second")
        return value

    @cached_property
    def _first_part_of(self) -> dict[str, _Shown]:
        """For each file the part of the first row that shows one: the reference cuts it out once."""
        first: dict[str, _Shown] = {}
        for sample in self.source.samples():
            try:
                shown = self._shown(sample)
            except DataError:
                continue
            if shown.span is not None:
                first.setdefault(shown.prefix + shown.video, shown)
        return first


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        raise MediaError(f"video {folder.name}: there is no folder of pictures {folder}") from None
