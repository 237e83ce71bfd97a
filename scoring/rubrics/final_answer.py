"""Asking a judge what the final answer of a worked-out reply to a question of mathematics is."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Final

from ..judge import WARMING, Judge, JudgeRequest
from ..letters import FAILED_MARK

__all__ = ["REPLY_TOKENS", "TRIES", "FinalAnswer", "ask_final_answer"]

TRIES: Final = 5
"""How often a judge is asked for one answer, each time at a higher temperature."""
REPLY_TOKENS: Final = 128
"""Longest reply of the reference's judge."""


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """What a judge took for the final answer.

    Attributes:
        text: the judge's reply, None when none of its tries brought one.
        log: the reference's words on every try.
    """

    text: str | None
    log: str


async def ask_final_answer(
    judge: Judge,
    rubric: ModuleType,
    *,
    benchmark: str,
    index: str,
    question: str,
    reply: str,
    max_tokens: int | None = None,
) -> FinalAnswer:
    """Asks a judge up to five times; the first reply that is not the failure text is taken as it is, even empty.

    Args:
        judge: who is asked.
        rubric: ``final_answer_mathvision`` or ``final_answer_mathvista``.
        benchmark: name of the benchmark.
        index: index of the sample.
        question: what was asked about the picture, hint and choices included.
        reply: what the model wrote.
        max_tokens: longest reply of the judge in tokens, None for the judge's own setting.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    name, prompt = f"{rubric.NAME}@{rubric.VERSION}", rubric.prompt(question, reply)
    fields = {"question": question, "answer": reply}
    log = ""
    first = JudgeRequest(benchmark, index, 0, name, prompt, max_tokens=max_tokens, fields=fields)
    for request in first.tries(TRIES, warming=WARMING):
        text = await judge(request)
        if FAILED_MARK not in text:
            return FinalAnswer(text, f"{log}Succeed")
        log += f"Try {request.attempt}: output is {reply}, failed to parse.\n"
    return FinalAnswer(None, f"{log}All {TRIES} retries failed.\n")
