from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.stats import estimate, t_quantile


def test_independent_samples_have_the_ordinary_standard_error():
    values = [0.2, 0.4, 0.9, 0.5]
    found = estimate(values, range(4))
    mean = sum(values) / 4
    stderr = math.sqrt(sum((v - mean) ** 2 for v in values) / 3 / 4)
    assert found.mean == pytest.approx(mean)
    assert found.stderr == pytest.approx(stderr)
    assert (found.low, found.high) == (
        pytest.approx(mean - 3.182446 * stderr),
        pytest.approx(min(1, mean + 3.182446 * stderr)),
    )
    assert (found.n, found.clusters) == (4, 4)


def test_independent_hits_have_the_interval_of_wilson():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    found = estimate([1.0] * 81 + [0.0] * 182, range(263))
    assert found.low == pytest.approx(0.2553, abs=5e-5)
    assert found.high == pytest.approx(0.3662, abs=5e-5)


def test_no_hit_at_all_still_has_an_interval():
    # Newcombe 1998, table I: 0 of 20 gives 0 to 0.1611.
    found = estimate([0.0] * 20, range(20))
    assert (found.mean, found.stderr, found.low) == (0.0, 0.0, 0.0)
    assert found.high == pytest.approx(0.1611, abs=5e-5)


def test_samples_that_share_a_picture_count_once():
    hits = [float(k % 2) for k in range(50)]
    alone = estimate(hits, range(50))
    fourfold = estimate([hit for hit in hits for _ in range(4)], [k for k in range(50) for _ in range(4)])
    assert fourfold.stderr == pytest.approx(alone.stderr)
    assert fourfold.high == pytest.approx(alone.high, abs=2e-3)
    assert fourfold.clusters == 50


def test_percent():
    found = estimate([1.0, 0.0, 1.0, 1.0], range(4), scale=100)
    assert found.mean == 75
    assert found.stderr == pytest.approx(25)
    assert 0 <= (found.low or 0) < 75 < (found.high or 0) <= 100


def test_one_cluster_says_nothing_of_the_spread():
    found = estimate([1.0, 0.0], ["a", "a"])
    assert (found.mean, found.stderr, found.low, found.high) == (0.5, None, None, None)


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (30, 2.04227), (31, 2.03951), (40, 2.02108), (60, 2.0003), (120, 1.97993), (10**6, 1.95997)],
)
def test_t_quantile(degrees: int, quantile: float):
    assert t_quantile(degrees) == pytest.approx(quantile, abs=1e-5)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = random.Random(7)
    covered = 0
    for _ in range(400):
        pictures = [rng.betavariate(2, 2) for _ in range(40)]
        hits = [float(rng.random() < p) for p in pictures for _ in range(5)]
        found = estimate(hits, [k for k in range(40) for _ in range(5)])
        covered += found.low <= 0.5 <= found.high  # type: ignore[operator]
    assert 0.91 <= covered / 400 <= 0.985


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1), st.sampled_from([1.0, 100.0]))
def test_within_bounds(samples: list[tuple[float, int]], scale: float):
    found = estimate([v for v, _ in samples], [c for _, c in samples], scale=scale)
    if found.low is None or found.high is None:
        assert found.clusters == 1
        return
    tiny = 1e-9 * scale
    assert -tiny <= found.low <= found.mean + tiny
    assert found.mean - tiny <= found.high <= scale + tiny


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1))
def test_hits_within_bounds(samples: list[tuple[bool, int]]):
    found = estimate([float(v) for v, _ in samples], [c for _, c in samples])
    if found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.mean + 1e-12
        assert found.mean - 1e-12 <= found.high <= 1
        assert found.high > found.low
