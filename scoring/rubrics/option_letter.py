"""Asking a judge which option of a multiple-choice question an answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from typing import Protocol as Interface

from ...records import Cell
from ..judge import Judge, JudgeRequest
from ..letters import FAILED_MARK, NO_LETTER, read_letter
from . import option_letter_cn, option_letter_en

__all__ = ["TRIES", "JudgedLetter", "LetterRubric", "ask_letter", "option_lines"]

TRIES: Final = 3
"""How often a judge is asked before its answer counts as unreadable."""

_CHINESE_FIRST: Final = "\u4e00"
_CHINESE_LAST: Final = "\u9fff"


class LetterRubric(Interface):
    """A module that holds a rubric: its name and version, and the question that it makes."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """Name of the rubric."""

    @property
    def VERSION(self) -> int:  # noqa: N802 - a module's constant
        """Changes with the text."""

    def prompt(self, question: str, options: str, answer: str) -> str:
        """Returns what the judge is asked."""


@dataclass(frozen=True, slots=True)
class JudgedLetter:
    """What a judge made of an answer.

    Attributes:
        letter: letter of an option, or ``Z`` for none of them.
        reply: the judge's reply that decided, None when none of its replies could be read.
    """

    letter: str
    reply: str | None


async def ask_letter(
    judge: Judge,
    *,
    benchmark: str,
    index: str,
    question: str,
    options: Mapping[str, Cell],
    answer: str,
    rubric: LetterRubric | None = None,
    reference: str | None = None,
    bare_letters: bool = True,
    option_in_word: bool = True,
) -> JudgedLetter:
    """Asks a judge up to three times for the letter; unreadable replies end as ``Z``, never as a random option.

    Without a rubric of its own a question with a Chinese character has the Chinese one, any other the English one.

    Args:
        judge: the judge.
        benchmark: name of the benchmark.
        index: index of the sample.
        question: the question.
        options: texts by capital letter.
        answer: the answer that no exact rule reads.
        rubric: what the judge is shown instead.
        reference: the right letter, for a rubric of the user's own; the benchmarks' own show none.
        bare_letters: how its replies are read, see `Protocol`.
        option_in_word: see `Protocol`.

    Raises:
        JudgeError: the judge cannot be reached.
    """
    rubric = rubric or _in_language_of(question)
    prompt = rubric.prompt(question, option_lines(options), answer)
    name = f"{rubric.NAME}@{rubric.VERSION}"
    fields = {"question": question, "options": option_lines(options), "answer": answer}
    if reference is not None:
        fields["reference"] = reference
    for request in JudgeRequest(benchmark, index, 0, name, prompt, fields=fields).tries(TRIES):
        reply = await judge(request)
        if FAILED_MARK in reply:
            continue
        reading = read_letter(reply, options, bare_letters=bare_letters, option_in_word=option_in_word)
        if reading.letter is not None:
            return JudgedLetter(reading.letter, reply)
    return JudgedLetter(NO_LETTER, None)


def _in_language_of(question: str) -> LetterRubric:
    chinese = any(_CHINESE_FIRST <= ch <= _CHINESE_LAST for ch in question)
    return option_letter_cn if chinese else option_letter_en


def option_lines(options: Mapping[str, Cell]) -> str:
    """Returns the options as a judge is shown them, one per line."""
    return "".join(f"{letter}. {text}\n" for letter, text in options.items())
