"""A run from configuration to report: what `run_task` and the command line do."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Final, TypeAlias

import anyio
from anyio import create_task_group, open_signal_receiver, to_thread

from ..adapters.embedded import EMBEDDED
from ..adapters.local.checkpoint import check_local
from ..benchmarks.base import Benchmark
from ..benchmarks.catalog import catalog
from ..benchmarks.download import pull
from ..benchmarks.load import load_benchmark
from ..errors import ConfigError, StorageError
from .config import RunPlan, load_tasks, read_environment, resolve_all
from .display import show_progress
from .judge_endpoint import JudgeEndpoint
from .judging import greet_judges, make_judges
from .plain_text import LogLines
from .progress import RunProgress
from .report import Report, csv_name
from .run_folder import RunFolder, find_run, read_manifest
from .session import Session, first_error
from .settled_heap import settled_heap
from .videos import looking_through, sampling

__all__ = ["Display", "run_plan", "run_task", "run_task_async"]

log = logging.getLogger("eyechart")

_LONGEST_FILE_NAME: Final = 240
"""File systems allow 255 bytes; some are for what is added while a file is written."""

Display: TypeAlias = Callable[[RunProgress], AbstractAsyncContextManager[None]]
"""Shows the progress of a run as long as its context is open."""


def run_task(task_cfg: object, *, environ: Mapping[str, str] | None = None) -> Report | list[Report]:
    """Runs a task to its report, showing progress on standard error unless the configuration says ``quiet``.

    Ctrl-C and SIGTERM stop asking, let requests in flight finish for up to ``grace`` seconds, and raise
    KeyboardInterrupt with everything written; a second one stops at once.

    Args:
        task_cfg: a mapping, the path of a YAML or JSON file, a `TaskConfig`, or a list of these.
        environ: environment variables; those of the process by default.

    Returns:
        The report, or a list of reports for a list of tasks.

    Raises:
        ConfigError: the configuration is wrong.
        DataError: a benchmark's file is missing or malformed.
        EndpointUnusable: a model's endpoint answers nothing or refuses everything; the run can be resumed.
        JudgeError: a judge cannot be used, or verdicts are missing; the run can be resumed.
        RunLocked: another process writes the run.
        StorageError: results cannot be written.
        KeyboardInterrupt: the user stopped it; the run can be resumed.
        RuntimeError: an event loop is running already; ``await run_task_async(...)`` there.
    """
    if _inside_a_loop():
        raise RuntimeError("an event loop is running already: use `await run_task_async(...)` here")
    plans = _plans(task_cfg, environ)
    reports = anyio.run(run_plans, plans)
    if len(reports) < len(plans) or any(report.state == "interrupted" for report in reports):
        raise KeyboardInterrupt(f"interrupted; `eyechart resume {reports[-1].run_dir}` continues")
    for report in reports:
        report.raise_for_problems()
    return reports if _several(task_cfg, reports) else reports[0]


async def run_task_async(task_cfg: object, *, environ: Mapping[str, str] | None = None) -> Report | list[Report]:
    """Runs a task inside a running event loop; like `run_task`, but signals and cancellation are the caller's.

    Raises:
        EyechartError: as `run_task`.
    """
    plans = await to_thread.run_sync(_plans, task_cfg, environ)
    reports = [await run_plan(plan) for plan in plans]
    for report in reports:
        report.raise_for_problems()
    return reports if _several(task_cfg, reports) else reports[0]


def _plans(task_cfg: object, environ: Mapping[str, str] | None) -> list[RunPlan]:
    environment = read_environment(environ)
    return resolve_all(load_tasks(task_cfg), environment)


def _several(task_cfg: object, reports: Sequence[Report]) -> bool:
    return isinstance(task_cfg, list | tuple) or len(reports) > 1


def _inside_a_loop() -> bool:
    try:
        anyio.get_current_task()
    except (RuntimeError, anyio.NoEventLoopError):
        return False
    return True


async def run_plans(plans: Sequence[RunPlan], display: Display | None = None) -> list[Report]:
    """Runs several plans, one after the other, until one of them is interrupted by a signal.

    Raises:
        EyechartError: as `run_task`, but a useless endpoint is told by the report instead.
        KeyboardInterrupt: a second signal came; everything acknowledged is written.
    """
    reports: list[Report] = []
    progress = RunProgress()

    def nothing_to_wait_for() -> bool:
        return progress.run_dir is None  # benchmark files are still being fetched or opened

    with first_error(), settled_heap():
        async with _signals(nothing_to_wait_for) as stop:
            for plan in plans:
                if stop.is_set() and reports:
                    return reports
                progress = RunProgress()
                reports.append(await run_plan(plan, stop=stop, display=display, progress=progress))
            return reports
    raise KeyboardInterrupt("stopped at once; the same command continues")


@asynccontextmanager
async def _signals(at_once: Callable[[], bool]) -> AsyncIterator[anyio.Event]:
    """Turns a first Ctrl-C or SIGTERM into an event and a second one, or one while `at_once`, into cancellation."""
    stop = anyio.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    async with create_task_group() as tasks:

        async def watch() -> None:
            with open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    if stop.is_set() or at_once():
                        tasks.cancel_scope.cancel()
                        return
                    stop.set()

        tasks.start_soon(watch)
        yield stop
        tasks.cancel_scope.cancel()


async def run_plan(
    plan: RunPlan,
    *,
    stop: anyio.Event | None = None,
    display: Display | None = None,
    progress: RunProgress | None = None,
) -> Report:
    """Runs one plan.

    Args:
        plan: what to do.
        stop: set from outside to end the run early.
        display: how progress is shown; on standard error by default.
        progress: counters to use; new ones by default.

    Raises:
        EyechartError: as `run_task`, but a useless endpoint is told by the report instead.
    """
    progress = RunProgress() if progress is None else progress
    progress.warnings.extend(plan.warnings)
    if plan.mode != "eval":
        await to_thread.run_sync(_check_models_here, plan)
    show = _silent if plan.quiet else display or show_progress
    stop = stop or anyio.Event()
    with first_error():
        async with show(progress), sampling(plan, stop) as sampler:
            benchmarks = [looking_through(own, sampler) for own in await _open_benchmarks(plan, progress)]
            _check_names(plan, benchmarks)
            async with _judges(plan, benchmarks, progress) as judges:
                with await to_thread.run_sync(_open_folder, plan, progress) as folder, _log_file(folder.path):
                    progress.run_dir = folder.path
                    for note in (*plan.notes, *progress.notes, *plan.warnings):
                        log.warning("%s", note)
                    return await Session(plan, folder, benchmarks, progress, stop, judges, sampler).run()


@asynccontextmanager
async def _judges(
    plan: RunPlan, benchmarks: Sequence[Benchmark], progress: RunProgress
) -> AsyncIterator[list[JudgeEndpoint]]:
    """Makes the judges, and greets them where models are asked: a judge of no use is told before that."""
    judges = await to_thread.run_sync(make_judges, plan, benchmarks, progress)
    try:
        if plan.mode != "eval":
            for judge in judges:
                progress.doing = f"greeting the judge {judge.name}"
            await greet_judges(judges)
            progress.doing = ""
        yield judges
    finally:
        with anyio.CancelScope(shield=True):
            for judge in judges:
                await judge.aclose()


def _check_models_here(plan: RunPlan) -> None:
    """Says what a model on this machine lacks before anything is begun."""
    for spec in plan.models:
        if spec.style == "embedded" and (problem := EMBEDDED[spec.model].problem):
            raise ConfigError(problem)
        if spec.local is not None:
            check_local(spec.local)


@asynccontextmanager
async def _silent(progress: RunProgress) -> AsyncIterator[None]:
    del progress
    yield


async def _open_benchmarks(plan: RunPlan, progress: RunProgress) -> list[Benchmark]:
    """Fetches what is missing and opens every benchmark before anything is asked: a missing file is told at once."""

    def downloading(name: str, got: int, total: int | None) -> None:
        whole = "" if total is None else f" of {total / 1e6:.0f}"
        progress.doing = f"downloading {name}: {got / 1e6:.0f}{whole} MB"

    benchmarks = []
    for name in dict.fromkeys(plan.data):
        entry = catalog().get(name)
        if entry is not None and plan.mode != "eval":
            progress.doing = f"looking for {name}"
            await pull(entry, plan.data_root, mirror=plan.mirror, progress=downloading)
        progress.doing = f"opening {name}"
        benchmarks.append(await to_thread.run_sync(_load, name, plan))
    progress.doing = ""
    return benchmarks


def _check_names(plan: RunPlan, benchmarks: Sequence[Benchmark]) -> None:
    """Refuses names whose result table no file system could hold, before anything is asked."""
    for model, benchmark in product(plan.models, benchmarks):
        name = csv_name(model.name, benchmark.name)
        if len(os.fsencode(name)) > _LONGEST_FILE_NAME:
            raise ConfigError(
                f"the results of {model.name} on {benchmark.name} would be filed under a name of more than "
                f"{_LONGEST_FILE_NAME} bytes; give the benchmark's file a shorter name"
            )


def _load(name: str, plan: RunPlan) -> Benchmark:
    return load_benchmark(name, data_root=plan.data_root, protocol=plan.protocol, videos=plan.videos.options)


def _open_folder(plan: RunPlan, progress: RunProgress) -> RunFolder:
    path = plan.use_cache or (plan.work_dir if plan.no_timestamp else None)
    if path is None:
        path = find_run(plan.work_dir, plan.digest, finished_too=plan.reuse or plan.mode == "eval")
    if plan.mode == "eval" and (path is None or read_manifest(path) is None):
        raise ConfigError(f"mode: eval scores stored answers, and there is none in {path or plan.work_dir}")
    if path is None:
        return RunFolder.create(plan.work_dir, datetime.now().astimezone())
    if (manifest := read_manifest(path)) is not None:
        progress.notes.append(f"continuing {path} ({manifest.get('state')})")
    elif plan.use_cache:
        progress.notes.append(f"use_cache: there is no run in {path} yet; a new one begins there")
    return RunFolder(path)


class _RunLog(logging.FileHandler):
    """A log that falls silent where it cannot be written: on a full disk the run's own error says all there is."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is logging's)
        del record

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def _log_file(run_dir: Path) -> Iterator[None]:
    """Keeps the run's log in its folder."""
    folder = run_dir / "logs"
    try:
        folder.mkdir(exist_ok=True)
        handler = _RunLog(folder / "run.log", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    handler.setFormatter(LogLines())
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)
        handler.close()
