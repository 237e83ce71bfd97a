"""The catalogue, digests of benchmark files, and loading by name."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from eyechart.benchmarks import digest
from eyechart.benchmarks.catalog import catalog, find_entry, nearest
from eyechart.benchmarks.data_root import default_data_root
from eyechart.benchmarks.digest import file_md5, verify, where
from eyechart.benchmarks.families import FAMILIES
from eyechart.benchmarks.load import load_benchmark
from eyechart.errors import ConfigError, DataError

PICTURE = "iVBOR" + "a" * 80
ROWS = f"index\tquestion\tA\tB\tanswer\timage\n0\tq\tyes\tno\tA\t{PICTURE}\n"


def test_the_catalogue_is_sound():
    entries = catalog()
    assert len(entries) == 91
    assert list(entries) == sorted(entries, key=str.lower)
    for name, entry in entries.items():
        assert entry.name == name
        assert entry.judge in ("never", "optional", "required")
        assert entry.md5 is None or re.fullmatch("[0-9a-f]{32}", entry.md5)
        assert entry.url is None or entry.url.startswith("https://")
        assert (entry.url is None) == (bool(entry.parts) or entry.shipped is not None)
        assert (
            entry.shipped is None
            or hashlib.md5(entry.shipped.read_bytes(), usedforsecurity=False).hexdigest() == entry.md5
        )
        assert all(part in entries for part in entry.parts)
    assert catalog() is entries
    with pytest.raises(TypeError):
        entries["new"] = entries["MMStar"]


def test_file_names():
    assert catalog()["A-Bench_VAL"].file_name == "A-bench_VAL.tsv"
    assert catalog()["Video-MME"].file_name is None
    assert catalog()["MMMB"].file_name is None


def test_the_nearest_name():
    assert nearest("seedbench_img") == "SEEDBench_IMG"
    assert nearest("ChartQA-TEST") == "ChartQA_TEST"
    assert nearest("zzzzzzzz") is None
    assert find_entry("MMStar").family == "image_mcq"
    with pytest.raises(ConfigError, match="unknown benchmark 'MMStr'; did you mean 'MMStar'"):
        find_entry("MMStr")


def test_the_data_root(tmp_path):
    assert default_data_root({"LMUData": str(tmp_path), "HOME": "/h"}) == tmp_path
    assert default_data_root({"LMUData": str(tmp_path / "gone"), "HOME": "/h"}) == tmp_path / "gone"
    assert default_data_root({"HOME": "/h"}) == Path("/h/LMUData")


def test_digests_are_read_once_until_the_file_changes(tmp_path, monkeypatch):
    reads = []
    real = digest._hash
    monkeypatch.setattr(digest, "_hash", lambda path, pause: reads.append(path) or real(path, pause))
    file = tmp_path / "X.tsv"
    for text in (b"one", b"three"):
        file.write_bytes(text)
        for _ in range(2):
            assert file_md5(file, tmp_path) == hashlib.md5(text, usedforsecurity=False).hexdigest()
    assert len(reads) == 2
    (tmp_path / ".eyechart" / "digests.json").write_text("{ not json")
    assert file_md5(file, tmp_path) == real(file, lambda: None)
    assert json.loads((tmp_path / ".eyechart" / "digests.json").read_text())
    with pytest.raises(DataError, match="No such file"):
        file_md5(tmp_path / "gone", tmp_path)


def test_digests_do_without_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / ".eyechart").write_text("in the way")
    (tmp_path / "X.tsv").write_bytes(b"one")
    assert file_md5(tmp_path / "X.tsv", tmp_path) == hashlib.md5(b"one", usedforsecurity=False).hexdigest()


def test_verify(tmp_path, monkeypatch):
    assert verify("MMStar", tmp_path).status == "missing"
    (tmp_path / "MMStar.tsv").write_text("other")
    result = verify("MMStar", tmp_path)
    assert result.status == "other"
    assert result.expected == catalog()["MMStar"].md5 != result.md5
    assert "used as it is" in result.warning
    assert "eyechart data pull MMStar" in result.warning
    monkeypatch.setattr(digest, "_hash", lambda path, pause: catalog()["MMStar"].md5)
    (tmp_path / ".eyechart" / "digests.json").unlink()
    assert verify("MMStar", tmp_path).status == "ok"
    assert verify("MMStar", tmp_path).warning is None
    (tmp_path / "Mine.tsv").write_text("mine")
    assert verify("Mine", tmp_path).status == "unknown"


def test_a_file_under_its_download_name_is_used_if_it_is_the_right_one(tmp_path, monkeypatch):
    (tmp_path / "A-bench_VAL.tsv").write_text("other")
    assert where("A-Bench_VAL", tmp_path) is None
    (tmp_path / ".eyechart" / "digests.json").unlink()
    monkeypatch.setattr(digest, "_hash", lambda path, pause: catalog()["A-Bench_VAL"].md5)
    assert where("A-Bench_VAL", tmp_path) == tmp_path / "A-bench_VAL.tsv"
    (tmp_path / "A-Bench_VAL.tsv").write_text("own name first")
    assert where("A-Bench_VAL", tmp_path) == tmp_path / "A-Bench_VAL.tsv"


@pytest.mark.parametrize("name", ["SEEDBench_IMG", "Mine"])
def test_a_benchmark_is_loaded_by_name(tmp_path, name):
    (tmp_path / f"{name}.tsv").write_text(ROWS)
    bench = load_benchmark(name, data_root=tmp_path, protocol="vlmeval")
    assert (bench.name, len(bench), bench.protocol.name) == (name, 1, "vlmeval")
    (sample,) = bench.samples()
    (message,) = bench.prompt(sample)
    assert message.parts[0].name == "0.png"


def test_what_comes_with_eyechart_needs_no_data_root(tmp_path):
    bench = load_benchmark("EyechartMini", data_root=tmp_path / "nowhere")
    assert len(bench) == 72
    assert verify("EyechartMini", tmp_path / "nowhere").status == "ok"
    (tmp_path / "EyechartMini.tsv").write_text(ROWS)
    assert len(load_benchmark("EyechartMini", data_root=tmp_path)) == 1


def test_loading_reads_no_more_than_the_header_and_the_first_row(tmp_path, monkeypatch):
    (tmp_path / "SEEDBench_IMG.tsv").write_text(ROWS)
    monkeypatch.setattr(digest, "_hash", lambda path, pause: pytest.fail("hashed at load time"))
    load_benchmark("SEEDBench_IMG", data_root=tmp_path)


def test_a_file_is_loaded_by_path(tmp_path, monkeypatch):
    (tmp_path / "own.v2.tsv").write_text(ROWS)
    assert load_benchmark(str(tmp_path / "own.v2.tsv"), data_root=tmp_path / "root").name == "own.v2"
    assert load_benchmark("MMStar", data_root=tmp_path, path=tmp_path / "own.v2.tsv").name == "MMStar"
    monkeypatch.setenv("LMUData", str(tmp_path))
    assert load_benchmark("own.v2").name == "own.v2"


def test_text_is_enough_for_a_file_of_ones_own(tmp_path):
    (tmp_path / "Mine.tsv").write_text("index\tquestion\tanswer\n0\tq\ta\n")
    assert len(load_benchmark("Mine", data_root=tmp_path)) == 1
    (tmp_path / "MMStar.tsv").write_text("index\tquestion\tanswer\n0\tq\ta\n")
    with pytest.raises(DataError, match="neither a column 'image'"):
        load_benchmark("MMStar", data_root=tmp_path)


def test_a_file_under_a_name_that_cannot_be_run_yet_goes_by_the_rules_for_files_of_ones_own(tmp_path):
    name = min(catalog().keys() - FAMILIES.keys(), default=None)
    if name is None:
        pytest.skip("the whole catalogue is built")
    (tmp_path / f"{name}.tsv").write_text("index\tquestion\tanswer\timage\n0\tq\ta\tiVBO\n")
    assert type(load_benchmark(str(tmp_path / f"{name}.tsv"), data_root=tmp_path)).__name__ == "VisualQA"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("MMStar", DataError, ["MMStar.tsv", "eyechart data pull MMStar"]),
        ("MMStr", DataError, ["did you mean 'MMStar'", "MMStr.tsv"]),
        ("./gone.tsv", DataError, ["there is no file gone.tsv"]),
        ("MVBench", DataError, ["MVBench.tsv", "eyechart data pull MVBench"]),
        ("./gone/MVBench.tsv", DataError, ["there is no file"]),
    ],
)
def test_what_cannot_be_loaded(tmp_path, name, error, words):
    with pytest.raises(error) as caught:
        load_benchmark(name, data_root=tmp_path)
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(ConfigError, match="unknown protocol"):
        load_benchmark(name, data_root=tmp_path, protocol="other")
