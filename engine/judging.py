"""The judges of a run: made, greeted before anything is asked, and at work from the first answer to the last score."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import anyio
from anyio import create_task_group, to_thread
from anyio.abc import TaskGroup

from ..benchmarks.base import Benchmark
from ..benchmarks.scoring_run import SCORING_FAULTS
from ..errors import ConfigError, DataError, JudgeError
from ..scoring.judge import JudgeRequest
from .commit import GroupCommit, writing
from .config_plan import RunPlan
from .fingerprint import setup_digest
from .journal import Journal
from .judge_desk import JudgeDesk
from .judge_endpoint import JudgeEndpoint
from .judge_stage import JudgeStage
from .judgements import JUDGEMENTS, VerdictLedger, read_verdicts
from .models import plain_addresses
from .prepare import Job
from .progress import JobProgress, RunProgress
from .run_folder import RunFolder

__all__ = ["Judging", "greet_judges", "judge_identities", "make_judges", "open_judging"]

_UNREADABLE: Final = "?"
"""An answer that hardly any rule reads, to see what a benchmark asks its judge."""
_LOOKED_AT: Final = 20


def make_judges(plan: RunPlan, benchmarks: Sequence[Benchmark], progress: RunProgress) -> list[JudgeEndpoint]:
    """Makes the judges of a run; none where no benchmark asks one, or nothing is scored. Connects to nobody.

    Args:
        plan: the run.
        benchmarks: what is asked.
        progress: where the user is told what happens to them.

    Raises:
        ConfigError: a rubric of the user's own cannot be used, or shows what a benchmark does not tell its judge.
    """
    asking = [benchmark for benchmark in benchmarks if benchmark.asks_judge]
    if plan.mode == "infer" or not asking:
        return []
    judges = [JudgeEndpoint.of(spec, patience_s=plan.patience_s, progress=progress) for spec in plan.judges]
    for judge in judges:
        for benchmark in asking if judge.writer.own_rubric else ():
            request = _first_request(benchmark)
            if request is not None and (problem := judge.writer.lacking(request)) is not None:
                raise ConfigError(problem)
    return judges


def _first_request(benchmark: Benchmark) -> JudgeRequest | None:
    """Returns what a benchmark asks its judge about one of its first samples, None where that cannot be found out."""
    found: list[JudgeRequest] = []

    async def listen(request: JudgeRequest) -> str:
        found.append(request)
        raise JudgeError("nobody is asked")

    try:
        for sample in islice(benchmark.samples(), _LOOKED_AT):
            with suppress(JudgeError, StopIteration):
                benchmark.judge_unit([(sample, _UNREADABLE)], listen).send(None)
            if found:
                return found[0]
    except (DataError, *SCORING_FAULTS):
        return None  # a file that breaks off, or a row that cannot be scored, is told when its turn comes
    return None


async def greet_judges(judges: Sequence[JudgeEndpoint]) -> None:
    """Asks every judge once, at the same time, so that one of no use is known before any model is asked.

    Raises:
        JudgeError: one of them cannot be used. Inside an exception group.
    """
    async with create_task_group() as tasks:
        for judge in judges:
            tasks.start_soon(judge.greet)


def judge_identities(plan: RunPlan) -> list[dict[str, Any]]:
    """Who the judges of a run are, for the manifest: without keys, and without what may hold them."""
    return [
        {
            "name": spec.asked.name,
            "model": spec.asked.model,
            "endpoint": plain_addresses(spec.asked),
            "temperature": spec.asked.temperature,
            "max_tokens": spec.asked.max_tokens,
            "repeats": spec.repeats,
            "own_rubric": spec.rubric is not None,
            "digest": setup_digest(spec.asked.determines(), repeats=spec.repeats, rubric=spec.rubric),
        }
        for spec in plan.judges
    ]


class Judging:
    """The judges of a run at work."""

    def __init__(self, desks: Mapping[tuple[str, str], JudgeDesk], tasks: TaskGroup) -> None:
        self._desks = desks
        self._tasks = tasks
        self._stages: list[JudgeStage] = []

    def desk(self, model: str, benchmark: str) -> JudgeDesk | None:
        """Returns where the answers of a job are judged, None where exact rules alone read them."""
        return self._desks.get((model, benchmark))

    def attend(self, job: Job) -> Job:
        """Begins to judge the answers of a job as they come; returns the job that tells of them."""
        desk = self.desk(job.progress.model, job.benchmark.name)
        if desk is None:
            return job
        stage = JudgeStage(job, desk)
        self._stages.append(stage)
        self._tasks.start_soon(stage.run)
        return replace(job, heard=stage.heard, reused=stage.reused)

    async def finish(self) -> None:
        """Returns once all answers that came are judged, when no more of them come."""
        for stage in self._stages:
            stage.finish()
        for stage in self._stages:
            await stage.done.wait()


@asynccontextmanager
async def open_judging(
    plan: RunPlan,
    judges: Sequence[JudgeEndpoint],
    benchmarks: Sequence[Benchmark],
    *,
    folder: RunFolder,
    progress: RunProgress,
    stop: anyio.Event,
) -> AsyncIterator[Judging]:
    """Opens the journals of judgements, and judges as long as the context is open.

    Args:
        plan: the run.
        judges: as `make_judges` returned them.
        benchmarks: what is asked.
        folder: where the run is written.
        progress: counters, a job for each model and benchmark.
        stop: set to let the judges come to an end within the plan's grace time.

    Raises:
        StorageError: a journal cannot be read or written. Perhaps inside an exception group.
    """
    asking = {benchmark.name for benchmark in benchmarks if judges and benchmark.asks_judge}
    jobs = [job for job in progress.jobs if job.benchmark in asking]
    with ExitStack() as stack:
        opened = [await to_thread.run_sync(_open, folder, job, stack, progress) for job in jobs]
        desks = {
            (job.model, job.benchmark): JudgeDesk(judges, ledger, commit, job)
            for job, (ledger, commit) in zip(jobs, opened, strict=True)
        }
        async with create_task_group() as tasks:
            tasks.start_soon(_stop_when_told, judges, stop, plan.grace_s)
            async with writing([commit for _, commit in opened]), create_task_group() as stages:
                yield Judging(desks, stages)
            tasks.cancel_scope.cancel()


def _open(
    folder: RunFolder, job: JobProgress, stack: ExitStack, progress: RunProgress
) -> tuple[VerdictLedger, GroupCommit]:
    path = folder.job(job.model, job.benchmark) / JUDGEMENTS
    journal = stack.enter_context(Journal(path))
    ledger = read_verdicts(path)
    if ledger.bad_lines:
        progress.notes.append(
            f"{path}: {len(ledger.bad_lines)} unreadable lines, first {ledger.bad_lines[0]}; their verdicts are asked "
            "for again"
        )
    return ledger, GroupCommit(journal)


async def _stop_when_told(judges: Sequence[JudgeEndpoint], stop: anyio.Event, grace_s: float) -> None:
    await stop.wait()
    for judge in judges:
        judge.close()
    await anyio.sleep(grace_s)
    for judge in judges:
        judge.cut()
