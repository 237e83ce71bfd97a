"""The public face: what `from eyechart import …` offers, and nothing else."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time

import pytest

import eyechart

PUBLIC = [
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


def test_the_public_names_are_these():
    assert eyechart.__all__ == PUBLIC
    assert dir(eyechart) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name):
    value = getattr(eyechart, name)
    assert isinstance(value, str) or inspect.getdoc(value)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'run_tsak'"):
        eyechart.run_tsak  # noqa: B018


def test_a_star_import_brings_the_public_names():
    space: dict[str, object] = {}
    exec("from eyechart import *", space)  # noqa: S102
    assert set(PUBLIC) <= set(space)


def test_the_version_is_that_of_the_package():
    from eyechart.version import VERSION

    assert eyechart.__version__ == VERSION


def test_import_and_help_are_quick():
    """A bound with room for a slow machine; it is the modules that are not loaded that count (test_house.py)."""
    for words in (["-c", "import eyechart"], ["-m", "eyechart", "--version"]):
        started = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        assert time.perf_counter() - started < 5
