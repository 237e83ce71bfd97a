from __future__ import annotations

import json
import time
from collections.abc import Mapping
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
