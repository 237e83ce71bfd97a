"""Files of a run that are replaced whole, and the folder's lock, on disks that fail."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from eyechart.engine.files import write_bytes, write_json
from eyechart.engine.run_folder import RunFolder, find_run
from eyechart.errors import RunLocked, StorageError


def fail(code: int):
    def call(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return call


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 2\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_is_not_kept_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    with monkeypatch.context() as killed:
        killed.setattr(Path, "replace", fail(errno.EIO))
        killed.setattr(Path, "unlink", fail(errno.EIO))
        with pytest.raises(StorageError):
            write_bytes(path, b"half")
    assert len(list(tmp_path.iterdir())) == 1
    write_bytes(path, b"whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.json"
    write_bytes(path, b"old")
    monkeypatch.setattr(os, "fsync", fail(errno.ENOSPC))
    with pytest.raises(
        StorageError, match=r"the disk is full: no room for .*scores\.json\. Free space and run the same"
    ):
        write_bytes(path, b"new")
    assert (path.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_fsync_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(os, "fsync", fail(code))
    write_bytes(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_what_json_cannot_hold_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="UTF-8"):
        write_json(tmp_path / "run.json", {"path": os.fsdecode(b"/data/\xff")})


def test_a_full_disk_under_the_lock_is_told_and_leaves_no_file_open(tmp_path: Path, monkeypatch) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(os, "pwrite", fail(errno.ENOSPC))
    with pytest.raises(StorageError, match="the disk is full"):
        RunFolder(tmp_path / "run")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_system_without_locks_is_no_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", fail(errno.ENOLCK))
    with pytest.raises(StorageError, match="No locks available"):
        RunFolder(tmp_path / "run")


def test_a_folder_that_is_written_is_refused_with_the_writers_number(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run"), pytest.raises(RunLocked, match=f"pid {os.getpid()}"):
        RunFolder(tmp_path / "run")
    RunFolder(tmp_path / "run").close()


@pytest.mark.parametrize(
    ("runs", "finished_too", "found"),
    [
        ({"20260102_030000": "finished", "20260102_020000": "running"}, False, "20260102_020000"),
        ({"20260102_030000": "finished", "20260102_020000": "running"}, True, "20260102_020000"),
        ({"20260102_030000": "running", "20260102_020000": "finished"}, False, "20260102_030000"),
        ({"20260102_030000": "stopped", "20260102_020000": "running"}, False, "20260102_030000"),
        ({"20260102_030000": "finished", "20260102_020000": "finished"}, True, "20260102_030000"),
        ({"20260102_030000": "finished", "20260102_020000": "finished"}, False, None),
        ({}, True, None),
    ],
)
def test_an_unfinished_run_is_found_though_the_clock_was_set_back(
    runs: dict[str, str], finished_too: bool, found: str | None, tmp_path: Path
) -> None:
    for name, state in runs.items():
        write_json(tmp_path / name / "run.json", {"digest": "d", "state": state})
    write_json(tmp_path / "20270101_000000" / "run.json", {"digest": "another", "state": "running"})
    assert find_run(tmp_path, "d", finished_too=finished_too) == (found and tmp_path / found)
