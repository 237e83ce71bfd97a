"""One run in its folder: journals opened, models asked, answers scored, the manifest kept true."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

import anyio
from anyio import create_task_group, from_thread, to_thread

from ..adapters.base import Model
from ..adapters.payload import carried_system
from ..benchmarks.base import Benchmark
from ..benchmarks.catalog import catalog
from ..benchmarks.digest import verify_file
from ..errors import EndpointUnusable, EyechartError
from ..messages import Message
from ..version import VERSION
from .commit import GroupCommit, writing
from .config import ModelSpec, RunPlan
from .documents import Documents, PageSettings, page_settings_of
from .evaluate import PREDICTIONS, evaluate, evaluate_judged, save_scores
from .fingerprint import Fingerprinter, setup_digest
from .frames import FrameSampler
from .journal import Journal, read_ledger
from .judge_desk import JudgeDesk
from .judge_endpoint import JudgeEndpoint
from .judging import Judging, judge_identities, open_judging
from .media import MediaSettings, prepare_messages
from .models import asking_summary, build_fleet, model_media, plain_addresses
from .pipeline import Pipeline, Settings
from .prepare import Job, Preparer
from .progress import JobProgress, RunProgress
from .replicas import Fleet
from .report import Entry, Report, State
from .resume import kept_fields
from .retry import Health, RetryPolicy
from .run_folder import RunFolder, read_manifest
from .videos import shown_to, video_settings

__all__ = ["Session"]

log = logging.getLogger("eyechart")


@dataclass(slots=True)
class Session:
    """A run that is being made.

    Attributes:
        plan: what to do.
        folder: where it is written.
        benchmarks: what is asked, in the plan's order.
        progress: counters for whoever shows them.
        stop: set to end the run early; it can be resumed.
        judges: who reads what exact rules cannot, the deciding one first (`engine.judging.make_judges`).
        frames: gives the frames of videos; None where none are shown.
        utc_now: wall clock.
    """

    plan: RunPlan
    folder: RunFolder
    benchmarks: Sequence[Benchmark]
    progress: RunProgress
    stop: anyio.Event
    judges: Sequence[JudgeEndpoint] = ()
    frames: FrameSampler | None = None
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _jobs: dict[tuple[str, str], JobProgress] = field(default_factory=dict)
    _md5: dict[str, str | None] = field(default_factory=dict)
    _asking: dict[str, dict[str, Any]] = field(default_factory=dict)
    _documents: Documents = field(init=False)

    def __post_init__(self) -> None:
        self._documents = Documents(page_settings_of(self.plan), processes=_preparing())

    async def run(self) -> Report:
        """Asks, scores and reports, as the plan's mode says.

        Raises:
            StorageError: something cannot be written; what was acknowledged before is safe.
        """
        started = anyio.current_time()
        self.progress.stopping = self.stop.is_set
        self._register_jobs()
        self._save_manifest("running")
        async with open_judging(
            self.plan, self.judges, self.benchmarks, folder=self.folder, progress=self.progress, stop=self.stop
        ) as judging:
            if self.plan.mode != "eval":
                await self._ask_all(judging)
            entries = await self._score(judging)
        report = Report(
            run_dir=self.folder.path,
            protocol=self.plan.protocol.name,
            state=self._state(entries),
            entries=tuple(entries),
            problems=tuple(self.progress.problems),
            wall_s=anyio.current_time() - started,
            notes=(*self.plan.notes, *self.progress.notes),
            warnings=tuple(self.progress.warnings),
            asking=self._asking,
        )
        await to_thread.run_sync(report.save)
        self._save_manifest(report.state)
        return report

    def _register_jobs(self) -> None:
        for spec in self.plan.models:
            for benchmark in self.benchmarks:
                job = JobProgress(spec.name, benchmark.name, total=self.plan.limit)
                self._jobs[spec.name, benchmark.name] = job
                self.progress.jobs.append(job)

    def _state(self, entries: Sequence[Entry]) -> State:
        if self.stop.is_set() and (self._unasked() or any(entry.missing or entry.unjudged for entry in entries)):
            return "interrupted"
        if self.progress.problems:
            return "stopped"
        if any(entry.error or entry.missing or entry.tally.failed for entry in entries):
            return "incomplete"
        return "finished"

    def _unasked(self) -> bool:
        """Whether samples are left that this run did not come to, though an earlier one may have."""
        return self.plan.mode != "eval" and any(job.done < (job.total or 0) for job in self.progress.jobs)

    # -- asking ------------------------------------------------------------------------------------------------------

    async def _ask_all(self, judging: Judging) -> None:
        async with create_task_group() as tasks:
            counting, rendering = anyio.CancelScope(), anyio.CancelScope()
            tasks.start_soon(self._count, counting)
            tasks.start_soon(self._render_until_stopped, rendering)
            tasks.start_soon(self._verify_until_stopped)
            async with create_task_group() as models:
                for spec in self.plan.models:
                    models.start_soon(self._ask, spec, judging)
            counting.cancel()
            rendering.cancel()
            for job in self.progress.jobs:
                if job.judged is not None and job.state == "asking":
                    job.state = "judging"
            await judging.finish()

    async def _count(self, scope: anyio.CancelScope) -> None:
        """Learns about how many samples there are while the first are asked already."""
        with scope:
            for benchmark, spec in product(self.benchmarks, self.plan.models):
                shown = shown_to(benchmark, video_llm=spec.video_llm)
                n = await to_thread.run_sync(_rows, shown, abandon_on_cancel=True)
                self._jobs[spec.name, benchmark.name].total = min(n, self.plan.limit or n)

    async def _render_until_stopped(self, scope: anyio.CancelScope) -> None:
        """Ends what renders documents with the asking, however that ends: a thread that waits for pages goes on."""
        with scope:
            try:
                await self.stop.wait()
            finally:
                self._documents.close()

    async def _verify_until_stopped(self) -> None:
        async with create_task_group() as tasks:

            async def give_up() -> None:
                await self.stop.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up)
            await self._verify()
            tasks.cancel_scope.cancel()

    async def _verify(self) -> None:
        """Says loudly when a benchmark's file is not the published one; hashing it may take longer than asking."""
        files = [file for benchmark in self.benchmarks for file in benchmark.source.files.items()]
        for name, path in files:
            known = catalog().get(name)
            if known is None or known.md5 is None:
                continue
            check = partial(verify_file, pause=from_thread.check_cancelled)
            found = await to_thread.run_sync(check, name, path, self.plan.data_root)
            self._md5[name] = found.md5
            if found.warning:
                log.warning("%s", found.warning)
                self.progress.warnings.append(found.warning)

    async def _ask(self, spec: ModelSpec, judging: Judging) -> None:
        """Asks one model everything; an endpoint that is of no use ends this model, not the others."""
        # In a thread: of a model on this machine the files are looked at.
        build = partial(build_fleet, spec, split_think=self.plan.split_think, tell=self.progress.notes.append)
        fleet = await to_thread.run_sync(build)
        self.progress.gates[spec.name] = fleet
        media = model_media(spec, self.plan.protocol, video_settings(self.plan, self.frames))
        try:
            with ExitStack() as stack:
                jobs = await to_thread.run_sync(self._open_jobs, spec, fleet.model, media, stack)
                await self._run_pipeline(spec, fleet, media, [judging.attend(job) for job in jobs])
        except EndpointUnusable as error:
            log.error("%s: %s", spec.name, error)
            self.progress.problems.append(f"{spec.name}: {error}")
            for benchmark in self.benchmarks:
                self._jobs[spec.name, benchmark.name].state = "stopped"
        finally:
            with anyio.CancelScope(shield=True):
                await fleet.aclose()

    async def _run_pipeline(self, spec: ModelSpec, fleet: Fleet, media: MediaSettings, jobs: Sequence[Job]) -> None:
        pipeline = Pipeline(
            fleet,
            Preparer(jobs, fleet.model, lambda messages: prepare_messages(self._documents.shown(messages), media)),
            policy=RetryPolicy(tries=spec.retry, wait_s=spec.wait_s, patience_s=self.plan.patience_s),
            health=Health(patience_s=self.plan.patience_s),
            settings=Settings(prepare_threads=_preparing(), grace_s=self.plan.grace_s),
        )
        with first_error():
            try:
                async with writing([job.commit for job in jobs]):
                    await pipeline.run(self.stop)
            finally:
                self._asking[spec.name] = asking_summary(fleet, pipeline.shares)

    def _open_jobs(self, spec: ModelSpec, model: Model, media: MediaSettings, stack: ExitStack) -> list[Job]:
        jobs = []
        carried: tuple[Message, ...] = ()
        for benchmark in [shown_to(own, video_llm=spec.video_llm) for own in self.benchmarks]:
            path = self.folder.job(spec.name, benchmark.name) / PREDICTIONS
            journal = stack.enter_context(Journal(path))
            ledger = read_ledger(path)
            if ledger.bad_lines:
                self.progress.notes.append(
                    f"{path}: {len(ledger.bad_lines)} unreadable lines, first {ledger.bad_lines[0]}; their samples are "
                    "asked again"
                )
            jobs.append(
                Job(
                    benchmark,
                    self.plan.limit,
                    ledger,
                    _setup(model, benchmark, media, self._documents.settings, carried),
                    self.plan.keep_failed,
                    GroupCommit(journal),
                    self._jobs[spec.name, benchmark.name],
                    Fingerprinter(model.identity, benchmark.protocol.name),
                    carried=carried,
                )
            )
            if benchmark.protocol.keep_system_prompt:
                carried = carried_system(carried, benchmark.system)
        return jobs

    # -- scoring -----------------------------------------------------------------------------------------------------

    async def _score(self, judging: Judging) -> list[Entry]:
        entries = []
        for spec, benchmark in product(self.plan.models, self.benchmarks):
            job = self._jobs[spec.name, benchmark.name]
            job.state = "scoring"
            shown = shown_to(benchmark, video_llm=spec.video_llm)
            entry = await self._score_one(spec.name, shown, judging.desk(spec.name, benchmark.name))
            job.state, job.total = "done", entry.total
            self.progress.notes.extend(f"{spec.name} on {benchmark.name}: {n}" for n in self._age_notes(job, entry))
            job.error = job.error or entry.error
            entries.append(entry)
        return entries

    def _age_notes(self, job: JobProgress, entry: Entry) -> Iterator[str]:
        if job.stale:
            yield f"{job.stale} stored answers did not fit the present prompts or parameters and were asked again"
        old = len(entry.tally.answers) - job.done
        if old > 0 and self.plan.mode != "eval":
            yield f"{old} results are of an earlier run: this one ended before it came to them"

    async def _score_one(self, model: str, benchmark: Benchmark, desk: JudgeDesk | None) -> Entry:
        job_dir, limit = self.folder.job(model, benchmark.name), self.plan.limit
        if desk is not None:
            entry = await evaluate_judged(model, benchmark, job_dir, limit=limit, desk=desk)
        else:
            score = self.plan.mode != "infer"
            by_rules = partial(evaluate, model, benchmark, job_dir, limit=limit, score=score)
            entry = await to_thread.run_sync(by_rules)
        entry = replace(entry, data=self._data(benchmark))
        await to_thread.run_sync(save_scores, entry, job_dir)
        return entry

    def _data(self, benchmark: Benchmark) -> dict[str, Any]:
        source = benchmark.source
        files = {
            name: {"file": str(path.absolute()), "md5": self._md5.get(name)} for name, path in source.files.items()
        }
        if len(files) == 1:
            return {"stamp": source.stamp, **next(iter(files.values()))}
        return {"stamp": source.stamp, "parts": files}

    # -- manifest ----------------------------------------------------------------------------------------------------

    def _save_manifest(self, state: str) -> None:
        known = read_manifest(self.folder.path) or {}
        now = self.utc_now().isoformat(timespec="seconds")
        self.folder.save_manifest(
            {
                "eyechart": VERSION,
                "python": platform.python_version(),
                "state": state,
                "created": known.get("created", now),
                "updated": now,
                "protocol": self.plan.protocol.name,
                "endpoints": {spec.name: plain_addresses(spec) for spec in self.plan.models if spec.url},
                "judges": judge_identities(self.plan),
                "data": {benchmark.name: self._data(benchmark) for benchmark in self.benchmarks},
                **kept_fields(self.plan, known),
            }
        )


def _rows(benchmark: Benchmark) -> int:
    """Counts rows; a file that breaks off in the middle is reported by whoever reads it, not by who counts."""
    try:
        return benchmark.rows
    except EyechartError:
        return 0


def _preparing() -> int:
    """How many samples are prepared at the same time."""
    return min(4, os.cpu_count() or 1)


def _setup(
    model: Model, benchmark: Benchmark, media: MediaSettings, pages: PageSettings, carried: Sequence[Message]
) -> str | None:
    stamp = benchmark.source.stamp
    if stamp is None:
        return None
    facts = {
        "protocol": benchmark.protocol.name,
        "data": stamp,
        "media": repr(media),
        "pages": repr(pages),
        "settings": benchmark.settings,
        "carried": repr(carried),
    }
    return setup_digest(model.identity, version=VERSION, **facts)


@contextmanager
def first_error() -> Iterator[None]:
    """Turns an exception group of eyechart's own errors into its weightiest one: a full disk before a lost endpoint."""
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        if not all(isinstance(leaf, EyechartError) for leaf in leaves):
            raise
        raise min(leaves, key=lambda leaf: isinstance(leaf, EndpointUnusable)) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for child in error.exceptions:
            yield from _leaves(child)
    else:
        yield error
