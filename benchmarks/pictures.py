"""Pictures of a row: lists in a cell, names, keys, and files below the data root. Nothing is decoded here."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from ..errors import MediaError

__all__ = ["find_picture", "image_folder", "parse_list", "picture_key", "picture_names", "stored_format"]

_GAP: Final = re.compile(rb"[ \t\r\n]*")
_LITERAL_LIMIT: Final = 100_000
_SLICES: Final = 16
_SLICE: Final = 96

# Benchmarks whose pictures the reference keeps under another name than their own (spec of the image folders).
_FOLDERS: Final = (
    (re.compile(r"MMBench(_(DEV|TEST)_(EN|CN)|_CN)?"), "MMBench"),
    (re.compile(r"MMBench_(DEV|TEST)_(EN|CN)_V11"), "MMBench_V11"),
    (re.compile(r"OCRVQA_.+"), "OCRVQA"),
    (re.compile(r"COCO_VAL"), "COCO"),
)


def image_folder(benchmark: str) -> str:
    """Returns the folder below ``<data root>/images`` that holds the files of a benchmark's pictures."""
    return next((folder for pattern, folder in _FOLDERS if pattern.fullmatch(benchmark)), benchmark)


def parse_list(cell: bytes) -> tuple[bytes, ...]:
    """Reads a cell that is one text or a Python list of texts, as ``['a', 'b']``.

    Texts without a backslash, base64 among them, are cut out of the cell without looking at their bytes.

    Raises:
        ValueError: the cell looks like a list and is none.
    """
    if not (cell.startswith(b"[") and cell.endswith(b"]")):
        return (cell,)
    if b"\\" in cell:
        return _parse_literal(cell)
    items: list[bytes] = []
    end = len(cell) - 1
    pos = _skip_gap(cell, 1)
    while pos < end:
        quote = cell[pos : pos + 1]
        close = cell.find(quote, pos + 1, end)
        if quote not in (b"'", b'"') or close < 0:
            raise ValueError(f"item {len(items) + 1} of the list is not a quoted text")
        items.append(cell[pos + 1 : close])
        pos = _skip_gap(cell, close + 1)
        if pos < end and cell[pos : pos + 1] != b",":
            raise ValueError(f"a comma is missing after item {len(items)} of the list")
        pos = _skip_gap(cell, pos + 1)
    return tuple(items)


def _skip_gap(cell: bytes, pos: int) -> int:
    gap = _GAP.match(cell, pos)
    return gap.end() if gap else pos


def _parse_literal(cell: bytes) -> tuple[bytes, ...]:
    if len(cell) > _LITERAL_LIMIT:
        raise ValueError(f"a list with backslashes may have {_LITERAL_LIMIT:,} bytes at most")
    try:
        items = ast.literal_eval(cell.decode())
    except (SyntaxError, ValueError, MemoryError, RecursionError) as err:
        raise ValueError("it is not a Python list of texts") from err
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("it is not a Python list of texts")
    return tuple(item.encode() for item in items)


def picture_key(pictures: Sequence[bytes]) -> str:
    """Returns a short key that equal base64 texts share: a hash of their lengths and of slices spread over them.

    Compressed pictures that differ anywhere differ in all that follows, so slices tell them apart.
    """
    seen = []
    for text in pictures:
        seen.append(b"%d:" % len(text))
        step = max(_SLICE, (len(text) - _SLICE) // (_SLICES - 1))
        seen += [text[start : start + _SLICE] for start in range(0, len(text), step)]
        seen.append(text[-_SLICE:])
    return f"image:{hashlib.blake2b(b''.join(seen), digest_size=9).hexdigest()}"


def picture_names(given: Sequence[str], *, stem: str, count: int, suffix: str, cut: bool) -> tuple[str, ...]:
    """Returns the file names of a row's pictures.

    Args:
        given: the cell ``image_path`` as a list, empty where there is none.
        stem: what the names are made of otherwise: the row's index.
        count: number of pictures.
        suffix: ending of the names made here, with its dot.
        cut: fewer given names than pictures drop the other pictures, as the reference does; else these get names.
    """
    names = [PurePosixPath(path).name for path in given][:count]
    own = [f"{stem}{suffix}"] if count == 1 else [f"{stem}_{k}{suffix}" for k in range(count)]
    if len(names) < count and not (cut and names):
        names.extend(own[len(names) :])
    return tuple(name or fallback for name, fallback in zip(names, own, strict=False))


def stored_format(name: str) -> Literal["png", "jpeg"]:
    """Returns how the reference's image cache keeps a picture of this name: ``.jpg`` lossy, else lossless."""
    return "jpeg" if name.lower().endswith((".jpg", ".jpeg")) else "png"


def find_picture(path: str, folders: Sequence[Path]) -> Path:
    """Returns the file that an ``image_path`` names, looked up in these folders only, links resolved.

    Raises:
        MediaError: there is no such file, or it lies outside every one of the folders.
    """
    outside = False
    try:
        bases = [folder.resolve() for folder in folders]
        for base in bases:
            found = (base / path).resolve()
            if not any(found.is_relative_to(place) for place in bases):
                outside = True
            elif found.is_file():
                return found
    except (OSError, ValueError, RuntimeError) as err:
        raise MediaError(f"image_path {path[:200]!r} is no usable path: {err}") from err
    places = ", ".join(str(folder) for folder in folders)
    if outside:
        raise MediaError(
            f"image_path {path!r} leads out of the data root and is not read; pictures belong below {places}"
        )
    raise MediaError(f"picture {path!r} is missing; looked in {places}")
