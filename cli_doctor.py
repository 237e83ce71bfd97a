"""The verbs that look before a run: doctor, and estimate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import typer

from . import cli_options as o
from .cli_output import Output
from .cli_run_options import Given, with_run_options
from .errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .engine.check import Check
    from .engine.config import RunPlan

__all__ = ["Verbs"]

_LONGEST: Final = 2000
_STYLES: Final = {"ok": "green", "warning": "yellow", "failure": "bold red"}


class Verbs:
    """`doctor` and `estimate`, with the options of `eval`."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def add_to(self, app: typer.Typer) -> None:
        """Makes them verbs of a command line."""
        app.command(cls=o.SeveralValues)(self.doctor)
        app.command(cls=o.SeveralValues)(self.estimate)

    @with_run_options
    def doctor(self, *, given: Given, check_timeout: o.CheckTimeout = 10.0, as_json: o.AsJson = False) -> int:
        """Check everything that a run needs: configuration, data files, disk, limits of this machine, endpoints.

        Takes the same file and options as eval. Sends each model a handful of tiny requests and stores nothing. Exit
        code 0 when nothing failed (warnings are allowed), 3 when a model cannot be used, else 1.
        """
        import anyio  # noqa: PLC0415  (slow to import)

        from .engine.doctor import configuration_failures, examine, exit_code  # noqa: PLC0415

        def tell(check: Check) -> None:
            if not as_json:
                self._output.show([_line(check)])

        checks: list[Check]
        try:
            plans = given.plans()
        except ConfigError as error:
            checks = configuration_failures(error)
            for check in checks:
                tell(check)
        else:
            checks = [*anyio.run(_examine, examine, plans, check_timeout, tell)]
        code = exit_code(checks)
        if as_json:
            record = {"exit_code": code, "checks": [check.as_dict() for check in checks]}
            self._output.say_json(record)
        else:
            self._output.say(f"\n{_summary(checks)}")
        return code

    @with_run_options
    def estimate(
        self, *, given: Given, probes: o.Probes = 4, no_probe: o.NoProbe = False, as_json: o.AsJson = False
    ) -> int:
        """Tell what a run would ask, send, take and cost, and show three prompts as they are sent.

        Takes the same file and options as eval. Asks each model a few questions of each benchmark for real, for the
        server's own count of tokens and its speed; nothing of it is stored.
        """
        from functools import partial  # noqa: PLC0415

        import anyio  # noqa: PLC0415  (slow to import)

        from .cli_estimate import estimate_parts  # noqa: PLC0415
        from .engine.estimate import estimate  # noqa: PLC0415

        plans = given.plans()
        found = [anyio.run(partial(estimate, plan, probes=0 if no_probe else probes)) for plan in plans]
        if as_json:
            record = found[0].as_dict() if len(found) == 1 else [one.as_dict() for one in found]
            self._output.say_json(record)
        else:
            for one in found:
                self._output.show(estimate_parts(one))
        silent = [sentence for one in found for sentence in one.unanswered]
        for sentence in silent:
            self._output.complain(f"{sentence}. eyechart doctor looks for the reason")
        return 3 if silent else 0


async def _examine(examine: Any, plans: list[RunPlan], timeout_s: float, tell: Callable[[Check], None]) -> Any:
    return await examine(plans, timeout_s=timeout_s, tell=tell)


def _line(check: Check) -> RenderableType:
    """One finding: mark, what it is of, what was found, and below it the remedy."""
    from rich.table import Table  # noqa: PLC0415  (slow to import)
    from rich.text import Text  # noqa: PLC0415

    from .engine.plain_text import clean  # noqa: PLC0415

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=7, no_wrap=True)
    table.add_column(width=13, no_wrap=True)
    table.add_column(overflow="fold")
    found = Text(clean(f"{check.subject}: {check.found}" if check.subject else check.found, _LONGEST))
    table.add_row(Text(check.status, _STYLES[check.status]), Text(check.area, "dim"), found)
    if check.remedy:
        table.add_row("", "", Text(clean(f"→ {check.remedy}", _LONGEST), "italic"))
    return table


def _summary(checks: Iterable[Check]) -> str:
    counts = dict.fromkeys(("failure", "warning", "ok"), 0)
    for check in checks:
        counts[check.status] += 1
    failures, warnings, fine = counts["failure"], counts["warning"], counts["ok"]
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((failures, "failure"), (warnings, "warning")) if n]
    return f"{failures + warnings + fine} checks: {', '.join([*parts, f'{fine} ok'])}"
