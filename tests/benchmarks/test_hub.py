"""Repositories of videos: their tables as the reference makes them, their layout, and what is said where they lack."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from eyechart.benchmarks import hub
from eyechart.benchmarks.hub import REPOSITORIES, pull_repository
from eyechart.benchmarks.hub_tables import (
    MVBENCH_TASKS,
    mvbench_mp4_rows,
    mvbench_rows,
    table_text,
    video_mme_rows,
)
from eyechart.benchmarks.load import load_benchmark
from eyechart.errors import DataError

GOLDEN = Path(__file__).parents[1] / "golden"
CHOICE = {"video": "a.mp4", "question": 'He said "Go"?', "answer": "yes", "candidates": ["yes", "it's"]}


def test_the_table_of_mvbench_mp4_is_the_references() -> None:
    folder = GOLDEN / "MVBench_MP4"
    assert table_text(mvbench_mp4_rows(folder)) == (folder / "dataset.tsv").read_text(encoding="utf-8")


def write_mvbench(folder: Path) -> None:
    (folder / "json").mkdir(parents=True)
    for _, file, _, kind, bound in MVBENCH_TASKS:
        items = [CHOICE | {"video": f"{file}_{k}"} | ({"start": k, "end": k + 0.5} if bound else {}) for k in range(2)]
        assert kind in ("video", "frame")
        (folder / "json" / f"{file}.json").write_text(json.dumps(items))


def test_tables_are_written_as_pandas_writes_them(tmp_path: Path) -> None:
    write_mvbench(tmp_path)
    rows = mvbench_rows(tmp_path)
    assert len(rows) == 40
    assert table_text(rows) == pd.DataFrame(rows).to_csv(sep="\t", index=False)
    assert rows[0]["start"] == 0.0
    assert (rows[36]["task_type"], rows[36]["data_type"], rows[36]["prefix"]) == (
        "Episodic Reasoning",
        "frame",
        "video/tvqa/frames_fps3_hq/",
    )
    assert [task for task, *_ in MVBENCH_TASKS] == list(dict.fromkeys(row["task_type"] for row in rows))


RECORD = {
    "videoID": "v1",
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Law",
    "task_type": "OCR Problems",
}
RECORD |= {"question": "Which?\nOne?", "answer": "A", "options": ["A. cat.", 'B. "dog".'], "url": "unused"}


def test_rows_of_video_mme() -> None:
    rows = video_mme_rows([RECORD, RECORD | {"videoID": "v2"}])
    assert list(rows[0]) == [
        "index", "video", "video_path", "duration", "domain", "candidates", "sub_category", "task_type",
        "subtitle_path", "question", "answer",
    ]  # fmt: skip
    assert (rows[1]["video_path"], rows[1]["subtitle_path"]) == ("./video/v2.mp4", "./subtitle/v2.srt")
    assert table_text(rows) == pd.DataFrame(rows).to_csv(sep="\t", index=False)
    with pytest.raises(DataError, match="no column 'duration'"):
        video_mme_rows([{"videoID": "v"}])


def write_zip(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"film")


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Puts a client in place that writes what a test tells it; returns the calls."""

    def install(fill: Callable[[Path], None], *, name: str = "huggingface_hub") -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = []

        def download(repo: str, **options: Any) -> str:
            calls.append({"repo": repo, **options})
            fill(Path(options["local_dir"]))
            return str(options["local_dir"])

        module = ModuleType(name)
        module.snapshot_download = module.dataset_snapshot_download = download  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(hub, "find_spec", lambda wanted: wanted in (name, "pyarrow") or None)
        return calls

    return install


def test_mmbench_video(fake_hub: Any, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "video_pkl").mkdir()
        (folder / "video_pkl" / "0.pkl").write_bytes(pickle.dumps({"v": b"film"}))
        rows = "index\tvideo\tvideo_path\tquestion\tanswer\tdimensions\n0\tv\t./video/v.mp4\tQ?\tyes\t['OCR']\n"
        (folder / "MMBench-Video.tsv").write_text(rows)

    calls = fake_hub(fill)
    result = pull_repository("MMBench-Video", tmp_path)
    assert (result.status, result.warning) == ("downloaded", None)
    assert calls[0]["repo"] == "opencompass/MMBench-Video"
    assert (calls[0]["repo_type"], calls[0]["revision"]) == ("dataset", "main")
    assert (tmp_path / "MMBench-Video" / "video" / "v.mp4").read_bytes() == b"film"
    assert pull_repository("MMBench-Video", tmp_path).status == "present"
    assert len(calls) == 1
    assert len(load_benchmark("MMBench-Video", data_root=tmp_path)) == 1


