"""English rubric: which option does the answer mean?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "option_letter_en"
VERSION: Final = 1

_TEXT: Final = """\
You match answers to options. Below are a multiple-choice question, its options, and an answer that somebody gave in \
free words. Decide which option the answer means. Judge the meaning only, not whether it is correct. If it means none \
of the options, or cannot be assigned to exactly one of them, reply Z. Reply with a single capital letter and nothing \
else.

Example 1
Question: Which animal sits on the fence?
There are several options:
A. parrot
B. squirrel
C. kitten
D. lizard
Answer: a young cat
Your output: C

Example 2
Question: Which animal sits on the fence?
There are several options:
A. parrot
B. squirrel
C. kitten
D. lizard
Answer: an elephant
Your output: Z

Now your task
Question: {question}
There are several options:
{options}Answer: {answer}
Your output: """


def prompt(question: str, options: str, answer: str) -> str:
    """Returns what the judge is asked; `options` has one option per line, each ending in a newline."""
    return _TEXT.format(question=question, options=options, answer=answer)
