from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.scoring.math_equality import evaluated_equal, plain_number, same_answer, same_number

# Answer, right answer, and what the reference's rule says (ms-vlmeval 0.0.20 with latex2sympy2_extended 1.11.0).
EVALUATED = [
    ("", "", True),
    (" Abc ", "aBC", True),
    ("none", "none", True),
    ("5.", "5", True),
    ("5e0", "5", True),
    ("+5", "5", True),
    ("(5)", "5", True),
    ("0x5", "5", True),
    ("0b101", "5", True),
    ("5_0", "50", True),
    ("24/5", "4.8", True),
    (".75", "3/4", True),
    ("50**2", "2500", True),
    ("5 + 1", "6", True),
    ("5 or 6", "5", True),
    ("6 and 5", "5", True),
    ("3 < 5", "1", True),
    ("5 # so", "5", True),
    ("true", "1", False),
    ("2^3", "1", True),
    ("2^3", "8", True),
    ("a", "14", True),
    ("A", "0.5", True),
    ("a", "\\frac{1}{2}", True),
    ("2*a", "14", False),
    ("a+0", "\\frac{1}{2}", True),
    ("\\text{a}", "1.5", True),
    ("a", "\\sqrt{2}", False),
    ("5", "b", True),
    ("\\frac{1}{2}", "b", True),
    ("x", "b", False),
    ("\\sqrt{2}", "b", False),
    ("b", "5", False),
    ("\\text{B}", "b", True),
    ("(a)", "a", True),
    ("\\text{C}", "c", False),
    ("A", "B", False),
    ("B", "A", False),
    ("5", "a", False),
    ("1,000", "1000", True),
    ("1{,}000", "1000", True),
    ("-1,000", "-1000", True),
    ("0,500", "0.5", True),
    ("1,00", "100", False),
    ("007", "7", True),
    ("\u22125", "-5", True),
    ("- 5", "-5", True),
    ("\\frac{1}{2}", "0.5", True),
    ("\\dfrac{1}{2}", "0.5", True),
    ("\\tfrac{1}{2}", "0.5", True),
    ("\\\\frac{1}{2}", "0.5", True),
    ("1\\frac{1}{2}", "1.5", True),
    ("10^{2}", "100", True),
    ("3\\times 4", "12", True),
    ("\\left(\\frac{1}{2}\\right)^2", "0.25", True),
    ("$14$", "14", True),
    ("$$5$$", "5", True),
    ("$5", "5", True),
    ("\\$5", "5", True),
    ("\\(5\\)", "5", True),
    ("\\boxed{5}", "5", True),
    ("so \\boxed{14} it is", "14", True),
    ("\\boxed{5} and \\boxed{6}", "5", False),
    ("30^\\circ", "30", True),
    ("30^{\\circ}", "30", True),
    ("2:3", "2/3", True),
    ("10:30", "1/3", True),
    ("5 6", "11", True),
    ("5\n6", "11", True),
    ("3(4)", "7", True),
    ("3(4)", "12", False),
    ("1 1/2", "1", True),
    ("{5}", "5", False),
    ("5\\,000", "0", True),
    ("5\\,000", "5000", False),
    ("8^{1/3}", "2", True),
    ("4^{1/2}", "2", False),
    ("\\sqrt[3]{8}", "2", True),
    ("(-8)^{1/3}", "\\sqrt[3]{-8}", True),
    ("x \\approx 5", "5", True),
    ("\\text{1/2}", "0.5", True),
    ("0.5", "\\text{1/2}", True),
    ("101_2", "101_{2}", True),
    ("0.6666667", "2/3", True),
    ("0.666666", "2/3", True),
    ("0.66666", "2/3", False),
    ("1.0000001", "1", True),
    ("1.000001", "1", True),
    ("1.000002", "1", False),
    ("14\\pi", "14 \\pi", False),
    ("\\sqrt{4}", "2", False),
    ("2\\sqrt{3}", "\\sqrt{12}", False),
    ("6!", "720", False),
    ("|-5|", "5", False),
    ("x=5", "5", False),
    ("14 cm", "14", False),
    ("5\\text{ cm}", "5", False),
    ("n-1", "n - 1", False),
    ("(1,2)", "(1, 2)", False),
    ("[1,2]", "[1, 2]", False),
    ("the answer is 5", "5", False),
    ("30\u00b0", "30", False),
    ("14,", "14", False),
    ("\\frac12", "0.5", False),
    ("\\sqrt2", "\\sqrt{2}", False),
    ("\u221a4", "2", False),
    ("5\u00b2", "25", False),
    ("**5**", "5", False),
    ("=5", "5", False),
    ("50%", "50", False),
    ("50\\%", "50%", False),
    ("\uff19", "9", False),
    ("\uff41", "7", True),
    ("1e999", "1e998", False),
    ("9**9**9", "9**9**8", False),
]


