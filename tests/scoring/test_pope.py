from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.records import Cell, Estimate, Table
from eyechart.scoring.pope import pope_table
from eyechart.scoring.yes_no import Answered, Verdict

COLUMNS = ("Overall", "acc", "precision", "recall")


def rows(*pairs: tuple[Cell, Verdict], category: Cell = None) -> list[Answered]:
    return [Answered(truth, said, f"c{k}", {"category": category}) for k, (truth, said) in enumerate(pairs)]


def table(samples: Sequence[Answered], *, unread_as_no: bool = False) -> Table:
    return pope_table(samples, unread_as_no=unread_as_no)


def values(found: Table, split: str = "Overall") -> list[Cell]:
    return [r[name] for r in found.rows for name in COLUMNS if r["split"] == split]


def overall(found: Table, name: str) -> Estimate:
    return next(m.estimate for m in found.metrics if (m.name, m.row) == (name, "Overall"))


def test_figures():
    # 3 true and 1 false positive, 2 false and 2 true negatives
    samples = rows(*[("Yes", "Yes")] * 3, ("No", "Yes"), *[("Yes", "No")] * 2, *[("No", "No")] * 2)  # type: ignore[arg-type]
    found = table(samples)
    assert found.columns == ("split", *COLUMNS)
    assert values(found) == [pytest.approx(v) for v in (200 / 3, 62.5, 75, 60)]
    assert {m.name: m.estimate.n for m in found.metrics} == {"Overall": 6, "acc": 8, "precision": 4, "recall": 5}
    assert found.metrics[0].name == "Overall"


@pytest.mark.parametrize(
    ("unread_as_no", "expected"),
    # One true positive; an unread answer where Yes is right and one where No is.
    [(True, (200 / 3, 100 / 3, 100, 50)), (False, (50, 100 / 3, 50, 50))],
)
def test_answers_that_were_not_read(unread_as_no: bool, expected: tuple[float, ...]):
    found = table(rows(("Yes", "Yes"), ("Yes", "Unknown"), ("No", "Unknown")), unread_as_no=unread_as_no)
    assert values(found) == [pytest.approx(v) for v in expected]


def test_right_answers_that_are_neither_count_as_negative():
    assert values(table(rows(("yes", "Yes"), ("Yes", "Yes"), (None, "No")))) == [
        pytest.approx(v) for v in (200 / 3, 100 / 3, 50, 100)
    ]


def test_a_sample_counts_once_for_each_of_its_categories():
    samples = [
        *rows(("Yes", "Yes"), category="random,popular"),
        *rows(("Yes", "No"), category="popular"),
        *rows(("No", "No"), category=None),
        *rows(("No", "Yes"), category="a, random"),
    ]
    found = table(samples)
    assert [r["split"] for r in found.rows] == ["Overall", "random", "popular", "a", " random"]
    assert values(found, "popular") == [pytest.approx(v) for v in (200 / 3, 50, 100, 50)]
    assert values(found, "random") == [100] * 4
    assert values(found, " random") == [0] * 4
    # tp 2, fn 1, tn 1, fp 2
    assert values(found) == [pytest.approx(v) for v in (400 / 7, 50, 50, 200 / 3)]


def test_categories_that_are_numbers():
    assert [r["split"] for r in table(rows(("Yes", "Yes"), category=3)).rows] == ["Overall", "3"]


def test_without_anything_to_divide_by_a_figure_is_zero_and_has_no_metric():
    nothing_said = table(rows(("Yes", "No"), ("No", "No")))
    assert values(nothing_said) == [0, 50, 0, 0]
    assert [m.name for m in nothing_said.metrics] == ["Overall", "acc", "recall"]
    nothing_there = table(rows(("No", "No"), ("No", "No")))
    assert values(nothing_there) == [0, 100, 0, 0]
    assert [m.name for m in nothing_there.metrics] == ["acc"]
    assert values(table([])) == [None] * 4
    assert table([]).metrics == ()


def test_one_picture_says_nothing_of_the_spread():
    found = table([Answered("Yes", said, "c", {}) for said in ("Yes", "No")])  # type: ignore[arg-type]
    assert values(found) == [pytest.approx(200 / 3), 50, 100, 50]
    assert [(m.estimate.stderr, m.estimate.low) for m in found.metrics] == [(None, None)] * 4


def test_full_marks_still_have_an_interval():
    f1 = overall(table(rows(*[("Yes", "Yes")] * 30)), "Overall")  # type: ignore[arg-type]
    assert (f1.mean, f1.stderr, f1.high) == (100, 0, 100)
    assert 90 < (f1.low or 0) < 100


def drawn(rng: random.Random, pictures: int) -> list[Answered]:
    """Six questions on each picture; a model that is better on some pictures than on others."""
    samples = []
    for k in range(pictures):
        skill = rng.betavariate(4, 1)
        for truth in ("Yes", "No") * 3:
            right = rng.random() < skill
            said: Verdict = "Yes" if (truth == "Yes") == right else "No"
            samples.append(Answered(truth, said, f"c{k}", {"category": "a,b" if k % 2 else "a"}))
    return samples


def test_standard_errors_agree_with_a_jackknife_over_pictures():
    samples = drawn(random.Random(5), 60)
    found = table(samples)
    clusters = {s.cluster for s in samples}
    without = [values(table([s for s in samples if s.cluster != cluster])) for cluster in clusters]
    for name, figures in zip(COLUMNS, zip(*without, strict=True), strict=True):
        mean = sum(figures) / len(figures)
        jackknife = math.sqrt((len(figures) - 1) / len(figures) * sum((f - mean) ** 2 for f in figures))
        assert overall(found, name).stderr == pytest.approx(jackknife, rel=0.05)


def test_the_interval_of_f1_covers_the_truth_as_often_as_it_says():
    rng = random.Random(3)
    # 80 % of the answers are right, either way: precision and recall are both 0.8.
    found = [overall(table(drawn(rng, 50)), "Overall") for _ in range(300)]
    covered = sum(f.low <= 80 <= f.high for f in found)  # type: ignore[operator]
    assert 0.91 <= covered / 300 <= 0.985


SAMPLES = st.lists(
    st.tuples(st.sampled_from(["Yes", "No", "no", None]), st.sampled_from(["Yes", "No", "Unknown"]), st.integers(0, 3))
)


@given(SAMPLES, st.booleans())
def test_every_figure_lies_in_its_interval_and_f1_is_the_harmonic_mean(
    drawn_rows: list[tuple[str | None, Verdict, int]], unread_as_no: bool
):
    samples = [Answered(truth, said, str(k), {"category": "a"}) for truth, said, k in drawn_rows]
    found = table(samples, unread_as_no=unread_as_no)
    for metric in found.metrics:
        e = metric.estimate
        assert 0 <= e.mean <= 100
        if e.low is not None and e.high is not None:
            assert -1e-9 <= e.low <= e.mean + 1e-9
            assert e.mean - 1e-9 <= e.high <= 100 + 1e-9
    if samples:
        f1, _, precision, recall = (float(v or 0) for v in values(found))
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall) if precision + recall else 0)
