"""English rubric: how good are two answers to the same question, each from 1 to 10?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "SYSTEM", "VERSION", "prompt"]

NAME: Final = "llavabench"
VERSION: Final = 1

SYSTEM: Final = "You compare answers of assistants. You are fair, exact, and keep to the form that is asked for."
"""What the judge is told in the system role."""

_TEXT: Final = """\
[Context]
{caption}

[Question]
{question}

[Assistant 1]
{reference}

[End of Assistant 1]

[Assistant 2]
{prediction}

[End of Assistant 2]

[System]
A user showed two assistants a picture and asked the question above. You cannot see the picture; the context tells \
what is in it. Grade both answers by how helpful, relevant, accurate and detailed they are, with one number from 1 to \
10 for each assistant: 10 for an answer that could not be better, 1 for one that is of no use. Which of them stands \
first must not matter.
The first line of your reply holds the two numbers and nothing else, Assistant 1 before Assistant 2, with one space \
between them. If the first answer deserved a 6 and the second a 9, it would read:
6 9
If it were the other way round:
9 6
Give your reasons from the second line on.

"""


def prompt(caption: str, question: str, reference: str, prediction: str) -> str:
    """Returns what the judge is asked; `caption` stands for the picture, `reference` is always Assistant 1."""
    return _TEXT.format(caption=caption, question=question, reference=reference, prediction=prediction)
