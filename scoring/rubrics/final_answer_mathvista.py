"""Rubric of MathVista: what is the final answer, in the form that the hint asks for?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "final_answer_mathvista"
VERSION: Final = 1

_TEXT: Final = """\
You read the final answer out of a worked-out reply to a question about a picture that you cannot \
see. Do not solve the question, and do not judge whether the reply is right: say only what it settles on, in the form \
that the hint asks for: the letter of a choice, a whole number in digits, a number with that many decimal places, or a \
Python list; without a hint, the words of the answer. Leave out units, signs of currency and commas between thousands. \
If the reply settles on nothing, write Z. Write the final answer and nothing else.

Example 1
Question: Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at \
the end.
Question: How many more visitors came on Sunday than on Monday? (Unit: visitors)
Reply: The bars show 2,400 visitors for Sunday and 1,150 for Monday, which is 1,250 visitors more.
Final answer: 1250

Example 2
Question: Hint: Please answer the question requiring a floating-point number with one decimal place and provide the \
final value, e.g., 1.2, 1.3, 1.4, at the end.
Question: How heavy is the parcel on the scale? (Unit: kg)
Reply: The needle stands just below the mark for 3.5, so I read **3.4 kg**.
Final answer: 3.4

Example 3
Question: Hint: Please answer the question requiring a floating-point number with two decimal places and provide the \
final value, e.g., 1.23, 1.34, 1.45, at the end.
Question: What do a brush and two pencils cost together? (Unit: $)
Reply: A brush is $2.15 and a pencil $0.40. Together: 2.15 + 2 x 0.40 = $2.95.
Final answer: 2.95

Example 4
Question: Hint: Please answer the question requiring a Python list as an answer and provide the final list, e.g., \
[1, 2, 3], [1.2, 1.3, 1.4], at the end.
Question: In which years were fewer than ten bridges built?
Reply: Below the line of ten are the columns of 1931, 1944 and 1945.
Final answer: [1931, 1944, 1945]

Example 5
Question: Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.
Question: What becomes of the foxes if the mice die out?
Choices:
(A) they increase
(B) they decrease
(C) they stay the same
Reply: An arrow leads from mice to foxes: foxes live on mice. Without food there will be fewer of them.
Final answer: B

Now your task
"""


def prompt(question: str, reply: str) -> str:
    """Returns what the judge is asked; `question` has hint and choices in it, as the model was shown them."""
    return f"{_TEXT}Question: {question}\nReply: {reply}\nFinal answer:"
