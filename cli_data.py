"""Benchmark files from a command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Final

import anyio
from rich.table import Table
from rich.text import Text

from .benchmarks.catalog import CatalogEntry, catalog, find_entry
from .benchmarks.digest import VerifyResult, verify, where
from .benchmarks.download import PullResult, pull
from .benchmarks.hub import REPOSITORIES, pull_repository
from .engine.config import read_environment
from .engine.plain_text import clean, duration
from .errors import ConfigError

__all__ = ["benchmark_table", "data_folder", "find_files", "pull_files", "verify_files"]

_STEP_S: Final = 5.0
_FINE: Final = ("ok", "unknown")


def data_folder(given: Path | None) -> Path:
    """The folder of benchmark files: the given one, else what the environment says."""
    return read_environment().data_root if given is None else given.expanduser()


def benchmark_table(is_here: Callable[[str], bool], built: Container[str], *, everything: bool) -> Table:
    """Lists the catalogue.

    Args:
        is_here: whether the file of a benchmark is in the data root.
        built: names that can be run.
        everything: also those that cannot be run yet.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for head in ("name", "rules", "shows", "file here", *(("can be run",) if everything else ())):
        table.add_column(head, no_wrap=head == "name")
    for name, entry in catalog().items():
        runs = name in built
        if runs or everything:
            cells = [name, entry.family, entry.modality, "yes" if is_here(name) else ""]
            table.add_row(*(Text(cell) for cell in cells), *(("yes" if runs else "later",) if everything else ()))
    return table


def pull_files(names: Sequence[str], given_root: Path | None, mirror: str | None) -> Iterator[str]:
    """Downloads files; yields a line for each, and shows on standard error how far it is.

    Raises:
        ConfigError: a name is not in the catalogue; nothing is downloaded then.
        DataError: a file cannot be had.
        StorageError: a file cannot be written.
    """
    root = data_folder(given_root)
    for entry in [find_entry(name) for name in names]:
        for result in _pulled(entry, root, mirror):
            yield f"{result.name}: {result.status}, {result.path}"
            if result.warning and entry.name in REPOSITORIES:
                yield f"{result.name}: {result.warning}"


def _pulled(entry: CatalogEntry, root: Path, mirror: str | None) -> tuple[PullResult, ...]:
    if entry.name in REPOSITORIES:
        return (pull_repository(entry.name, root, mirror=mirror),)
    return anyio.run(_pull, entry, root, mirror)


async def _pull(entry: CatalogEntry, root: Path, mirror: str | None) -> tuple[PullResult, ...]:
    return await pull(entry, root, mirror=mirror, progress=_Told(), check=True)


class _Told:
    """Tells on standard error how far a download is: over and over in one line of a terminal, else now and then."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._began: tuple[float, int] | None = None
        self._live = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, name: str, got: int, total: int | None) -> None:
        now = anyio.current_time()
        self._began = self._began or (now, got)
        ended = got == total
        if sys.stderr is None or (now < self._next_s and not ended):
            return
        self._next_s = now + (0.25 if self._live else _STEP_S)
        speed = (got - self._began[1]) / (now - self._began[0]) if now > self._began[0] else 0.0
        text = f"{clean(name)}: {got / 1e6:.0f}" + ("" if total is None else f" of {total / 1e6:.0f}") + " MB"
        if speed:
            text += f", {speed / 1e6:.1f} MB/s"
            if total is not None:
                text += f", {duration((total - got) / speed)} left"
        sys.stderr.write(f"\r{text:<79}" + ("\n" if ended else "") if self._live else f"{text}\n")
        sys.stderr.flush()


def verify_files(names: Sequence[str], given_root: Path | None) -> Iterator[tuple[str, bool]]:
    """Compares files with the catalogue; yields a line for each, and whether all is well with it.

    Raises:
        ConfigError: a name is neither in the catalogue nor a file of one's own.
        DataError: a file cannot be read.
    """
    root = data_folder(given_root)
    for name in _parts(names, root):
        result = verify(name, root)
        yield _verdict(result), result.status in _FINE


def _verdict(result: VerifyResult) -> str:
    if result.status == "missing":
        return f"{result.name}: missing; to download: eyechart data pull {result.name}"
    if result.status == "other":
        return f"{result.name}: another file, {result.path} (MD5 {result.md5}, the catalogue has {result.expected})"
    if result.status == "unknown":
        return f"{result.name}: {result.path} (MD5 {result.md5}; the catalogue has none to compare)"
    return f"{result.name}: ok, {result.path}"


def find_files(names: Sequence[str], given_root: Path | None) -> Iterator[tuple[str, Path | None]]:
    """Yields each benchmark with the path of its file, None where it is missing.

    Raises:
        ConfigError: a name is neither in the catalogue nor a file of one's own.
    """
    root = data_folder(given_root)
    for name in _parts(names, root):
        yield name, where(name, root)


def _parts(names: Sequence[str], root: Path) -> list[str]:
    """The benchmarks that have files: for one that joins others, these others."""
    found: list[str] = []
    for name in names:
        if name not in catalog() and where(name, root) is not None:
            found.append(name)
            continue
        entry = find_entry(name)
        found += entry.parts or (name,)
    if not found:
        raise ConfigError("no benchmark is named")
    return found
