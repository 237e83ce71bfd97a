"""Which file a benchmark has, and whether it is the one that the catalogue knows."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ..errors import DataError
from .catalog import CatalogEntry, catalog

__all__ = ["VerifyResult", "file_md5", "verify", "verify_file", "where"]

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What was found for one benchmark.

    Attributes:
        name: the benchmark.
        status: ``ok``; ``other`` when the file is not the one that the catalogue knows; ``missing``; ``unknown`` when
            there is a file and the catalogue has no MD5 for it.
        path: the file, None when it is missing.
        md5: MD5 of the file, None when it is missing.
        expected: MD5 in the catalogue, None when it has none.
    """

    name: str
    status: Literal["ok", "other", "missing", "unknown"]
    path: Path | None = None
    md5: str | None = None
    expected: str | None = None

    @property
    def warning(self) -> str | None:
        """What the user should be told of a file that is used although it is another one; None when all is well."""
        if self.status != "other":
            return None
        return (
            f"{self.path} is not the {self.name} that the catalogue knows (MD5 {self.md5}, expected {self.expected}). "
            "It is used as it is; scores may not compare with published ones. To get the known file, move this one "
            f"away and run: eyechart data pull {self.name}"
        )


def _go_on() -> None:
    """Lets a file be read to its end."""


def file_md5(path: Path, data_root: Path, pause: Callable[[], None] = _go_on) -> str:
    """Returns the MD5 of a file; reads it only if it changed since the last time.

    The answers are kept in ``<data_root>/.eyechart/digests.json`` by path, size and time; where that cannot be
    written the file is read each time. Reads about 0.6 GB/s, so call it in a thread.

    Args:
        path: the file.
        data_root: where benchmark files lie.
        pause: called before every megabyte; what it raises ends the reading.

    Raises:
        DataError: the file cannot be read.
    """
    store = data_root / ".eyechart" / "digests.json"
    try:
        status = path.stat()
        key, state = str(path.absolute()), [status.st_size, status.st_mtime_ns]
        known = _load(store).get(key)
        if isinstance(known, list) and known[:2] == state and len(known) == 3 and isinstance(known[2], str):  # noqa: PLR2004
            return known[2]
        digest = _hash(path, pause)
        after = path.stat()
    except OSError as err:
        raise DataError(f"cannot read {path}: {err.strerror}") from err
    if [after.st_size, after.st_mtime_ns] == state:
        with suppress(OSError):  # a read-only data root is fine, only slower
            _save(store, {**_load(store), key: [*state, digest]})
    return digest


def _hash(path: Path, pause: Callable[[], None]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            pause()
            digest.update(block)
    return digest.hexdigest()


def _load(store: Path) -> Mapping[str, Any]:
    try:
        known = json.loads(store.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _save(store: Path, digests: Mapping[str, Any]) -> None:
    store.parent.mkdir(exist_ok=True)
    handle, name = tempfile.mkstemp(dir=store.parent, prefix="digests.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(digests, file, indent=1)
        Path(name).replace(store)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def where(name: str, data_root: Path) -> Path | None:
    """Returns the file of a benchmark: ``<name>.tsv``, or the file under its URL's name if it is the right one.

    The file of a benchmark with a folder of its own may lie there: ``<name>/<name>.tsv``. One that comes with eyechart
    is used where the data root has none of this name.
    """
    own = data_root / f"{name}.tsv"
    if own.is_file():
        return own
    if (inside := data_root / name / f"{name}.tsv").is_file():
        return inside
    known = catalog().get(name)
    if known is not None and known.shipped is not None:
        return known.shipped
    other = _download_name(known, data_root)
    if known is not None and other is not None and other.is_file() and file_md5(other, data_root) == known.md5:
        return other
    return None


def _download_name(known: CatalogEntry | None, data_root: Path) -> Path | None:
    if known is None or known.md5 is None or known.file_name in (None, f"{known.name}.tsv"):
        return None
    return data_root / str(known.file_name)


def verify(name: str, data_root: Path) -> VerifyResult:
    """Compares the file of a benchmark with the catalogue; blocks while it reads, so call it in a thread.

    Raises:
        DataError: the file cannot be read.
    """
    path = where(name, data_root)
    if path is None:
        known = catalog().get(name)
        return VerifyResult(name, "missing", expected=known.md5 if known else None)
    return verify_file(name, path, data_root)


def verify_file(name: str, path: Path, data_root: Path, pause: Callable[[], None] = _go_on) -> VerifyResult:
    """Compares a given file with the benchmark of that name in the catalogue; blocks like `verify`.

    ``pause`` is that of `file_md5`.

    Raises:
        DataError: the file cannot be read.
    """
    known = catalog().get(name)
    expected = known.md5 if known else None
    digest = file_md5(path, data_root, pause)
    status: Literal["ok", "other", "unknown"] = "unknown"
    if expected is not None:
        status = "ok" if digest == expected else "other"
    return VerifyResult(name, status, path, digest, expected)
