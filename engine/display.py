"""Live progress on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol, TextIO

import anyio
from anyio import create_task_group
from rich.console import Console
from rich.live import Live
from rich.text import Text

from .plain_text import clean
from .progress import RunProgress
from .progress_lines import sentence, table, totals
from .progress_view import Meter, RunView

__all__ = ["LiveScreen", "NotebookLine", "PlainLines", "Screen", "default_screen", "show_progress"]

_TICK_S: Final = 0.25
_LINE_S: Final = 10.0
_NOTEBOOK_S: Final = 1.0


class Screen(Protocol):
    """Where progress is shown."""

    def note(self, text: str) -> None:
        """Shows a sentence that stays."""

    def paint(self, view: RunView) -> None:
        """Shows where the run stands."""

    def close(self) -> None:
        """Leaves the last state standing."""


class LiveScreen:
    """A table on a terminal that is drawn over and over."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # A redirected standard output belongs to whoever reads it, and must not be drawn into the terminal.
        self._live = Live(
            console=console, auto_refresh=False, redirect_stdout=sys.stdout is not None and sys.stdout.isatty()
        )
        self._live.start()

    def note(self, text: str) -> None:
        """Shows a sentence above the table."""
        self._console.print(Text(clean(text), "yellow"))

    def paint(self, view: RunView) -> None:
        """Draws the table anew."""
        width, height = self._console.size
        text = table(view, width, height, ascii_only=self._console.options.ascii_only)
        self._live.update(text, refresh=True)

    def close(self) -> None:
        """Leaves the last table standing."""
        self._live.stop()


class PlainLines:
    """Lines for a log: one for each job at work every ten seconds, and one whenever a job's state changes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._states: dict[int, str] = {}
        self._next_s = _LINE_S
        self._said_stopping = False

    def note(self, text: str) -> None:
        """Writes a sentence."""
        self._stream.write(clean(text) + "\n")
        self._stream.flush()

    def paint(self, view: RunView) -> None:
        """Writes lines if there is something new to say."""
        due = view.elapsed_s >= self._next_s
        if due:
            self._next_s = view.elapsed_s + _LINE_S
            if view.doing:
                self.note(totals(view).plain)
        for i, job in enumerate(view.jobs):
            changed = self._states.get(i, "waiting") != job.state
            self._states[i] = job.state
            if changed or (due and job.state in ("asking", "judging", "scoring")):
                self.note(sentence(job, view.limits.get(job.model, "")))
        if view.stopping and not self._said_stopping:
            self._said_stopping = True
            self.note(totals(view).plain)

    def close(self) -> None:
        """Nothing is left open."""


class NotebookLine:
    """One line that a notebook writes over once a second; sentences and ends of benchmarks stay above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._states: dict[int, str] = {}
        self._next_s = 0.0
        self._width = 0

    def note(self, text: str) -> None:
        """Writes a sentence that stays."""
        self._line(clean(text), "\n")
        self._width = 0

    def paint(self, view: RunView) -> None:
        """Writes the line anew if a second has passed."""
        for i, job in enumerate(view.jobs):
            if self._states.get(i, job.state) != job.state and job.state in ("asked", "done", "stopped"):
                self.note(sentence(job))
            self._states[i] = job.state
        if view.elapsed_s >= self._next_s:
            self._next_s = view.elapsed_s + _NOTEBOOK_S
            self._show(view)

    def close(self) -> None:
        """Leaves the last line standing."""
        self._stream.write("\n")
        self._stream.flush()

    def _show(self, view: RunView) -> None:
        text = totals(view).plain
        self._line(text, "")
        self._width = len(text)

    def _line(self, text: str, end: str) -> None:
        # A carriage return goes back to the line's beginning, and what was there must be covered.
        self._stream.write("\r" + text.ljust(self._width) + end)
        self._stream.flush()


@asynccontextmanager
async def show_progress(progress: RunProgress, screen: Screen | None = None) -> AsyncIterator[None]:
    """Shows the progress of a run on standard error as long as the context is open.

    The counters are read four times a second; the engine waits for nothing. A display that breaks, say because the
    terminal is gone, falls silent and leaves the run alone.

    Args:
        progress: the counters.
        screen: where to show them; by default what fits standard error (`default_screen`).
    """
    shown = default_screen() if screen is None else screen
    if shown is None:
        yield
        return
    watch = _Watch(progress, shown, Meter(progress, anyio.current_time()))
    with suppress(OSError, ValueError):
        watch.look(anyio.current_time())
    try:
        async with create_task_group() as tasks:
            tasks.start_soon(watch.run)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with suppress(OSError, ValueError):
            watch.look(anyio.current_time())
        with suppress(OSError, ValueError):
            shown.close()


def default_screen() -> Screen | None:
    """What fits standard error: a live table on a terminal, one line in a notebook, else lines for a log."""
    if sys.stderr is None:
        return None
    if sys.stderr.isatty():
        console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        if console.is_terminal and not console.is_dumb_terminal:
            return LiveScreen(console)
    if type(sys.stderr).__module__.partition(".")[0] == "ipykernel":
        return NotebookLine(sys.stderr)
    return PlainLines(sys.stderr)


class _Watch:
    """Looks at the counters and tells the screen what is new."""

    def __init__(self, progress: RunProgress, screen: Screen, meter: Meter) -> None:
        self._progress = progress
        self._screen = screen
        self._meter = meter
        self._notes = 0
        self._warnings = 0
        self._problems = 0
        self._errors: set[int] = set()

    async def run(self) -> None:
        """Looks until it is cancelled, or until nobody can see it any more."""
        with suppress(OSError, ValueError):  # the terminal is gone, or the stream is closed
            while True:
                await anyio.sleep(_TICK_S)
                self.look(anyio.current_time())

    def look(self, now: float) -> None:
        """Shows the present state."""
        for note in self._progress.notes[self._notes :]:
            self._screen.note(f"note: {note}")
        self._notes = len(self._progress.notes)
        for warning in self._progress.warnings[self._warnings :]:
            self._screen.note(f"WARNING: {warning}")
        self._warnings = len(self._progress.warnings)
        # The end of the last model is the end of the run, and whoever called it is told why.
        if any(job.state in ("waiting", "asking") for job in self._progress.jobs):
            for problem in self._progress.problems[self._problems :]:
                self._screen.note(problem)
            self._problems = len(self._progress.problems)
        for i, job in enumerate(self._progress.jobs):
            if job.error and i not in self._errors:
                self._errors.add(i)
                self._screen.note(f"{job.model} {job.benchmark}: {job.error}")
        self._screen.paint(self._meter.read(now))
