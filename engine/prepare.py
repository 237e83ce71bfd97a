"""The prepare stage: rows become requests, in worker threads, shortly before they are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import BinaryIO

from ..adapters.base import Model, Request
from ..benchmarks.base import Benchmark
from ..errors import DataError, MediaError, StorageError
from ..messages import Message
from ..records import Failure, Prediction, Sample
from .chain import chain
from .commit import GroupCommit
from .dialogue import history, is_over, read_turns, said_in, turns_of, whole_line, without_oldest
from .fingerprint import Fingerprinter
from .journal import Entry, Ledger, read_answer
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
        """Returns what the journal holds of a sample, None where it is to be asked in any case.

        Of a dialogue it is the last turn of those that need not be asked again, as far as is known.
        """
        entry = self.ledger.entries.get((sample.index, 0))
        if self.benchmark.is_dialogue:
            good = list(takewhile(lambda turn: turn.ok or self.keep_failed, chain(entry)))
            return good[-1] if good else None
        return entry if entry is not None and (entry.ok or self.keep_failed) else None

    def sure(self, sample: Sample) -> Entry | None:
        """Returns what the journal holds of a sample where it holds still, as is known without making the prompt."""
        entry = self.stored(sample)
        if entry is None or not self.is_sure(sample, entry):
            return None
        if self.benchmark.is_dialogue:
            turns = chain(entry)
            ends = not entry.ok and self.benchmark.protocol.failed_text is None
            over = ends or len(turns) >= turns_of(self.benchmark, sample)
            return entry if over and all(self.is_sure(sample, turn) for turn in turns) else None
        return entry

    def is_sure(self, sample: Sample, entry: Entry) -> bool:
        """Whether an entry holds still if what it was said upon does."""
        return self.setup is not None and entry.setup == self.setup_of(sample)

    def answer(self, journal: BinaryIO, sample: Sample, entry: Entry) -> Prediction | None:
        """Reads an answer again, of a dialogue that is over all turns as one; None where it is gone. Blocking.

        Raises:
            OSError: the journal cannot be read.
        """
        if not self.benchmark.is_dialogue:
            return read_answer(journal, entry)
        lines = read_turns(journal, entry)
        turns = turns_of(self.benchmark, sample)
        over = is_over(self.benchmark, turns, [said_in(line) for line in lines])
        return whole_line(self.benchmark, turns, lines) if over else None


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
        lines: what came of the turns before, where it is a turn of a dialogue.
        turns: how many turns its dialogue has, 1 for any other sample.
        left_out: how many of the oldest turns are left out of the request.
        too_long: whether one more has to be.
        wanted: the replica that answered the turn before.
    """

    job: Job
    sample: Sample
    fingerprint: str
    request: Request | None
    failure: Failure | None = None
    attempts: Attempts = field(default_factory=Attempts)
    failed_at: Replica | None = None
    setup: str | None = None
    lines: tuple[Prediction, ...] = ()
    turns: int = 1
    left_out: int = 0
    too_long: bool = False
    wanted: Replica | None = None

    @property
    def turn(self) -> int:
        """Which turn of a dialogue it is, from 0."""
        return len(self.lines)

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

        Raises:
            StorageError: the journal, in which the turns of a dialogue stand, cannot be read.
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

    def next_turn(self, item: Item, answer: Prediction, replica: Replica | None) -> Item:
        """Prepares the next turn of a dialogue upon the answer to one."""
        following = self._turn(item.job, item.sample, (*item.lines, answer), item.turns, answer.left_out)
        following.wanted = replica
        return following

    def shorter(self, item: Item) -> Item:
        """Prepares a turn again, with one more of the oldest turns left out."""
        again = self._turn(item.job, item.sample, item.lines, item.turns, item.left_out + 1)
        again.attempts, again.failed_at, again.wanted = item.attempts, item.failed_at, item.wanted
        return again

    def _turn(self, job: Job, sample: Sample, lines: tuple[Prediction, ...], turns: int, left_out: int) -> Item:
        setup = job.setup_of(sample)
        try:
            messages = self._messages(job, sample, lines)
        except (MediaError, DataError) as error:
            failure = Failure(type(error).__name__, str(error), "prepare")
            return Item(job, sample, "", None, failure, setup=setup, lines=lines, turns=turns)
        fingerprint = job.fingerprinter.of(messages)
        request = self._model.encode(without_oldest(messages, left_out))
        return Item(job, sample, fingerprint, request, setup=setup, lines=lines, turns=turns, left_out=left_out)

    def _messages(self, job: Job, sample: Sample, lines: Sequence[Prediction]) -> list[Message]:
        said = history(job.benchmark, [said_in(line) for line in lines])
        turns = job.benchmark.turn_prompt(sample, [text for text in said if text is not None])
        return self._inline([*job.carried, *turns])

    def _prepare_dialogue(self, job: Job, sample: Sample) -> Item | None:
        """Prepares the first turn that has no answer yet, or whose answer was said upon something else than now."""
        turns = turns_of(job.benchmark, sample)
        entry = job.stored(sample)
        stored = self._stored_turns(job, entry)[:turns]
        lines = tuple(takewhile(lambda line: self._fits(job, sample, stored, line), stored))
        over = is_over(job.benchmark, turns, [said_in(line) for line in lines])
        with self._lock:
            job.progress.reused += over
            job.progress.stale += len(lines) < len(stored)
        if over and entry is not None:
            if job.reused is not None:
                job.reused(sample, entry)
            return None
        return self._turn(job, sample, lines, turns, lines[-1].left_out if lines else 0)

    @staticmethod
    def _stored_turns(job: Job, entry: Entry | None) -> list[Prediction]:
        if entry is None:
            return []
        path = job.commit.path
        try:
            with path.open("rb") as journal:
                return read_turns(journal, entry)
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error

    def _fits(self, job: Job, sample: Sample, stored: Sequence[Prediction], line: Prediction) -> bool:
        if job.setup is not None and line.setup == job.setup_of(sample):
            return True
        try:
            messages = self._messages(job, sample, stored[: line.turn])
        except (MediaError, DataError):
            return not line.fingerprint  # it could not be prepared then, either
        return job.fingerprinter.of(messages) == line.fingerprint

    def _prepare(self, job: Job, sample: Sample) -> Item | None:
        if job.benchmark.is_dialogue:
            return self._prepare_dialogue(job, sample)
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
