from __future__ import annotations

import random
import time
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.errors import DataError
from eyechart.scoring.vcr import (
    NOT_RESTORED,
    Blank,
    Restored,
    answer_text,
    covered_texts,
    refuses,
    restored_table,
    restores,
)
from eyechart.scoring.words import CHARACTERS, ENGLISH, Words

WORDS = ("the", "a", "of", "born", "town", "small,", "didn't", "1990,", "U.S.", "it's", "“q”", "(x)", "", "\n")
TEXTS = st.lists(st.sampled_from(WORDS)).map(" ".join)


def restored(answer: str, covered: str, words: Words = ENGLISH) -> Restored:
    return restores(words.split(answer), covered, words)


def test_covered_texts():
    assert covered_texts("['a b', \"it's\"]") == ["a b", "it's"]
    assert covered_texts("[]") == []
    assert covered_texts("[1990]") == ["1990"]
    for cell in ("a b", "'a'", "nan", "('a',)"):
        with pytest.raises(DataError, match="no Python list"):
            covered_texts(cell)


def test_covered_texts_have_bounds():
    assert len(covered_texts(str(["a" * 1000] * 100))) == 100
    for texts in (["a" * 1001], ["a"] * 101):
        with pytest.raises(DataError, match="at most 100 covered texts of 1000 characters"):
            covered_texts(str(texts))


def test_the_answer_begins_after_the_last_speaker():
    assert answer_text("User: x Assistant: one Assistant: two") == "two"
    assert answer_text("Assistant:one") == "Assistant:one"
    assert answer_text("assistant: one") == "assistant: one"
    assert answer_text("one Assistant: ") == ""


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("I can't read it", True),
        ("I cannot", True),
        ("So SORRY about that", True),
        ("我无法看到", True),
        ("很抱歉", True),
        ("i can't, i cannot", False),
        ("I can’t", False),
        ("it cannot be", False),
    ],
)
def test_words_of_a_refusal(answer: str, refused: bool):
    assert refuses(answer, ["the town"], anywhere=True) == refused
    assert refuses(answer, ["the town"], anywhere=False) == refused


def test_a_covered_text_may_have_words_of_a_refusal():
    assert refuses("the Sorry state of", ["x", "the sorry state of"], anywhere=True)
    assert not refuses("the Sorry state of", ["x", "the sorry state of"], anywhere=False)
    assert refuses("sorry, I can't", ["the sorry state of"], anywhere=False)
    assert not refuses("无法继续", ["无法继续工作"], anywhere=False)


def test_a_restored_text():
    assert restored("It was born in the town.", "was born in") == Restored("was born in", 1, 1, 1, 1, 1, 1, 1)


def test_a_restored_text_with_marks_has_spaces_around_them():
    found = restored("in May, 1990, didn't", "May, 1990, didn't")
    assert (found.text, found.exact_match) == ("May , 1990 , did n't", 1.0)
    assert found.similarity == SequenceMatcher(None, "May , 1990 , did n't", "May, 1990, didn't").ratio() < 1


def test_a_partly_restored_text():
    found = restored("was born in a small town", "was born in the small town")
    assert found.text == "was born in a small town"
    assert (found.precision, found.recall, found.jaccard) == (5 / 6, 5 / 6, 5 / 7)
    assert (found.f1, found.rouge1) == (pytest.approx(5 / 6), pytest.approx(5 / 6))
    assert found.exact_match == 0.0


def test_words_count_once_but_for_rouge():
    # Three of four words alike, two different words of three.
    found = restored("the the the end", "the the the river")
    assert (found.precision, found.recall, found.jaccard) == (0.5, 0.5, 1 / 3)
    assert found.rouge1 == 0.75
    found = restored("a the b", "the the a")
    assert (found.precision, found.recall, found.f1, found.jaccard) == (2 / 3, 1, 0.8, 2 / 3)
    assert found.rouge1 == pytest.approx(2 / 3)


