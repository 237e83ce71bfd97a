"""The gate: what may leave when, with time as a number."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.engine.limits import Gate, Limits
from eyechart.errors import ConfigError


def drive(gate: Gate, *, seconds: float, answer_s: float, tokens: int | None = None) -> list[float]:
    """Lets requests leave as soon as they may, each answered after `answer_s`; returns when they left."""
    now, left, flying = 0.0, [], []
    while now < seconds:
        while flying and flying[0][0] <= now:
            gate.arrive(now, flying.pop(0)[1], tokens)
            gate.succeeded()
        wait = gate.wait_s(now)
        if wait == 0:
            flying.append((now + answer_s, gate.leave(now)))
            left.append(now)
        else:
            now = min(now + wait, flying[0][0] if flying else math.inf)
    return left


@pytest.mark.parametrize("bad", [{"nproc": 0}, {"nproc": 4, "rpm": 0}, {"nproc": 4, "tpm": -1}, {"nproc": -3}])
def test_limits_must_be_positive(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        Limits(**bad)


@given(nproc=st.integers(1, 20), events=st.lists(st.booleans(), max_size=200))
def test_never_more_than_nproc_in_flight(nproc: int, events: list[bool]) -> None:
    gate = Gate(Limits(nproc))
    charged = []
    for leave in events:
        if leave and gate.wait_s(0.0) == 0:
            charged.append(gate.leave(0.0))
        elif charged:
            gate.arrive(0.0, charged.pop(), None)
        assert gate.in_flight == len(charged) <= nproc
        assert (gate.wait_s(0.0) == math.inf) == (len(charged) == nproc)


@given(rpm=st.integers(1, 1000), nproc=st.integers(1, 50))
def test_no_minute_sees_more_than_rpm_requests(rpm: int, nproc: int) -> None:
    left = drive(Gate(Limits(nproc, rpm=rpm)), seconds=200, answer_s=0.0)
    for start, one_minutes_worth_later in zip(left, left[rpm:], strict=False):
        assert one_minutes_worth_later >= start + 60 - 1e-6
    assert len(left) >= rpm * 200 / 60 - 1


def test_tokens_a_minute_settle_at_the_limit() -> None:
    left = drive(Gate(Limits(8, tpm=6000)), seconds=600, answer_s=0.5, tokens=100)
    assert 590 <= len(left) <= 620, "6000 tokens a minute are 60 requests of 100"
    later = [t for t in left if t > 60]
    assert max(sum(1 for u in later if t <= u < t + 60) for t in later) <= 62


def test_a_pause_holds_the_whole_endpoint_as_long_as_the_server_says() -> None:
    gate = Gate(Limits(4))
    charged = gate.leave(0.0)
    gate.refused(1.0, 0.0, retry_after=30.0)
    gate.arrive(1.0, charged, None)
    assert gate.wait_s(1.0) == 30.0
    assert gate.why(1.0) == "server"
    assert gate.wait_s(31.0) == 0.0


def test_one_wave_of_refusals_counts_once() -> None:
    gate = Gate(Limits(64))
    for _ in range(64):
        gate.leave(0.0)
    for _ in range(64):
        gate.refused(1.0, 0.0, None)
    assert (gate.cap, gate.wait_s(1.0)) == (32, math.inf)
    assert gate.paused_until == 2.0, "one second, not 64 doublings"


def test_waves_double_the_pause_up_to_a_minute_and_an_answer_ends_that() -> None:
    gate, now, pauses = Gate(Limits(4)), 0.0, []
    for _ in range(9):
        gate.refused(now, now, None)
        pauses.append(gate.paused_until - now)
        now = gate.paused_until + 1
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    gate.succeeded()
    gate.refused(now, now, None)
    assert gate.paused_until - now == 1


def test_a_server_that_takes_sixteen_is_soon_asked_by_about_sixteen() -> None:
    gate, now, refusals = Gate(Limits(256)), 0.0, []
    for _ in range(60):
        now = max(now, gate.paused_until) + 1
        flight = [gate.leave(now) for _ in range(gate.cap)]
        refused = len(flight) - 16
        for n, charged in enumerate(flight):
            gate.arrive(now + 0.5, charged, None)
            if n < refused:
                gate.refused(now + 0.5, now, None)
            else:
                gate.succeeded()
        refusals.append(max(refused, 0))
    assert sum(refusals[10:]) / 50 < 4
    assert 8 <= gate.cap <= 24


def served(
    gate: Gate, takes: Callable[[float, int], bool], *, seconds: float = 120, since: float = 0
) -> tuple[int, int]:
    """Asks a server that answers after 0.2 s, or at once with a 429 and Retry-After of a second.

    Args:
        gate: lets requests leave.
        takes: whether a request is taken, by the time and how many others the server has just then.
        seconds: until when.
        since: from when on.

    Returns:
        How many were answered, and how many refused.
    """
    now, held, answered, refusals = since, 0, 0, 0
    flying: list[tuple[float, float, bool, float]] = []
    while now < seconds:
        while flying and flying[0][0] <= now:
            _, left_at, taken, charged = heapq.heappop(flying)
            if taken:
                gate.succeeded()
            else:
                gate.refused(now, left_at, 1.0)
            held, answered, refusals = held - taken, answered + taken, refusals + (not taken)
            gate.arrive(now, charged, None)
        wait = gate.wait_s(now)
        if wait:
            now = min(now + wait, flying[0][0] if flying else math.inf)
            continue
        taken = takes(now, held)
        held += taken
        heapq.heappush(flying, (now + (0.2 if taken else 0.001), now, taken, gate.leave(now)))
    return answered, refusals


@pytest.mark.parametrize("nproc", [60, 256])
def test_a_server_with_a_fixed_number_of_places_is_kept_busy(nproc: int) -> None:
    answered, refusals = served(Gate(Limits(nproc)), lambda _, held: held < 48)
    assert answered >= 0.9 * 48 / 0.2 * 120
    assert refusals < 1.5 * nproc, "few but those of the first waves"


@pytest.mark.parametrize("share", [0.05, 0.2])
@pytest.mark.parametrize("nproc", [8, 16, 64, 256])
def test_refusals_here_and_there_hold_back_their_own_requests_alone(nproc: int, share: float) -> None:
    draw = random.Random(0).random
    answered, _ = served(Gate(Limits(nproc)), lambda *_: draw() >= share)
    assert answered >= 0.9 * (1 - share) * nproc / 0.2 * 120


def test_where_most_is_refused_the_whole_endpoint_pauses_again() -> None:
    draw = random.Random(0).random
    gate = Gate(Limits(64))
    served(gate, lambda *_: draw() >= 0.2, seconds=20)
    assert gate.refuses_some(20.0)
    gate.in_flight = 0
    refusals = served(gate, lambda *_: False, since=20, seconds=80)[1]
    assert not gate.refuses_some(80.0)
    assert refusals < 200, "those that it took to see it, and some each second"


def test_a_server_that_loses_places_is_soon_asked_by_as_many_as_it_has() -> None:
    """Its refusals of what it held a moment ago look random at first, and are looked into again."""
    answered, refusals = served(Gate(Limits(60)), lambda now, held: held < (48 if now < 60 else 24), seconds=240)
    assert answered >= 0.8 * (48 * 60 + 24 * 180) / 0.2
    assert refusals < 500


def test_cap_returns_to_nproc_when_all_is_well() -> None:
    gate = Gate(Limits(8))
    gate.refused(0.0, 0.0, None)
    assert (gate.cap, gate.why(0.5)) == (4, "server")
    for _ in range(100):
        gate.succeeded()
    assert gate.cap == 8


def test_why_names_the_limit() -> None:
    full = Gate(Limits(1))
    full.leave(0.0)
    assert full.why(0.0) == "nproc"
    rpm = Gate(Limits(9, rpm=60))
    rpm.leave(0.0)
    assert rpm.why(0.1) == "rpm"
    tpm = Gate(Limits(9, tpm=60))
    tpm.arrive(0.0, tpm.leave(0.0), 50)
    assert tpm.why(1.0) == "tpm"
    assert Gate(Limits(1)).why(0.0) is None
