"""Whether the benchmarks that a task names exist."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .config_problems import Problem

__all__ = ["data_problems", "file_name", "folder", "is_path"]


def is_path(name: str) -> bool:
    """Whether a benchmark is named by its file rather than by a name."""
    return "/" in name or name.lower().endswith(".tsv")


def folder(name: str) -> Path:
    """A path as it is written, with ``~/`` for the user's home."""
    return Path(os.path.expanduser(name)) if name.startswith("~/") else Path(name)  # noqa: PTH111  (never raises)


def file_name(name: str) -> str:
    """The benchmark's name as its results are filed: for a file its name without ``.tsv``."""
    if not is_path(name):
        return name
    last = name.rstrip("/").rpartition("/")[2]
    return last[:-4] if last.lower().endswith(".tsv") else last


def data_problems(names: Sequence[str], data_root: Path) -> list[Problem]:
    """Finds benchmarks that do not exist, cannot be run yet, or stand twice.

    Args:
        names: names or paths, as ``eval_config.data`` gives them.
        data_root: where the user's own files lie.
    """
    problems = []
    first: dict[str, int] = {}
    for position, name in enumerate(names):
        text = _fault(name, data_root)
        filed = file_name(name)
        if not text and filed in first:
            text = f"stands twice: results of {filed!r} are filed under the same name as those of data[{first[filed]}]"
        first.setdefault(filed, position)
        if text:
            problems.append(Problem(("eval_config", "data", position), text))
    return problems


def _fault(name: str, data_root: Path) -> str | None:
    if is_path(name):
        return _file_fault(name)
    from ..benchmarks.catalog import catalog, nearest  # noqa: PLC0415  (only a plan needs the catalogue)

    if name in catalog():
        return None if _is_built(name) else f"the benchmark {name!r} is in the catalogue but not supported yet"
    if _is_file(data_root / f"{name}.tsv"):
        return None
    near = nearest(name)
    hint = f"; did you mean {near}?" if near else "; `eyechart list benchmarks` shows them all"
    return f"unknown benchmark {name[:80]!r}{hint} (a file of your own would be {data_root}/{name[:80]}.tsv)"


def _file_fault(name: str) -> str | None:
    path = folder(name)
    if path.suffix.lower() != ".tsv":
        return f"the file {name[:200]!r} does not end in .tsv"
    return None if _is_file(path) else f"there is no file {name[:200]!r}"


def _is_file(path: Path) -> bool:
    """Unlike `Path.is_file`, takes a name that no file can have for a file that is not there."""
    return os.path.isfile(path)  # noqa: PTH113


def _is_built(name: str) -> bool:
    """Asks the benchmark room; the one place that knows how it answers."""
    from ..benchmarks.families import is_built  # noqa: PLC0415  (families import scoring: not needed to read a file)

    return is_built(name)
