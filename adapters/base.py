"""What every adapter is: it turns messages into a request, and a request into a reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, runtime_checkable
from typing import Protocol as Interface

from ..messages import Message
from ..records import Reply

__all__ = ["Model", "Request", "RunsHere"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is ready to be sent, any number of times.

    Attributes:
        chunks: the body, in pieces: written one after the other they are the whole. Big pictures stay pieces of their
            own so that nothing is copied or escaped.
        size: length of the body in bytes.
    """

    chunks: tuple[bytes, ...]
    size: int


class Model(Interface):
    """A model that can be asked."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything about model and generation parameters that determines an answer; part of every fingerprint."""

    def encode(self, messages: Sequence[Message]) -> Request:
        """Turns messages, whose media are `InlineMedia` already, into a request. Called in worker threads."""

    async def ask(self, request: Request) -> Reply:
        """Sends a request once and reads the reply.

        Raises:
            EndpointError: one of its classes, saying what went wrong.
        """

    async def aclose(self) -> None:
        """Closes connections."""


@runtime_checkable
class RunsHere(Interface):
    """A model on this machine that tells of itself."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What a report tells of it: devices, versions, where its time went."""

    @property
    def is_loading(self) -> bool:
        """Whether it was asked and is not there yet."""
