"""Which failures are tried again, how long that waits, and when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.engine.retry import Attempts, Health, RetryPolicy
from eyechart.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EmptyAnswer,
    EndpointError,
    EndpointUnusable,
    MalformedReply,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
    Transport,
)


def lose(policy: RetryPolicy, kind: type[EndpointError], *, others_succeed: bool, most: int = 500, **about) -> int:
    """Fails a sample with one kind over and over; returns how many requests it took until it was given up."""
    attempts, now = Attempts(first_failure_at=0.0), 0.0
    for n in range(1, most + 1):
        attempts.counts[kind] = n
        error = kind("x", **about)
        wait = policy.next_wait_s(error, attempts, now=now, successes=n if others_succeed else 0)
        if wait is None:
            return n
        now += wait
    return most


@pytest.mark.parametrize("kind", [BadRequest, ContextOverflow, AuthError, NotFound])
def test_what_cannot_change_is_not_asked_again(kind: type[EndpointError]) -> None:
    assert lose(RetryPolicy(), kind, others_succeed=True) == 1


@pytest.mark.parametrize(
    ("kind", "others_succeed", "requests"),
    [
        (Timeout, True, 6),
        (MalformedReply, True, 6),
        (ServerFault, False, 6),
        (ServerFault, True, 3),  # others get answers: it is this sample's picture
        (EmptyAnswer, True, 3),  # the model has nothing to say
        (Transport, True, 18),
        (Transport, False, 500),  # the endpoint is away: its patience decides, not this sample
    ],
)
def test_tries_of_a_sample(kind: type[EndpointError], others_succeed: bool, requests: int) -> None:
    assert lose(RetryPolicy(patience_s=1e9), kind, others_succeed=others_succeed) == requests


def test_the_last_sample_is_not_asked_for_ever() -> None:
    assert 18 <= lose(RetryPolicy(patience_s=600, draw=lambda: 1.0), Transport, others_succeed=False) < 30


def test_refusals_cost_a_sample_nothing_until_patience_is_over() -> None:
    patient = RetryPolicy(patience_s=1e9)
    assert lose(patient, RateLimited, others_succeed=True) == 500
    assert 6 <= lose(RetryPolicy(patience_s=20, draw=lambda: 1.0), Overloaded, others_succeed=True) <= 8


@given(draw=st.floats(0, 1, exclude_max=True), n=st.integers(1, 60), retry_after=st.none() | st.floats(0, 1000))
def test_waits_are_bounded_and_no_shorter_than_the_server_asks(draw: float, n: int, retry_after: float | None) -> None:
    policy = RetryPolicy(tries=100, draw=lambda: draw)
    attempts = Attempts(first_failure_at=0.0, counts={RateLimited: n})
    wait = policy.next_wait_s(RateLimited("x", retry_after=retry_after), attempts, now=0, successes=0)
    assert wait is not None
    assert (retry_after or 0) <= wait <= max(60, retry_after or 0)


def test_waits_double_from_the_second_on() -> None:
    policy = RetryPolicy(tries=100, wait_s=2.0, draw=lambda: 1.0)
    waits = [
        policy.next_wait_s(Timeout("x"), Attempts(first_failure_at=0.0, counts={Timeout: n}), now=0, successes=0)
        for n in range(1, 8)
    ]
    assert waits == [2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("kind", [AuthError, NotFound])
def test_a_refused_key_or_model_stops_the_run_after_three(kind: type[EndpointError]) -> None:
    health = Health()
    health.success()
    for sample in "ab":
        health.failure(kind("no"), sample=sample, now=0)
    with pytest.raises(EndpointUnusable, match="no"):
        health.failure(kind("no"), sample="c", now=0)


def test_answers_in_between_keep_it_going() -> None:
    health = Health()
    for n in range(20):
        health.failure(AuthError("no"), sample=str(n), now=0)
        health.success()
    assert health.successes == 20


def test_a_server_that_is_down_is_told_soon_one_that_went_away_late() -> None:
    down = Health(patience_s=600, startup_patience_s=30)
    down.failure(Transport("refused"), sample="a", now=0)
    down.failure(Transport("refused"), sample="a", now=29)
    with pytest.raises(EndpointUnusable, match="30 s; last: refused"):
        down.failure(Transport("refused"), sample="a", now=30)

    restarting = Health(patience_s=600)
    restarting.success()
    restarting.failure(Transport("refused"), sample="a", now=0)
    restarting.failure(Transport("refused"), sample="b", now=599)
    restarting.success()
    restarting.failure(Transport("refused"), sample="b", now=700)
    restarting.failure(Transport("refused"), sample="a", now=701)
    with pytest.raises(EndpointUnusable):
        restarting.failure(Transport("refused"), sample="b", now=1301)


@pytest.mark.parametrize("kind", [RateLimited, Overloaded])
def test_a_server_that_asks_for_time_from_the_start_is_given_it(kind: type[EndpointError]) -> None:
    health = Health(patience_s=600, startup_patience_s=30)
    for now in (0, 61, 122, 599):
        health.failure(kind("later", retry_after=60), sample=str(now), now=now)
    with pytest.raises(EndpointUnusable, match="600 s; last: later"):
        health.failure(kind("later"), sample="z", now=600)


def test_one_sample_that_never_succeeds_says_nothing_about_the_endpoint() -> None:
    health = Health(patience_s=10)
    health.success()
    for now in range(1000):
        health.failure(ServerFault("bad picture"), sample="a", now=now)
    with pytest.raises(EndpointUnusable):
        health.failure(ServerFault("bad picture"), sample="b", now=1000)


def test_refused_requests_prove_the_endpoint_well() -> None:
    health = Health(patience_s=10, startup_patience_s=10)
    for now in range(1000):
        health.failure(BadRequest("too big"), sample=str(now), now=now)
    assert health.successes == 0
