"""A model's folder, looked at without torch: is it whole, what is it, and would its answers be the same as before?"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from ...errors import ConfigError
from .names import missing_packages
from .settings import LocalSettings

__all__ = ["Checkpoint", "check_local", "is_folder", "read_checkpoint"]

_INDEX: Final = "model.safetensors.index.json"
_WEIGHTS: Final = "*.safetensors"
_PICKLED: Final = ("pytorch_model*.bin", "*.pt", "*.pth")
_SMALL_FILES: Final = ("*.json", "*.jinja", "*.txt", "*.model", "*.py")
_BLOCK: Final = 4096
_BLOCKS: Final = 64
"""Of each file of weights so many blocks, evenly spread, are hashed: training changes all of a tensor."""
_LONGEST_HEADER: Final = 100_000_000
_HEADER: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a model's folder holds.

    Attributes:
        path: the folder.
        model_type: of its config.json, e.g. ``qwen2_5_vl``; empty where it says none.
        architecture: name of the class that it was saved from; empty where it says none.
        weights: files of weights.
        weight_bytes: size of all of them.
        own_code: whether its configuration names program code in the folder.
        digest: hash of everything in it that determines answers; the weights by samples.
    """

    path: Path
    model_type: str
    architecture: str
    weights: tuple[Path, ...]
    weight_bytes: int
    own_code: bool
    digest: str


def is_folder(model_path: str) -> bool:
    """Whether a model is given by its folder, and not by its name on a hub (``owner/name``)."""
    looks_like_a_path = model_path.startswith((".", "/", "~")) or model_path.count("/") != 1
    return looks_like_a_path or Path(model_path).expanduser().exists()


def check_local(settings: LocalSettings) -> Checkpoint | None:
    """Looks at what a model on this machine needs, as far as that goes without torch.

    Returns:
        What its folder holds; None for a model that lies on a hub.

    Raises:
        ConfigError: a package is not installed, or the folder is not whole.
    """
    if missing := missing_packages():
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"a model on this machine needs {' and '.join(missing)}, which {verb} not installed: "
            "pip install 'eyechart[local]'"
        )
    if not is_folder(settings.model_path):
        return None
    return read_checkpoint(settings.model_path, allow_pickled=settings.trust_remote_code)


def read_checkpoint(model_path: str, *, allow_pickled: bool = False) -> Checkpoint:
    """Looks at a model's folder.

    Args:
        model_path: the folder.
        allow_pickled: take weights that are stored as pickle.

    Raises:
        ConfigError: it is not there, lacks files, or a file of weights is cut short; the text says what to do.
    """
    folder = Path(model_path).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise ConfigError(f"model_path {model_path}: {what}; expected the folder that holds the model's config.json")
    try:
        config = _json(folder / "config.json")
        weights = _weights(folder, allow_pickled=allow_pickled)
        digest = _digest(folder, weights)
        size = sum(file.stat().st_size for file in weights)
    except OSError as error:
        raise ConfigError(f"model_path {model_path}: cannot be read: {error}") from None
    names = config.get("architectures")
    return Checkpoint(
        folder,
        model_type=str(config.get("model_type", "")),
        architecture=str(names[0]) if isinstance(names, list) and names else "",
        weights=tuple(weights),
        weight_bytes=size,
        own_code="auto_map" in config,
        digest=digest,
    )


def _json(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        inside = sorted(file.parent.glob("*/config.json"))
        hint = f"; did you mean {inside[0].parent}?" if inside else ""
        raise ConfigError(f"{file.parent}: it holds no {file.name}, so it is no model's folder{hint}")
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{file}: is no JSON ({error}); copy the model again") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: expected a mapping; copy the model again")
    return content


def _weights(folder: Path, *, allow_pickled: bool) -> list[Path]:
    named = _named_by_index(folder)
    missing = [name for name in named if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder}: {len(missing)} of {len(named)} files of weights are missing, first {missing[0]}; "
            "copy the model again"
        )
    files = [folder / name for name in named] or sorted(folder.glob(_WEIGHTS))
    for file in files:
        _check_length(file)
    if files:
        return files
    pickled = sorted(file for pattern in _PICKLED for file in folder.glob(pattern))
    if not pickled:
        raise ConfigError(f"{folder}: it holds no weights (model.safetensors); copy the model again")
    if not allow_pickled:
        raise ConfigError(
            f"{folder}: its weights are stored as pickle ({pickled[0].name}), which can hold program code; take a copy "
            "with safetensors, or say trust_remote_code: true if you trust it"
        )
    return pickled


def _named_by_index(folder: Path) -> Sequence[str]:
    index = folder / _INDEX
    if not index.is_file():
        return []
    places = _json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise ConfigError(f"{index}: has no weight_map; copy the model again")
    return sorted({Path(name).name for name in places.values()})


def _check_length(file: Path) -> None:
    """A safetensors file says in its header how long it is: one that was cut short need not be loaded to be told."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(_HEADER.size)
        length = _HEADER.unpack(start)[0] if len(start) == _HEADER.size else 0
        header = stream.read(length) if 0 < length <= min(_LONGEST_HEADER, size) else b""
    try:
        tensors = orjson.loads(header)
        ends = [entry["data_offsets"][1] for name, entry in tensors.items() if name != "__metadata__"]
        expected = _HEADER.size + length + max(ends, default=0)
    except (orjson.JSONDecodeError, AttributeError, LookupError, TypeError):
        raise ConfigError(f"{file}: is no safetensors file, or a damaged one; copy the model again") from None
    if size != expected:
        raise ConfigError(f"{file}: has {size:,} bytes and should have {expected:,}; copy the model again")


def _digest(folder: Path, weights: Sequence[Path]) -> str:
    found = hashlib.sha256()
    for file in sorted({file for pattern in _SMALL_FILES for file in folder.glob(pattern)}):
        found.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    for file in weights:
        found.update(f"{file.name}\0{file.stat().st_size}\n".encode())
        for block in _samples(file):
            found.update(block)
    return found.hexdigest()


def _samples(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        step = max(_BLOCK, size // _BLOCKS)
        for offset in range(0, size, step):
            yield os.pread(stream.fileno(), _BLOCK, offset)
