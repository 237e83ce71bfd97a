"""Benchmarks on videos from their hub repositories: fetched, unpacked and put into the layout that runs read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from ..errors import DataError, StorageError
from .digest import file_md5, where
from .download import PullResult
from .hub_tables import mvbench_mp4_rows, mvbench_rows, table_text, video_mme_rows
from .load import load_benchmark
from .unpack import unpack_pickles, unpack_zip, unpack_zips_flat

__all__ = ["REPOSITORIES", "Repository", "pull_repository", "put_here"]

_SHOWN: Final = 3
_LARGEST_TABLE: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a benchmark's videos come from.

    Attributes:
        hub: its id at Hugging Face.
        modelscope: its id at ModelScope.
        revision: branch at Hugging Face.
        files: patterns of the files that are needed.
        raw: patterns of files, one of each of which shows that the repository is there and can be unpacked.
        unpack: makes the layout in the repository's folder, and returns the text of the benchmark's file; None where
            the repository holds that file.
    """

    hub: str
    modelscope: str
    revision: str
    files: tuple[str, ...]
    raw: tuple[str, ...]
    unpack: Callable[[Path], str | None]


def pull_repository(name: str, data_root: Path, *, mirror: str | None = None) -> PullResult:
    """Fetches the repository of a benchmark where it is not there, and unpacks it. Blocking, for hours.

    What is fetched or unpacked already is not fetched or unpacked again, also in a later process.

    Args:
        name: a name of `REPOSITORIES`.
        data_root: its folder is ``<data_root>/<name>``.
        mirror: address of a hub in place of Hugging Face's own.

    Raises:
        DataError: it cannot be had, or is not what it should be; the text says what to put where by hand.
        StorageError: the disk is full, or files cannot be written.
    """
    present = where(name, data_root)
    if present is not None and (present.parent / "video").is_dir():
        return PullResult(name, present, "present", warning=_lacking(name, present))
    repository, folder = REPOSITORIES[name], data_root / name
    url = None
    if not _is_there(repository, folder):
        url = _fetch(name, repository, folder, mirror)
    if not _is_there(repository, folder):
        raise DataError(f"{folder} has not all that is needed. {put_here(name, data_root)}")
    text = repository.unpack(folder)
    path = folder / f"{name}.tsv"
    if text is not None:
        _write(path, text)
    return PullResult(name, path, "downloaded", file_md5(path, data_root), url, _lacking(name, path))


def put_here(name: str, data_root: Path) -> str:
    """Says what to put where by hand, on a machine without access to a hub."""
    repository = REPOSITORIES[name]
    return (
        f"Put the files of the repository {repository.hub} (revision {repository.revision}) into {data_root / name}: "
        f"{', '.join(repository.files)}; then run: eyechart data pull {name}"
    )


def _is_there(repository: Repository, folder: Path) -> bool:
    return all(next(folder.glob(pattern), None) is not None for pattern in repository.raw)


