"""Whether the benchmarks that a task names exist and can be run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..benchmarks.catalog import catalog, nearest
from ..benchmarks.families import FAMILIES
from .config_problems import Problem

__all__ = ["by_own_rules", "data_problems", "file_name", "folder", "is_path"]


def is_path(name: str) -> bool:
    """Whether a benchmark is named by its file rather than by a name."""
    return "/" in name or name.endswith(".tsv")


def folder(name: str) -> Path:
    """A path as it is written, with ``~/`` for the user's home."""
    return Path(os.path.expanduser(name)) if name.startswith("~/") else Path(name)  # noqa: PTH111  (never raises)


def file_name(name: str) -> str:
    """The benchmark's name as its results are filed: for a file its name without ``.tsv``."""
    return Path(name).name.removesuffix(".tsv") if is_path(name) else name


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


def by_own_rules(names: Sequence[str]) -> list[str]:
    """Returns the files whose name is a benchmark's that cannot be run by its own rules yet, by that name."""
    filed = [file_name(name) for name in names if is_path(name)]
    return [name for name in filed if name in catalog() and name not in FAMILIES]


def _fault(name: str, data_root: Path) -> str | None:
    if is_path(name) and not name.endswith(".tsv"):
        return f"the file {name[:200]!r} does not end in .tsv"
    if is_path(name) and not _is_file(folder(name)):
        return f"there is no file {name[:200]!r}"
    known = file_name(name)
    if known in catalog():
        built = known in FAMILIES or is_path(name)
        return None if built else f"the benchmark {known!r} is in the catalogue but not supported yet"
    if is_path(name) or _is_file(data_root / f"{name}.tsv"):
        return None
    near = nearest(name)
    hint = f"; did you mean {near}?" if near else "; `eyechart list benchmarks` shows them all"
    return f"unknown benchmark {name[:80]!r}{hint} (a file of your own would be {data_root}/{name[:80]}.tsv)"


def _is_file(path: Path) -> bool:
    """Unlike `Path.is_file`, takes a name that no file can have for a file that is not there."""
    return os.path.isfile(path)  # noqa: PTH113
