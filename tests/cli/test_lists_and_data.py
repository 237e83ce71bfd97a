"""list and data: what there is and where it lies."""

from __future__ import annotations

import pytest

from eyechart import VLMEvalKitBackendManager, list_supported_datasets, list_supported_models

pytestmark = pytest.mark.anyio


async def test_benchmarks(eyechart, home):
    (home / "data" / "MMStar.tsv").write_text("index\n")
    done = await eyechart("list", "benchmarks")
    assert done.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:]}
    assert sorted(rows) == sorted(list_supported_datasets())
    assert rows["MMStar"][-1] == "yes"
    assert rows["ChartQA_TEST"][-1] != "yes"


async def test_all_benchmarks_say_whether_they_can_be_run(eyechart):
    done = await eyechart("list", "benchmarks", "--all")
    rows = {line.split()[0]: line.split()[-1] for line in done.out.splitlines()[1:]}
    assert len(rows) > len(list_supported_datasets()) or set(rows.values()) == {"yes"}
    assert {name for name, runs in rows.items() if runs == "yes"} == set(list_supported_datasets())


async def test_models(eyechart):
    done = await eyechart("list", "models")
    names = [line.split()[0] for line in done.out.splitlines()[1:]]
    assert names == list_supported_models() == VLMEvalKitBackendManager.list_supported_models()


async def test_where(eyechart, home):
    done = await eyechart("data", "where", "Shapes")
    assert (done.code, done.out) == (0, f"{home}/data/Shapes.tsv\n")
    done = await eyechart("data", "where", "Shapes", "MMStar")
    assert (done.code, done.out) == (1, f"{home}/data/Shapes.tsv\n")
    assert "eyechart data pull MMStar" in done.err


async def test_verify(eyechart, home):
    (home / "data" / "MMStar.tsv").write_text("index\n")
    done = await eyechart("data", "verify", "MMStar", "ChartQA_TEST", "Shapes")
    assert done.code == 1
    other, missing, own = done.out.splitlines()
    assert other.startswith("MMStar: another file,")
    assert missing == "ChartQA_TEST: missing; to download: eyechart data pull ChartQA_TEST"
    assert own.startswith("Shapes: ")
    assert (await eyechart("data", "verify", "Shapes")).code == 0


async def test_pull_leaves_a_file_that_is_there(eyechart, home):
    (home / "data" / "MMStar.tsv").write_text("index\n")
    done = await eyechart("data", "pull", "MMStar", "--mirror", "http://127.0.0.1:9")
    assert (done.code, done.out) == (0, f"MMStar: present, {home}/data/MMStar.tsv\n")
    assert (home / "data" / "MMStar.tsv").read_text() == "index\n"


async def test_version(eyechart):
    from eyechart import __version__

    assert (await eyechart("--version")).out == f"eyechart {__version__}\n"


@pytest.mark.parametrize(
    "words", [[], ["eval"], ["resume"], ["score"], ["report"], ["list"], ["data"], ["data", "pull"], ["mock-server"]]
)
async def test_every_verb_has_help(eyechart, words):
    done = await eyechart(*words, "--help")
    assert done.code == 0
    assert "Usage: eyechart" in done.out
