"""nproc: auto against simulated endpoints, with time as a number, and against the mock server in virtual time."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import MemoryBenchmark, Rig
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.openai_chat import Endpoint, OpenAIChat
from eyechart.adapters.payload import ChatOptions
from eyechart.engine.auto_gate import AutoGate
from eyechart.engine.auto_nproc import Climb
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.replicas import Fleet


@dataclass
class Endless:
    """An endpoint without end of questions: latency by requests in flight there, a cap that refuses, noise."""

    latency: Callable[[int], float]
    cap: float = math.inf
    noise: float = 0.0
    now: float = 0.0
    levels: list[int] = field(default_factory=list)
    refusals: int = 0
    serving: int = 0
    _order: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(1)
        self._flying: list[tuple[float, int, bool, float]] = []
        self._paused = -math.inf

    def drive(self, climb: Climb, answers: int) -> float:
        """Asks until so many answers are there; returns answers a second."""
        began, done = self.now, 0
        while done < answers:
            if climb.in_flight < climb.level and self._paused <= self.now:
                self._send(climb)
                continue
            if climb.in_flight < climb.level and (not self._flying or self._paused < self._flying[0][0]):
                self.now = self._paused
                continue
            at, _, ok, left_at = heapq.heappop(self._flying)
            self.now = max(self.now, at)
            if ok:
                self.serving -= 1
                done += 1
            else:
                self.refusals += 1
                climb.refused(self.now, left_at)
                self._paused = max(self._paused, self.now + 1.0)
            climb.returned(self.now, answered=ok)
            self.levels.append(climb.level)
        return answers / (self.now - began)

    def _send(self, climb: Climb) -> None:
        climb.left(self.now)
        self._order += 1
        if self.serving >= self.cap:
            heapq.heappush(self._flying, (self.now + 0.001, self._order, False, self.now))
            return
        self.serving += 1
        factor = self._random.lognormvariate(-(self.noise**2) / 2, self.noise) if self.noise else 1.0
        seconds = self.latency(self.serving) * factor
        heapq.heappush(self._flying, (self.now + seconds, self._order, True, self.now))


def constant(n: int) -> float:
    return 1.0


def flat_beyond_20(n: int) -> float:
    return max(1.0, n / 20)


def falling_beyond_20(n: int) -> float:
    return max(1.0, (n / 20) ** 2)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize(
    ("latency", "cap", "best_rate"),
    [
        (constant, math.inf, 64.0),
        (flat_beyond_20, math.inf, 20.0),
        (falling_beyond_20, math.inf, 20.0),
        (constant, 10, 10.0),
        (constant, 37, 37.0),
        (constant, 1, 1.0),
        (lambda n: max(1.0, (n / 3) ** 2), math.inf, 3.0),
    ],
    ids=["unlimited", "flat", "falling", "cap 10", "cap 37", "cap 1", "falling early"],
)
def test_nine_tenths_of_the_best_number(
    latency: Callable[[int], float], cap: float, best_rate: float, noise: float
) -> None:
    climb = Climb(64)
    endpoint = Endless(latency, cap=cap, noise=noise)
    answers = int((500 if noise else 250) * best_rate)
    assert endpoint.drive(climb, answers) >= 0.9 * best_rate, "ramp and search included"
    assert max(endpoint.levels) <= 64
    assert climb.settled


def test_where_more_in_flight_is_no_faster_few_are_enough() -> None:
    climb = Climb(512)
    Endless(flat_beyond_20).drive(climb, 4000)
    assert 19 <= climb.best <= 24


def test_a_ramp_takes_few_rounds() -> None:
    climb = Climb(512)
    endpoint = Endless(constant)
    endpoint.drive(climb, 3000)
    assert climb.level == 512
    assert endpoint.now < 24, "seconds; the latency is one, and there are seven doublings"


def test_a_refusal_halves_once_for_a_wave() -> None:
    climb = Climb(64)
    climb.level = 32
    for _ in range(32):
        climb.left(0.0)
    for _ in range(8):
        climb.refused(1.0, 0.0)
        climb.returned(1.0, answered=False)
    assert climb.level == 16


def test_a_timeout_halves_once_for_all_that_left_before() -> None:
    climb = Climb(64)
    climb.level = 32
    for _ in range(32):
        climb.left(0.0)
    climb.timed_out(30.0, 0.0)
    climb.timed_out(30.0, 0.0)
    assert climb.level == 16
    climb.timed_out(60.0, 31.0)
    assert climb.level == 8


def test_the_wall_is_touched_ever_less_often() -> None:
    climb, endpoint = Climb(64), Endless(constant, cap=10)
    endpoint.drive(climb, 600)
    early = endpoint.refusals
    endpoint.drive(climb, 36_000)
    assert climb.best == 10
    assert endpoint.refusals - early <= 30, "an hour: six waves or so"


def test_an_outage_is_no_wall() -> None:
    """A server that refuses everything for two minutes holds as many afterwards as before."""
    climb, endpoint = Climb(64), Endless(constant)
    endpoint.drive(climb, 6000)
    assert climb.level == 64
    endpoint.cap = 0
    endpoint.latency = constant
    outage_ends = endpoint.now + 120
    while endpoint.now < outage_ends:
        endpoint.now += 1
        climb.left(endpoint.now)
        climb.refused(endpoint.now, endpoint.now)
        climb.returned(endpoint.now, answered=False)
    assert climb.level == 1
    endpoint.cap = math.inf
    endpoint.drive(climb, 12_000)
    assert climb.level >= 48


def test_a_server_that_becomes_stronger_is_asked_more() -> None:
    climb, endpoint = Climb(256), Endless(falling_beyond_20)
    endpoint.drive(climb, 4000)
    assert climb.best < 30
    endpoint.latency = constant
    endpoint.drive(climb, 40_000)
    assert climb.best > 100


def test_a_server_that_becomes_weaker_is_asked_less() -> None:
    climb, endpoint = Climb(256), Endless(lambda n: max(1.0, (n / 100) ** 2))
    endpoint.drive(climb, 20_000)
    assert climb.best > 60
    endpoint.latency = falling_beyond_20
    endpoint.drive(climb, 20_000)
    assert climb.best < 30


def test_what_something_else_limits_is_not_judged() -> None:
    """Ten a second arrive, whatever the level: nothing is learned, and nothing is raised."""
    climb, now = Climb(512), 0.0
    for _ in range(2000):
        now += 0.1
        climb.left(now)
        climb.returned(now + 0.05, answered=True)
    assert climb.level == 4


def test_answers_near_the_time_limit_end_the_climb() -> None:
    climb = Climb(512, slow_s=10.0)
    Endless(lambda n: 1 + n / 8).drive(climb, 6000)
    assert climb.best <= 75, "eight more in flight cost a second"


@given(
    most=st.integers(1, 64),
    events=st.lists(st.tuples(st.sampled_from("laart"), st.floats(0, 3)), max_size=300),
)
def test_the_level_stays_between_one_and_the_bound(most: int, events: list[tuple[str, float]]) -> None:
    climb, now, left = Climb(most), 0.0, []
    for what, seconds in events:
        now += seconds
        if what == "l" and climb.in_flight < climb.level:
            climb.left(now)
            left.append(now)
        elif left:
            left_at = left.pop(0)
            if what == "r":
                climb.refused(now, left_at)
            elif what == "t":
                climb.timed_out(now, left_at)
            climb.returned(now, answered=what == "a")
        assert 1 <= climb.level <= most
        assert climb.in_flight == len(left)


def test_the_gate_says_what_limits() -> None:
    gate = AutoGate(Limits(8))
    assert gate.cap == 4
    charged = [gate.leave(0.0) for _ in range(4)]
    assert (gate.wait_s(0.0), gate.why(0.0)) == (math.inf, "nproc"), "it is still growing"
    gate.refused(1.0, 0.0, None)
    for tokens in charged:
        gate.arrive(1.0, tokens, None)
    assert (gate.cap, gate.why(1.5)) == (2, "server"), "it pauses"
    charged = [gate.leave(2.5) for _ in range(2)]
    assert gate.why(2.5) == "server", "it took no more"


# -- against the mock server ------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
class TestMockServer:
    """The whole way: pipeline, HTTP, journal. The best fixed number of each shape is 12."""

    async def rate(self, path: Path, url: str, gate: Gate, samples: int) -> float:
        model = OpenAIChat(Endpoint(url), ChatOptions("m"))
        path.mkdir()  # noqa: ASYNC240  (a test may block)
        rig = Rig(path, model, MemoryBenchmark(samples), fleet=Fleet.of(model, gate))  # type: ignore[arg-type]
        try:
            await rig.run()
        finally:
            await model.aclose()
        assert len(rig.answers()) == samples
        return samples / rig.seconds

    @pytest.mark.anyio
    @pytest.mark.timeout(120)
    @pytest.mark.parametrize(
        "shape",
        [
            {"max_in_flight": 12, "retry_after": 1.0},
            {"knee": 12, "knee_power": 1.0},
            {"knee": 12, "knee_power": 2.0},
            {},
        ],
        ids=["cap with 429", "flat beyond a knee", "falling beyond a knee", "unlimited"],
    )
    async def test_auto_reaches_nine_tenths_of_the_best_fixed_number(
        self, mock_server, tmp_path: Path, shape: dict[str, float]
    ) -> None:
        server = await mock_server(mode="fixed", latency=2.0, **shape)
        fixed = {}
        for nproc in (6, 12, 24):
            if shape or nproc == 12:
                fixed[nproc] = await self.rate(tmp_path / str(nproc), server.url, Gate(Limits(nproc)), 20 * nproc)
        gate = AutoGate(Limits(64 if shape else 12))
        auto = await self.rate(tmp_path / "auto", server.url, gate, 3500 if "knee" in shape else 2000)
        assert max(fixed.values()) == pytest.approx(6.0, rel=0.1), "12 at a time, 2 s each"
        assert auto >= 0.9 * max(fixed.values())
        assert 10 <= gate.climb.best <= 16
