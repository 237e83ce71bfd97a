"""Any order of latencies, errors and crashes of a model and its judge: the scores are those of an undisturbed run.

Runs of pipeline, stage and scoring in virtual time. A crash is a cancelled run; what it had not been told to be safe may
be lost, and both journals may end in a torn line. The next run continues over what is left.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from fakes import JoinedBenchmark, JudgedBenchmark, ScriptedModel, StagedRig
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import play

from eyechart.adapters.base import Request
from eyechart.benchmarks.scoring_run import score_predictions_async
from eyechart.engine.limits import Limits
from eyechart.errors import EndpointError, MalformedReply, Overloaded, RateLimited, ServerFault, Timeout, Transport
from eyechart.records import Reply
from eyechart.scoring.judge import JudgeRequest

NEVER = 1e9
PASSING = (MalformedReply, Overloaded, RateLimited, ServerFault, Timeout, Transport)
latencies = st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0, 40.0])
errors = st.builds(
    lambda kind, wait: kind("x", retry_after=wait), st.sampled_from(PASSING), st.sampled_from([None, 0.0, 2.0, 700.0])
)


@dataclass
class JudgeOfLetters(ScriptedModel):
    """Says the next of an answer's verdicts whenever it is asked about it by another try; fails a few times before.

    Attributes:
        errors: what the first requests about each text meet.
        seconds: how long the requests take, in turn.
        verdicts: what is said about each text: always the same, or else a first, second and third time.
    """

    errors: dict[str, Sequence[EndpointError]] = field(default_factory=dict)
    seconds: Sequence[float] = (1.0,)
    verdicts: dict[str, str] = field(default_factory=dict)

    async def ask(self, request: Request) -> Reply:
        with self.counted(request) as (text, turn):
            await anyio.sleep(self.seconds[len(self.asked) % len(self.seconds)])
        if turn < len(self.errors.get(text, ())):
            raise self.errors[text][turn]
        return Reply(self.verdicts.get(text, "yes"))


@dataclass(frozen=True)
class Script:
    """One example.

    Attributes:
        joined: whether answers are judged together.
        answers: what the model says.
        verdicts: what the judge says of each answer that it is asked about.
        errors: what the judge's first requests meet.
        seconds: latencies of model and judge.
        limits: of model and judge.
        disturbances: when a run ends early, how (``crash`` or ``stop``), and what tears its journals.
    """

    joined: bool
    answers: Sequence[str]
    verdicts: Sequence[str]
    errors: Sequence[Sequence[EndpointError]]
    seconds: tuple[Sequence[float], Sequence[float]]
    limits: tuple[Limits, Limits]
    disturbances: Sequence[tuple[float, str, bytes]]


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    n = draw(st.integers(1, 9))
    limits = st.builds(Limits, st.integers(1, 5), st.sampled_from([None, 60.0, 600.0]))
    return Script(
        joined=draw(st.booleans()),
        answers=draw(st.lists(st.sampled_from(["a1", "a2", "?", "??", "hm"]), min_size=n, max_size=n)),
        verdicts=draw(st.lists(st.sampled_from(["yes", "no", "who knows"]), min_size=n, max_size=n)),
        errors=draw(st.lists(st.lists(errors, max_size=2), min_size=n, max_size=n)),
        seconds=draw(st.tuples(*[st.lists(latencies, min_size=1, max_size=3)] * 2)),
        limits=draw(st.tuples(limits, limits)),
        disturbances=draw(
            st.lists(
                st.tuples(
                    st.floats(0, 90) | st.floats(0, 5),
                    st.sampled_from(["crash", "crash", "stop"]),
                    st.binary(max_size=9),
                ),
                max_size=3,
            )
        ),
    )


class Story:
    """A script as it is played in one folder."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path, self.script = path, script
        self.benchmark = (JoinedBenchmark if script.joined else JudgedBenchmark)(len(script.answers))
        texts = [f"{row}/{answer}" for row, answer in enumerate(script.answers)]
        self.verdicts = dict(zip(texts, script.verdicts, strict=True))
        self.judge = JudgeOfLetters(
            errors=dict(zip(texts, script.errors, strict=True)), seconds=script.seconds[1], verdicts=self.verdicts
        )

    def rig(self) -> StagedRig:
        patience = {"patience_s": NEVER, "startup_patience_s": NEVER}
        about = {"health": patience, "policy": {"patience_s": NEVER}}
        model = JudgeOfLetters(
            seconds=self.script.seconds[0],
            verdicts={f"q{row}": answer for row, answer in enumerate(self.script.answers)},
        )
        ours, theirs = self.script.limits
        return StagedRig(
            self.path, model, self.benchmark, self.judge, limits=ours, bench={"limits": theirs, **about}, **about
        )

    async def disturbed(self, disturbance: tuple[float, str, bytes]) -> None:
        at_s, kind, junk = disturbance
        rig = self.rig()

        async def end(scope: anyio.CancelScope) -> None:
            await anyio.sleep(at_s)
            if kind == "crash":
                scope.cancel()
            rig.stop.set()
            rig.judge_rig.judges[0].close()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end, tasks.cancel_scope)
            await rig.run()
            tasks.cancel_scope.cancel()
        if kind == "crash":
            for journal in (rig.journal(self.benchmark), rig.judge_rig.path):
                if journal.exists():
                    with journal.open("ab") as file:
                        file.write(junk.replace(b"\n", b""))

    async def to_the_end(self) -> None:
        rig = self.rig()
        await rig.run()
        assert rig.entry.score is not None, rig.entry.error
        answers = {str(row): answer for row, answer in enumerate(self.script.answers)}
        expected = await score_predictions_async(self.benchmark, answers, self.says)
        assert rig.entry.score.per_sample == expected.per_sample
        assert rig.entry.score.table == expected.table
        assert rig.entry.score.counts == expected.counts
        self.check_requests(rig)

    async def says(self, request: JudgeRequest) -> str:
        return self.verdicts[request.prompt]

    def check_requests(self, rig: StagedRig) -> None:
        nproc = self.script.limits[1].nproc
        assert (self.judge.peak <= nproc, self.judge.in_flight) == (True, 0)
        written = Counter(line.fingerprint for line in rig.judge_rig.lines())
        assert set(written.values()) <= {1}, "a verdict was asked for twice"
        failed = sum(len(met) for met in self.judge.errors.values())
        most = sum(written.values()) + failed + nproc * len(self.script.disturbances)
        assert len(self.judge.asked) <= most


@settings(max_examples=80)
@given(script=scripts())
def test_whatever_happens_the_scores_are_those_of_an_undisturbed_run(
    virtual_time_loop: type[asyncio.AbstractEventLoop], tmp_path_factory: pytest.TempPathFactory, script: Script
) -> None:
    play(Story(tmp_path_factory.mktemp("run"), script), script.disturbances, virtual_time_loop)
