from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.agreement import Agreement, agreement, mean_agreement

LETTERS = st.sampled_from("ABC")


def test_kappa_of_a_table_that_is_worked_out_by_hand():
    # 50 answers: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no. Agreed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    table = {("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}
    found = agreement([pair for pair, n in table.items() for _ in range(n)])
    assert found == Agreement(50, pytest.approx(0.7), pytest.approx(0.4))


def test_agreement_by_chance_alone_is_none_and_perfect_agreement_is_one():
    assert agreement([(a, b) for a in "AB" for b in "AB"]).kappa == 0.0
    assert agreement([("A", "A"), ("B", "B")]).kappa == 1.0
    assert agreement([("A", "B"), ("B", "A")]).kappa == -1.0


def test_where_kappa_is_not_defined():
    assert agreement([]) == Agreement(0, None, None)
    assert agreement([("A", "A")] * 3) == Agreement(3, 1.0, None)


@given(st.lists(st.tuples(LETTERS, LETTERS), min_size=1))
def test_kappa_is_symmetric_and_never_above_one(pairs: list[tuple[Hashable, Hashable]]):
    found = agreement(pairs)
    assert found == agreement([(b, a) for a, b in pairs])
    assert found.kappa is None or found.kappa <= 1.0
    assert (found.kappa == 1.0) == (found.agreed == 1.0 and len({a for a, _ in pairs}) > 1)


def test_several_raters_agree_as_their_pairs_do_on_what_both_read():
    one, two, three = ["A", "B", "A", None], ["A", "B", "B", "A"], ["A", "B", "A", "A"]
    pairs = [
        agreement([("A", "A"), ("B", "B"), ("A", "B")]),
        agreement([("A", "A"), ("B", "B"), ("A", "A")]),
        agreement([("A", "A"), ("B", "B"), ("B", "A"), ("A", "A")]),
    ]
    found = mean_agreement([one, two, three])
    assert found.n == 4
    assert found.agreed == pytest.approx(sum(p.agreed or 0 for p in pairs) / 3)
    assert found.kappa == pytest.approx(sum(p.kappa or 0 for p in pairs) / 3)
    assert mean_agreement([["A"]]) == Agreement(0, None, None)
