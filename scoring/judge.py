"""How scoring asks a judge: a request that it hands to a callable, and the text that comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

__all__ = ["WARMING", "Judge", "JudgeRequest"]

WARMING: Final = 0.5
"""By how much the reference raises the temperature from one try to the next, where it does."""


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One question to a judge.

    Attributes:
        benchmark: name of the benchmark.
        index: index of the sample whose answer is judged.
        attempt: which try this is, from 0: the same sample is asked again when a reply cannot be read. In a dialogue,
            of which every turn is judged once, the turn.
        rubric: name and version of the rubric, e.g. ``option_letter_en@1``.
        prompt: the whole text to send.
        temperature: sampling temperature of this attempt.
        system: text of the system role, None for none.
        max_tokens: longest reply in tokens, None for the judge's own setting.
        fields: what the prompt is made of, by name (`scoring.own_rubric.PLACEHOLDERS`), so that a text of the user's
            own can say it in another way.
    """

    benchmark: str
    index: str
    attempt: int
    rubric: str
    prompt: str
    temperature: float = 0.0
    system: str | None = None
    max_tokens: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)

    def tries(self, most: int, *, warming: float = 0.0) -> Iterator[JudgeRequest]:
        """Yields this request and the same again, each with its number, for a judge whose replies cannot be read.

        Args:
            most: how many.
            warming: what each adds to the temperature of the one before.
        """
        for attempt in range(most):
            yield replace(self, attempt=attempt, temperature=self.temperature + warming * attempt)


Judge: TypeAlias = Callable[[JudgeRequest], Awaitable[str]]
"""Answers a request with the judge's text; raises JudgeError when no judge can be reached."""
