"""Answers that are judged together are put together, in whatever order they come."""

from __future__ import annotations

from fakes import JoinedBenchmark, JudgedBenchmark
from hypothesis import given
from hypothesis import strategies as st

from eyechart.engine.judge_units import Units


def test_an_answer_that_is_judged_alone_is_a_unit_at_once() -> None:
    benchmark = JudgedBenchmark(2)
    units = Units(benchmark, None)
    (first, _) = benchmark.samples()
    assert units.add(first, "x") == [(first, "x")]


@given(order=st.permutations(range(8)), limit=st.integers(1, 8) | st.none(), counted_after=st.integers(0, 8))
def test_a_unit_comes_once_when_its_last_row_within_the_limit_has_come(order, limit, counted_after) -> None:
    benchmark = JoinedBenchmark(8)
    rows = list(benchmark.samples())[:limit]
    units = Units(benchmark, limit)
    arriving = [n for n in order if n < len(rows)]
    found = []
    for position, n in enumerate(arriving):
        if position == counted_after:
            units.count()
            found += list(units.complete())
        unit = units.add(rows[n], f"x{n}")
        if unit is not None:
            found.append(unit)
            assert rows[n] in [sample for sample, _ in unit]
    if counted_after >= len(arriving):
        assert found == []
        units.count()
        found += list(units.complete())
    wanted = [[s for s in rows if s.row % 3 == k] for k in range(3)]
    assert sorted([s.row for s, _ in unit] for unit in found) == sorted(
        [s.row for s in unit] for unit in wanted if unit
    )
    assert all(answer == f"x{sample.row}" for unit in found for sample, answer in unit)


def test_what_does_not_fit_is_let_go_as_a_whole() -> None:
    benchmark = JoinedBenchmark(6)
    units = Units(benchmark, None, room=3_000)
    units.count()
    rows = list(benchmark.samples())
    assert units.add(rows[0], "x") is None
    assert units.add(rows[1], "y" * 5_000) is None
    assert units.add(rows[4], "y") is None, "its unit was let go"
    assert units.add(rows[3], "x") == [(rows[0], "x"), (rows[3], "x")]
    assert units.add(rows[2], "x") is None
    assert units.add(rows[5], "x") == [(rows[2], "x"), (rows[5], "x")]
    assert units._held == 0
