"""Video-MME: multiple choice on videos of three lengths, with or without subtitles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import DataError
from ..messages import Message, Part, Text, Video
from ..records import Cell, Sample, Table
from ..scoring.cells import cell_text
from ..scoring.judge import Judge
from ..scoring.letters import NO_LETTER, Reading, read_letter
from ..scoring.literals import parse_list
from ..scoring.video_letters import read_stated_letter
from ..scoring.video_mme import GROUPS, DurationRow, duration_table, first_capital, options_in_question, options_of
from .base import Scored
from .judged import ReadLetter
from .prompts import question_of
from .sampling import VideoFacts
from .subtitles import read_srt, subtitles_at
from .video import ON_THE_WEB, VideoBenchmark

__all__ = ["VideoMME"]

_BEGINNING: Final = "\nThese are the frames of a video. "
_SUBTITLES: Final = "This video's subtitles are listed below:\n{subtitles}\n"
_INSTRUCTION: Final = (
    "Select the best answer to the following multiple-choice question based on the video. Respond with only the letter "
    "(A, B, C, or D) of the correct option.\n"
)
_READ: Final = frozenset({"question", "answer", "candidates", "duration", *GROUPS})


class VideoMME(ReadLetter, VideoBenchmark):
    """A benchmark of 900 videos with three questions each (Fu et al. 2024).

    Columns: ``video`` (its file is ``video/<video>.mp4``), ``question``, ``candidates`` (a Python list of four options
    with their letters), ``answer`` (the right letter), ``duration``, ``domain``, ``sub_category``, ``task_type``,
    optionally ``subtitle_path`` and ``video_path`` (read only where it is an address on the web).

    A sample's record has ``score`` (1 or 0), ``letter`` (what was read, ``Z`` for none) and ``rule``: ``first
    capital`` (the reference's rule), those of `scoring.letters`, ``judge``, ``none`` or ``failed``.
    """

    def prompt(self, sample: Sample) -> list[Message]:
        """Builds frames or the video, the task with subtitles where they are asked for, question and options.

        Raises:
            MediaError: the video is missing or broken.
            DataError: the row lacks what the prompt needs.
        """
        path = self.path_of(sample)
        needed = not self.shows_video or self._has_subtitles(sample)
        facts = self.probe(path) if needed else VideoFacts(0, 0.0)
        indices = self.indices(facts) if needed else ()
        media: Sequence[Part]
        if self.shows_video:
            address = str(sample.cells.get("video_path"))
            media = (Video(address if address.startswith(ON_THE_WEB) else str(path)),)
        else:
            media = self.frames(path, indices, self.cell(sample, "video"))
        subtitles = self._subtitles(sample, indices, facts) if self.options.use_subtitle else None
        listed = "" if subtitles is None else _SUBTITLES.format(subtitles=subtitles)
        options = "\n".join(map(str, self._candidates(sample)))
        question = f"Question: {question_of(self.source, sample)}\n{options}\nAnswer: "
        return [Message("user", (Text(""), *media, Text(_BEGINNING + listed + _INSTRUCTION), Text(question)))]

    def files_of(self, sample: Sample) -> Sequence[Path]:
        """Returns the video, and its subtitles where they are shown.

        Raises:
            MediaError: a path leads out of the benchmark's folder.
            DataError: the row names no video.
        """
        subtitles = (self._subtitle_path(sample),) if self._has_subtitles(sample) else ()
        return (self.path_of(sample), *subtitles)

    def reads_column(self, name: str) -> bool:
        """Questions, answers and groups come from the stored table."""
        return name in _READ

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        """Reads the letter by the exact rules."""
        if self.is_lost(prediction):
            return Scored(sample, {"score": 0, "letter": NO_LETTER, "rule": "failed"}, 0.0, failed=True)
        answer = cell_text(prediction)
        if self.protocol.first_capital and (letter := first_capital(answer)) is not None:
            return self._scored(sample, letter, "first capital")
        reading = self._reading(sample, answer)
        return self._scored(sample, reading.letter or NO_LETTER, reading.rule)

    async def ask_judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        """Asks the judge up to three times which option the answer means.

        Raises:
            JudgeError: the judge cannot be reached.
            DataError: the row's options are no list.
        """
        right = cell_text(sample.cells.get("answer"))
        verdict = await self.ask_letter(sample, prediction, judge, options=self._options(sample), right=right)
        return self._scored(sample, verdict.letter, "none" if verdict.reply is None else "judge")

    def table(self, scored: Sequence[Scored]) -> Table:
        """Builds the table of `scoring.video_mme.duration_table`."""
        return duration_table(
            [
                DurationRow(
                    s.points,
                    s.sample.cluster,
                    cell_text(s.sample.cells.get("duration")),
                    {group: cell_text(s.sample.cells.get(group)) for group in GROUPS},
                )
                for s in scored
            ]
        )

    def _reading(self, sample: Sample, answer: str) -> Reading:
        options = self._options(sample)
        return read_letter(answer, options) if self.protocol.first_capital else read_stated_letter(answer, options)

    def _options(self, sample: Sample) -> dict[str, Cell]:
        if self.protocol.first_capital:
            return options_in_question(cell_text(sample.cells.get("question")))
        return options_of(self._candidates(sample))

    def _candidates(self, sample: Sample) -> list[object]:
        candidates = parse_list(self.cell(sample, "candidates"))
        if candidates is None:
            raise DataError(f"{self.source.path}, row {sample.index}, column 'candidates': it is no Python list")
        return candidates

    def _scored(self, sample: Sample, letter: str, rule: str) -> Scored:
        hit = letter != NO_LETTER and letter == sample.cells.get("answer")
        record: dict[str, Any] = {"score": int(hit), "letter": letter, "rule": rule}
        return Scored(sample, record, float(hit))

    def _subtitle_path(self, sample: Sample) -> Path:
        return self.file(self.cell(sample, "subtitle_path"))

    def _has_subtitles(self, sample: Sample) -> bool:
        """Whether subtitles are to be shown, and there are some."""
        named = sample.cells.get("subtitle_path") is not None
        return self.options.use_subtitle and named and self._subtitle_path(sample).is_file()

    def _subtitles(self, sample: Sample, indices: Sequence[int], facts: VideoFacts) -> str:
        if not self._has_subtitles(sample):
            return ""
        found = read_srt(self._subtitle_path(sample))
        return subtitles_at(found, indices, facts.fps, codes=self.protocol.subtitle_codes)
