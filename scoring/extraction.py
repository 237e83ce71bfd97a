"""Reading a long answer about a document: a judge writes down the short answer that it comes to.

As in MMLongBench-Doc (Ma et al. 2024), in the form of ms-vlmeval 0.0.20, which does so for DUDE and SlideVQA, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .judge import WARMING, Judge, JudgeRequest
from .protocol import FAILED_TEXT
from .rubrics import extracted_answer

__all__ = ["REPLY_TOKENS", "TRIES", "Extraction", "ask_extraction", "extracted"]

TRIES: Final = 5
"""How often a judge is asked about one answer, each time at a higher temperature."""
REPLY_TOKENS: Final = 128
"""Longest reply of the reference's judge."""

_ANSWER: Final = "Extracted answer:"
_FORMAT: Final = "Answer format:"


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a judge made of an answer.

    Attributes:
        answer: the short answer, None when no reply of the judge held one.
        reply: the reply that decided, empty when every one was a failure.
        log: the reference's words on every try.
    """

    answer: str | None
    reply: str
    log: str


async def ask_extraction(
    judge: Judge,
    *,
    benchmark: str,
    index: str,
    question: str,
    prediction: str,
    first_reply: bool,
    max_tokens: int | None = None,
) -> Extraction:
    """Asks a judge up to five times for the short answer.

    Args:
        judge: who is asked.
        benchmark: name of the benchmark.
        index: index of the sample.
        question: what was asked about the document, which the judge does not see.
        prediction: the answer to read.
        first_reply: as the reference, which takes the first reply that is not the text of a failed request, whether
            it holds an answer or not. Else the judge is asked again until one does.
        max_tokens: longest reply in tokens, None for the judge's own setting.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    name = f"{extracted_answer.NAME}@{extracted_answer.VERSION}"
    prompt = extracted_answer.prompt(question, prediction)
    fields = {"question": question, "answer": prediction}
    log, reply = "", ""
    first = JudgeRequest(benchmark, index, 0, name, prompt, max_tokens=max_tokens, fields=fields)
    for request in first.tries(TRIES, warming=WARMING):
        text = await judge(request)
        if FAILED_TEXT not in text:
            reply = text
            answer = extracted(text)
            if first_reply or answer is not None:
                return Extraction(answer, reply, f"{log}Succeed")
        log += f"Try {request.attempt}: output is {prediction}, failed to parse.\n"
    return Extraction(None, reply, f"{log}All {TRIES} retries failed.\n")


def extracted(reply: str) -> str | None:
    """Returns what stands between the first ``Extracted answer:`` and a further one or ``Answer format:``.

    None when the reply has no extracted answer before its format.
    """
    before_format = reply.partition(_FORMAT)[0]
    _, found, answer = before_format.partition(_ANSWER)
    return answer.partition(_ANSWER)[0].strip() if found else None
