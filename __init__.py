"""eyechart: an eye test for vision-language models.

    from eyechart import run_task
    report = run_task("task.yaml")

Everything below is loaded when it is first used, so that ``import eyechart`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .version import VERSION as __version__  # noqa: N811  (the name that tools look for)

if TYPE_CHECKING:
    from . import errors
    from .benchmarks.load import load_benchmark
    from .benchmarks.scoring_run import score_predictions
    from .engine.config import TaskConfig
    from .engine.report import Report
    from .engine.run import run_task, run_task_async
    from .engine.summarizer import (
        Summarizer,
        VLMEvalKitBackendManager,
        list_supported_datasets,
        list_supported_models,
    )
    from .errors import EyechartError
    from .records import ScoreResult

__all__ = [
    "EyechartError",
    "Report",
    "ScoreResult",
    "Summarizer",
    "TaskConfig",
    "VLMEvalKitBackendManager",
    "__version__",
    "errors",
    "list_supported_datasets",
    "list_supported_models",
    "load_benchmark",
    "run_task",
    "run_task_async",
    "score_predictions",
]

_HOMES: Final = MappingProxyType(
    {
        "EyechartError": ".errors",
        "Report": ".engine.report",
        "ScoreResult": ".records",
        "Summarizer": ".engine.summarizer",
        "TaskConfig": ".engine.config",
        "VLMEvalKitBackendManager": ".engine.summarizer",
        "list_supported_datasets": ".engine.summarizer",
        "list_supported_models": ".engine.summarizer",
        "load_benchmark": ".benchmarks.load",
        "run_task": ".engine.run",
        "run_task_async": ".engine.run",
        "score_predictions": ".benchmarks.scoring_run",
    }
)


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module(".errors", __name__)
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
