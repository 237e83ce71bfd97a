"""Rubric of yes-or-no questions: does the answer say yes or no?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..judge import WARMING, Judge, JudgeRequest
from ..yes_no import UNKNOWN, Verdict, says_unknown

__all__ = ["NAME", "TRIES", "VERSION", "ask_yes_no", "prompt"]

NAME: Final = "yes_no"
VERSION: Final = 1
TRIES: Final = 5
"""How often a judge is asked what one answer says, each time at a higher temperature."""

_TEXT: Final = """\
Somebody answered a question that can be answered with yes or no, but did so in free words. Decide what the answer \
says. Judge its meaning only, not whether it is true. Reply Yes if it says yes, No if it says no, and Unknown if it \
says neither or cannot be told. Reply with that single word and nothing else.

Example 1
Question: Is the umbrella open?
Answer: It is folded up and leans against the wall.
Your output: No

Example 2
Question: Are there two cups on the table?
Answer: I can see one beside the plate and another behind the jug.
Your output: Yes

Now your task
Question: {question}?
Answer: {answer}
Your output: """
"""The question mark stands after every question, as the judge is shown it in the reference."""


def prompt(question: str, answer: str) -> str:
    """Returns what the judge is asked."""
    return _TEXT.format(question=question, answer=answer)


async def ask_yes_no(
    judge: Judge,
    *,
    benchmark: str,
    index: str,
    question: str,
    answer: str,
    read: Callable[[str], Verdict],
    unknown_decides: bool,
) -> Verdict | None:
    """Asks a judge up to five times what an answer says, until one of its replies decides; None if none does.

    Args:
        judge: who is asked.
        benchmark: name of the benchmark.
        index: index of the sample.
        question: the question as it was asked.
        answer: the answer that no exact rule reads.
        read: how the judge's replies are read.
        unknown_decides: whether the judge's word ``Unknown`` is a verdict. Otherwise it is asked again.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    text = prompt(question, answer)
    fields = {"question": question, "answer": answer}
    first = JudgeRequest(benchmark, index, 0, f"{NAME}@{VERSION}", text, fields=fields)
    for request in first.tries(TRIES, warming=WARMING):
        reply = await judge(request)
        if unknown_decides and says_unknown(reply):
            return UNKNOWN
        verdict = read(reply)
        if verdict != UNKNOWN:
            return verdict
    return None
