"""The comparison with other evaluators (perf/compare.py) measures what it says; the peers themselves are not installed."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(shutil.which("taskset") is None, reason="measurements hold processes to a core")


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package perf/peers, as perf/compare.py imports it."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "perf"))
    import peers.measure
    import peers.ours
    import peers.photos
    import peers.table

    yield peers
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"peers", "common", "asking"}:
            del sys.modules[name]


def test_photos_have_one_size_and_are_different(peers: Any) -> None:
    made = list(peers.photos.photos(20))
    assert {len(photo) for photo in made} == {86_000}
    assert len(set(made)) == 20
    for photo in made[:2]:
        picture = Image.open(io.BytesIO(photo))
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (640, 480))


def test_a_kill_costs_what_was_in_flight(peers: Any, tmp_path: Path) -> None:
    common: ModuleType = sys.modules["common"]
    data = tmp_path / "Pictures.tsv"
    common.write_benchmark(data, 60, pictures=peers.photos.photos(60))
    with common.server(mode="fixed", text="A", latency=0.05) as url:
        base_url = url.removesuffix("/chat/completions")
        job = peers.peer.Job(Path(sys.executable), base_url, data, 60, tmp_path, tmp_path / "run", nproc=4)
        killed = peers.measure.kill(peers.ours.Eyechart(), job)
    assert killed.found == 60
    assert 0 <= killed.in_vain <= 4


def test_a_run_that_leaves_questions_unasked_is_no_measurement(peers: Any, tmp_path: Path) -> None:
    class Lazy(peers.peer.Peer):  # type: ignore[misc]
        name = "lazy"

        def command(self, job: Any) -> list[str]:
            return [str(job.python), "-c", "print('nothing to do')"]

        def answers(self, job: Any) -> int:
            return 0

    common: ModuleType = sys.modules["common"]
    with common.server(mode="fixed") as url:
        base_url = url.removesuffix("/chat/completions")
        job = peers.peer.Job(Path(sys.executable), base_url, tmp_path, 10, tmp_path, tmp_path / "run", nproc=4)
        with pytest.raises(RuntimeError, match="0 answers of 10:\nnothing to do"):
            peers.measure.run(Lazy(), job)


def test_the_table_compares_with_eyechart_and_says_why_a_peer_is_missing(peers: Any) -> None:
    table = peers.table
    ours = table.Row("eyechart", "1", 30)
    theirs = table.Row("slow", "2", 30, goal=7, killed=[peers.measure.Killed(in_vain=5, found=29)])
    for cost in (0.5, 0.4, 0.6):
        ours = ours.with_run(4, 9.0, 10.0).with_run(16, cost, 100.0)
        theirs = theirs.with_run(4, 9.0, 10.0).with_run(16, cost * 8, 90.0)
    ours, theirs = (table.replace(row, peak_bytes=[1 << 20]) for row in (ours, theirs))
    missing = table.Row("absent", skipped="pip failed")
    first, second, third = table.cells([ours, theirs, missing], 4, 16, killed=30)
    assert (first[4], first[5]) == ("0.50", "1.0")
    assert (second[4], second[5], second[-2:]) == ("4.00", "8.0 (goal: 7)", ["5", "29 of 30"])
    assert third[3] == "skipped: pip failed"
    assert {len(line) for line in (first, second, third)} == {len(table.HEADS)}
