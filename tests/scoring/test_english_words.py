from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.english_exceptions import EXCEPTIONS
from eyechart.scoring.english_words import english_words

TEXTS = json.loads(Path(__file__).with_name("english_words.json").read_text(encoding="utf-8"))["texts"]
# What rules and exceptions look for, so that drawn texts meet them.
PIECES = st.one_of(
    st.sampled_from(sorted(EXCEPTIONS)),
    st.sampled_from(
        ["...", "..", ".", "US$", "10", "km", "www.a.bc", "x@y.de", "http://", "--", "'s", " ", "\n", "A", "b"]
    ),
    st.text(max_size=3),
)


def test_words_are_those_of_spacy():
    assert len(TEXTS) > 500
    wrong = [(text, words, got) for text, words in TEXTS if (got := english_words(text)) != words]
    assert wrong == []


@cache
def spacy_tokenizer() -> Any:
    return pytest.importorskip("spacy").blank("en").tokenizer


@given(st.lists(PIECES, max_size=12).map("".join).filter(lambda text: "\u03a2" not in text))
def test_words_agree_with_spacy_where_it_is_installed(text: str):
    # U+03A2 is no character; spaCy takes it for a capital.
    assert english_words(text) == [word.text for word in spacy_tokenizer()(text)]


def test_exceptions():
    assert len(EXCEPTIONS) == 1343
    assert all("".join(pieces) == text for text, pieces in EXCEPTIONS.items())
    assert EXCEPTIONS["Shouldn’t’ve"] == ("Should", "n’t", "’ve")
    assert "its" not in EXCEPTIONS
    assert EXCEPTIONS["it's"] == ("it", "'s")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("one two  three \n", ["one", "two", " ", "three", "\n"]),
        ("  a", ["  ", "a"]),
        ("(didn't)", ["(", "did", "n't", ")"]),
        ("U.S. army.", ["U.S.", "army", "."]),
        ("state-of-the-art", ["state", "-", "of", "-", "the", "-", "art"]),
        ("1,000 $5.00 5km 3a.m.", ["1,000", "$", "5.00", "5", "km", "3", "a.m."]),
        ("it ends here...", ["it", "ends", "here", "..."]),
        ("look:) at www.a-b.com/x,y.", ["look", ":)", "at", "www.a-b.com/x,y", "."]),
        ("(:) : )", ["(", ":)", ":", ")"]),
    ],
)
def test_rules(text: str, words: list[str]):
    assert english_words(text) == words


@given(st.lists(PIECES, max_size=12).map("".join))
def test_words_are_the_text_without_single_spaces(text: str):
    words = english_words(text)
    position = 0
    for word in words:
        assert word
        position += text[position] == " " and not text.startswith(word, position)
        assert text.startswith(word, position)
        position += len(word)
    assert text[position:] in ("", " ")


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        "()",
        "a.",
        "..a",
        "a-",
        "a",
        "@a:",
        "a@a.bc",
        "a.bc/@",
        "a" * 64 + ".",
        ":",
        "\U0001f600",
        "1$",
        ":) ",
        "'s",
        "><(((*",
        "x:// ",
    ],
)
def test_time_grows_with_the_length(unit: str):
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    english_words(text)
    assert time.process_time() - start < 20
