"""Any order of latencies, errors, limits and crashes: nothing acknowledged is lost, nothing doubles, nothing mixes.

Runs of the pipeline in virtual time. A crash is a cancelled run whose journal then loses any part of what nobody was
told to be safe, and may end in a torn line; the next run continues over what is left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from fakes import MemoryBenchmark, Rig, ScriptedModel
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import play

from eyechart.adapters.base import Request
from eyechart.engine.commit import GroupCommit
from eyechart.engine.journal import Journal
from eyechart.engine.limits import Limits
from eyechart.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EmptyAnswer,
    EndpointError,
    MalformedReply,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    StorageError,
    Timeout,
    Transport,
)
from eyechart.records import Reply, Usage

# No sample of a script fails for a while more often than this: fewer than lead to giving it up.
MOST_PASSING_ERRORS = 2
PASSING = (EmptyAnswer, MalformedReply, Overloaded, RateLimited, ServerFault, Timeout, Transport)
LASTING = (BadRequest, ContextOverflow, EmptyAnswer, MalformedReply, ServerFault, Timeout)
REFUSING = (AuthError, NotFound)
MOST_REFUSED = 2
"""A third refused key in a row ends the run, as it should."""
NEVER = 1e9

latencies = st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0, 40.0])


@dataclass(frozen=True)
class Question:
    """What the requests of one question meet: errors that pass, then an answer; or one error for ever."""

    passing: Sequence[EndpointError] = ()
    lasting: EndpointError | None = None
    unreadable: bool = False
    latencies: Sequence[float] = (1.0,)

    def outcome(self, text: str) -> str:
        """What the journal must say in the end."""
        if self.unreadable:
            return "MediaError"
        if isinstance(self.lasting, EmptyAnswer):
            return ""
        return type(self.lasting).__name__ if self.lasting else text.replace("q", "a")


@dataclass(frozen=True)
class Disturbance:
    """How a run ends early.

    Attributes:
        kind: ``crash``, ``stop`` (Ctrl-C) or ``full disk``.
        at_s: when, in virtual seconds.
        cut: share of the bytes beyond what was acknowledged that survive a crash.
        junk: a torn tail.
    """

    kind: str
    at_s: float
    cut: float
    junk: bytes


@dataclass
class DisturbedModel(ScriptedModel):
    """Answers as the questions say; the same whenever it is asked."""

    questions: dict[str, Question] = field(default_factory=dict)

    async def ask(self, request: Request) -> Reply:
        with self.counted(request) as (text, turn):
            question = self.questions[text]
            await anyio.sleep(question.latencies[turn % len(question.latencies)])
        if question.lasting:
            raise question.lasting
        if turn < len(question.passing):
            raise question.passing[turn]
        return Reply(self.answer(text), usage=Usage(30, turn))


class TellingCommit(GroupCommit):
    """Keeps the lines whose writing was acknowledged."""

    def __init__(self, journal: Journal, told: list[bytes]) -> None:
        super().__init__(journal)
        self.told = told

    async def write(self, line: bytes) -> None:
        await super().write(line)
        self.told.append(line)


class FullDisk(Journal):
    """Has no room any more once `full` says so; the last write leaves half a line."""

    def __init__(self, path: Path, full: Callable[[], bool]) -> None:
        super().__init__(path)
        self.full = full

    def append(self, lines: Sequence[bytes]) -> None:
        if self.full():
            with self.path.open("ab") as file:
                file.write(lines[0][: len(lines[0]) // 2])
            raise StorageError("the disk is full")
        super().append(lines)


class DisturbedRig(Rig):
    """A rig whose disk can fill up, and that knows what was acknowledged."""

    def __init__(self, *args: Any, told: dict[Path, list[bytes]], **about: Any) -> None:
        super().__init__(*args, **about)
        self.told = told
        self.disk_full = False

    def open_journal(self, benchmark: MemoryBenchmark) -> Journal:
        return FullDisk(self.journal(benchmark), lambda: self.disk_full)

    def commit(self, journal: Journal) -> GroupCommit:
        return TellingCommit(journal, self.told.setdefault(journal.path, []))


def errors(kinds: Sequence[type[EndpointError]]) -> st.SearchStrategy[EndpointError]:
    waits = st.sampled_from([None, 0.0, 2.0, 700.0])
    return st.builds(lambda kind, wait: kind("x", retry_after=wait), st.sampled_from(kinds), waits)


@st.composite
def questions(draw: st.DrawFn, refused: list[int]) -> Question:
    kind = draw(st.sampled_from(["answers"] * 4 + ["passing"] * 4 + ["lasting", "refused", "unreadable"]))
    if kind == "refused" and len(refused) < MOST_REFUSED:
        refused.append(1)
        return Question(lasting=draw(errors(REFUSING)))
    return Question(
        passing=draw(st.lists(errors(PASSING), max_size=MOST_PASSING_ERRORS)) if kind == "passing" else (),
        lasting=draw(errors(LASTING)) if kind == "lasting" else None,
        unreadable=kind == "unreadable",
        latencies=draw(st.lists(latencies, min_size=1, max_size=3)),
    )


@dataclass(frozen=True)
class Script:
    """One example: two benchmarks, how they are asked, and what befalls the runs."""

    questions: dict[str, dict[str, Question]]
    about: dict[str, Any]
    disturbances: list[Disturbance]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    refused: list[int] = []
    asked = {
        suffix: {f"q{n}{suffix}": draw(questions(refused)) for n in range(draw(st.integers(0, most)))}
        for suffix, most in (("", 10), (" please", 4))
    }
    limits = st.builds(Limits, st.integers(1, 5), st.sampled_from([None, 30.0, 600.0]), st.sampled_from([None, 2000.0]))
    disturbances = st.builds(
        Disturbance,
        st.sampled_from(["crash", "crash", "crash", "stop", "full disk"]),
        st.floats(0, 90) | st.floats(0, 5),
        st.floats(0, 1),
        st.binary(max_size=20),
    )
    about = {
        "limits": draw(limits),
        "setup": draw(st.sampled_from(["s1", None])),
        "prepare_threads": draw(st.integers(1, 3)),
        "batch": draw(st.integers(1, 4)),
        "ready_bytes": draw(st.sampled_from([1, 10, 1 << 20])),
        "grace_s": draw(st.sampled_from([0.0, 0.5, 30.0])),
    }
    return Script(asked, about, draw(st.lists(disturbances, max_size=3)))


class Story:
    """A script as it is played in one folder."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path, self.script = path, script
        self.told: dict[Path, list[bytes]] = {}
        every = {text: question for asked in script.questions.values() for text, question in asked.items()}
        self.model = DisturbedModel(questions=every)
        self.benchmarks = [
            MemoryBenchmark(
                len(asked),
                name=f"Bench{suffix.strip()}",
                suffix=suffix,
                unreadable=frozenset(row for row, question in enumerate(asked.values()) if question.unreadable),
            )
            for suffix, asked in script.questions.items()
        ]

    def rig(self) -> DisturbedRig:
        patience = {"patience_s": NEVER, "startup_patience_s": NEVER}
        about = {**self.script.about, "health": patience, "policy": {"patience_s": NEVER}}
        return DisturbedRig(self.path, self.model, *self.benchmarks, told=self.told, **about)

    async def disturbed(self, disturbance: Disturbance) -> None:
        rig = self.rig()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end, rig, disturbance, tasks.cancel_scope)
                await rig.run()
                tasks.cancel_scope.cancel()
        except* StorageError:
            assert disturbance.kind == "full disk"
        if disturbance.kind == "crash":
            for benchmark in self.benchmarks:
                self._tear(rig.journal(benchmark), disturbance)

    async def _end(self, rig: DisturbedRig, disturbance: Disturbance, scope: anyio.CancelScope) -> None:
        await anyio.sleep(disturbance.at_s)
        if disturbance.kind == "full disk":
            rig.disk_full = True
        elif disturbance.kind == "stop":
            rig.stop.set()
        else:
            scope.cancel()

    def _tear(self, journal: Path, disturbance: Disturbance) -> None:
        content = journal.read_bytes()
        safe = max((content.index(line) + len(line) for line in self.told.get(journal, ())), default=0)
        end = safe + round(disturbance.cut * (len(content) - safe))
        journal.write_bytes(content[:end] + disturbance.junk)

    async def to_the_end(self) -> None:
        rig = self.rig()
        await rig.run()
        for benchmark, progress in zip(self.benchmarks, rig.progress, strict=True):
            assert (progress.done, progress.in_flight, progress.retrying) == (len(benchmark), 0, 0)
        self._check_answers(rig)
        self._check_requests()

    def _check_answers(self, rig: DisturbedRig) -> None:
        for benchmark, asked in zip(self.benchmarks, self.script.questions.values(), strict=True):
            content = rig.journal(benchmark).read_bytes()
            assert all(line in content for line in self.told.get(rig.journal(benchmark), ()))
            assert rig.answers(benchmark) == {
                str(row): question.outcome(text) for row, (text, question) in enumerate(asked.items())
            }
            answered = Counter(line.index for line in rig.lines(benchmark) if line.failure is None)
            assert set(answered.values()) <= {1}, "an answer was asked for twice"

    def _check_requests(self) -> None:
        nproc = self.script.about["limits"].nproc
        assert self.model.peak <= nproc
        assert self.model.in_flight == 0
        asked = Counter(self.model.asked)
        extra = {
            text: asked[text] - len(question.passing) - 1
            for text, question in self.model.questions.items()
            if not question.lasting and not question.unreadable
        }
        assert min(extra.values(), default=0) >= 0
        assert sum(extra.values()) <= nproc * len(self.script.disturbances)


@settings(max_examples=120)
@given(script=scripts())
def test_whatever_happens_the_end_is_that_of_an_undisturbed_run(
    virtual_time_loop: type[asyncio.AbstractEventLoop], tmp_path_factory: pytest.TempPathFactory, script: Script
) -> None:
    play(Story(tmp_path_factory.mktemp("run"), script), script.disturbances, virtual_time_loop)
