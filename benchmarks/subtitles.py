"""Subtitles of a video at the times of its frames, read from SubRip files (.srt).

The rules are those of pysubs2 1.8, with which the reference reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import MediaError

__all__ = ["Subtitle", "parse_srt", "read_srt", "subtitles_at"]

_TIME: Final = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_NEXT_NUMBER: Final = re.compile(r"\n+ *\d+ *$")
_NUMBER_LINE: Final = re.compile(r"\s*\d+\s*")
_STYLE: Final = re.compile(r"< {0,99}(/?) {0,99}([bisu]) {0,99}>")
_OTHER_TAG: Final = re.compile(r"< {0,99}/? {0,99}[a-zA-Z][^>]*>")
_LONGEST: Final = 20_000
"""Longer texts are no subtitles; nothing is looked for in them, which would take long."""
_LARGEST_FILE: Final = 20_000_000
"""The subtitles of a day's film have about 2 MB."""
_CODE: Final = re.compile(r"\{\\[bisu][01]\}")


@dataclass(frozen=True, slots=True)
class Subtitle:
    """One subtitle.

    Attributes:
        start_ms: when it appears.
        end_ms: when it vanishes.
        text: its text in one line; italics and other styles are codes in braces.
    """

    start_ms: int
    end_ms: int
    text: str


def read_srt(path: Path) -> list[Subtitle]:
    """Reads a file of subtitles; see `parse_srt`.

    Raises:
        MediaError: it cannot be read, or is too large to be what it should be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise MediaError(f"subtitles {path}: {error.strerror}") from None
    if len(content) > _LARGEST_FILE:
        raise MediaError(f"subtitles {path}: the file is larger than {_LARGEST_FILE // 1_000_000} MB")
    return parse_srt(content.decode("utf-8", "replace"))


def parse_srt(content: str) -> list[Subtitle]:
    """Reads the subtitles of a file in its order. A line with two times begins one; anything else belongs to its text.

    Styles (``<i>``, ``<b>``, ``<s>``, ``<u>``) become codes, other tags vanish.
    """
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[tuple[int, int, list[str]]] = []
    for line in lines if lines[-1] else lines[:-1]:
        times = _TIME.findall(line)
        if len(times) == 2:  # noqa: PLR2004 (from and to)
            found.append((_milliseconds(times[0]), _milliseconds(times[1]), []))
        elif found:
            found[-1][2].append(line)
    return [Subtitle(start, end, _text(own)) for start, end, own in found]


def _milliseconds(parts: tuple[str, ...]) -> int:
    hours, minutes, seconds, fraction = parts
    return int(fraction.ljust(3, "0")) + 1000 * (int(seconds) + 60 * (int(minutes) + 60 * int(hours)))


def _text(lines: Sequence[str]) -> str:
    """Returns the text without the number of the next subtitle, in one line."""
    if len(lines) > 1 and _NUMBER_LINE.fullmatch(lines[-1]) and not "".join(lines[:-1]).strip():
        return ""
    text = "\n".join(lines).strip()
    if len(text) > _LONGEST:
        return text.replace("\n", " ")
    text = _NEXT_NUMBER.sub("", text)
    text = _STYLE.sub(lambda tag: f"{{\\{tag[2]}{0 if tag[1] else 1}}}", text)
    return _OTHER_TAG.sub("", text).replace("\n", " ")


def subtitles_at(subtitles: Sequence[Subtitle], indices: Sequence[int], fps: float, *, codes: bool) -> str:
    """Returns the subtitles that stand at frames, a line for each frame that has one.

    The first subtitle of the file that has begun before a frame and ends after it is shown; several frames may repeat
    it.

    Args:
        subtitles: all of them.
        indices: numbers of the frames.
        fps: frames a second.
        codes: keep the codes of styles in the text.
    """
    shown = []
    for index in indices:
        time = round(index * (1000 / fps)) if fps > 0 else 0
        text = next((s.text for s in subtitles if s.start_ms < time < s.end_ms), "")
        text = text.replace("\\N", " ")
        text = text if codes else _CODE.sub("", text)
        if text.strip():
            shown.append(text)
    return "\n".join(shown)
