from __future__ import annotations

import math
import random

import pytest

from eyechart.records import Cell, Estimate, Table
from eyechart.scoring.mme import TOTAL, mme_table
from eyechart.scoring.yes_no import Answered


def row(category: Cell, path: Cell, right: bool, cluster: str | None = None) -> Answered:
    cells = {"category": category, "image_path": path}
    return Answered("Yes", "Yes" if right else "Unknown", cluster or f"{category}/{path}", cells)


def pictures(category: str, *rights: tuple[bool, ...], shared: bool = False) -> list[Answered]:
    return [
        row(category, f"{k}.png", right, f"c{k}" if shared else None)
        for k, picture in enumerate(rights)
        for right in picture
    ]


def figures(table: Table) -> dict[str, Estimate]:
    return {m.name: m.estimate for m in table.metrics}


def test_a_category_is_acc_and_acc_plus():
    table = mme_table(pictures("OCR", (True, True), (True, False), (False, False), (False, True)))
    assert table.rows == ({"perception": 75.0, "reasoning": 0, "OCR": 75.0},)
    assert table.columns == ("perception", "reasoning", "OCR")


def test_sums_take_their_categories_and_columns_stand_in_order_of_appearance():
    both = (True, True)
    table = mme_table(
        [
            *pictures("scene", both),
            *pictures("mood", both),
            *pictures("code_reasoning", both, (False, False)),
            *pictures("OCR", both, (True, False)),
            *pictures("text_translation", (False, True)),
        ]
    )
    assert table.columns == ("perception", "reasoning", "scene", "mood", "code_reasoning", "OCR", "text_translation")
    assert list(table.rows[0].values()) == [325.0, 150.0, 200.0, 200.0, 100.0, 125.0, 50.0]
    assert [m.name for m in table.metrics][:3] == [TOTAL, "perception", "reasoning"]
    assert figures(table)[TOTAL].mean == 475.0
    assert figures(table)[TOTAL].n == 12


def test_only_the_first_two_questions_of_a_picture_make_its_pair():
    rows = [row("count", "a", right) for right in (True, True, False)]
    assert mme_table(rows).rows[0]["count"] == pytest.approx(200 / 3 + 100)
    assert mme_table(rows[::-1]).rows[0]["count"] == pytest.approx(200 / 3)


def test_questions_of_a_picture_need_not_be_neighbours_and_categories_are_apart():
    rows = [row("count", "a", True), row("color", "a", False), row("count", "a", True), row("color", "a", True)]
    table = mme_table(rows)
    assert (table.rows[0]["count"], table.rows[0]["color"]) == (200, 50)


def test_a_picture_with_a_single_question_counts_by_it():
    assert mme_table(pictures("count", (True, True), (False,))).rows[0]["count"] == pytest.approx(200 / 3 + 50)
    assert mme_table(pictures("count", (True,))).rows[0]["count"] == 200


def test_without_a_path_questions_of_one_picture_belong_together():
    rows = [row("count", None, right, cluster) for right, cluster in ((True, "x"), (True, "y"), (False, "x"))]
    assert mme_table(rows).rows[0]["count"] == pytest.approx(200 / 3 + 50)


def test_odd_category_names():
    table = mme_table([row(None, "a", True), row(3, "a", True), row("reasoning", "a", True)])
    assert table.rows == ({"perception": 0, "reasoning": 200, "nan": 200, "3": 200},)
    assert TOTAL not in figures(table)


def test_no_rows():
    table = mme_table([])
    assert table.rows == ({"perception": 0, "reasoning": 0},)
    assert table.metrics == ()


def test_the_standard_error_is_that_of_the_mean_over_pictures():
    rights = [(True, True), (True, False), (False, False), (True, True), (True, False)]
    found = figures(mme_table(pictures("count", *rights)))["count"]
    worth = [100 * (sum(pair) / 2 + all(pair)) for pair in rights]
    mean = sum(worth) / 5
    assert found.mean == pytest.approx(mean)
    assert found.stderr == pytest.approx(math.sqrt(sum((w - mean) ** 2 for w in worth) / 4 / 5))
    assert (found.n, found.clusters) == (10, 5)


def test_independent_categories_add_their_variances():
    one = pictures("count", (True, True), (True, False), (False, False))
    other = pictures("code_reasoning", (True, True), (False, False), (False, True))
    found = figures(mme_table([*one, *other]))
    assert found[TOTAL].stderr == pytest.approx(math.hypot(found["count"].stderr, found["code_reasoning"].stderr))  # type: ignore[arg-type]
    below = [found[name].mean - found[name].low for name in ("count", "code_reasoning")]  # type: ignore[operator]
    assert found[TOTAL].mean - found[TOTAL].low == pytest.approx(math.hypot(*below))  # type: ignore[operator]
    assert found[TOTAL].clusters == 6


def test_categories_over_the_same_pictures_do_not():
    rights = [(True, True), (True, False), (False, False)]
    found = figures(mme_table([*pictures("count", *rights, shared=True), *pictures("color", *rights, shared=True)]))
    single = found["count"]
    assert found["perception"].stderr == pytest.approx(2 * single.stderr)  # type: ignore[operator]
    reach = math.sqrt(2) * math.hypot(single.high - single.mean, single.high - single.mean)  # type: ignore[operator]
    assert found["perception"].high == pytest.approx(min(400, found["perception"].mean + reach))
    assert found["perception"].clusters == 3


def test_full_marks_still_have_an_interval():
    found = figures(mme_table(pictures("count", *[(True, True)] * 20)))
    for name in (TOTAL, "perception", "count"):
        assert (found[name].mean, found[name].stderr, found[name].high) == (200, 0, 200)
        assert 140 < found[name].low < 190  # type: ignore[operator]


def test_one_picture_says_nothing_of_the_spread():
    found = figures(mme_table([*pictures("count", (True, False)), *pictures("color", (True, True), (False, True))]))
    assert (found["count"].stderr, found["count"].low) == (None, None)
    assert found["color"].stderr is not None
    assert (found["perception"].stderr, found["perception"].high, found["perception"].clusters) == (None, None, 3)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = random.Random(11)
    names = ("count", "color", "code_reasoning")
    covered = {"count": 0, TOTAL: 0}
    # Beta(4, 2): mean 2/3, mean square 10/21.
    truth = 100 * (2 / 3 + 10 / 21)
    for _ in range(300):
        rows = []
        for name in names:
            rights = [rng.betavariate(4, 2) for _ in range(30)]
            rows += pictures(name, *((rng.random() < p, rng.random() < p) for p in rights))
        found = figures(mme_table(rows))
        covered["count"] += found["count"].low <= truth <= found["count"].high  # type: ignore[operator]
        covered[TOTAL] += found[TOTAL].low <= 3 * truth <= found[TOTAL].high  # type: ignore[operator]
    assert all(0.92 <= count / 300 <= 0.995 for count in covered.values()), covered
