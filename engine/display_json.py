"""Progress for machines: one JSON object a line.

Every object has ``event`` and ``at`` (UTC, ISO 8601):

- ``progress``: where the run stands, once a second and whenever the state of a benchmark changes;
- ``note``: a sentence that a user would be shown, in ``text``;
- ``end``: the last line of a run that came to its report: ``state``, ``exit_code``, ``report`` (path of report.json).

A ``progress`` holds the fields of `RunView` and in ``jobs`` those of `JobView`, plus ``run_dir``. What is not known is
null. Fields may be added, never change their meaning.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import orjson

from ..errors import StorageError
from .display import Screen
from .plain_text import clean
from .progress import RunProgress
from .progress_view import JobView, RunView

__all__ = ["JsonLines", "Screens", "open_json_lines"]

_EVERY_S: Final = 1.0
_DIGITS: Final = 4
_STANDARD_ERROR: Final = "-"


class JsonLines:
    """A screen (`engine.display.Screen`) that writes JSON.

    Args:
        write: takes one line with its line break.
        progress: the counters that the views are made from.
        utc_now: wall clock.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        progress: RunProgress,
        *,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._write = write
        self._progress = progress
        self._utc_now = utc_now
        self._next_s = 0.0
        self._states: tuple[str, ...] = ()
        self._latest: RunView | None = None

    def note(self, text: str) -> None:
        """Writes a sentence."""
        self._say("note", {"text": clean(text)})

    def paint(self, view: RunView) -> None:
        """Writes where the run stands, if a second has passed or a state has changed."""
        states = tuple(job.state for job in view.jobs)
        self._latest = view
        if states != self._states or view.elapsed_s >= self._next_s:
            self._states = states
            self._next_s = view.elapsed_s + _EVERY_S
            self._progress_line(view)

    def close(self) -> None:
        """Writes where the run ended."""
        if self._latest is not None:
            self._progress_line(self._latest)

    def end(self, state: str, exit_code: int, report: Path) -> None:
        """Writes what came of the run."""
        with suppress(OSError, ValueError):  # whoever reads it is gone; the run is none the worse for it
            self._say("end", {"state": state, "exit_code": exit_code, "report": str(report)})

    def _progress_line(self, view: RunView) -> None:
        run_dir = self._progress.run_dir
        record = {"run_dir": None if run_dir is None else str(run_dir)}
        for field in fields(view):
            value = getattr(view, field.name)
            if field.name == "jobs":
                value = [_plain(job) for job in value]
            elif field.name == "limits":
                value = dict(value)
            record[field.name] = _short(value)
        self._say("progress", record)

    def _say(self, event: str, record: dict[str, Any]) -> None:
        at = self._utc_now().isoformat(timespec="milliseconds")
        self._write(orjson.dumps({"event": event, "at": at, **record}, option=orjson.OPT_APPEND_NEWLINE))


def _plain(job: JobView) -> dict[str, Any]:
    return {field.name: _short(getattr(job, field.name)) for field in fields(job)}


def _short(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value


class Screens:
    """Several screens as one; one that breaks, say because its disk is full, falls silent alone."""

    def __init__(self, screens: Sequence[Screen]) -> None:
        self._screens = list(screens)

    def note(self, text: str) -> None:
        """Shows a sentence on each."""
        self._each(lambda screen: screen.note(text))

    def paint(self, view: RunView) -> None:
        """Shows where the run stands on each."""
        self._each(lambda screen: screen.paint(view))

    def close(self) -> None:
        """Closes each."""
        self._each(lambda screen: screen.close())

    def _each(self, show: Callable[[Screen], None]) -> None:
        for screen in list(self._screens):
            try:
                show(screen)
            except (OSError, ValueError):
                self._screens.remove(screen)


@contextmanager
def open_json_lines(target: str) -> Iterator[Callable[[bytes], object]]:
    """Opens where JSON lines go; yields what writes one.

    Args:
        target: path of a file, which is appended to, or ``-`` for standard error.

    Raises:
        StorageError: the file cannot be opened.
    """
    if target == _STANDARD_ERROR:
        yield _to_standard_error
        return
    try:
        file: IO[bytes] = Path(target).expanduser().open("ab", buffering=0)
    except OSError as error:
        raise StorageError(f"cannot write progress to {target}: {error.strerror}") from error
    with file:
        yield file.write


def _to_standard_error(line: bytes) -> None:
    if sys.stderr is not None:
        sys.stderr.write(line.decode())
        sys.stderr.flush()
