from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.arithmetic import LONGEST_FORMULA, Unreadable
from eyechart.scoring.latex import latex_tokens, undressed


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (" 5 ", "5"),
        ("$5$", "5"),
        (r"\$5", "5"),
        ("$$5$$", "5"),
        ("'5\"", "5"),
        (r"\displaystyle 5", "5"),
        (r"5\!000", "5000"),
        (r"5\mathrm{th}", "5"),
        (r"5\text{ }", "5"),
        (r"\left(5\right]", "(5]"),
        (r"\left\{5\right\}", r"\{5\}"),
        (r"\left\lbrack 5\right\rbrack", r"\lbrack 5\rbrack"),
        (r"\left|5\right|", r"\left|5\right|"),
        (r"\dfrac{1}{2}\tfrac{1}{2}\cfrac{1}{2}", r"\frac{1}{2}\frac{1}{2}\frac{1}{2}"),
        (r"\mathrm{x}\mathbf{y}\textit{z}", r"\text{x}\text{y}\text{z}"),
        ("1 { , }000", "1,000"),
        (r"0.3,\ldots", "0.3"),
        (r"5\ 6", "5 6"),
        ("5\n\t6", "5  6"),
        (r"\\frac{1}{2}", r"\frac{1}{2}"),
        ("2 sqrt{3}", r"2\sqrt{3}"),
        (r"so \boxed{14}, I say", "14"),
        (r"\fbox{ 14 }", "14"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{5}, then \boxed{5} again", "5"),
        (r"\boxed{5} and \boxed{6}", "5,6"),
        (r"\boxed{\boxed{5}}", "5"),
        (r"first \boxed{5} then \boxed 6", "6"),
        (r"first \boxed{5} then \boxed{6", "{6"),
        (r"first \boxed{5} then \boxed", r"first \boxed{5} then \boxed"),
        (r"\boxed{5 then \boxed{6}", "6"),
        (r"\boxed{}", ""),
    ],
)
def test_what_only_adorns_is_taken_off(text: str, formula: str):
    assert undressed(text) == formula


def test_a_long_text_is_read_where_its_box_is_short():
    assert undressed("word " * 200_000 + r"\boxed{5}") == "5"
    with pytest.raises(Unreadable):
        undressed("5" * (LONGEST_FORMULA + 1))
    with pytest.raises(Unreadable):
        undressed(rf"\boxed{{{'5' * (LONGEST_FORMULA + 1)}}}")


def test_tokens():
    found = [(t.kind, t.text, t.partner) for t in latex_tokens(r"\frac{1.5} 2 ^\circ\,-[x_1]**3")]
    assert found == [
        ("frac", r"\frac", -1),
        ("open", "{", 3),
        ("number", "1.5", -1),
        ("close", "}", 1),
        ("number", "2", -1),
        ("degree", r"^\circ", -1),
        ("subtract", "-", -1),
        ("open", "[", 11),
        ("letter", "x", -1),
        ("below", "_", -1),
        ("number", "1", -1),
        ("close", "]", 7),
        ("stars", "**", -1),
        ("number", "3", -1),
    ]


@pytest.mark.parametrize(
    "text", ["5.", "5,6", "5%", "5!", "x=5", "5<6", r"\sin 5", "|5|", "(5", "5)", "(5]", "5\u00b0", "A"]
)
def test_what_is_in_no_formula_of_numbers(text: str):
    with pytest.raises(Unreadable):
        latex_tokens(text)


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 150_000,
        r"\boxed{}" * 125_000,
        r"\boxed{1}\boxed{2}" * 60_000,
        r"\boxed" * 150_000,
        r"\boxed" + " " * 1_000_000,
        "{" * 1_000_000,
        "$" * 1_000_000,
    ],
)
def test_a_megabyte_is_undressed_at_once(text: str):
    start = time.process_time()
    with suppress(Unreadable):
        assert len(undressed(text)) <= LONGEST_FORMULA
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "piece", ["{", " ", "\\", "$", "\\text", "\\text{", "\\ ", "{,", "'", "\\left(", ",\\ldots", "\t"]
)
def test_no_pattern_takes_long_for_a_formula(piece: str):
    start = time.process_time()
    for _ in range(20):
        undressed(piece * (LONGEST_FORMULA // len(piece)))
    assert time.process_time() - start < 2


@given(st.text(alphabet="\\boxedfrac{}[]() $^_0123.,\n'", max_size=60) | st.text())
def test_any_text_is_undressed_and_cut(text: str):
    try:
        tokens = latex_tokens(undressed(text))
    except Unreadable:
        return
    for position, token in enumerate(tokens):
        if token.kind in ("open", "close"):
            assert tokens[token.partner].partner == position
