from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.records import Cell
from eyechart.scoring.letters import Reading, read_letter

GOLDEN = Path(__file__).parent.parent / "golden" / "_mcq" / "can_infer.json"
ANIMALS: Mapping[str, Cell] = {"A": "cat", "B": "catfish", "C": "red bicycle", "D": "12 cm"}


def test_golden():
    entries = json.loads(GOLDEN.read_text())
    assert len(entries) == 1260
    wrong = [e for e in entries if (read_letter(e["answer"], e["choices"]).letter or False) != e["result"]]
    assert wrong == []


@pytest.mark.parametrize(
    ("answer", "letter", "rule"),
    [
        ("B", "B", "option"),
        ("**(B)**.", "B", "option"),
        ("A man is here", "A", "option"),
        ("Answer: C. Because the sky is very blue", None, "none"),
        ("B or maybe D", None, "none"),
        ("Z", "Z", "Z"),
        ("A Z", "A", "option"),
        ("I can't process this file. A", "Z", "refusal"),
        ("Failed to obtain answer via API. A", None, "none"),
        ("red bicycle", "C", "text"),
        ("a catfish", None, "none"),
        ("b", None, "none"),
        ('"B"', None, "none"),
        ("\\boxed{D}", "D", "option"),
        (None, None, "none"),
        (12.0, None, "none"),
    ],
)
def test_rules(answer: Cell, letter: str | None, rule: str):
    assert read_letter(answer, ANIMALS) == Reading(letter, rule)  # type: ignore[arg-type]


@pytest.mark.parametrize("read", [read_letter, partial(read_letter, bare_letters=False, option_in_word=False)])
def test_z_beside_several_letters_says_nothing(read: Callable[..., Reading]):
    assert read("A or B or Z", ANIMALS) == Reading(None, "none")
    assert read("so it is A, not Z", ANIMALS) == Reading("A", "option")


def test_blanks_around_an_option_are_not_part_of_it():
    padded: dict[str, Cell] = {"A": " cat ", "B": "\tdog", "C": "a longer text that an answer may be as long as"}
    assert read_freely("cat", padded) == Reading("A", "text")
    assert read_freely("a dog.", padded) == Reading("B", "text")
    assert read_letter("cat", padded).letter is None


def test_the_text_rule_ends_at_twice_the_length_of_all_options():
    options: Mapping[str, Cell] = {"A": "left", "B": "right"}
    assert read_letter("left" + "x" * 14, options).letter == "A"
    assert read_letter("left" + "x" * 15, options).letter is None


def test_a_megabyte_is_read_at_once():
    start = time.process_time()
    for answer in ("word " * 200_000 + "B", "x" * 1_000_000, "(" * 1_000_000):
        read_letter(answer, ANIMALS)
    assert time.process_time() - start < 2


CELLS = st.text() | st.integers() | st.floats() | st.booleans() | st.none()
OPTIONS = st.dictionaries(st.sampled_from("ABCDEFGHI"), st.text() | st.integers() | st.floats(allow_nan=False))


@given(CELLS, OPTIONS)
def test_letter_is_an_option_or_z_or_nothing(answer: Cell, options: dict[str, Cell]):
    reading = read_letter(answer, options)
    assert reading.letter is None or reading.letter == "Z" or reading.letter in options
    assert (reading.letter is None) == (reading.rule == "none")


@given(st.sampled_from("ABCD"), st.sampled_from(["{}", "({})", "{}.", "**{}**", "The answer is {}", "[{}]\n"]))
def test_a_lone_letter_is_read(letter: str, form: str):
    assert read_letter(form.format(letter), ANIMALS) == Reading(letter, "option")


def read_freely(answer: Cell, options: Mapping[str, Cell] = ANIMALS) -> Reading:
    return read_letter(answer, options, bare_letters=False, option_in_word=False)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ('"B"', "B"),
        ("`B`", "B"),
        ("$B$", "B"),
        ("<B>", "B"),
        ("<answer>B</answer>", "B"),
        ("B。", "B"),
        ("（B）", "B"),
        ("答案是B", "B"),
        ("选择Ｂ", "B"),
        ("$\\boxed{\\text{B}}$", "B"),
        ("“B”", "B"),
        ("_B_", "B"),
        ("B?", "B"),
        ("A/B", None),
        ("N/A", None),
        ("B/", "B"),
        ("(N/A)", None),
        ("N/A, so B", "B"),
        ("answer=B", "B"),
        ('<a option="B">', "B"),
        ("A=12, so it must be that one", None),
        ("r = 2, A=12", None),
        ("A=B", None),
        ("I'm sure that's right", None),
        ("b", None),
        ("answer is B because of the many things that follow", None),
    ],
)
def test_letters_between_quotes_tags_and_other_scripts(answer: str, letter: str | None):
    assert read_freely(answer).letter == letter


def test_marks_that_the_reference_knows_are_read_by_both():
    for answer in ("(B)", "B.", "**B**", "{B}", "[B]", "Answer: B"):
        assert read_freely(answer) == read_letter(answer, ANIMALS) == Reading("B", "option")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("a catfish", "B"),  # cat stands only inside catfish, and so does no word of its own
        ("the cat, not the catfish", None),
        ("112 cm", None),
        ("12 cm.", "D"),
        ("a red bicycle", "C"),
    ],
)
def test_option_texts_stand_by_themselves(answer: str, letter: str | None):
    assert read_freely(answer).letter == letter


def test_an_option_inside_a_longer_one_is_not_meant():
    options: dict[str, Cell] = {"A": "red", "B": "dark red", "C": "blue and some words that make answers longer"}
    assert read_freely("it is dark red", options) == Reading("B", "text")
    assert read_freely("it is red, perhaps dark red", options).letter is None
    assert read_letter("it is dark red", options).letter is None


@given(CELLS, OPTIONS)
def test_free_reading_gives_an_option_or_z_or_nothing(answer: Cell, options: dict[str, Cell]):
    reading = read_freely(answer, options)
    assert reading.letter is None or reading.letter == "Z" or reading.letter in options
    assert (reading.letter is None) == (reading.rule == "none")


PHRASES = st.lists(st.sampled_from("xyz"), min_size=1, max_size=4)


@given(PHRASES, st.lists(PHRASES, min_size=1, max_size=4))
def test_an_option_counts_where_no_longer_one_covers_it(answer: list[str], texts: list[list[str]]):
    options: dict[str, Cell] = {letter: " ".join(words) for letter, words in zip("ABCD", texts, strict=False)}
    spans = {
        letter: {(k, k + len(words)) for k in range(len(answer)) if answer[k : k + len(words)] == words}
        for letter, words in zip("ABCD", texts, strict=False)
    }
    every = set().union(*spans.values())
    alone = [
        letter
        for letter, own in spans.items()
        if any(not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in every) for s in own)
    ]
    options["E"] = "long enough for any of these answers"
    assert read_freely(" ".join(answer), options).letter == (alone[0] if len(alone) == 1 else None)


def test_free_reading_of_a_megabyte_ends_at_once():
    start = time.process_time()
    options: dict[str, Cell] = {"A": "a", "B": "a a", "C": "x" * 50_000}
    assert read_freely("a " * 50_000, options) == Reading("B", "text")
    for answer in ("word " * 200_000 + "B", "x" * 1_000_000, "<" * 1_000_000, '"' * 1_000_000, "答" * 300_000):
        read_freely(answer)
    assert time.process_time() - start < 4
