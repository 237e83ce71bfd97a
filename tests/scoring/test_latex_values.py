from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.arithmetic import Unreadable
from eyechart.scoring.latex_values import PLAIN, SYMPY, Dialect, Name, Value, as_number, latex_value


def unreadable(text: str, dialect: Dialect) -> bool:
    try:
        latex_value(text, dialect)
    except Unreadable:
        return True
    return False


BOTH: list[tuple[str, Value]] = [
    ("5", Fraction(5)),
    ("007", Fraction(7)),
    (".5", 0.5),
    ("5.0", 5.0),
    ("1,000", Fraction(1000)),
    ("-1,000", Fraction(-1000)),
    ("1{,}000", Fraction(1000)),
    ("12,345,678.25", 12345678.25),
    ("0,500", 0.5),
    ("-5", Fraction(-5)),
    ("--5", Fraction(5)),
    ("+ - 5", Fraction(-5)),
    ("\u22125", Fraction(-5)),
    ("5-3", 2),
    ("5 + 3 - 1", 7),
    (r"3\times 4", 12),
    (r"3\cdot 4*2", 24),
    ("3\u00d74", 12),
    ("6/3", Fraction(2)),
    ("1/3/4", pytest.approx(1 / 12)),
    ("8/2*4", 16),
    ("2:3", Fraction(2, 3)),
    (r"6\div 4", Fraction(3, 2)),
    (r"1\over 2", Fraction(1, 2)),
    (r"\frac{10}{4}", Fraction(5, 2)),
    (r"\frac{-1}{2}", Fraction(-1, 2)),
    (r"\frac{1.5}{3}", 0.5),
    (r"\frac{\frac{1}{2}}{3}", pytest.approx(1 / 6)),
    (r"1\frac{1}{2}", Fraction(3, 2)),
    (r"-3\frac{1}{2}", Fraction(-7, 2)),
    ("2^3", 8),
    ("2^{10}", 1024),
    ("2^3^2", 64),
    ("2^{2^{3}}", 256),
    ("-2^2", -4),
    ("(-2)^2", 4),
    ("2^{-1}", 0.5),
    ("4^{0.5}", 2.0),
    ("8^{1/3}", 2.0),
    (r"(\frac{1}{2})^2", 0.25),
    (r"\sqrt[3]{8}", 2.0),
    (r"\sqrt[4]{16}", 2.0),
    (r"\binom{5}{2}", Fraction(10)),
    (r"\binom{3}{10}", Fraction(0)),
    (r"\binom{10}{-4}", Fraction(0)),
    (r"30^\circ", Fraction(30)),
    (r"30^{\circ}+5", 35),
    ("(5)", Fraction(5)),
    ("[[5]]", Fraction(5)),
    (r"\(5\)", Fraction(5)),
    ("(5+1)*2", 12),
    ("{5}+1", 6),
    (r"\lbrace 5\rbrace", Fraction(5)),
    ("5_2", Fraction(5)),
    ("101_{2}", Fraction(101)),
    ("2^3_1", 8),
]


@pytest.mark.parametrize(("text", "value"), BOTH)
@pytest.mark.parametrize("dialect", [SYMPY, PLAIN], ids=["sympy", "plain"])
def test_both_dialects_read(text: str, value: Value, dialect: Dialect):
    assert latex_value(text, dialect) == value
    if isinstance(value, Fraction):
        assert isinstance(latex_value(text, dialect), Fraction)


UNREADABLE = r"""
    5. 1,2 1,0000 -0,500 0,111,222 1/0 \frac{0}{0} 0^{-1} \sqrt[0]{4} 5+ *5 () 5^ 5_ 5_{} 5_{x+1} \frac{1} \sqrt 5) e 5e3
    \binom{5.5}{2} \binom{-2}{3} \binom{9999}{5000} \approx5 5\approx 5\(6\) 9^{9^{9}} \frac{9^{9^{9}}}{1}
"""
BEYOND_BOUNDS = (
    "{" * 99 + "5" + "}" * 99,
    "(" * 45 + "5+1" + ")*2" * 45,
    "9" * 1001,
    "1" + "+1" * 50_000,
    r"\frac{1}{2}" * 10_000,
    "2^" * 300 + "2",
)


@pytest.mark.parametrize("text", ["", *UNREADABLE.split(), *BEYOND_BOUNDS])
@pytest.mark.parametrize("dialect", [SYMPY, PLAIN], ids=["sympy", "plain"])
def test_neither_dialect_reads(text: str, dialect: Dialect):
    assert unreadable(text, dialect)


