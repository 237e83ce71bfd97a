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
from .fingerprint import verdict_fingerprint

__all__ = ["JudgeWriter", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """A request to a judge, ready to be sent.

    Attributes:
        request: what goes over the wire.
        fingerprint: of everything that determines the reply.
        rubric: name and version of the rubric that the text comes from.
        unbounded: the same without the rubric's bound on the reply's length, which leaves a judge that thinks first no
            room; None where there is no such bound.
    """

    request: Request
    fingerprint: str
    rubric: str
    unbounded: Request | None = None


class JudgeWriter:
    """Writes requests to one judge. Safe to call from several threads.

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
        self._encoders: dict[tuple[float | None, int | None, str | None], Model] = {}

    def write(self, request: JudgeRequest, repeat: int) -> Written:
        """Turns a benchmark's request into this judge's.

        The temperature is the rubric's where that asks for one above 0, else the judge's own; a judge whose own is
        left to the server is never sent any. The bound on the reply's length is the shorter of the rubric's and the
        judge's own; the rubric's counts as a part of the rubric. A system text of the rubric follows the judge's own.

        Raises:
            JudgeError: the user's own rubric shows what this benchmark does not tell its judge.
        """
        if (missing := self.lacking(request)) is not None:
            raise JudgeError(missing)
        rubric = self.rubric(request)
        prompt = request.prompt if self.own_rubric is None else self.own_rubric.render(request.fields)
        plain = replace(request, max_tokens=None)
        model = self._model(plain)
        fingerprint = verdict_fingerprint(
            model.identity, rubric=rubric, prompt=prompt, attempt=request.attempt, repeat=repeat
        )
        unbounded = _encoded(model, prompt)
        if self._model(request) is model:
            return Written(unbounded, fingerprint, rubric)
        return Written(_encoded(self._model(request), prompt), fingerprint, rubric, unbounded)

    def encode(self, request: JudgeRequest) -> Request:
        """Encodes a request as it stands, whatever rubric the user has."""
        return _encoded(self._model(request), request.prompt)

    def rubric(self, request: JudgeRequest) -> str:
        """Names the rubric, with its version, that a request is written by."""
        return request.rubric if self.own_rubric is None else self.own_rubric.name

    def lacking(self, request: JudgeRequest) -> str | None:
        """Says what the user's own rubric shows and this benchmark does not tell its judge; None when nothing."""
        shown = self.own_rubric.placeholders if self.own_rubric else frozenset()
        missing = ", ".join(f"{{{name}}}" for name in sorted(shown - request.fields.keys()))
        if not missing:
            return None
        there = ", ".join(f"{{{name}}}" for name in request.fields) or "nothing"
        return (
            f"the rubric of judge {self._spec.asked.name} shows {missing}, which {request.benchmark} does not tell its "
            f"judge; it tells {there}"
        )

    def _model(self, request: JudgeRequest) -> Model:
        own = self._spec.asked
        temperature = None if own.temperature is None else request.temperature or own.temperature
        max_tokens = min((n for n in (request.max_tokens, own.max_tokens) if n is not None), default=None)
        system = "\n".join(filter(None, (own.system_prompt, request.system))) or None
        key = (temperature, max_tokens, system)
        if key not in self._encoders:
            spec = replace(own, temperature=temperature, max_tokens=max_tokens, system_prompt=system)
            self._encoders.setdefault(key, self._encoder(spec))
        return self._encoders[key]


def _encoded(model: Model, prompt: str) -> Request:
    return model.encode([Message("user", (Text(prompt),))])
