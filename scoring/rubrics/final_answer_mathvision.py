"""Rubric of MathVision: what is the final answer, a letter or a value?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "final_answer_mathvision"
VERSION: Final = 1

_TEXT: Final = """\
You read the final answer out of a worked-out reply to a question of mathematics. The question \
refers to a picture that you cannot see. Do not solve it, and do not judge whether the reply is right: say only what \
it settles on. Where the question has choices, that is the letter of a choice; else it is the bare value, a number or \
a formula without a unit and without words. If the reply settles on nothing, write Z. Write the final answer and \
nothing else.

Example 1
Question: Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.
Question: How many tiles of the strip are white?
Choices:
(A) 9
(B) 11
(C) 13
(D) 15
(E) 17
Reply: The strip repeats a block of one black and two white tiles. Six blocks have 12 white tiles, and one more white \
tile stands at the end. That makes 13.
Final answer: C

Example 2
Question: Hint: Please answer the question and provide the final answer at the end.
Question: The garden in the plan is fenced all around. How many metres of fence are needed?
Reply: Two sides of 8 m and two of 5.5 m: we need **27 m** of fence.
Final answer: 27

Example 3
Question: Hint: Please answer the question and provide the final answer at the end.
Question: Which part of the disc is shaded?
Reply: Three of the eight equal sectors are shaded, so the part is $p = \\frac{3}{8}$ of the disc.
Final answer: \\frac{3}{8}

Example 4
Question: Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.
Question: Which of the five nets folds into the box?
Choices:
(A) A
(B) B
(C) C
(D) D
(E) E
Reply: Net B leaves a side open, C and D have squares that overlap, and A has its lid on the wrong side. Only the last \
net is left.
Final answer: E

Example 5
Question: Hint: Please answer the question and provide the final answer at the end.
Question: Where do the two lines of the graph meet?
Reply: To tell that I would have to know the scale of the axes, which the picture does not show.
Final answer: Z

Now your task
"""


def prompt(question: str, reply: str) -> str:
    """Returns what the judge is asked; `question` has hint and choices in it, as the model was shown them."""
    return f"{_TEXT}Question: {question}\nReply: {reply}\nFinal answer:"
