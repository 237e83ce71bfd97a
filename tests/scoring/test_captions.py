from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.captions import bleu, bleu_counts, cider, reference_captions, rouge_l

TEXTS = st.text() | st.text(alphabet="ab \n\x00", max_size=12)
ROWS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), max_size=4)


def test_reference_captions_are_a_list_of_texts():
    assert reference_captions("['A cat.', \"it's\"]") == ["A cat.", "it's"]
    assert reference_captions("(['a\\n'])") == ["a\n"]
    for text in ("a plain caption", "'a caption'", "[]", "('a', 'b')", "['a', 5]", "[['a']]", "{'a'}", "nan", "", "["):
        with pytest.raises(DataError, match="no Python list of reference captions"):
            reference_captions(text)
    with pytest.raises(DataError, match="too long"):
        reference_captions("['" + "a" * 1_000_000 + "']")


@pytest.mark.parametrize(
    ("caption", "references", "counts"),
    [
        ("a cat sat", ["a cat sat down", "cat"], (3, 4, 3, 2, 1, 0, 3, 2, 1, 0)),
        ("a b c d e", ["a b c d e"], (5, 5, 5, 4, 3, 2, 5, 4, 3, 2)),
        # n-grams of several references count together
        ("a b c", ["a b", "b c"], (3, 2, 3, 2, 1, 0, 3, 2, 0, 0)),
        # each as often as the reference that has it most
        ("the the the", ["the cat the", "the"], (3, 3, 3, 2, 1, 0, 2, 0, 0, 0)),
        # of two equally near the shorter
        ("a b c", ["a b c d", "a b"], (3, 2, 3, 2, 1, 0, 3, 2, 1, 0)),
        ("x y", ["a\tb\nc"], (2, 3, 2, 1, 0, 0, 0, 0, 0, 0)),
        ("A b.", ["a b"], (2, 2, 2, 1, 0, 0, 0, 0, 0, 0)),
        ("", ["a b", ""], (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
        ("", ["a b"], (0, 2, 0, 0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_bleu_counts(caption: str, references: list[str], counts: tuple[int, ...]):
    assert bleu_counts(caption, references) == counts


def test_bleu_is_the_geometric_mean_of_what_matched():
    found = bleu((10, 10, 10, 9, 8, 7, 8, 6, 4, 1))
    shares = (8 / 10, 6 / 9, 4 / 8, 1 / 7)
    assert found == pytest.approx([math.prod(shares[:n]) ** (1 / n) for n in (1, 2, 3, 4)])


def test_bleu_counts_against_what_is_too_short():
    counts = (3, 2, 1, 0, 3, 2, 1, 0)
    assert bleu((3, 6, *counts))[0] == pytest.approx(math.exp(1 - 6 / 3))
    assert bleu((6, 3, *counts))[0] == pytest.approx(1)
    assert bleu((3, 6, *counts))[3] == pytest.approx((1e-15 / 1e-9) ** (1 / 4) * math.exp(-1), rel=1e-6)


def test_bleu_of_nothing_is_zero():
    assert bleu((0,) * 10) == (0.0, 0.0, 0.0, 0.0)
    assert bleu((0, 10**9, *(0,) * 8)) == (0.0, 0.0, 0.0, 0.0)


def test_rouge_takes_the_best_precision_and_the_best_recall():
    precision, recall = 2 / 4, 1 / 1
    score = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l("a b c d", ["a x c", "b"]) == pytest.approx(score)


@pytest.mark.parametrize(
    ("caption", "reference", "precision", "recall"),
    [
        ("a b", "a b", 1, 1),
        ("b a", "a b", 1 / 2, 1 / 2),
        ("a x b y", "a b z", 2 / 4, 2 / 3),
        ("a  b", "a b", 2 / 3, 1),
        (" a", "a", 1 / 2, 1),
        ("a\nb", "a b", 0, 0),
        ("A", "a", 0, 0),
        ("", "", 1, 1),
        ("", "a", 0, 0),
        ("", "\x00", 0, 0),
    ],
)
def test_rouge(caption: str, reference: str, precision: float, recall: float):
    score = 2.44 * precision * recall / (recall + 1.44 * precision) if precision else 0
    assert rouge_l(caption, [reference]) == pytest.approx(score)


def test_cider_of_equal_captions_is_ten_where_they_have_four_words():
    captions = ["a b c d", "e f g h i"]
    assert cider(captions, [[caption] for caption in captions]) == pytest.approx([10, 10])
    assert cider(["a b", "c"], [["a b"], ["c"]]) == pytest.approx([5, 2.5])


def test_cider_clips_what_a_caption_repeats_and_counts_lengths():
    penalty = math.exp(-1 / 72)
    assert cider(["a a", "b"], [["a"], ["c"]]) == pytest.approx([10 / 4 * 0.5 * penalty, 0])
    assert cider(["a", "b"], [["a a"], ["c"]])[0] == pytest.approx(10 / 4 * penalty)
    assert cider(["a", "b"], [["a b c d e", ""], ["c"]])[0] == pytest.approx(
        10 / 4 / 2 * math.exp(-16 / 72) * math.log(2) / math.sqrt(4 * math.log(2) ** 2)
    )


def test_cider_takes_words_of_no_reference_for_the_rarest():
    norm = math.sqrt(math.log(3) ** 2 + math.log(1.5) ** 2)
    captions, references = ["a z", "", ""], [["a"], ["a", "a b"], ["c"]]
    assert cider(captions, references)[0] == pytest.approx(10 / 4 * math.log(1.5) / norm * math.exp(-1 / 72))


def test_cider_is_a_mean_over_references():
    one, two = cider(["a b", "x"], [["a b", "c d"], ["y"]])
    assert (one, two) == (pytest.approx(5 / 2), 0)


def test_cider_of_what_is_everywhere_is_nothing():
    assert cider(["a b c d"], [["a b c d"]]) == [0]
    assert cider(["a", "a"], [["a"], ["a"]]) == [0, 0]
    assert cider(["a", ""], [[""], [" "]]) == [0, 0]
    assert cider([], []) == []


def test_a_megabyte_is_compared_at_once():
    start = time.process_time()
    references = ["a small dog sits on a table", "b " * 1000]
    for caption in ("a " * 500_000, " " * 1_000_000, " ".join(map(str, range(150_000)))):
        bleu(bleu_counts(caption, references))
        rouge_l(caption, references)
        cider([caption, "a"], [references, ["b"]])
    assert time.process_time() - start < 60


@given(ROWS)
def test_figures_stay_within_their_bounds(rows: list[tuple[str, list[str]]]):
    for caption, references in rows:
        assert 0 <= rouge_l(caption, references) <= 1 + 1e-12
        assert all(0 <= value <= 1 for value in bleu(bleu_counts(caption, references)))
    scores = cider([caption for caption, _ in rows], [references for _, references in rows])
    assert all(0 <= score <= 10 + 1e-12 for score in scores)
