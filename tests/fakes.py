"""What engine tests build runs from: a benchmark in memory, a model that follows a script, a rig that joins them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
from pydantic import SecretStr

from eyechart.adapters.base import Request
from eyechart.benchmarks.base import Benchmark, Scored
from eyechart.engine.commit import GroupCommit, writing
from eyechart.engine.config_plan import JudgeSpec, ModelSpec
from eyechart.engine.evaluate import PREDICTIONS, evaluate_judged
from eyechart.engine.fingerprint import Fingerprinter
from eyechart.engine.hearing import Answers, Hearing
from eyechart.engine.hearing_room import Case, HearingRoom, Verdict
from eyechart.engine.journal import Journal, read_ledger, read_predictions
from eyechart.engine.judge_desk import JudgeDesk
from eyechart.engine.judge_endpoint import JudgeEndpoint
from eyechart.engine.judge_stage import JudgeStage
from eyechart.engine.judgements import read_judgements, read_verdicts
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.pipeline import Pipeline, Settings
from eyechart.engine.prepare import Job, Preparer
from eyechart.engine.progress import JobProgress
from eyechart.engine.replicas import Fleet
from eyechart.engine.report import Entry
from eyechart.engine.retry import Health, RetryPolicy
from eyechart.errors import EndpointError, MediaError
from eyechart.messages import Image, Message, Text
from eyechart.records import Cell, Judgement, Prediction, Reply, Sample, Table
from eyechart.scoring.dialogues import read_turns, turns_text
from eyechart.scoring.judge import Judge, JudgeRequest
from eyechart.scoring.protocol import EYECHART, Protocol


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
        self,
        n: int,
        *,
        name: str = "Memory",
        suffix: str = "",
        unreadable: frozenset[int] = frozenset(),
        protocol: Protocol = EYECHART,
    ) -> None:
        super().__init__(name, MemorySource(n), protocol)
        self.suffix = suffix
        self.unreadable = unreadable

    def prompt(self, sample: Sample) -> list[Message]:
        if sample.row in self.unreadable:
            raise MediaError(f"{sample.row}.png: cut short")
        return [Message("user", (Text(f"{sample.cells['question']}{self.suffix}"),))]

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        return Scored(sample, {"rule": "equal"}, float(prediction == sample.cells["answer"]))

    def table(self, scored: Sequence[Scored]) -> Table:
        share = sum(s.points for s in scored) / len(scored)
        return Table(("Overall",), ({"Overall": share},), ())


class DialogueBenchmark(MemoryBenchmark):
    """Dialogues of three turns, ``q7.0`` to ``q7.2``; right are those whose answers are ``a7.0`` to ``a7.2``."""

    is_dialogue = True

    def turns(self, sample: Sample) -> int:
        return 3

    def prompt(self, sample: Sample) -> list[Message]:
        return self.turn_prompt(sample, ())

    def turn_prompt(self, sample: Sample, answers: Sequence[str]) -> list[Message]:
        said = super().prompt(sample)
        said[0] = Message("user", (Text(f"q{sample.row}.0{self.suffix}"),))
        for turn, answer in enumerate(answers, 1):
            said.append(Message("assistant", (Text(answer),)))
            said.append(Message("user", (Text(f"q{sample.row}.{turn}{self.suffix}"),)))
        return said

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        right = prediction == turns_text([f"a{sample.row}.{turn}" for turn in range(3)])
        return Scored(sample, {"rule": "equal"}, float(right))


class JudgedDialogues(DialogueBenchmark):
    """The judge is asked ``<row>.<turn>/<answer>`` about each answer; all have to be right."""

    needs_judge = True

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        if prediction is None:
            return Scored(sample, {"rule": "failed"}, 0.0, failed=True)
        return Scored(sample, {"rule": "needs judge"}, math.nan)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        right = []
        for turn, answer in enumerate(read_turns(prediction)):
            text = f"{sample.row}.{turn}/{answer}"
            fields = {"answer": str(answer)}
            if answer is not None:
                right.append(await judge(JudgeRequest(self.name, sample.index, turn, "own@1", text, fields=fields)))
        return Scored(sample, {"rule": "judge"}, float(right == ["yes"] * 3))


def reply_to_last(text: str) -> str:
    """Answers the last question of a conversation, ``q7.1`` with ``a7.1``."""
    return f"a{text.rpartition('q')[2]}"


class JudgedBenchmark(MemoryBenchmark):
    """Right or wrong by rule is an answer that starts with ``a``; any other is what the judge says, ``yes`` or ``no``.

    The judge is asked ``<row>/<answer>`` up to three times.
    """

    def score(self, sample: Sample, prediction: Cell) -> Scored:
        if prediction is None:
            return Scored(sample, {"rule": "failed"}, 0.0, failed=True)
        if str(prediction).startswith("a"):
            return Scored(sample, {"rule": "equal"}, float(prediction == sample.cells["answer"]))
        return Scored(sample, {"rule": "none"}, 0.0)

    async def judge(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        exact = self.score(sample, prediction)
        return exact if exact.record["rule"] != "none" else await self.second_opinion(sample, prediction, judge)

    async def second_opinion(self, sample: Sample, prediction: Cell, judge: Judge) -> Scored:
        for attempt in range(3):
            fields = {"answer": str(prediction), "question": str(sample.cells["question"])}
            request = JudgeRequest(
                self.name, sample.index, attempt, "yes_no@1", f"{sample.row}/{prediction}", fields=fields
            )
            reply = await judge(request)
            if reply in ("yes", "no"):
                return Scored(sample, {"rule": "judge", "reply": reply}, float(reply == "yes"))
        return Scored(sample, {"rule": "none"}, 0.0)


class JoinedBenchmark(JudgedBenchmark):
    """Rows whose numbers are equal modulo 3 are judged together: all have to be right, and the first wrong one ends it."""

    def unit(self, sample: Sample) -> str:
        return str(sample.row % 3)

    async def judge_unit(self, answers: Sequence[tuple[Sample, Cell]], judge: Judge) -> list[Scored]:
        scored = [self.score(sample, prediction) for sample, prediction in answers]
        for n, (sample, prediction) in enumerate(answers):
            if scored[n].record["rule"] == "none":
                scored[n] = await self.judge(sample, prediction, judge)
            if not scored[n].points:
                break
        right = float(all(s.points for s in scored))
        return [Scored(s.sample, s.record, right, s.failed) for s in scored]


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

    @contextmanager
    def counted(self, request: Request) -> Iterator[tuple[str, int]]:
        """Counts a request as in flight; gives its text and how many of the same text left before it."""
        text = b"".join(request.chunks).decode()
        turn = self.asked.count(text)
        self.asked.append(text)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            yield text, turn
        finally:
            self.in_flight -= 1

    async def ask(self, request: Request) -> Reply:
        with self.counted(request) as (text, turn):
            await anyio.sleep(self.latency_s)
            steps = self.script.get(text, ())
            step = steps[turn] if turn < len(steps) else None
            if isinstance(step, EndpointError):
                raise step
            if isinstance(step, float):
                await anyio.sleep(step)
            return step if isinstance(step, Reply) else Reply(self.answer(text))

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


def model_spec(**about: Any) -> ModelSpec:
    """A model that is asked nowhere."""
    plain: dict[str, Any] = {
        "name": "m", "model": "m", "style": "openai", "url": "http://nowhere/v1/chat/completions", "key": SecretStr("k"),
        "temperature": 0.0, "max_tokens": None, "extra": {}, "system_prompt": None, "img_size": -1,
        "total_img_size": -1, "max_file_size": 10**9, "min_image_edge": 0, "img_detail": "high", "timeout_s": 60.0,
        "connect_timeout_s": 5.0, "retry": 6, "wait_s": 1.0, "nproc": 4, "rpm": None, "tpm": None,
    }  # fmt: skip
    return ModelSpec(**plain | about)


def parameters(spec: ModelSpec) -> ScriptedModel:
    """What encodes a judge's requests: its identity is what can differ from request to request."""
    names = ("model", "temperature", "max_tokens", "system_prompt")
    return ScriptedModel(identity={name: getattr(spec, name) for name in names})


