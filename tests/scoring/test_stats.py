from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.stats import estimate, estimate_ratio, jackknife, t_quantile


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


NAN = math.nan
GRADES = st.lists(st.tuples(st.floats(0, 10) | st.just(NAN), st.floats(0, 10) | st.just(NAN), st.integers(0, 4)))


def test_a_ratio_over_ones_is_a_mean():
    values, clusters = [0.2, 0.4, 0.9, 0.5, 0.1], [0, 0, 1, 2, 3]
    found, mean = estimate_ratio(values, [1.0] * 5, clusters, scale=10), estimate(values, clusters, scale=10)
    assert found is not None
    assert (found.mean, found.stderr, found.low) == (
        pytest.approx(mean.mean),
        pytest.approx(mean.stderr),
        pytest.approx(mean.low),
    )
    assert (found.n, found.clusters) == (5, 4)


def test_a_ratio_has_the_standard_error_that_leaving_pictures_out_gives():
    rng = random.Random(3)
    clusters = [k // 3 for k in range(180)]
    levels = [rng.gauss(0, 1) for _ in range(60)]
    references = [8 + levels[k] / 2 + rng.gauss(0, 1) for k in clusters]
    values = [NAN if rng.random() < 0.1 else 6 + levels[k] + rng.gauss(0, 1) for k in clusters]
    found = estimate_ratio(values, references, clusters)
    assert found is not None
    left = [left_out(values, references, clusters, k) for k in range(60)]
    middle = sum(left) / 60
    jackknife = math.sqrt(59 / 60 * sum((ratio - middle) ** 2 for ratio in left))
    assert found.stderr == pytest.approx(jackknife, rel=0.03)
    assert found.n == sum(not math.isnan(value) for value in values)
    assert found.high == pytest.approx(found.mean + t_quantile(59) * found.stderr)


def left_out(values: list[float], references: list[float], clusters: list[int], cluster: int) -> float:
    kept = [(v, r) for v, r, c in zip(values, references, clusters, strict=True) if c != cluster]
    known = [v for v, _ in kept if not math.isnan(v)]
    return sum(known) / len(known) / (sum(r for _, r in kept) / len(kept))


def test_a_ratio_that_is_the_same_everywhere_is_certain():
    found = estimate_ratio([4.0, 8.0, 6.0], [2.0, 4.0, 3.0], "abc", scale=100)
    assert found is not None
    assert (found.mean, found.low, found.high) == (200, pytest.approx(200), pytest.approx(200))


def test_a_ratio_to_a_negative_mean_has_a_positive_error():
    found = estimate_ratio([1.0, 2.0, 4.0], [-2.0, -3.0, -5.0], "abc")
    assert found is not None
    assert found.stderr is not None
    assert found.stderr > 0
    assert found.low < found.mean < found.high  # type: ignore[operator]


def test_a_ratio_of_what_is_never_negative_is_not_either():
    # A spread as wide as this would reach below 0.
    assert estimate_ratio([0.0, 9.0], [5.0, 5.0], "ab").low == 0  # type: ignore[union-attr]
    assert estimate_ratio([-1.0, 9.0], [5.0, 5.0], "ab").low < 0  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    ("values", "references"),
    [([], []), ([NAN], [1.0]), ([1.0], [NAN]), ([1.0, 2.0], [0.0, 0.0]), ([1.0, 2.0], [1.0, -1.0])],
)
def test_a_ratio_to_nothing_is_none(values: list[float], references: list[float]):
    assert estimate_ratio(values, references, range(len(values))) is None


def test_a_ratio_of_one_cluster_has_no_interval():
    found = estimate_ratio([1.0, 2.0], [2.0, 2.0], "aa")
    assert found is not None
    assert (found.mean, found.n, found.clusters, found.stderr, found.low) == (0.75, 2, 1, None, None)


@given(GRADES)
def test_any_grades_have_a_ratio_within_its_interval_or_none(pairs: list[tuple[float, float, int]]):
    found = estimate_ratio([p[0] for p in pairs], [p[1] for p in pairs], [p[2] for p in pairs])
    if found is not None and found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.mean <= found.high


@given(st.lists(st.tuples(st.floats(), st.floats(), st.integers(0, 4))))
def test_any_numbers_are_borne(pairs: list[tuple[float, float, int]]):
    found = estimate_ratio([p[0] for p in pairs], [p[1] for p in pairs], [p[2] for p in pairs])
    assert found is None or math.isfinite(found.mean)


def share(sums: tuple[int, ...]) -> tuple[float, float]:
    """A share, and its square as a figure that is no mean."""
    return sums[0] / sums[1], (sums[0] / sums[1]) ** 2


def test_the_jackknife_of_a_mean_is_the_ordinary_standard_error():
    hits = [1, 0, 1, 1, 0, 1, 1, 0] * 2
    mean, square = jackknife(share, [(hit, 1) for hit in hits], range(16), scale=100)
    ordinary = estimate([float(hit) for hit in hits], range(16), scale=100)
    assert (mean.mean, mean.stderr) == (ordinary.mean, pytest.approx(ordinary.stderr))
    assert (mean.low, mean.high) == (
        pytest.approx(62.5 - 2.131450 * (mean.stderr or 0)),
        pytest.approx(62.5 + 2.131450 * (mean.stderr or 0)),
    )
    assert square.mean == pytest.approx(100 * 0.625**2)
    # the delta method: the derivative of the square is twice the share
    assert square.stderr == pytest.approx(2 * 0.625 * (mean.stderr or 0), rel=0.05)


def test_the_jackknife_leaves_out_whole_clusters():
    counts = [(k % 3, 2) for k in range(30)]
    alone = jackknife(share, counts, range(30))
    fourfold = jackknife(share, [c for c in counts for _ in range(4)], [k for k in range(30) for _ in range(4)])
    assert [e.stderr for e in fourfold] == pytest.approx([e.stderr for e in alone])
    assert [(e.n, e.clusters) for e in fourfold] == [(120, 30)] * 2


def test_the_jackknife_of_one_cluster_says_nothing_of_the_spread():
    (mean, _) = jackknife(share, [(1, 1), (0, 1)], ["a", "a"])
    assert (mean.mean, mean.n, mean.clusters) == (0.5, 2, 1)
    assert (mean.stderr, mean.low, mean.high) == (None, None, None)


def test_the_interval_of_the_jackknife_covers_the_truth_as_often_as_it_says():
    rng = random.Random(7)
    covered = 0
    for _ in range(400):
        pictures = [rng.betavariate(2, 2) for _ in range(40)]
        counts = [(sum(rng.random() < p for _ in range(5)), 5) for p in pictures]
        square = jackknife(share, counts, range(40))[1]
        covered += square.low <= 0.25 <= square.high  # type: ignore[operator]
    assert 0.91 <= covered / 400 <= 0.985


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1))
def test_the_jackknife_stays_within_bounds(samples: list[tuple[int, int]]):
    for found in jackknife(share, [(count, 5) for count, _ in samples], [cluster for _, cluster in samples]):
        if found.low is not None and found.high is not None:
            assert 0 <= found.low <= found.mean <= found.high <= 1
