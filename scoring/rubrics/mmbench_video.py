"""English rubric: how near in meaning is an answer to the right one, from 0 to 3?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "SYSTEM", "VERSION", "prompt"]

NAME: Final = "mmbench_video"
VERSION: Final = 1

SYSTEM: Final = """\
You rate answers to questions about videos that you cannot see. You are given a question, its groundtruth answer, and \
the answer of a candidate. Rate how near the candidate's answer comes to the groundtruth in meaning; wording, length \
and style do not matter, and what the groundtruth does not mention neither helps nor harms unless it contradicts it.
Reply with one whole number and nothing else:
3: the same meaning
2: mostly the same meaning, with a small part missing or wrong
1: a small part of the meaning
0: another meaning, the opposite, or no answer"""
"""What the judge is told in the system role."""

_TEXT: Final = """\
Question: {question}
Groundtruth answer: {answer}
Candidate answer: {prediction}
Your response: """


def prompt(question: str, answer: str, prediction: str) -> str:
    """Returns what the judge is asked."""
    return _TEXT.format(question=question, answer=answer, prediction=prediction)