class JudgeRig:
    """A desk over a journal in `path`, whose judges follow scripts; a rig over the same path finds what was said.

    Args:
        path: folder of the journal.
        models: who answers as the judges, the deciding one first.
        about: ``limits``, ``repeats``, ``rubric``, ``policy``, ``health``, and fields of the judges' specifications.
    """

    def __init__(self, path: Path, *models: ScriptedModel, **about: Any) -> None:
        self.path, self.models = path / "judgements.jsonl", models
        limits = about.pop("limits", Limits(4))
        policy = RetryPolicy(draw=lambda: 0.5, **about.pop("policy", {}))
        health = about.pop("health", {})
        repeats, rubric = about.pop("repeats", 1), about.pop("rubric", None)
        self.told: list[str] = []
        self.progress = JobProgress("m", "Memory")
        self.judges = [
            JudgeEndpoint(
                JudgeSpec(model_spec(name=f"judge{n}", model=f"judge{n}", **about), repeats, rubric),
                Fleet.of(model, Gate(limits)),
                policy=policy,
                health=Health(**health),
                encoder=parameters,
                tell=self.told.append,
            )
            for n, model in enumerate(models)
        ]

    def open(self) -> AbstractAsyncContextManager[JudgeDesk]:
        """Opens the desk; verdicts are written as long as the context is open."""
        return asynccontextmanager(self._open)()

    async def _open(self) -> AsyncIterator[JudgeDesk]:
        with Journal(self.path) as journal:
            commit = GroupCommit(journal)
            async with writing([commit]):
                yield JudgeDesk(self.judges, read_verdicts(self.path), commit, self.progress)

    def lines(self) -> list[Judgement]:
        return list(read_judgements(self.path))


