from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eyechart.scoring.yes_no import Answered, read_yn, read_yn_anywhere, says_unknown

GOLDEN = Path(__file__).parent.parent / "golden" / "HallusionBench" / "reading.json"
MARKS = ';/[]"{}()=+\\_-><@`,?!'


def test_golden():
    entries = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(entries) > 480
    assert [(text, read_yn(text)) for text, _ in entries] == [(text, verdict) for text, verdict in entries]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("YES", "Yes"),
        ("nO", "No"),
        ("", "Unknown"),
        ("nan", "Unknown"),
        ("yes/no", "Unknown"),
        ("yes/ no", "Unknown"),
        ("yes/indeed", "Yes"),
        ("yes/indeed a / b", "Unknown"),  # a slash beside a blank anywhere: all are deleted, and words grow together
        ("yes/indeed a/ b", "Unknown"),
        ("yes/indeed a /b", "Unknown"),
        ("yes/indeed, it is", "Yes"),  # each mark for itself
        ("no,it, is", "Unknown"),
        ("no,it", "No"),
        ("1,000 (yes)it", "Unknown"),
        ("1, 000 (yes)it", "Yes"),
        ("\u0661,\u0662 (yes)it", "Unknown"),  # digits of any script
        ("yes(1,0)", "Unknown"),
        ("\\boxed{yes}", "Yes"),
        ('{"answer": "yes"}', "Yes"),
        ("<answer>no</answer>", "No"),
        ("yes.no", "Unknown"),
        ("ye.s", "Yes"),
        ("no.1", "Unknown"),
        ("no. 1", "No"),
        ("1.no", "Unknown"),
        ("no 1.", "No"),
        ("No1", "Unknown"),
        ("no-one", "No"),
        ("There is no doubt, it is true", "No"),
        ("yes\u3000sir", "Yes"),
        ("yes\xa0sir", "Yes"),
        ("yes\nno doubt", "Unknown"),
    ],
)
def test_reading_between_blanks(text: str, verdict: str):
    assert read_yn(text) == verdict


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_taken_away(mark: str):
    assert read_yn(f"{mark}yes{mark}") == "Yes"
    assert read_yn(f"yes{mark}it") == "Yes"
    assert read_yn(f"yes{mark}it {mark}") == "Unknown"
    assert read_yn(f"yes {mark}no") == "Unknown"


@pytest.mark.parametrize("mark", [*"*:'#$%&|~^", "’", "“", "，", "。", "：", "是"])
def test_no_other_mark_is(mark: str):
    assert read_yn(f"{mark} yes") == "Yes"
    for text in (f"{mark}yes", f"yes{mark}"):
        assert read_yn(text) == "Unknown"
        assert read_yn_anywhere(text) == "Yes"


def test_only_the_first_32_periods_are_taken_away():
    assert read_yn("." * 31 + "yes.") == "Yes"
    assert read_yn("." * 32 + "yes.") == "Unknown"
    assert read_yn("1.5 " + ". " * 31 + "yes.") == "Yes"  # one that touches a digit does not count
    assert read_yn_anywhere("." * 1000 + "yes.") == "Yes"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("**Yes**", "Yes"),
        ("__No__", "No"),
        ("Yes:", "Yes"),
        ("Answer: **No**", "No"),
        ("“yes”", "Yes"),
        ("Yes，当然", "Yes"),
        ("答案是No。", "No"),
        ("答えはYesです", "Yes"),
        ("정답은 No입니다", "No"),
        ("no,it, is", "No"),
        ("1,000 (yes)it", "Yes"),
        ("Yes.5 points", "Yes"),
        ("yes/no", "Unknown"),
        ("yes.no", "Unknown"),
        ("Yes, there is no doubt", "Unknown"),
        ("**Yes**, there is no doubt", "Unknown"),  # between blanks it reads No
        ("no.1", "Unknown"),
        ("Yes, bus no.1", "Yes"),
        ("no. 1", "No"),
        ("No1", "Unknown"),
        ("know", "Unknown"),
        ("nope", "Unknown"),
        ("yesterday", "Unknown"),
        ("noël", "Unknown"),
        ("no\u0301", "Unknown"),
        ("éno", "Unknown"),
        ("нет no", "No"),
        ("ye.s", "Unknown"),
        ("unknown", "Unknown"),
        ("", "Unknown"),
    ],
)
def test_reading_anywhere(text: str, verdict: str):
    assert read_yn_anywhere(text) == verdict


@pytest.mark.parametrize(
    ("text", "says"), [("Unknown", True), ("**UNKNOWN**, no", True), ("unknowns", False), ("", False)]
)
def test_unknown_is_a_word(text: str, says: bool):
    assert says_unknown(text) is says


def test_unknown_is_never_right():
    assert [Answered(truth, "Unknown", "c", {}).right for truth in ("Unknown", "Yes", None)] == [False] * 3
    assert [Answered(truth, "Yes", "c", {}).right for truth in ("Yes", "yes", "No", None, True)] == [True] + [False] * 4


TEXTS = st.text() | st.lists(st.sampled_from([*MARKS, *"*:'. 1,5", "yes", "no", "，", "know", "unknown"])).map("".join)


def step_by_step(text: str) -> str:
    """The reference's rule as it is told: one mark after the other, each by the original text."""
    lowered = changed = text.lower()
    for mark in MARKS:
        beside_blank = mark + " " in lowered or " " + mark in lowered
        changed = changed.replace(mark, "" if beside_blank or re.search(r"(\d)(,)(\d)", lowered) else " ")
    words = re.sub(r"(?<!\d)\.(?!\d)", "", changed, count=32).split()
    found = [word for word in ("yes", "no") if word in words]
    return found[0].capitalize() if len(found) == 1 else "Unknown"


@given(TEXTS)
@example("\u0130 yes")
def test_any_text_is_read(text: str):
    assert read_yn(text) == step_by_step(text)
    verdict = read_yn_anywhere(text)
    assert verdict == read_yn_anywhere(f"({text})")
    assert verdict == "Unknown" or verdict.lower() in text.lower()


@given(
    st.sampled_from(["yes", "no", "Yes", "NO"]), *[st.text(st.sampled_from(MARKS + "*:'“’。，！ \n#$"), max_size=9)] * 2
)
def test_anywhere_marks_make_no_difference(word: str, before: str, after: str):
    assert read_yn_anywhere(before + word + after) == word.capitalize()


def test_a_megabyte_is_read_at_once():
    start = time.process_time()
    for text in ("word " * 200_000 + "yes", "n" * 1_000_000, "(" * 1_000_000, "." * 1_000_000, "o\u0301" * 500_000):
        read_yn(text)
        read_yn_anywhere(text)
    assert time.process_time() - start < 4
