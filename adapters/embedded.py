"""Models that run inside eyechart's own process: what they are called, what they need, how they are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from ..errors import ConfigError
from .base import Model

__all__ = ["EMBEDDED", "EmbeddedModel", "processors"]

_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """A model of eyechart's own.

    Attributes:
        name: its name in a configuration; also what its results are filed under.
        about: what it does, in a few words.
        extra: the extra of eyechart that brings what it needs.
        packages: import names of what it needs.
        make: makes it; called only where nothing is missing.
    """

    name: str
    about: str
    extra: str
    packages: tuple[str, ...]
    make: Callable[[], Model]

    @property
    def problem(self) -> str | None:
        """What is missing and how to get it; None where the model can run. Imports nothing."""
        missing = [package for package in self.packages if find_spec(package) is None]
        if not missing:
            return None
        return f"{self.name} needs {' and '.join(missing)}, not installed here: pip install 'eyechart[{self.extra}]'"

    def build(self) -> Model:
        """Makes the model; its networks are loaded when it is first asked.

        Raises:
            ConfigError: what it needs is not installed.
        """
        if (problem := self.problem) is not None:
            raise ConfigError(problem)
        return self.make()


def processors() -> int:
    """Returns how many samples an embedded model works on at a time: one for each processor, at most 8."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(there, _MOST)


def _ocr_reader() -> Model:
    from .ocr_reader import OcrReader  # noqa: PLC0415  (only who asks for it needs it)

    return OcrReader(workers=processors())


EMBEDDED: Final[Mapping[str, EmbeddedModel]] = MappingProxyType(
    {
        "EyechartReader": EmbeddedModel(
            "EyechartReader",
            about="reads the text in pictures and looks the answer up in it",
            extra="demo",
            packages=("rapidocr", "onnxruntime"),
            make=_ocr_reader,
        )
    }
)
"""The embedded models by name."""
