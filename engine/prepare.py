"""The prepare stage: rows become requests, in worker threads, shortly before they are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ..adapters.base import Model, Request
from ..benchmarks.base import Benchmark
from ..errors import DataError, MediaError
from ..messages import Message
from ..records import Failure, Prediction, Sample
from .commit import GroupCommit
from .fingerprint import Fingerprinter
from .journal import Entry, Ledger
from .progress import JobProgress
from .replicas import Replica
from .retry import Attempts

__all__ = ["Item", "Job", "Preparer"]

_SKIPS_PER_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Job:
    """One benchmark that is asked of one model.

    Attributes:
        benchmark: what is asked.
        limit: only the first rows; None for all.
        ledger: answers that are there already.
        setup: see `Prediction.setup`; None when stored answers must be checked one by one.
        keep_failed: take recorded failures as final instead of asking again.
        commit: writer of the journal.
        progress: counters.
        fingerprinter: hashes prompts.
        heard: told each answer and each failure once it is in the journal, in place of a running score by exact rules.
        reused: told each answer of an earlier run of which only its prompt showed that it still holds.
        carried: system messages of earlier benchmarks that stay in force (`Protocol.keep_system_prompt`).
    """

    benchmark: Benchmark
    limit: int | None
    ledger: Ledger
    setup: str | None
    keep_failed: bool
    commit: GroupCommit
    progress: JobProgress
    fingerprinter: Fingerprinter
    heard: Callable[[Sample, Prediction], None] | None = None
    reused: Callable[[Sample, Entry], None] | None = None
    carried: tuple[Message, ...] = ()

    def setup_of(self, sample: Sample) -> str | None:
        """Returns `Prediction.setup` of a sample: that of the job, and the state of the sample's own files."""
        own = self.benchmark.stamp(sample) if self.setup is not None else ""
        return f"{self.setup}-{own}" if own else self.setup

    def stored(self, sample: Sample) -> Entry | None:
        """Returns what the journal holds of a sample, None where it is to be asked in any case."""
        entry = self.ledger.entries.get((sample.index, 0))
        return entry if entry is not None and (entry.ok or self.keep_failed) else None

    def sure(self, sample: Sample) -> Entry | None:
        """Returns what the journal holds of a sample where it holds still, as is known without making the prompt."""
        entry = self.stored(sample)
        if entry is None or self.setup is None:
            return None
        return entry if entry.setup == self.setup_of(sample) else None


@dataclass(slots=True)
class Item:
    """A sample on its way: prepared, asked, perhaps asked again.

    Attributes:
        job: where it belongs.
        sample: the question.
        fingerprint: of its prompt; empty when it could not be prepared.
        request: ready to be sent; None when it could not be prepared.
        failure: why it could not be prepared.
        attempts: what happened to it so far.
        failed_at: the replica that it failed at last.
        setup: see `Job.setup_of`.
    """

    job: Job
    sample: Sample
    fingerprint: str
    request: Request | None
    failure: Failure | None = None
    attempts: Attempts = field(default_factory=Attempts)
    failed_at: Replica | None = None
    setup: str | None = None

    @property
    def size(self) -> int:
        """Bytes that it holds in memory."""
        return self.request.size if self.request else 0


class Preparer:
    """Hands out prepared items of several jobs, one job after the other. Safe to call from several threads.

    Args:
        jobs: what to ask, in order.
        model: encodes requests.
        inline: makes the pictures of a prompt ready to be sent.
    """

    def __init__(self, jobs: Sequence[Job], model: Model, inline: Callable[[Sequence[Message]], list[Message]]) -> None:
        self._model = model
        self._inline = inline
        self._rows = self._open_rows(jobs)
        self._lock = threading.Lock()

    def next_batch(self, most: int) -> list[Item] | None:
        """Reads on and prepares up to ``most`` items that need asking.

        An empty list means that only answered rows were met this time; None that there are no more rows. A benchmark
        file that breaks off ends its job with `JobProgress.error`.
        """
        with self._lock:
            rows = self._take(most)
        if rows is None:
            return None
        items = (self._prepare(job, sample) for job, sample in rows)
        return [item for item in items if item is not None]

    @staticmethod
    def _open_rows(jobs: Sequence[Job]) -> Iterator[tuple[Job, Sample]]:
        for job in jobs:
            job.progress.state = "asking"
            try:
                for sample in job.benchmark.in_asking_order(islice(job.benchmark.samples(), job.limit)):
                    yield job, sample
            except DataError as error:  # the other benchmarks of the run are none the worse for it
                job.progress.error = str(error)

    def _take(self, most: int) -> list[tuple[Job, Sample]] | None:
        rows: list[tuple[Job, Sample]] = []
        for count, (job, sample) in enumerate(self._rows, 1):
            if job.sure(sample) is not None:
                job.progress.reused += 1
            else:
                rows.append((job, sample))
            if len(rows) >= most or count >= _SKIPS_PER_BATCH:
                return rows
        return rows or None

    def _prepare(self, job: Job, sample: Sample) -> Item | None:
        setup = job.setup_of(sample)  # of the files as they were before they were read
        try:
            messages = self._inline([*job.carried, *job.benchmark.prompt(sample)])
        except (MediaError, DataError) as error:
            failure = Failure(type(error).__name__, str(error), "prepare")
            return Item(job, sample, "", None, failure, setup=setup)
        fingerprint = job.fingerprinter.of(messages)
        if (entry := job.stored(sample)) is not None:
            current = entry.fingerprint == fingerprint
            with self._lock:  # others count, too
                job.progress.reused += current
                job.progress.stale += not current
            if current:
                if job.reused is not None:
                    job.reused(sample, entry)
                return None
        return Item(job, sample, fingerprint, self._model.encode(messages), setup=setup)
