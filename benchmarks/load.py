"""Benchmarks by name: finds the file, opens it as a source, and gives it the rules of its family."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError, DataError
from ..scoring.protocol import Protocol, resolve_protocol
from .base import Benchmark
from .catalog import catalog, nearest
from .data_root import default_data_root
from .digest import where
from .families import FAMILIES, build_benchmark
from .joined import JoinedSource
from .source import TsvSource
from .video import DEFAULT_OPTIONS, VideoOptions

__all__ = ["load_benchmark"]


def load_benchmark(
    name: str,
    data_root: str | Path | None = None,
    protocol: str | Protocol = "eyechart",
    path: str | Path | None = None,
    videos: VideoOptions = DEFAULT_OPTIONS,
) -> Benchmark:
    """Opens a benchmark; reads its header and no more.

    Args:
        name: a name of the catalogue, or of a file ``<name>.tsv`` of the user's own in the data root, or the path of
            such a file (anything with a path separator or ending in ``.tsv``), which is then called by its stem.
        data_root: folder of benchmark files; by default ``LMUData`` in the environment, else ``~/LMUData``.
        protocol: ``eyechart``, ``vlmeval`` or a `Protocol`.
        path: file to read instead of looking for one.
        videos: how a benchmark on videos shows them.

    Raises:
        DataError: there is no such file, or it lacks a column that the benchmark needs.
        ConfigError: unknown name or protocol, or a benchmark that cannot be run.
    """
    rules = resolve_protocol(protocol)
    root = default_data_root() if data_root is None else Path(data_root).expanduser()
    if path is None and _is_path(name):
        path = name
        name = Path(name).name.removesuffix(".tsv")
    known = catalog().get(name)
    if known is not None and name not in FAMILIES and path is None:
        raise ConfigError(f"the benchmark {name!r} is in the catalogue but cannot be run yet")
    if known is not None and known.parts and path is None:
        return build_benchmark(name, _open_parts(known.parts, root, rules), rules)
    file = Path(path).expanduser() if path is not None else _find(name, root)
    if not file.is_file():
        raise DataError(f"there is no file {file}")
    return build_benchmark(name, _open(name, file, root, rules), rules, own_file=path is not None, videos=videos)


def _open(name: str, file: Path, root: Path, protocol: Protocol, *, part: bool = False) -> TsvSource:
    known = catalog().get(name)
    captions = known is not None and known.family == "image_caption"
    required = ("index",) if captions else ("index", "question")
    return TsvSource(
        file,
        name=name,
        data_root=root,
        protocol=protocol,
        required=(*required, "video") if known is not None and known.modality == "video" else required,
        needs_image=known is not None and known.modality == "image",
        jpeg_copies=part and protocol.cached_images,
    )


def _open_parts(names: Sequence[str], root: Path, protocol: Protocol) -> JoinedSource:
    return JoinedSource({name: _open(name, _find(name, root), root, protocol, part=True) for name in names})


def _is_path(name: str) -> bool:
    return name.endswith(".tsv") or "/" in name or os.sep in name


def _find(name: str, root: Path) -> Path:
    found = where(name, root)
    if found is not None:
        return found
    known = catalog().get(name)
    if known is None:
        near = nearest(name)
        hint = f"did you mean {near!r}?" if near else "`eyechart list benchmarks` shows all names."
        raise DataError(
            f"unknown benchmark {name!r}; {hint} A file of your own under this name would be {root / name}.tsv"
        )
    names = dict.fromkeys((f"{name}.tsv", known.file_name or f"{name}.tsv"))
    looked = " and ".join(str(root / candidate) for candidate in names)
    raise DataError(f"the file of {name} is missing; looked for {looked}. To download it: eyechart data pull {name}")
