"""Looks at everything that a run needs before it costs a night: configuration, data, disk, machine, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from anyio import to_thread

from ..errors import ConfigError
from .check import Check, exit_code, failure, ok, warning
from .checks_data import check_benchmark
from .checks_endpoint import check_model
from .checks_machine import Machine, check_disk, check_folder, check_open_files
from .checks_role import JUDGE, MODEL, Role
from .config_plan import ModelSpec, RunPlan

__all__ = ["Check", "Machine", "Tell", "configuration_failures", "examine", "exit_code"]

Tell: TypeAlias = Callable[[Check], None]
"""Told each finding as it is made."""
_THIS_MACHINE: Final = Machine()


def configuration_failures(error: ConfigError) -> list[Check]:
    """Makes a finding of each problem of a configuration that was refused."""
    lines = str(error).splitlines()
    problems = lines[1:] or lines
    place = lines[0].partition(": ")[0] if len(lines) > 1 and lines[0].endswith("configuration:") else ""
    subject = place if place and " " not in place else ""
    remedy = "correct it; every field: docs/configuration.md"
    return [failure("configuration", subject, problem.strip(), remedy) for problem in problems]


async def examine(
    plans: Sequence[RunPlan], *, timeout_s: float = 10.0, machine: Machine = _THIS_MACHINE, tell: Tell | None = None
) -> tuple[Check, ...]:
    """Looks at what the runs need. Asks each model and judge at most four tiny requests; writes nothing that stays.

    Args:
        plans: the runs.
        timeout_s: seconds for each step that waits for a server.
        machine: how this machine is asked.
        tell: told each finding as it is made.

    Returns:
        All findings, in order.
    """
    checks: list[Check] = []

    def add(found: Sequence[Check]) -> None:
        for check in found:
            if check not in checks:  # several tasks share much
                checks.append(check)
                if tell is not None:
                    tell(check)

    asked: list[tuple[ModelSpec, Role]] = []
    for plan in plans:
        add([*_configuration(plan), *_no_judge(plan)])
        rows = download = 0
        pictures = False
        for name in plan.data:
            found = await check_benchmark(name, plan, timeout_s=timeout_s)
            add(found.checks)
            rows, download = rows + found.rows, download + found.download_bytes
            pictures = pictures or found.shows_pictures
        folder = await to_thread.run_sync(check_folder, plan, machine)
        add([folder])
        add(await to_thread.run_sync(check_disk, plan, rows, download, machine))
        add([check_open_files(plan, machine)])
        for spec, role in _endpoints(plan):
            if (spec, role) not in asked:
                asked.append((spec, role))
                add(await check_model(spec, timeout_s=timeout_s, machine=machine, shows_pictures=pictures, role=role))
    return tuple(checks)


def _configuration(plan: RunPlan) -> Iterator[Check]:
    models = ", ".join(spec.name for spec in plan.models)
    told = f"models: {models}; benchmarks: {len(plan.data)}; protocol {plan.protocol.name}; mode {plan.mode}"
    judges = ", ".join(judge.asked.name for judge in plan.judges)
    yield ok("configuration", "", f"{told}; judges: {judges}" if judges else told)
    for note in plan.notes:
        yield warning("configuration", "", note)


def _endpoints(plan: RunPlan) -> list[tuple[ModelSpec, Role]]:
    """Everybody whom a run asks."""
    models = plan.models if plan.mode != "eval" else ()
    return [*((spec, MODEL) for spec in models), *((judge.asked, JUDGE) for judge in plan.judges)]


def _no_judge(plan: RunPlan) -> Iterator[Check]:
    if not plan.judges:
        yield ok("judge", "", "no model is asked as judge; answers are scored by exact rules")
