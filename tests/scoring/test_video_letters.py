"""A letter at the beginning of an answer, or anywhere a reader would see one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.video_letters import read_stated_letter

OPTIONS = {"A": "cat", "B": "dog", "C": "red kite", "D": "a man walks"}


@pytest.mark.parametrize(
    ("answer", "letter", "rule"),
    [
        ("B", "B", "option"),
        ("b", "B", "option"),
        (" (b) ", "B", "option"),
        ("**C**", "C", "option"),
        ("c.", "C", "option"),
        ("A) The cat sits on the mat and looks out of the window", "A", "option"),
        ("(a) because of the tail and the way in which it turns its head", "A", "option"),
        ("b: it barks all the time and runs after the ball", "B", "option"),
        ("**C.** it hangs in the air the whole time without a sound", "C", "option"),
        ("The answer is D.", "D", "option"),
        ("答案是C。", "C", "option"),
        ("red kite", "C", "text"),
        # The article is no option, and neither is a letter that the question does not have.
        ("A man is seen walking down the road near the house", None, "none"),
        ("E", None, "none"),
        ("e) something else", None, "none"),
        ("Both A and B could be right", None, "none"),
        (".", None, "none"),
        ("(", None, "none"),
        ("", None, "none"),
        ("Cannot determine the answer", "Z", "refusal"),
    ],
)
def test_answers(answer: str, letter: str | None, rule: str) -> None:
    found = read_stated_letter(answer, OPTIONS)
    assert (found.letter, found.rule) == (letter, rule)


def test_without_options_nothing_is_read() -> None:
    assert read_stated_letter("A", {}).letter is None


@given(st.text(max_size=200), st.dictionaries(st.sampled_from("ABCDEFG"), st.text(max_size=20), max_size=7))
def test_any_answer_gets_an_option_or_none(answer: str, options: dict[str, str]) -> None:
    assert read_stated_letter(answer, options).letter in {*options, "Z", None}