def _fetch(name: str, repository: Repository, folder: Path, mirror: str | None) -> str:
    """Downloads the repository with whichever hub's own client is installed; returns what it was."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if find_spec("huggingface_hub") is not None:
            from huggingface_hub import snapshot_download  # noqa: PLC0415

            snapshot_download(
                repository.hub,
                repo_type="dataset",
                revision=repository.revision,
                local_dir=folder,
                allow_patterns=list(repository.files),
                endpoint=mirror,
            )
            return f"{repository.hub}@{repository.revision}"
        if find_spec("modelscope") is not None:
            from modelscope import dataset_snapshot_download  # noqa: PLC0415

            dataset_snapshot_download(
                repository.modelscope, local_dir=str(folder), allow_file_pattern=list(repository.files)
            )
            return repository.modelscope
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"cannot fetch {name}: {type(error).__name__}: {reason}. {put_here(name, folder.parent)}"
        ) from None
    raise DataError(
        f"{name} comes from a hub, and no client of one is installed: pip install 'eyechart[hub]'. Or else: "
        f"{put_here(name, folder.parent)}"
    )


def _write(path: Path, text: str) -> None:
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f"{path.name}.", encoding="utf-8", newline="", delete=False
        ) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _lacking(name: str, path: Path) -> str | None:
    """Says which videos are not there: some have to be had from their owners."""
    bench = load_benchmark(name, path=path)
    missing = [found for sample in bench.samples() if (found := bench.lacks(sample)) is not None]
    if not missing:
        return None
    shown = ", ".join(map(str, list(dict.fromkeys(missing))[:_SHOWN]))
    return (
        f"{len(missing)} of {len(bench)} questions of {name} have no video ({shown}, …); they will fail, the others not"
    )


def _mmbench_video(folder: Path) -> str | None:
    if not (folder / "video").is_dir():
        unpack_pickles(sorted((folder / "video_pkl").glob("*.pkl")), folder / "video", ".mp4")
    return None


def _video_mme(folder: Path) -> str:
    if not (folder / "video").is_dir():
        unpack_zips_flat(sorted(folder.glob("video*.zip")), folder / "video")
    if not (folder / "subtitle").is_dir() and (folder / "subtitle.zip").is_file():
        unpack_zips_flat([folder / "subtitle.zip"], folder / "subtitle")
    return table_text(video_mme_rows(_parquet(next(folder.glob("videomme/*.parquet")))))


def _parquet(path: Path) -> Sequence[dict[str, Any]]:
    if find_spec("pyarrow") is None:
        raise DataError(f"{path} is read with pyarrow, which is not installed: pip install 'eyechart[hub]'")
    from pyarrow import ArrowException, parquet  # noqa: PLC0415

    try:
        described = parquet.read_metadata(path)
        size = sum(described.row_group(number).total_byte_size for number in range(described.num_row_groups))
        if size > _LARGEST_TABLE:
            raise DataError(f"{path} unfolds to {size / 1e9:.1f} GB: it is no table of questions")
        records: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return records


def _mvbench(folder: Path) -> str:
    video = folder / "video"
    for archive in sorted(video.glob("*.zip")):
        unpack_zip(archive, video)
    _move_up(video / "data0613", video)
    return table_text(mvbench_rows(folder))


def _move_up(source: Path, target: Path) -> None:
    """Moves ``source/a/b/*`` to ``target/a/b/``."""
    try:
        for path in sorted(source.glob("*/*/*")):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
    except OSError as error:
        raise StorageError(f"cannot move what is in {source}: {error.strerror}") from error


def _mvbench_mp4(folder: Path) -> str:
    for archive in sorted((folder / "video").glob("*.zip")):
        unpack_zip(archive, folder / "video")
    return table_text(mvbench_mp4_rows(folder))


REPOSITORIES: Final = MappingProxyType(
    {
        "MMBench-Video": Repository(
            "opencompass/MMBench-Video",
            "opencompass/MMBench-Video",
            "main",
            ("MMBench-Video.tsv", "video_pkl/*"),
            ("MMBench-Video.tsv", "video*"),
            _mmbench_video,
        ),
        "MVBench": Repository(
            "OpenGVLab/MVBench",
            "modelscope/MVBench",
            "main",
            ("json/*", "video/*"),
            ("json/*.json", "video/*"),
            _mvbench,
        ),
        "MVBench_MP4": Repository(
            "OpenGVLab/MVBench",
            "modelscope/MVBench",
            "video",
            ("test.json", "video/*"),
            ("test.json", "video/*"),
            _mvbench_mp4,
        ),
        "Video-MME": Repository(
            "lmms-lab/Video-MME",
            "lmms-lab/Video-MME",
            "main",
            ("videomme/*.parquet", "video*.zip", "subtitle.zip"),
            ("videomme/*.parquet", "video*"),
            _video_mme,
        ),
    }
)
"""The repositories of the benchmarks on videos."""