@pytest.mark.parametrize(("answer", "right", "equal"), EVALUATED)
def test_the_rule_of_the_reference(answer: str, right: str, equal: bool):
    assert evaluated_equal(answer, right) == equal


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("", ""),
        ("14", "14."),
        ("**14**", "14"),
        ("$14$", "14"),
        ("\\[14\\]", "14"),
        ("\\(14\\)", "14"),
        ("work, and more work \\boxed{14}.", "14"),
        ("1,000", "1000"),
        ("1 000", "1000"),
        ("1\\,000", "1000"),
        ("1{,}000", "1000"),
        ("1.5e-3", "0.0015"),
        ("1e3", "1000"),
        ("\uff11\uff14", "14"),
        ("\u20135", "-5"),
        ("5\u00b73", "15"),
        ("1\\frac{1}{2}", "1.5"),
        ("\\frac12", "0.5"),
        ("\\frac{2}{4}", "\\dfrac{1}{2}"),
        ("2^3", "8"),
        ("2^-3", "1/8"),
        ("5**2", "25"),
        ("3(4)", "12"),
        ("{5}", "5"),
        ("\\sqrt{12}", "2\\sqrt{3}"),
        ("\u221a12", "2\\sqrt3"),
        ("2^{1/2}", "\\sqrt{2}"),
        ("25\u03c0", "25 \\pi"),
        ("25\\pi", "78.53981634"),
        ("-\\frac{3}{2\\cdot 5}", "-0.3"),
        ("50\\%", "50%"),
        ("30\u00b0", "30^\\circ"),
        ("30", "30^{\\circ}"),
        ("(C)", "C"),
        ("\\text{C}", "c"),
        ("5\\text{ cm}", "5 cm"),
        ("X+1", "x + 1"),
        ("(3, -4)", "(3,-4)"),
        ("\\left(\\frac{1}{2}, 3\\right)", "(0.5,3)"),
        ("[1.0, 2]", "[1,2]"),
        ("\\{1,2\\}", "{1, 2}"),
        ("1,2", "1, 2"),
        ("10:30", "10:30"),
        ("2:3", "2/3"),
    ],
)
def test_the_same_to_a_reader(answer: str, right: str):
    assert same_answer(answer, right)
    assert same_answer(right, answer)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("", "5"),
        ("13", "14"),
        ("a", "14"),
        ("5", "b"),
        ("A", "B"),
        ("2^3", "1"),
        ("5 or 6", "5"),
        ("5 6", "11"),
        ("5 6", "56"),
        ("1 1/2", "1"),
        ("3(4)", "7"),
        ("5\\,000", "0"),
        ("50%", "50"),
        ("14 cm", "14"),
        ("x=5", "5"),
        ("0.66", "2/3"),
        ("(1,2)", "[1,2]"),
        ("1,2", "(1,2)"),
        ("(1,2)", "(1,3)"),
        ("(1,2)", "(1,2,3)"),
        ("[1,000]", "[1000]"),
        ("nan", "0"),
        ("\\boxed{5}, no, \\boxed{6}", "5"),
    ],
)
def test_not_the_same_to_a_reader(answer: str, right: str):
    assert not same_answer(answer, right)
    assert not same_answer(right, answer)


def test_numbers():
    assert plain_number("$1,000$.") == 1000
    assert plain_number("\\frac{1}{4}") == 0.25
    assert plain_number("14 cm") is None
    assert plain_number("") is None
    assert same_number(1, 1.0000005)
    assert not same_number(1, 1.000002)
    assert not same_number(None, None)
    assert not same_number(10**400, 0.5)
    assert not same_number(float("nan"), float("nan"))
    assert same_number(1 + 1j, 1 + 1j)


HOSTILE = (
    "9**9**9",
    "9^{9^{9}}",
    r"\frac{9^{9^{9}}}{1}",
    r"\sqrt[3]{9^{9^{9}}}",
    "1<<10**9",
    "(" * 100_000,
    "{" * 50_000 + "}" * 50_000,
    r"\frac{1}{" * 20_000 + "1" + "}" * 20_000,
    "1" + "+1" * 50_000,
    "-" * 100_000 + "1",
    "not " * 25_000 + "1",
    "9" * 100_000,
    "9," * 50_000,
    "x" * 100_000,
    r"\boxed{" * 15_000,
    " " * 100_000,
    "$" * 100_000,
    "[" * 300 + "1" + "]" * 300,
    "5" + "^{5" * 200 + "}" * 200,
    "1e" * 500,
    ".".join("9" * 300),
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("equal", [evaluated_equal, same_answer])
def test_no_text_takes_long_or_much(equal: Callable[[str, str], bool], text: str):
    start = time.process_time()
    assert equal(text, text)
    assert not equal(text, "14")
    assert not equal("14", text)
    assert time.process_time() - start < 1


ANSWERS = st.text(alphabet="0123456789.,+-*/^(){}[]\\frac sqrtab$%|&~<>=!_:'\"\n", max_size=40) | st.text()


@given(ANSWERS, ANSWERS)
def test_any_two_texts_can_be_compared(answer: str, right: str):
    assert isinstance(evaluated_equal(answer, right), bool)
    assert same_answer(answer, right) == same_answer(right, answer)
    assert evaluated_equal(answer, answer)
    assert same_answer(answer, answer)


@given(
    st.integers(-(10**6), 10**6), st.sampled_from(["{}", " {} ", "${}$", "\\boxed{{{}}}", "{}.0", "({})", "\\({}\\)"])
)
def test_a_whole_number_is_itself_in_every_dress(number: int, dress: str):
    text = dress.format(number)
    assert evaluated_equal(text, str(number))
    assert same_answer(text, str(number))
    assert not evaluated_equal(text, str(number + 1))
    assert not same_answer(text, str(number + 1))


@given(st.fractions(-999, 999, max_denominator=999), st.integers(1, 9))
def test_equal_fractions_are_equal(number: int, factor: int):
    above, below = number.numerator, number.denominator
    text = f"\\frac{{{above * factor}}}{{{below * factor}}}"
    assert evaluated_equal(text, f"{above}/{below}")
    assert same_answer(text, f"{above}/{below}")
