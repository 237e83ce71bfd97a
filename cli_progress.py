"""How a command shows the progress of its runs: on standard error, as JSON lines, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from .engine.display import Screen, default_screen, show_progress
from .engine.display_json import JsonLines, Screens, open_json_lines

if TYPE_CHECKING:
    from .engine.config import RunPlan
    from .engine.progress import RunProgress
    from .engine.report import Report

__all__ = ["Shown", "shown"]


class Shown:
    """The display of one run (`engine.run.Display`).

    Attributes:
        progress: the counters of the run, once it has begun.
    """

    def __init__(self, plan: RunPlan, *, silent: bool, write: Callable[[bytes], object] | None) -> None:
        self.progress: RunProgress | None = None
        self._plan = plan
        self._silent = silent
        self._write = write
        self._lines: JsonLines | None = None

    @asynccontextmanager
    async def display(self, progress: RunProgress) -> AsyncIterator[None]:
        """Shows the counters as long as the context is open."""
        self.progress = progress
        screens: list[Screen] = []
        if not self._silent and (usual := default_screen()) is not None:
            screens.append(usual)
        if self._write is not None:
            self._lines = JsonLines(self._write, progress)
            screens.append(self._lines)
            for note in self._plan.notes:
                self._lines.note(f"note: {note}")
        if not screens:
            yield
            return
        async with show_progress(progress, Screens(screens)):
            yield

    def finished(self, report: Report) -> None:
        """Writes the last JSON line."""
        if self._lines is not None:
            self._lines.end(report.state, report.exit_code, report.run_dir / "report.json")


@contextmanager
def shown(plan: RunPlan, *, silent: bool, json_to: str | None) -> Iterator[Shown]:
    """Opens what shows a run.

    Args:
        plan: the run.
        silent: show nothing to people.
        json_to: where JSON lines go, see `open_json_lines`; None for nowhere.

    Raises:
        StorageError: the file of JSON lines cannot be opened.
    """
    if json_to is None:
        yield Shown(plan, silent=silent, write=None)
        return
    with open_json_lines(json_to) as write:
        yield Shown(plan, silent=silent or json_to == "-", write=write)
