"""BLINK's rubric: which option does the answer mean, where not knowing is an option like the others?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "option_letter_blink"
VERSION: Final = 1

_TEXT: Final = """\
You match answers to options. Below are a multiple-choice question about pictures, its options, and an answer that \
somebody gave in free words. Decide which option the answer means; whether it is correct does not matter. Option Z \
stands for an answer that gives no choice: it refuses, says that it cannot tell, names several options, or fits none. \
Reply with one capital letter, A, B, C, D or Z, and nothing else.

Example 1
Question: Which of the marked points is nearer to the viewer?
There are several options:
A. point A
B. point B
(Z) Failed
Answer: The point labelled B lies in front of the bench, so it is nearer.
Your output: B

Example 2
Question: Which picture continues the series?
There are several options:
A. the second picture
B. the third picture
(Z) Failed
Answer: I cannot see any pictures, so I am unable to compare them.
Your output: Z

Example 3
Question: How many red cups stand on the shelf?
There are several options:
A. 2
B. 3
C. 4
D. 5
(Z) Failed
Answer: Counting from the left there are two, and one more behind the jar, which makes three.
Your output: B

Example 4
Question: Are the two photographs of the same building?
There are several options:
A. yes
B. no
(Z) Failed
Answer: It may be either; both are possible.
Your output: Z

Now your task
Question: {question}
There are several options:
{options}(Z) Failed
Answer: {answer}
Your output: """


def prompt(question: str, options: str, answer: str) -> str:
    """Returns what the judge is asked; `options` has one option per line, each ending in a newline."""
    return _TEXT.format(question=question, options=options, answer=answer)
