"""Which questions run together, and how many at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.local.batching import BatchSize, Candidate, choose

CANDIDATES = st.builds(
    Candidate, st.integers(0, 500), st.sampled_from(["", "pictures", "videos"]), st.sampled_from([False] * 5 + [True])
)


def chosen(waiting: list[Candidate], most: int = 4, most_tokens: int = 10**6, answer_tokens: int = 0) -> list[int]:
    return choose(waiting, most=most, most_tokens=most_tokens, answer_tokens=answer_tokens)


@given(st.lists(CANDIDATES, min_size=1, max_size=40), st.integers(1, 8), st.integers(0, 3000), st.integers(0, 100))
def test_a_batch_keeps_every_bound(waiting: list[Candidate], most: int, most_tokens: int, answer_tokens: int) -> None:
    batch = chosen(waiting, most, most_tokens, answer_tokens)
    taken = [waiting[position] for position in batch]
    assert 0 in batch
    assert batch == sorted(set(batch))
    assert len(batch) <= most
    assert {candidate.kind for candidate in taken} == {waiting[0].kind}
    if any(candidate.alone for candidate in taken):
        assert batch == [0]
    if len(batch) > 1:
        assert len(batch) * (max(candidate.tokens for candidate in taken) + answer_tokens) <= most_tokens


@given(st.lists(CANDIDATES, min_size=1, max_size=40), st.integers(1, 8), st.integers(0, 3000))
def test_nothing_waits_longer_than_what_came_before_it(waiting: list[Candidate], most: int, most_tokens: int) -> None:
    queue = list(enumerate(waiting))
    for batches in range(1, len(waiting) + 1):
        if queue:
            batch = chosen([candidate for _, candidate in queue], most, most_tokens)
            queue = [queue[position] for position in range(len(queue)) if position not in batch]
        assert all(number >= batches for number, _ in queue)
    assert not queue


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30), st.integers(1, 8))
def test_with_room_for_all_a_batch_is_as_full_as_it_can_be(lengths: list[int], most: int) -> None:
    assert len(chosen([Candidate(tokens) for tokens in lengths], most)) == min(most, len(lengths))


def test_of_equally_full_batches_the_one_with_the_least_padding_is_taken() -> None:
    waiting = [Candidate(tokens) for tokens in (100, 900, 101, 20, 95, 800)]
    assert chosen(waiting, most=3) == [0, 2, 4]


def test_the_oldest_goes_alone_where_nothing_is_like_it() -> None:
    assert chosen([Candidate(9, "videos"), Candidate(9), Candidate(9, "pictures")]) == [0]


def test_the_oldest_goes_however_long_it_is() -> None:
    assert chosen([Candidate(10**9), Candidate(1)], most_tokens=100) == [0]


def test_answers_count_towards_the_tokens_of_a_batch() -> None:
    waiting = [Candidate(10)] * 4
    assert chosen(waiting, most_tokens=200, answer_tokens=40) == [0, 1, 2, 3]
    assert len(chosen(waiting, most_tokens=200, answer_tokens=90)) == 2


def test_a_suspect_is_neither_joined_nor_taken_along() -> None:
    suspect = Candidate(10, alone=True)
    assert chosen([suspect, Candidate(10), Candidate(10)]) == [0]
    assert chosen([Candidate(10), suspect, Candidate(10)]) == [0, 2]


def test_size_comes_down_with_memory_and_doubles_back() -> None:
    size = BatchSize(12)
    size.ran_out(3)
    assert size.now == 3
    for expected in (6, 12, 12):
        for _ in range(7):
            size.fitted()
            assert size.now < 12 or expected == 12
        size.fitted()
        assert size.now == expected


def test_a_batch_that_does_not_fit_starts_the_count_again() -> None:
    size = BatchSize(8)
    size.ran_out(4)
    for _ in range(7):
        size.fitted()
    size.ran_out(4)
    for _ in range(7):
        size.fitted()
    assert size.now == 4


@given(st.integers(1, 64), st.lists(st.none() | st.integers(0, 64), max_size=60))
def test_size_stays_between_one_and_most(most: int, story: list[int | None]) -> None:
    size = BatchSize(most)
    for fitted in story:
        before = size.now
        if fitted is None:
            size.fitted()
            assert size.now >= before
        else:
            size.ran_out(fitted)
            assert size.now <= max(1, min(before, fitted))
        assert 1 <= size.now <= most


@pytest.mark.parametrize("most", [1, 8])
def test_size_comes_back_however_small_it_was(most: int) -> None:
    size = BatchSize(most)
    size.ran_out(1)
    for _ in range(8 * 3):
        size.fitted()
    assert size.now == most