def test_rouge_cuts_the_joined_words_again():
    # The space of its own becomes one of three in a row, and then a word of two.
    found = restored("two  spaces here", "two  spaces here")
    assert (found.text, found.exact_match, found.rouge1) == ("two   spaces here", 1.0, 0.75)


def test_order_counts_for_the_exact_match_only():
    found = restored("e d c b a", "a b c d e")
    assert (found.exact_match, found.jaccard, found.similarity) == (0.0, 1.0, pytest.approx(1 / 3))


@pytest.mark.parametrize(
    ("answer", "covered"),
    [("", "a b"), ("a", "a b"), ("x y z", "a b"), ("A B", "a b"), ("ab", "a b"), ("a b", ""), ("", "")],
)
def test_nothing_is_restored(answer: str, covered: str):
    assert restored(answer, covered) == NOT_RESTORED


def test_the_first_of_equals_counts():
    # Two letters of three are alike in each part that has an `a`.
    one, other = "x a", "a x"
    assert restored(f"{one} . {other}", "a a").text == one
    assert restored(f"{other} . {one}", "a a").text == other


def test_characters_are_joined_without_spaces():
    found = restored("他在 上海\n工作", "上海工作", CHARACTERS)
    assert (found.text, found.exact_match) == ("上海\n工", 0.0)
    assert restored("他在 上海 工作", "上海工作", CHARACTERS).exact_match == 1.0


@given(TEXTS, TEXTS)
def test_the_search_finds_what_trying_every_part_finds(answer: str, covered: str):
    words, wanted = ENGLISH.split(answer), ENGLISH.split(covered)
    best, similarity = "", 0.0
    for first in range(len(words) - len(wanted) + 1):
        part = words[first : first + len(wanted)]
        ratio = SequenceMatcher(None, " ".join(part), covered).ratio()
        if set(part) & set(wanted) and ratio > similarity:
            best, similarity = " ".join(part), ratio
    found = restored(answer, covered)
    assert (found.text, found.similarity) == (best, similarity)


@given(st.text(), st.text(max_size=40), st.sampled_from([ENGLISH, CHARACTERS]))
def test_any_text_is_compared(answer: str, covered: str, words: Words):
    found = restored(answer, covered, words)
    assert all(0 <= value <= 1 for value in (found.similarity, found.f1, found.jaccard, found.rouge1))
    assert found.exact_match <= found.jaccard


@given(TEXTS.filter(bool))
def test_a_text_restores_itself(text: str):
    assert restored(text, text).exact_match == 1.0


def test_long_answers_are_searched_in_bounded_time():
    draw = random.Random(1)
    few = " ".join(draw.choice("ab") for _ in range(10_000))
    many = " ".join(draw.choice("abcdefgh") for _ in range(50_000))
    lines = "was born in the tiny town\n" * 10_000
    start = time.process_time()
    assert restored(lines, "was born in the small town").text == "was born in the tiny town"
    assert restored(many, "a b c d e f g h").similarity > 0.8
    for covered in (few[:199], few[-1000:], "(" * 1000):
        restored(few, covered)
    restored("(" * 100_000, "(a)")
    assert time.process_time() - start < 60


def test_scores_are_means_over_covered_texts():
    blanks = [Blank(1.0, 1.0, "p"), Blank(0.0, 0.5, "p"), Blank(0.0, 0.0, "q")]
    table = restored_table(blanks)
    assert table.columns == ("Exact_Match", "Jaccard")
    assert table.rows == ({"Exact_Match": 1 / 3, "Jaccard": 0.5},)
    assert [(m.name, m.estimate.n, m.estimate.clusters) for m in table.metrics] == [
        ("Exact_Match", 3, 2),
        ("Jaccard", 3, 2),
    ]
    assert restored_table([]).rows == ({"Exact_Match": None, "Jaccard": None},)
    assert restored_table([]).metrics == ()
