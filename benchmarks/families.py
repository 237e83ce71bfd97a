"""Which benchmark belongs to which family, with the family's settings: adding a benchmark is adding a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from ..errors import ConfigError
from ..scoring.protocol import Protocol
from .base import Benchmark, Source
from .catalog import catalog
from .mixed import Mixed
from .multiple_choice import MultipleChoice
from .ocrbench import OCRBench
from .vqa import SHORT_ANSWER, VisualQA

__all__ = ["FAMILIES", "build_benchmark"]

_Builder: TypeAlias = Callable[[str, Source, Protocol], Benchmark]

_short_answer: Final = partial(VisualQA, instruction=SHORT_ANSWER)

FAMILIES: Final[Mapping[str, _Builder]] = MappingProxyType(
    {
        "AI2D_TEST": MultipleChoice,
        "ChartQA_TEST": partial(_short_answer, metric="relaxed_accuracy"),
        "DocVQA_VAL": partial(_short_answer, metric="anls"),
        "EyechartMini": Mixed,
        "MMStar": MultipleChoice,
        "OCRBench": OCRBench,
        "RealWorldQA": MultipleChoice,
        "SEEDBench_IMG": MultipleChoice,
        "TextVQA_VAL": partial(_short_answer, metric="vqa_score"),
    }
)
"""Builder of each benchmark's family. A name of the catalogue that is not here cannot be run yet."""


def build_benchmark(name: str, source: Source, protocol: Protocol, *, own_file: bool = False) -> Benchmark:
    """Builds a benchmark over its rows.

    A name outside the catalogue is the user's own file: multiple choice when it has the columns ``A`` and ``B``, else
    questions whose answers count when they equal an accepted one after normalisation. So is a file given by its path
    (``own_file``) whose name the catalogue has but this version cannot run by its own rules yet.

    Raises:
        ConfigError: the catalogue has the name, but this version cannot run it.
    """
    if name in FAMILIES:
        return FAMILIES[name](name, source, protocol)
    if name in catalog() and not own_file:
        raise ConfigError(f"benchmark {name!r} is in the catalogue and arrives with a later version of eyechart")
    if {"A", "B"} <= set(source.columns):
        return MultipleChoice(name, source, protocol)
    return VisualQA(name, source, protocol, metric="normalised_match")