def test_what_a_broken_unpacking_left_is_used_on_without_the_network(fake_hub: Any, tmp_path: Path) -> None:
    calls = fake_hub(lambda _: None)
    folder = tmp_path / "MVBench_MP4"
    folder.mkdir()
    root = {"Task": "video/t/"}
    (folder / "test.json").write_text(json.dumps({"root": root, "meta": {"Task": [CHOICE]}}))
    write_zip(folder / "video" / "t.zip", "t/a.mp4")
    result = pull_repository("MVBench_MP4", tmp_path)
    assert (result.status, result.warning, calls) == ("downloaded", None, [])
    assert (folder / "video" / "t" / "a.mp4").is_file()


def test_mvbench(fake_hub: Any, tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        write_mvbench(folder)
        write_zip(folder / "video" / "star.zip", "star/Charades_v1_480/action_sequence_0")
        write_zip(folder / "video" / "data0613.zip", "data0613/clevrer/video_validation/moving_count_1")

    calls = fake_hub(fill)
    result = pull_repository("MVBench", tmp_path, mirror="https://hub.example")
    assert calls[0]["endpoint"] == "https://hub.example"
    video = tmp_path / "MVBench" / "video"
    assert (video / "clevrer" / "video_validation" / "moving_count_1").is_file()
    assert result.warning is not None
    assert result.warning.startswith("38 of 40 questions of MVBench have no video")


def test_video_mme(fake_hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(folder: Path) -> None:
        (folder / "videomme").mkdir()
        (folder / "videomme" / "test-00000-of-00001.parquet").write_bytes(b"parquet")
        write_zip(folder / "videos_chunked_01.zip", "data/v1.mp4")
        write_zip(folder / "subtitle.zip", "subtitle/v1.srt")

    fake_hub(fill)
    monkeypatch.setattr(hub, "_parquet", lambda _: [RECORD])
    result = pull_repository("Video-MME", tmp_path)
    folder = tmp_path / "Video-MME"
    assert result.warning is None
    assert (folder / "video" / "v1.mp4").is_file()
    assert (folder / "subtitle" / "v1.srt").is_file()
    (sample,) = load_benchmark("Video-MME", data_root=tmp_path).samples()
    assert sample.cells["question"] == "Which?\nOne?"


def test_a_parquet_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([RECORD]), path)
    assert hub._parquet(path) == [RECORD]
    monkeypatch.setattr(hub, "_LARGEST_TABLE", 100)
    with pytest.raises(DataError, match="it is no table of questions"):
        hub._parquet(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        hub._parquet(path)


def test_without_pyarrow_what_to_install_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"pip install 'eyechart\[hub\]'"):
        hub._parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", sorted(REPOSITORIES))
def test_without_a_client_it_is_told_what_to_put_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)
    with pytest.raises(DataError) as caught:
        pull_repository(name, tmp_path)
    text = str(caught.value)
    repository = REPOSITORIES[name]
    for words in ("eyechart[hub]", repository.hub, repository.revision, str(tmp_path / name), *repository.files):
        assert words in text


def test_modelscope_takes_the_hubs_place(fake_hub: Any, tmp_path: Path) -> None:
    calls = fake_hub(lambda _: None, name="modelscope")
    with pytest.raises(DataError, match="has not all that is needed"):
        pull_repository("MVBench", tmp_path)
    assert calls[0]["repo"] == "modelscope/MVBench"


def test_a_hub_that_fails_is_told(fake_hub: Any, tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        raise OSError("no route to host")

    fake_hub(fill)
    with pytest.raises(DataError, match=r"cannot fetch MVBench: OSError: no route to host\. Put the files"):
        pull_repository("MVBench", tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"root": {}, "meta": {"T": []}}', b'{"root": {}, "meta": [1]}'])
def test_malformed_questions_are_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "test.json").write_bytes(content)
    with pytest.raises(DataError, match=r"test\.json"):
        mvbench_mp4_rows(tmp_path)
    with pytest.raises(DataError, match=r"action_sequence\.json is missing"):
        mvbench_rows(tmp_path)
