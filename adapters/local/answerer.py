"""What a loaded model is to the worker that holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from typing import Protocol as Interface

from .bodies import Turn

__all__ = ["MODEL_FAULTS", "Answer", "Answerer", "Fatal", "Model", "OutOfMemory"]

Answer: TypeAlias = dict[str, Any]
"""What is said of one question: ``text``, ``finish`` and token counts, or ``failure`` and ``kind``."""

MODEL_FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What model code is known to raise on a question that it cannot take. Anything else ends the process."""


class Fatal(Exception):
    """The model cannot be loaded, or is of no use; the text says what to do."""


class OutOfMemory(Exception):
    """A batch needs more memory than there is."""


class Answerer(Interface):
    """A loaded model."""

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> Any:
        """Makes what `answer` takes; called beside it, in another thread.

        Raises:
            Refused: a question cannot be asked; any of `MODEL_FAULTS` where the model's own code says so.
        """

    def answer(self, prepared: Any) -> list[Answer]:
        """Answers all questions of a batch, in order.

        Raises:
            OutOfMemory: they are too many, or one is too large.
        """


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready.

    Attributes:
        answerer: what answers.
        device: where it computes.
        more_devices: further devices that could have a worker of their own.
        about: versions, numbers, for the report.
        notes: sentences for the user.
    """

    answerer: Answerer
    device: str
    more_devices: tuple[str, ...] = ()
    about: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
