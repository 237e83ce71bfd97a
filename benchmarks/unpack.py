"""Unpacks archives of videos into a folder and nowhere else."""

from __future__ import annotations

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ..errors import DataError, StorageError
from .pickled import read_pickled_files

__all__ = ["unpack_pickles", "unpack_zip", "unpack_zips_flat"]

_PIECE: Final = 1 << 20
_PART: Final = ".unpacking"
_LARGEST: Final = 255
_BROKEN: Final = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What zipfile is known to raise on damaged archives."""


def unpack_zip(archive: Path, target: Path) -> int:
    """Extracts a zip archive with its folders; files that are there in full are left alone. Returns their number.

    Raises:
        DataError: it is broken, or an entry leads out of the target, is a link, or is larger than it says.
        StorageError: the disk is full, or the files cannot be written.
    """
    with _opened(archive) as file:
        entries = [(entry, _inside(archive, entry.filename)) for entry in _files(archive, file)]
        _check_room(target, [entry for entry, _ in entries])
        for entry, place in entries:
            _extract(archive, file, entry, target / place)
    return len(entries)


def unpack_zips_flat(archives: Sequence[Path], target: Path) -> int:
    """Extracts all files of several zip archives into one folder, by their base names; see `unpack_zip`.

    The folder appears once all of them are in it. Returns the number of files.
    """
    count = 0
    with _whole(target) as part:
        for archive in archives:
            with _opened(archive) as file:
                entries = _files(archive, file)
                _check_room(part, entries)
                for entry in entries:
                    _extract(archive, file, entry, part / _plain_name(archive, PurePosixPath(entry.filename).name))
                count += len(entries)
    return count


def unpack_pickles(archives: Sequence[Path], target: Path, ending: str) -> int:
    """Writes the entries of pickled dictionaries from names to bytes as files; runs nothing that is in them.

    The folder appears once all of them are in it. Returns the number of files.

    Raises:
        DataError: an archive holds anything else, or a name that leads out of the folder.
        StorageError: the disk is full, or the files cannot be written.
    """
    count = 0
    with _whole(target) as part:
        for archive in archives:
            try:
                with archive.open("rb") as file:
                    count += _write_entries(archive, file, part, ending)
            except DataError as error:
                raise DataError(f"{archive}: {error}") from None
    return count


def _write_entries(archive: Path, file: BinaryIO, folder: Path, ending: str) -> int:
    opened: list[BinaryIO] = []

    def open_entry(name: str) -> object:
        opened.append((folder / _plain_name(archive, f"{name}{ending}")).open("wb"))
        return opened[-1].write

    count = 0
    try:
        for _ in read_pickled_files(file, open_entry):  # type: ignore[arg-type]
            opened.pop().close()
            count += 1
    finally:
        for left in opened:
            left.close()
    return count


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Lets a folder be filled beside its place, and puts it there at the end; what an earlier try left is used on."""
    part = target.with_name(f"{target.name}{_PART}")
    try:
        part.mkdir(parents=True, exist_ok=True)
        yield part
        part.rename(target)
    except OSError as error:
        raise StorageError(f"cannot unpack into {target}: {error.strerror or error}") from error


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except _BROKEN as error:
        raise DataError(f"{archive} is broken: {error}; fetch it again") from None


def _files(archive: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Returns the files among the entries."""
    found = []
    for entry in file.infolist():
        if entry.filename.endswith("/"):
            continue
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise DataError(f"{archive}: the entry {entry.filename[:200]!r} is no file; links are not extracted")
        found.append(entry)
    return found


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.name or ":" in path.parts[0] or "\0" in name:
        raise DataError(f"{archive}: the entry {name[:200]!r} leads out of the folder and is not extracted")
    return path


def _plain_name(archive: Path, name: str) -> str:
    if not name or name in (".", "..") or any(ch in name for ch in "/\\\0") or len(name.encode()) > _LARGEST:
        raise DataError(f"{archive}: {name[:200]!r} is no name of a file")
    return name


def _check_room(target: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    needed = sum(entry.file_size for entry in entries)
    place = next(path for path in (target, *target.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise StorageError(f"{target} needs {needed / 1e9:.1f} GB and the disk has {free / 1e9:.1f} GB left")


def _extract(archive: Path, file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    """Writes one file; never more bytes than the archive's directory says."""
    if target.is_file() and target.stat().st_size == entry.file_size:
        return
    part = target.with_name(f"{target.name[:200]}{_PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with file.open(entry) as source, part.open("wb") as sink:
            left = entry.file_size
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise DataError(f"{archive}: the entry {entry.filename[:200]!r} is larger than it says")
                sink.write(piece)
        part.replace(target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
