"""What engine tests build runs from: a benchmark in memory, a model that follows a script, a rig that joins them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio

from eyechart.adapters.base import Request
from eyechart.benchmarks.base import Benchmark, Scored
from eyechart.engine.commit import GroupCommit, writing
from eyechart.engine.fingerprint import Fingerprinter
from eyechart.engine.journal import Journal, read_ledger, read_predictions
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.pipeline import Pipeline, Settings
from eyechart.engine.prepare import Job, Preparer
from eyechart.engine.progress import JobProgress
from eyechart.engine.replicas import Fleet
from eyechart.engine.retry import Health, RetryPolicy
from eyechart.errors import EndpointError, MediaError
from eyechart.messages import Image, Message, Text
from eyechart.records import Cell, Prediction, Reply, Sample
from eyechart.scoring.protocol import EYECHART


class MemorySource:
    """Rows 0 to n-1, no pictures."""

    path = Path("memory.tsv")
    files = MappingProxyType({"Memory": path})
    columns = ("index", "question", "answer")

    def __init__(self, n: int, stamp: str | None = "v1") -> None:
        self.n = n
        self.stamp = stamp

    def __len__(self) -> int:
        return self.n

    @property
    def rows(self) -> int:
        return self.n

    def samples(self) -> Iterator[Sample]:
        for row in range(self.n):
            yield Sample(str(row), row, {"question": f"q{row}", "answer": f"a{row}"}, f"row:{row}")

    def images(self, sample: Sample) -> tuple[Image, ...]:
        return ()


class MemoryBenchmark(Benchmark):
    """Right is an answer equal to `answer`; rows in `unreadable` cannot be prepared."""

    def __init__(
        self, n: int, *, name: str = "Memory", suffix: str = "", unreadable: frozenset[int] = frozenset()
    ) -> None:
        super().__init__(name, MemorySource(n), EYECHART)
        self.suffix = suffix
        self.unreadable = unreadable

    def prompt(self, sample: Sample) -> list[Message]:
        if sample.row in self.unreadable:
            raise MediaError(f"{sample.row}.png: cut short")
        return [Message("user", (Text(f"{sample.cells['question']}{self.suffix}"),))]

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        return Scored(sample, {"rule": "equal"}, float(prediction == sample.cells["answer"]))

    def table(self, scored: Sequence[Scored]) -> Any:
        raise NotImplementedError


Step = Reply | EndpointError | float
"""What one request meets: a reply, an error, or seconds to wait before the next step."""


@dataclass
class ScriptedModel:
    """Answers ``q7`` with ``a7`` after `latency_s`, unless the script of that question says otherwise.

    Attributes:
        script: for a question's text the steps of its requests, one after the other; then it is answered.
        asked: texts of all requests, in the order they left.
    """

    latency_s: float = 1.0
    script: Mapping[str, Sequence[Step | Sequence[Step]]] = field(default_factory=dict)
    answer: Callable[[str], str] = lambda text: text.replace("q", "a")
    identity: Mapping[str, Any] = field(default_factory=lambda: {"model": "scripted"})
    asked: list[str] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0
    closed: bool = False

    def encode(self, messages: Sequence[Message]) -> Request:
        text = "".join(part.text for message in messages for part in message.parts if isinstance(part, Text))
        return Request((text.encode(),), len(text))

    async def ask(self, request: Request) -> Reply:
        text = b"".join(request.chunks).decode()
        turn = self.asked.count(text)
        self.asked.append(text)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await anyio.sleep(self.latency_s)
            steps = self.script.get(text, ())
            step = steps[turn] if turn < len(steps) else None
            if isinstance(step, EndpointError):
                raise step
            if isinstance(step, float):
                await anyio.sleep(step)
            return step if isinstance(step, Reply) else Reply(self.answer(text))
        finally:
            self.in_flight -= 1

    async def aclose(self) -> None:
        self.closed = True


class Rig:
    """One run of a pipeline over journals in `path`; a rig over the same path resumes it."""

    def __init__(self, path: Path, model: ScriptedModel, *benchmarks: MemoryBenchmark, **about: Any) -> None:
        self.path, self.model, self.benchmarks = path, model, benchmarks
        self.limits = about.pop("limits", Limits(4))
        self.fleet: Fleet | None = about.pop("fleet", None)
        self.setup = about.pop("setup", "s1")
        self.limit = about.pop("limit", None)
        self.policy = RetryPolicy(draw=lambda: 0.5, **about.pop("policy", {}))
        self.health = Health(**about.pop("health", {}))
        self.settings = Settings(**about)
        self.stop = anyio.Event()
        self.progress: list[JobProgress] = []
        self.seconds = 0.0

    def journal(self, benchmark: MemoryBenchmark) -> Path:
        return self.path / f"{benchmark.name}.jsonl"

    def open_journal(self, benchmark: MemoryBenchmark) -> Journal:
        return Journal(self.journal(benchmark))

    def commit(self, journal: Journal) -> GroupCommit:
        return GroupCommit(journal)

    def job(self, benchmark: MemoryBenchmark, journal: Journal) -> Job:
        return Job(
            benchmark,
            self.limit,
            read_ledger(journal.path),
            self.setup,
            False,
            self.commit(journal),
            JobProgress("m", benchmark.name),
            Fingerprinter(self.model.identity, "eyechart"),
        )

    async def run(self) -> None:
        with ExitStack() as stack:
            journals = [stack.enter_context(self.open_journal(benchmark)) for benchmark in self.benchmarks]
            jobs = [self.job(benchmark, journal) for benchmark, journal in zip(self.benchmarks, journals, strict=True)]
            self.progress = [job.progress for job in jobs]
            self.pipeline = pipeline = Pipeline(
                self.fleet or Fleet.of(self.model, Gate(self.limits)),
                Preparer(jobs, self.model, list),
                policy=self.policy,
                health=self.health,
                settings=self.settings,
            )
            started = anyio.current_time()
            async with writing([job.commit for job in jobs]):
                try:
                    await pipeline.run(self.stop)
                finally:
                    self.seconds = anyio.current_time() - started

    def lines(self, benchmark: MemoryBenchmark | None = None) -> list[Prediction]:
        return list(read_predictions(self.journal(self.benchmarks[0] if benchmark is None else benchmark)))

    def answers(self, benchmark: MemoryBenchmark | None = None) -> dict[str, str | None]:
        return {p.index: p.failure.kind if p.failure else p.prediction for p in self.lines(benchmark)}
