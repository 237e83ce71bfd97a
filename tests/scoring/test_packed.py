"""Replies to several questions, taken apart."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.packed import read_packed


@pytest.mark.parametrize(
    ("reply", "status", "answers"),
    [
        ('{"0": "a", "3": "b"}', "PARSE_OK", {"0": "a", "3": "b"}),
        ('Here:\n```json\n{"0": "a"}\n```\nDone.', "PARSE_OK", {"0": "a"}),
        ('{"0": {"x": 1}, "1": 5}', "PARSE_OK", {"0": {"x": 1}, "1": 5}),
        ("{}", "PARSE_OK", {}),
        ('{"0": "a"}\n{"1": "b"}', "PARSE_FAIL", {}),
        ("no braces", "PARSE_FAIL", {}),
        ("", "PARSE_FAIL", {}),
        ('{"0": "a"} Failed to obtain answer via API', "GEN_FAIL", {}),
        # No JSON, one brace: lines.
        ("{\n\"0\": \"it's a\",\n'3': 'b',\n", "PARSE_OK", {"0": "it's a", "3": "b"}),
        ('{\n4: c\nnothing\n5: "\n}', "PARSE_OK", {"4": "c"}),
        ("{ nothing to read", "PARSE_OK", {}),
    ],
)
def test_replies(reply: str, status: str, answers: dict[str, object]) -> None:
    for literal in (True, False):
        found = read_packed(reply, literal=literal)
        assert (found.status, dict(found.answers)) == (status, answers)


def test_lines_as_the_reference_reads_them() -> None:
    reply = '{\n  "0": "a",\n"1": "b: c",\n}'
    assert read_packed(reply, literal=True).answers == {'  "0': "a", "1": "b"}
    assert read_packed(reply, literal=False).answers == {"0": "a", "1": "b: c"}


@pytest.mark.parametrize("reply", ["{" * 200_000, '{"a":' * 50_000, "{}" * 200_000, '{"0": "' + "x" * 1_000_000])
def test_hostile_replies_take_little_time(reply: str) -> None:
    began = time.process_time()
    read_packed(reply, literal=False)
    assert time.process_time() - began < 5


@given(st.text(alphabet="{}[]\"':, \n0a", max_size=80), st.booleans())
def test_any_reply_is_read(reply: str, literal: bool) -> None:
    assert read_packed(reply, literal=literal).status in ("PARSE_OK", "PARSE_FAIL")
