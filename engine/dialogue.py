"""Dialogues: samples of several turns, each asked upon the model's own answers to the turns before it.

Every turn has a line in the journal, whose fingerprint covers the whole conversation so far. What a turn that failed
means is the benchmark's affair (`Benchmark.failed_turn`): a text stands for it in the history, or the dialogue ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from ..benchmarks.base import Benchmark
from ..errors import DataError
from ..messages import Message
from ..records import Failure, Prediction, Sample
from ..scoring.dialogues import turns_text
from .chain import chain
from .journal import Entry, printable, read_answer

__all__ = [
    "Said",
    "history",
    "is_over",
    "read_turns",
    "said_in",
    "turns_of",
    "whole_line",
    "whole_of",
    "without_oldest",
]

Said: TypeAlias = str | Failure
"""What came of a turn."""


def said_in(line: Prediction) -> Said:
    """Returns what came of the turn of a line, as the journal gives it back."""
    return line.failure or printable(line.prediction or "")


def history(benchmark: Benchmark, said: Sequence[Said]) -> list[str | None]:
    """Returns what stands in the conversation for each turn, None for one that ends it."""
    return [turn if isinstance(turn, str) else benchmark.failed_turn(turn) for turn in said]


def is_over(benchmark: Benchmark, turns: int, said: Sequence[Said]) -> bool:
    """Whether nothing more is asked after these turns."""
    return len(said) >= turns or (bool(said) and history(benchmark, said[-1:]) == [None])


def turns_of(benchmark: Benchmark, sample: Sample) -> int:
    """Returns how many turns a sample has; 1 where its row does not say it, which then cannot be asked either."""
    try:
        return benchmark.turns(sample)
    except DataError:
        return 1


def whole_of(benchmark: Benchmark, turns: int, said: Sequence[Said]) -> Said | None:
    """Returns what came of a dialogue: its text (`scoring.dialogues`), a failure where no turn has any.

    None while it is not over.
    """
    if not is_over(benchmark, turns, said):
        return None
    texts = history(benchmark, said[:turns])  # a benchmark file that has changed may have fewer turns than before
    if texts[0] is None:
        return said[0]
    return turns_text([*texts, *[None] * (turns - len(texts))])


def whole_line(benchmark: Benchmark, turns: int, lines: Sequence[Prediction]) -> Prediction:
    """Returns the lines of a dialogue that is over as one: its text, or the failure where it has none."""
    whole = whole_of(benchmark, turns, [said_in(line) for line in lines])
    if isinstance(whole, Failure):
        return replace(lines[-1], prediction=None, failure=whole)
    return replace(lines[-1], prediction=whole, failure=None)


def without_oldest(messages: Sequence[Message], count: int) -> list[Message]:
    """Returns a conversation without its oldest questions and the answers to them; what the system says stays."""
    kept: list[Message] = []
    questions = 0
    for message in messages:
        questions += message.role == "user"
        if message.role == "system" or questions > count:
            kept.append(message)
    return kept


def read_turns(file: BinaryIO, latest: Entry) -> list[Prediction]:
    """Reads the lines of a sample in an open journal again, up to the first that is none any more. Blocking.

    Raises:
        OSError: the file cannot be read.
    """
    lines: list[Prediction] = []
    for entry in chain(latest):
        line = read_answer(file, entry)
        if line is None:
            break
        lines.append(line)
    return lines
