"""The reference's rule of equality, run as it is, against ours. Needs its libraries; skipped where they are not there.

``pip install latex2sympy2_extended==1.11.0 sympy==1.14.0 antlr4-python3-runtime==4.11.1``
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from eyechart.scoring.math_equality import evaluated_equal

ROUNDS = 150
RIGHT = r"""
    14 0.5 \frac{1}{2} 8 1 5 \frac{2}{3} 2\sqrt{3} 1000 c -2 10:30 0 [1,2] 30^\circ 60 x+1 25\pi 61 4.8 b (3,-4) 2:3 36 1/3
    \dfrac{5}{4} 1\frac{1}{4} 3.14 -7 {5} 50% true e \frac{\pi}{2} 1,000 2^{10} \sqrt[3]{8} \binom{5}{2} 0.333
"""
FORMS = r"""
    {}. ${}$ \boxed{{{}}} **{}** ({}) [{}] {}cm x={} {}~or~6 {}~and~7 \text{{{}}} \({}\) \[{}\] ~{}~ {}° {}^\circ {}% ={}
    \${} {}! {}, {{{}}} \left({}\right) -{} --{} +{} −{} {}.0 {}0 0{} {}\text{{~cm}} so~\boxed{{{}}}. \approx~{} x\approx~{}
    {}~\approx~3 a A (a) {}+0 {}*1 {}/1 1*{} {}~0 "{}" {}~#~ok \dfrac{{{}}}{{1}} \frac{}2 {}:1 {}^1 {}**1 {}e0 {}; \\{} {}<20
    {}+{} {}-{} {}\times~{} {}/{} {}^{{{}}} {}~{} \frac{{{}}}{{{}}} \sqrt[3]{{{}}} {}_2 {}\ldots {}\,000 \displaystyle~{}
"""
LETTERS = frozenset("ab")


@pytest.fixture(scope="module")
def reference() -> Callable[[str, str], bool]:
    latex2sympy: Any = pytest.importorskip("latex2sympy2_extended").latex2sympy

    # The names `a`, `b`, `answer` and `right` are within reach of the texts that are evaluated, as they are in the rule.
    def as_python(answer: str, right: str) -> bool:
        a = eval(right)  # noqa: S307 - the texts are those of this file
        b = eval(answer)  # noqa: S307
        return bool(abs(a - b) < 1e-6)

    def as_latex(answer: str, right: str) -> bool:
        a = latex2sympy(right)
        b = latex2sympy(answer)
        return bool(abs(eval(str(a)) - eval(str(b))) < 1e-6 or abs(a - b) < 1e-6)  # noqa: S307

    def is_equal(answer: str, right: str) -> bool:
        answer, right = answer.lower().strip(), right.lower().strip()
        return answer == right or any(holds(rule, answer, right) for rule in (as_python, as_latex))

    return is_equal


def holds(rule: Callable[[str, str], bool], answer: str, right: str) -> bool:
    try:
        return rule(answer, right)
    except Exception:  # noqa: BLE001 - whatever it is, the reference takes it for a no
        return False


@pytest.mark.parametrize("seed", range(4))
def test_the_same_verdicts(seed: int, reference: Callable[[str, str], bool]):
    rng = random.Random(seed)
    rights, forms = RIGHT.split(), FORMS.split()
    wrong = []
    for _ in range(ROUNDS):
        right = rng.choice(rights)
        answer = rng.choice([right, right, rng.choice(rights)])
        for _ in range(rng.choice([1, 1, 2])):
            form = rng.choice(forms).replace("~", " ")
            answer = form.format(*[answer] * form.replace("{{", "").replace("}}", "").count("{}"))
        if right in LETTERS and LETTERS & set(answer) and answer.strip("()") not in LETTERS:
            continue  # calculating with the letter that is right itself: docs/protocol.md, what still differs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = reference(answer, right)
        if evaluated_equal(answer, right) != expected:
            wrong.append((answer, right, expected))
    assert wrong == []
