from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.arithmetic import LONGEST_FORMULA, Number, Unreadable, multiply, power, python_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        (" 5.", 5.0),
        (".5", 0.5),
        ("5_0", 50),
        ("0x3d", 61),
        ("0b101", 5),
        ("1.5e3", 1500.0),
        ("24/5", 4.8),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("50**2", 2500),
        ("2^3", 1),
        ("6 & 3", 2),
        ("6 | 1", 7),
        ("~5", -6),
        ("1 << 3", 8),
        ("8 >> 1", 4),
        ("-(2 + 3)*4", -20),
        ("+5", 5),
        ("not 0", True),
        ("5 or 6", 5),
        ("0 or 6", 6),
        ("5or 6", 5),
        ("6 and 5", 5),
        ("0 and x", 0),
        ("5 or six", 5),
        ("3 < 5", True),
        ("1 < 3 < 2", False),
        ("3 != 3", False),
        ("2**-1", 0.5),
        ("5j", 5j),
        ("5 # cm", 5),
        ("1.0**999999999", 1.0),
        ("1**999999999", 1),
    ],
)
def test_values(text: str, value: Number):
    assert python_value(text) == value
    assert type(python_value(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1,000",
        "007",
        "5 6",
        "5\n6",
        "1/0",
        "0**-1",
        "10.0**400",
        "1 << -1",
        "5 @ 2",
        "3 in 5",
        "[5][0]",
        "'5'",
        '"5"',
        "abs(-5)",
        "(1).real",
        "5 if 1 else 6",
        "lambda: 5",
        "x := 5",
        "\\frac{1}{2}",
        "5\x00",
        "\ud800",
        "\uff15",
        "5!",
        "...",
        "none",
    ],
)
def test_what_is_no_arithmetic_has_no_value(text: str):
    with pytest.raises(Unreadable):
        python_value(text)


def test_names_have_the_values_that_they_are_given():
    assert python_value("a + 1", {"a": 4}) == 5
    assert python_value("\uff41", {"a": 4}) == 4
    with pytest.raises(Unreadable):
        python_value("a + b", {"a": 4})


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "2**(10**9)",
        "(10**1000)**1000",
        "1 << 10**9",
        "(1 << 100000) << 100000",
        "(3**80000)*(3**80000)",
        "9" * (LONGEST_FORMULA + 1),
        "-" * 300 + "5",
        "1+" * 200 + "1",
        "(" * 150 + "-" * 150 + "5" + ")" * 150,
        "(" * 400 + "5" + ")" * 400,
        "1 or " * 20_000 + "1",
        "9" * 100_000,
        "((" * 50_000,
        "9**" * 300 + "9",
    ],
)
def test_what_is_too_long_too_deep_or_too_large_has_no_value_and_costs_no_time(text: str):
    start = time.process_time()
    with pytest.raises(Unreadable):
        python_value(text)
    assert time.process_time() - start < 0.5


def test_the_largest_numbers_are_exact():
    assert python_value("2**100000 + 1") == 2**100000 + 1
    assert power(-2, 3) == -8
    assert power(2, -3) == 0.125
    assert multiply(2.0, 3) == 6.0
    with pytest.raises(Unreadable):
        multiply(1 << 100_000, 1 << 100_000)
    with pytest.raises(Unreadable):
        power(2, 200_000)


@given(st.text(alphabet="0123456789.+-*/%^&|~<>=()ax or\n_ej", max_size=40) | st.text())
def test_any_text_has_a_number_or_none(text: str):
    try:
        value = python_value(text, {"a": 3})
    except Unreadable:
        return
    assert isinstance(value, int | float | complex)


@given(st.integers(-99, 99), st.integers(-99, 99), st.sampled_from("+-*"))
def test_python_agrees(left: int, right: int, sign: str):
    expected = {"+": left + right, "-": left - right, "*": left * right}[sign]
    assert python_value(f"{left} {sign} {right}") == expected


def test_infinite_numbers_stay_numbers():
    assert python_value("1e999") == math.inf
