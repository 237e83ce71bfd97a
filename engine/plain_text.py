"""Text from outside, made fit for a terminal, and figures made fit for people."""

from __future__ import annotations

import logging
import math
import re
from typing import Final

__all__ = ["LogLines", "clean", "data_size", "duration", "figure", "markdown", "visible"]

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])?")
_MARKDOWN: Final = re.compile(r"[\\`*\[\]<>|]")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_KILO: Final = 1000
_SHORT_AMOUNT: Final = 99.95


def clean(text: str, longest: int = 500) -> str:
    """Takes everything out of a text that a terminal would obey rather than show; one line, shortened.

    Names and messages come from benchmark files and servers: an escape sequence in them could recolour the screen,
    rename the window or hide what follows. Direction marks, which can make a text read backwards, go as well.
    """
    shown = "".join(c if c.isprintable() else " " for c in _ESCAPES.sub("", text[: 4 * longest]))
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def visible(text: str) -> str:
    """Takes out of a text of several lines what a terminal would obey rather than show; its lines stay as they are."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in _ESCAPES.sub("", text))


def markdown(text: str) -> str:
    """Makes a text one line of Markdown that shows it as it stands: no link, picture, tag, code or cell of its own."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return _MARKDOWN.sub(lambda mark: f"\\{mark[0]}", shown)


class LogLines(logging.Formatter):
    """Lines of a log with their time and level; a message from outside cannot begin one of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is logging's)
        """Returns the line without what may follow it."""
        record.message = visible(record.message).replace("\n", " ")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, and what follows it on lines that are indented."""
        return visible(super().format(record)).replace("\n", "\n  ")


def duration(seconds: float) -> str:
    """Writes seconds as people read them: ``0:07``, ``12:40``, ``3:05:00``, ``2d 4h``."""
    if not math.isfinite(seconds):
        return "?"
    whole = max(0, round(seconds))
    if whole >= 2 * _DAY:
        return f"{whole // _DAY}d {whole % _DAY // _HOUR}h"
    minutes, rest = divmod(whole, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def figure(value: float) -> str:
    """Writes a rate in at most five characters: ``0.42``, ``7.3``, ``41``, ``12.3k``."""
    for least, shown in ((99_950, f"{value / 1000:.0f}k"), (9_999.5, f"{value / 1000:.1f}k"), (9.95, f"{value:.0f}")):
        if value >= least:
            return shown
    return f"{value:.1f}" if value >= 1 or value == 0 else f"{value:.2f}"


def data_size(size: float) -> str:
    """Writes bytes as people read them: ``512 B``, ``42 kB``, ``13.1 MB``, ``2.4 GB``."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            amount = size / unit
            return f"{amount:.1f} {name}" if amount < _SHORT_AMOUNT and unit > _KILO else f"{amount:.0f} {name}"
    return f"{size:.0f} B"
