"""Index formulas: the values that the reference gives, and what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.benchmarks.sampling import (
    FORMULAS,
    VideoFacts,
    interior_points,
    rate_points,
    span_middles,
    thinned,
)
from eyechart.errors import MediaError


def test_interior_points() -> None:
    assert interior_points(VideoFacts(36, 12.0), 8) == (4, 8, 12, 16, 20, 24, 28, 32)
    assert interior_points(VideoFacts(5, 5.0), 8) == (0, 1, 1, 2, 2, 3, 3, 4)
    assert interior_points(VideoFacts(1, 10.0), 3) == (0, 0, 0)


def test_span_middles_of_a_whole_video() -> None:
    assert span_middles(VideoFacts(40, 10.0), 8) == (2, 7, 12, 17, 22, 26, 31, 36)
    assert span_middles(VideoFacts(7, 5.0), 8) == (0, 1, 2, 2, 3, 4, 4, 5)
    assert span_middles(VideoFacts(1, 10.0), 2) == (0, 0)


def test_span_middles_round_half_to_even() -> None:
    # Parts of 2.5 frames: 0, 2.5, 5, 7.5 are rounded to 0, 2, 5, 8 before 1.25 is added.
    assert span_middles(VideoFacts(11, 10.0), 4) == (1, 3, 6, 9)


def test_span_middles_of_a_part() -> None:
    assert span_middles(VideoFacts(40, 10.0), 8, (0.5, 2.0)) == (5, 7, 9, 11, 13, 14, 16, 18)
    assert span_middles(VideoFacts(40, 10.0), 2, (-5.0, 1000.0)) == span_middles(VideoFacts(40, 10.0), 2)
    # Beyond the end: downwards, some of them no frames at all.
    assert span_middles(VideoFacts(40, 10.0), 8, (9.0, 12.5)) == (86, 80, 73, 67, 60, 54, 48, 41)


def test_span_middles_of_a_folder() -> None:
    folder = VideoFacts(13, 3.0)
    assert span_middles(folder, 8, (2.1, 2.4), first=1) == (6, 6, 6, 6, 6, 7, 7, 7)
    assert span_middles(folder, 3, first=1) == (3, 7, 11)


def test_rate_points() -> None:
    assert rate_points(VideoFacts(36, 12.0), 2) == (0, 6, 12, 18, 24, 30)
    assert rate_points(VideoFacts(30, 30000 / 1001), 2) == (0, 14)
    assert rate_points(VideoFacts(5, 10.0), 1.0) == ()
    assert rate_points(VideoFacts(5, 0.0), 1.0) == rate_points(VideoFacts(5, float("nan")), 1.0) == ()


@pytest.mark.parametrize("rate", [1e-300, 5e-324, 1e-9, 0.0001])
def test_a_video_that_says_it_lasts_for_ages_is_refused_before_its_frames_are_counted(rate: float) -> None:
    with pytest.raises(MediaError, match="not shown"):
        rate_points(VideoFacts(40, rate), 1.0)


@pytest.mark.parametrize("rate", [float("inf"), float("-inf"), float("nan")])
def test_a_rate_that_is_no_number_is_not_known(rate: float) -> None:
    facts = VideoFacts(40, rate)
    assert span_middles(facts, 2, (1.0, 2.0)) == span_middles(VideoFacts(40, 0.0), 2, (1.0, 2.0))
    assert rate_points(facts, 1.0) == ()


def test_thinned() -> None:
    assert thinned((1, 2, 3), None) == thinned((1, 2, 3), 3) == (1, 2, 3)
    assert thinned(tuple(range(10)), 4) == (0, 2, 5, 7)
    assert thinned(tuple(range(100)), 1) == (0,)


def test_every_benchmark_has_its_formula() -> None:
    facts = VideoFacts(40, 10.0)
    found = {name: formula(facts, 2) for name, formula in FORMULAS.items()}
    assert found == {
        "MMBench-Video": (13, 26),
        "MVBench": (9, 29),
        "MVBench_MP4": (9, 29),
        "Video-MME": (13, 26),
    }


@given(st.integers(1, 10_000), st.floats(1.0, 240.0), st.integers(1, 256), st.floats(0.01, 60.0))
def test_frames_exist_and_go_forward(frames: int, rate: float, nframe: int, fps: float) -> None:
    facts = VideoFacts(frames, rate)
    for indices in (interior_points(facts, nframe), span_middles(facts, nframe), rate_points(facts, fps)):
        assert list(indices) == sorted(indices)
        assert all(0 <= index < frames for index in indices)
        assert thinned(indices, 7) == indices or len(thinned(indices, 7)) == 7
    assert len(interior_points(facts, nframe)) == len(span_middles(facts, nframe)) == nframe
