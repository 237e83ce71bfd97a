"""From a benchmark's question to a judge into the request that one judge is sent, and its fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..adapters.base import Model, Request
from ..errors import JudgeError
from ..messages import Message, Text
from ..scoring.judge import JudgeRequest
from ..scoring.own_rubric import OwnRubric
from .config_plan import JudgeSpec, ModelSpec
from .fingerprint import VerdictFingerprinter

__all__ = ["JudgeWriter", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A request to a judge, ready to be sent.

    Attributes:
        request: what goes over the wire.
        unbounded: the same without the rubric's bound on the reply's length, which leaves a judge that thinks first no
            room; None where there is no such bound.
    """

    request: Request
    unbounded: Request | None = None


class JudgeWriter:
    """Writes requests to one judge. Safe to call from several threads.

    The temperature is the rubric's where that asks for one above 0, else the judge's own; a judge whose own is left to
    the server is never sent any. The bound on the reply's length is the shorter of the rubric's and the judge's own;
    the rubric's counts as a part of the rubric. A system text of the rubric follows the judge's own.

    Attributes:
        own_rubric: the user's text that takes the place of a benchmark's rubric; None where there is none.
    """

    def __init__(self, spec: JudgeSpec, encoder: Callable[[ModelSpec], Model]) -> None:
        """Prepares to write.

        Args:
            spec: the judge.
            encoder: makes what encodes the requests of a model with these parameters; it is never asked.

        Raises:
            ConfigError: the user's own rubric cannot be used.
        """
        self.own_rubric = None if spec.rubric is None else OwnRubric(spec.rubric)
        self._spec = spec
        self._encoder = encoder
        self._models: dict[tuple[float, int | None, str | None], tuple[Model, VerdictFingerprinter]] = {}

    def fingerprint(self, request: JudgeRequest, repeat: int) -> str:
        """Returns the hash of everything that determines the reply to a benchmark's request.

        Raises:
            JudgeError: the user's own rubric shows what this benchmark does not tell its judge.
        """
        _, fingerprinter = self._for(request, None)
        return fingerprinter.of(
            rubric=self.rubric(request), prompt=self._prompt(request), attempt=request.attempt, repeat=repeat
        )

    def write(self, request: JudgeRequest) -> Written:
        """Turns a benchmark's request into this judge's.

        Raises:
            JudgeError: the user's own rubric shows what this benchmark does not tell its judge.
        """
        prompt = self._prompt(request)
        unbounded = _encoded(self._for(request, None)[0], prompt)
        own = self._spec.asked.max_tokens
        if request.max_tokens is None or (own is not None and own <= request.max_tokens):
            return Written(unbounded)
        return Written(_encoded(self._for(request, request.max_tokens)[0], prompt), unbounded)

    def encode(self, request: JudgeRequest) -> Request:
        """Encodes a request as it stands, whatever rubric the user has."""
        return _encoded(self._for(request, None)[0], request.prompt)

    def rubric(self, request: JudgeRequest) -> str:
        """Names the rubric, with its version, that a request is written by."""
        return request.rubric if self.own_rubric is None else self.own_rubric.name

    def lacking(self, request: JudgeRequest) -> str | None:
        """Says what the user's own rubric shows and this benchmark does not tell its judge; None when nothing."""
        if self.own_rubric is None or self.own_rubric.placeholders <= request.fields.keys():
            return None
        missing = ", ".join(f"{{{name}}}" for name in sorted(self.own_rubric.placeholders - request.fields.keys()))
        there = ", ".join(f"{{{name}}}" for name in request.fields) or "nothing"
        return (
            f"the rubric of judge {self._spec.asked.name} shows {missing}, which {request.benchmark} does not tell its "
            f"judge; it tells {there}"
        )

    def _prompt(self, request: JudgeRequest) -> str:
        if self.own_rubric is None:
            return request.prompt
        if (missing := self.lacking(request)) is not None:
            raise JudgeError(missing)
        return self.own_rubric.render(request.fields)

    def _for(self, request: JudgeRequest, max_tokens: int | None) -> tuple[Model, VerdictFingerprinter]:
        """Returns what writes requests of this temperature, bound and system text."""
        key = (request.temperature, max_tokens, request.system)
        found = self._models.get(key)
        if found is None:
            own = self._spec.asked
            spec = replace(
                own,
                temperature=None if own.temperature is None else request.temperature or own.temperature,
                max_tokens=own.max_tokens if max_tokens is None else max_tokens,
                system_prompt="\n".join(filter(None, (own.system_prompt, request.system))) or None,
            )
            model = self._encoder(spec)
            found = self._models.setdefault(key, (model, VerdictFingerprinter(model.identity)))
        return found


def _encoded(model: Model, prompt: str) -> Request:
    return model.encode([Message("user", (Text(prompt),))])