async def hear(benchmark: Benchmark, answers: Answers, desk: JudgeDesk) -> Hearing:
    """Judges one unit, asking for the verdicts that are missing."""
    ended: list[Verdict] = []
    room: HearingRoom[Case] = HearingRoom(benchmark, desk, lambda _, verdict: ended.append(verdict))
    room.bring(Case(answers=answers))
    room.finish()
    await room.run()
    (verdict,) = ended
    if isinstance(verdict, Exception):
        raise verdict
    return verdict


class StagedRig(Rig):
    """A rig whose only benchmark is judged while it is asked.

    Attributes:
        judged: what the judge was asked during the run, before the scoring at the end.
        judged_s: seconds until the last of the answers was judged.
        stage_about: settings of the stage.
    """

    def __init__(
        self, path: Path, model: ScriptedModel, benchmark: MemoryBenchmark, judge: ScriptedModel, **about: Any
    ):
        self.bench_about = about.pop("bench", {})
        self.stage_about = about.pop("stage", {})
        super().__init__(path, model, benchmark, **about)
        self.judge_rig = JudgeRig(path, judge, **self.bench_about)
        self.judged: list[str] = []
        self.entry: Entry | None = None
        self.stage: JudgeStage | None = None

    def journal(self, benchmark: MemoryBenchmark) -> Path:
        return self.path / PREDICTIONS

    def job(self, benchmark: MemoryBenchmark, journal: Any) -> Job:
        plain = super().job(benchmark, journal)
        self.desk.progress = self.judge_rig.progress = plain.progress
        self.stage = JudgeStage(plain, self.desk, **self.stage_about)
        self.tasks.start_soon(self.stage.run)
        return replace(plain, heard=self.stage.heard, reused=self.stage.reused)

    async def run(self) -> None:
        started = anyio.current_time()
        async with self.judge_rig.open() as self.desk, anyio.create_task_group() as self.tasks:
            try:
                await super().run()
            finally:
                self.stage.finish()
            await self.stage.done.wait()
            self.judged_s = anyio.current_time() - started
            self.judged = list(self.judge_rig.models[0].asked)
            self.entry = await self.scored(self.desk)

    async def scored(self, desk: JudgeDesk) -> Entry:
        return await evaluate_judged("m", self.benchmarks[0], self.path, limit=self.limit, desk=desk)

    async def score_again(self, judge: ScriptedModel | None = None) -> Entry:
        """Scores what is on disk, as a new process does."""
        rig = JudgeRig(self.path, judge or ScriptedModel(), **self.bench_about)
        async with rig.open() as desk:
            return await self.scored(desk)
