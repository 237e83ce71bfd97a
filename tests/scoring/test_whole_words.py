from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.whole_words import contains_words, word_spans


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("none of them", "one", False),
        ("one of them", "one", True),
        ("it is 12 cm", "2 cm", False),
        ("it is 2 cm", "2 cm", True),
        ("(2 cm)", "2 cm", True),
        ("naïve", "na", False),
        ("красный шар", "красный", True),
        ("прекрасный шар", "красный", False),
        ("这是一只猫。", "猫", True),  # Chinese has no spaces: any place will do
        ("القطة", "قطة", True),
        ("$5", "$5", True),
        ("x", "", False),
        ("one one1 one", "one", True),
    ],
)
def test_words_stand_by_themselves(text: str, words: str, found: bool):
    assert contains_words(text, words) is found


def test_every_place_is_told():
    assert list(word_spans("a b a", "a")) == [(0, 1), (4, 5)]


@given(st.text(), st.text(min_size=1))
def test_what_is_found_stands_there(text: str, words: str):
    assert all(text[start:end] == words for start, end in word_spans(text, words))
    assert contains_words(f"{text} {words} {text}", words)
