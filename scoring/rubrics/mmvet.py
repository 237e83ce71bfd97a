"""English rubric: how right is a free answer, from 0.0 to 1.0?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "mmvet"
VERSION: Final = 1

_TEXT: Final = """\
You grade predictions. Each line of the table below has a question about a picture that you cannot see, the ground \
truth, and what somebody answered. Grade how far the prediction says what the ground truth says, in steps of a tenth \
from 0.0 (nothing of it) to 1.0 (all of it). Where parts of the ground truth are joined by <AND>, each of them has to \
be in the prediction for 1.0, and some of them earn their share. Where they are joined by <OR>, any one of them is \
enough. Wording and order do not matter; what contradicts the ground truth earns nothing. Fill in the last line: \
reply with its grade, a number such as 0.7, and nothing else.

Question | Ground truth | Prediction | Correctness
--- | --- | --- | ---
Which fruits lie on the scale? | pear <AND> plum | I see a plum and, behind it, a pear. | 1.0
Which fruits lie on the scale? | pear <AND> plum | There is only a pear. | 0.5
Which fruits lie on the scale? | pear <AND> plum | Two lemons. | 0.0
When does the shop open? | half past nine <OR> 9:30 | At 9:30 in the morning. | 1.0
When does the shop open? | half past nine <OR> 9:30 | At 9. | 0.0
How much are four tickets? | 36 | One is 9 euros, so four are 36 euros. | 1.0
What has happened here? | A cyclist slipped on wet leaves and lost the apples she had bought; a boy picks them up. | \
Somebody fell off a bicycle, and apples roll across the road. | 0.5
What has happened here? | A cyclist slipped on wet leaves and lost the apples she had bought; a boy picks them up. | \
A woman on a bike slid on the leaves and lost her apples. A child is helping to collect them. | 0.9
"""


def prompt(question: str, answer: str, prediction: str) -> str:
    """Returns what the judge is asked: the table with a last line whose grade is missing."""
    answer = answer.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    return f"{_TEXT}{question} | {answer} | {prediction} | "
