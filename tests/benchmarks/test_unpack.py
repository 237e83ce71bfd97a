"""Archives of videos: unpacked whole, into their folder and nowhere else, and no pickle is ever run."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.benchmarks.pickled import read_pickled_files
from eyechart.benchmarks.unpack import unpack_pickles, unpack_zip, unpack_zips_flat
from eyechart.errors import DataError, StorageError


def read(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytearray] = {}

    def open_entry(name: str) -> Callable[[bytes], object]:
        found[name] = bytearray()
        return found[name].extend

    sizes = dict(read_pickled_files(io.BytesIO(data), open_entry))
    assert sizes == {name: len(content) for name, content in found.items()}
    return {name: bytes(content) for name, content in found.items()}


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "content",
    [
        {},
        {"a": b""},
        {"a": b"x" * 255, "b": b"y" * 256},
        {"näme": bytes(range(256)) * 300, "c": b"z" * 3_000_000},
        {f"v{k}": str(k).encode() for k in range(3000)},
    ],
)
def test_dictionaries_of_bytes_are_read(protocol: int, content: dict[str, bytes]) -> None:
    assert read(pickle.dumps(content, protocol)) == content


class Evil:
    def __reduce__(self) -> Any:
        return os.mkdir, ("climbed-out",)


@pytest.mark.parametrize(
    "value",
    [
        Evil(),
        {"a": Evil()},
        {"a": b"x", "b": Evil()},
        {"a": "text"},
        {b"a": b"x"},
        {"a": 5},
        {"a": [b"x"]},
        ["a", b"x"],
        {"a": bytearray(b"x")},
        {"a": None},
        {"n" * 2000: b"x"},
    ],
)
def test_anything_else_is_refused_and_nothing_is_run(value: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in (3, 4, 5):
        with pytest.raises(DataError):
            read(pickle.dumps(value, protocol))
    assert list(tmp_path.iterdir()) == []


def test_old_protocols_hold_calls_and_are_refused() -> None:
    with pytest.raises(DataError, match="nothing is ever run"):
        read(pickle.dumps({"a": b"x"}, 2))


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: pickle.dumps({"a": b"xyz"})[:-5] + tail))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(DataError):
        assert all(isinstance(content, bytes) for content in read(data).values())


def test_a_pickle_that_breaks_off_is_told() -> None:
    whole = pickle.dumps({"a": b"x" * 1000})
    for cut in range(len(whole) - 1):
        with pytest.raises(DataError):
            read(whole[:cut])


def test_pickles_become_files_at_once(tmp_path: Path) -> None:
    archives = []
    for k in range(2):
        archives.append(tmp_path / f"{k}.pkl")
        archives[-1].write_bytes(pickle.dumps({f"v{k}": b"film" * k, f"w{k}": b"x"}))
    assert unpack_pickles(archives, tmp_path / "video", ".mp4") == 4
    assert {p.name: p.stat().st_size for p in (tmp_path / "video").iterdir()} == {
        "v0.mp4": 0,
        "w0.mp4": 1,
        "v1.mp4": 4,
        "w1.mp4": 1,
    }


@pytest.mark.parametrize("name", ["../a", "/a", "a/b", "a\\b", "", "n" * 300])
def test_names_in_pickles_that_are_no_file_names(name: str, tmp_path: Path) -> None:
    archive = tmp_path / "a.pkl"
    archive.write_bytes(pickle.dumps({name: b"x"}))
    if name == "":  # an entry without a name is a file of its ending alone
        assert unpack_pickles([archive], tmp_path / "video", ".mp4") == 1
        return
    with pytest.raises(DataError, match=r"a\.pkl"):
        unpack_pickles([archive], tmp_path / "video", ".mp4")
    assert not (tmp_path / "video").exists()


def write_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def test_zips_are_unpacked_with_their_folders_once(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"x/a.mp4": b"a" * 5000, "b.mp4": b"b", "empty/": b""})
    target = tmp_path / "out"
    assert unpack_zip(archive, target) == 2
    assert (target / "x" / "a.mp4").read_bytes() == b"a" * 5000
    (target / "b.mp4").write_bytes(b"c")  # of the right size: it is left alone
    (target / "x" / "a.mp4").write_bytes(b"half")
    unpack_zip(archive, target)
    assert ((target / "b.mp4").read_bytes(), (target / "x" / "a.mp4").stat().st_size) == (b"c", 5000)
    assert not list(target.rglob("*.unpacking"))


def test_zips_are_unpacked_flat_and_appear_whole(tmp_path: Path) -> None:
    archives = [write_zip(tmp_path / f"{k}.zip", {f"data/{k}.mp4": b"x"}) for k in range(3)]
    assert unpack_zips_flat(archives, tmp_path / "video") == 3
    assert {p.name for p in (tmp_path / "video").iterdir()} == {"0.mp4", "1.mp4", "2.mp4"}
    archives.append(tmp_path / "broken.zip")
    archives[-1].write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError, match=r"broken\.zip is broken"):
        unpack_zips_flat(archives, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["../a.mp4", "/a.mp4", "x/../../a.mp4", "..\\a.mp4", "C:\\a.mp4", "x/.."])
def test_entries_that_lead_out_are_not_extracted(name: str, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {name: b"x"})
    with pytest.raises(DataError, match="leads out"):
        unpack_zip(archive, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*.mp4"))


def test_links_are_not_extracted(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link.mp4")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(entry, "/etc/passwd")
    for unpack in (unpack_zip, lambda archive, target: unpack_zips_flat([archive], target)):
        with pytest.raises(DataError, match="links are not extracted"):
            unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.mp4": bytes(1000)})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"a\.zip"):
        unpack_zip(archive, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.mp4"))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a.mp4": bytes(2_000_000)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(StorageError, match=r"needs 0\.0 GB"):
        unpack_zip(archive, tmp_path / "out")


def test_a_file_that_is_no_zip_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"a\.zip is broken"):
        unpack_zip(tmp_path / "a.zip", tmp_path / "out")