@pytest.mark.parametrize(
    ("text", "sympy", "plain"),
    [
        ("5 6", Fraction(11), None),
        ("5 000", 0, None),
        ("1 1/2", Fraction(1), None),
        ("3(4)", Fraction(7), 12),
        ("(-3)(2)", Fraction(-5), -6),
        ("3(-2)", -6, -6),
        ("2 0.5", 1.0, None),
        (r"5\frac{6}{3}", Fraction(7), 10),
        (r"\frac{1}{2}\frac{1}{3}", pytest.approx(1 / 6), pytest.approx(1 / 6)),
        ("1.2.3", pytest.approx(0.36), None),
        ("{5}", None, Fraction(5)),
        (r"\{5\}", None, Fraction(5)),
        ("({5})", None, Fraction(5)),
        ("-{5}", Fraction(-5), Fraction(-5)),
        (r"\sqrt{4}", None, 2.0),
        (r"\sqrt[2]{4}", None, 2.0),
        ("4^{1/2}", None, 2.0),
        (r"4^{-\frac{1}{2}}", None, 0.5),
        (r"2\sqrt{3}", None, pytest.approx(math.sqrt(12))),
        (r"\sqrt3", None, pytest.approx(math.sqrt(3))),
        ("\u221a4", None, 2.0),
        ("\u221a[3]{8}", None, 2.0),
        (r"25\pi", None, pytest.approx(25 * math.pi)),
        ("25\u03c0", None, pytest.approx(25 * math.pi)),
        ("10^-2", None, 0.01),
        ("50**2", None, 2500),
        (r"2^(1+1)", None, 4),
        ("x", Name("x"), None),
        (r"\theta", Name(r"\theta"), None),
        ("xy", Name("xy", alone=False), None),
        ("x_1", Name("x", alone=False), None),
        (r"\text{B}", Name("B"), None),
        (r"\text{ (so) 1/2}", Name("so1/2"), None),
        (r"\text{5}", 5, None),
        (r"\text{5}6", 30, None),
        (r"\text{05}", Name("05"), None),
        ("-x", None, None),
        ("2x", None, None),
        (r"x\approx 5", Fraction(5), None),
        (r"x\approx y\approx 5", Fraction(5), None),
        (r"xy\approx 5", Fraction(5), None),
        (r"5\approx 6", Fraction(5), Fraction(5)),
        (r"5\approx 2\pi", Fraction(5), Fraction(5)),
        (r"(x\approx 5)", Fraction(5), None),
        ("2^{x}", None, None),
    ],
)
def test_where_the_dialects_differ(text: str, sympy: Value | None, plain: Value | None):
    for dialect, expected in ((SYMPY, sympy), (PLAIN, plain)):
        if expected is None:
            assert unreadable(text, dialect), dialect
        else:
            assert latex_value(text, dialect) == expected


def test_names_are_looked_up():
    assert latex_value(r"2a+\text{a}", SYMPY, {"a": 4}) == 12
    assert latex_value("a", SYMPY, {"b": 4}) == Name("a")
    assert unreadable("a", PLAIN)


def test_numbers_as_python_computes_with_them():
    assert as_number(Fraction(6, 3)) == 2
    assert isinstance(as_number(Fraction(6, 3)), int)
    assert as_number(Fraction(1, 2)) == 0.5
    assert as_number(0.25) == 0.25
    with pytest.raises(Unreadable):
        as_number(Name("a"))


FORMULAS = st.recursive(
    st.sampled_from(["5", "0.5", "12", "x", "e", r"\pi", "1,000"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", r"\times ", "/", ":", " ", "^"]), inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: rf"\frac{{{pair[0]}}}{{{pair[1]}}}"),
        st.tuples(
            st.sampled_from(["({})", "[{}]", "{{{}}}", r"\sqrt{{{}}}", "-{}", "{}^{{9}}", r"{}^\circ"]), inner
        ).map(lambda pair: pair[0].format(pair[1])),
    ),
    max_leaves=12,
)


@given(
    FORMULAS | st.text(alphabet="\\frac{}[]()^_0123.,+-*/ab ", max_size=60) | st.text(), st.sampled_from([SYMPY, PLAIN])
)
def test_any_text_has_a_value_or_none(text: str, dialect: Dialect):
    try:
        value = latex_value(text.lower(), dialect, {"a": 3})
    except Unreadable:
        return
    assert isinstance(value, Fraction | int | float | complex | Name)


@given(st.integers(0, 999), st.integers(0, 999), st.integers(1, 99))
def test_fractions_of_whole_numbers_are_exact(whole: int, above: int, below: int):
    assert latex_value(rf"\frac{{{above}}}{{{below}}}", SYMPY) == Fraction(above, below)
    if 0 < above < below:
        for dialect in (SYMPY, PLAIN):
            assert latex_value(rf"{whole}\frac{{{above}}}{{{below}}}", dialect) == whole + Fraction(above, below)
