"""Progress as JSON lines and in a notebook, and what limited a run."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import MemoryBenchmark, Rig, ScriptedModel

from eyechart.engine.auto_gate import AutoGate
from eyechart.engine.display import NotebookLine, PlainLines, default_screen
from eyechart.engine.display_json import JsonLines, Screens, open_json_lines
from eyechart.engine.limit_words import limit_words
from eyechart.engine.limits import Gate, Limits
from eyechart.engine.progress import JobProgress, RunProgress
from eyechart.engine.progress_view import Meter
from eyechart.engine.replicas import Fleet, Replica
from eyechart.engine.shares import TimeShares, asking_words, shares_text
from eyechart.errors import Overloaded, ServerFault, StorageError, Transport


def running(nproc: int = 4) -> RunProgress:
    progress = RunProgress()
    progress.gates["m"] = Gate(Limits(nproc))
    progress.jobs.append(JobProgress("m", "Shapes", total=100, state="asking"))
    return progress


class Lines:
    """A JSON screen whose lines are kept."""

    def __init__(self, progress: RunProgress) -> None:
        self.written: list[bytes] = []
        clock = datetime(2026, 1, 31, 12, tzinfo=UTC)
        self.screen = JsonLines(self.written.append, progress, utc_now=lambda: clock)

    @property
    def objects(self) -> list[dict[str, Any]]:
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in self.written)
        return [json.loads(line) for line in self.written]


def test_a_line_says_where_the_run_stands() -> None:
    progress = running()
    progress.run_dir = Path("outputs/1")
    (job,) = progress.jobs
    lines, meter = Lines(progress), Meter(progress, 0.0)
    meter.read(0.0)
    job.requests, job.answered, job.failed, job.in_flight = 44, 40, 1, 3
    job.scored, job.points, job.completion_tokens = 40, 30.0, 400
    lines.screen.paint(meter.read(10.0))
    (line,) = lines.objects
    assert (line["event"], line["at"], line["run_dir"]) == ("progress", "2026-01-31T12:00:00.000+00:00", "outputs/1")
    assert (line["done"], line["total"], line["failed"], line["in_flight"]) == (41, 100, 1, 3)
    (shown,) = line["jobs"]
    assert (shown["model"], shown["benchmark"], shown["state"], shown["score"]) == ("m", "Shapes", "asking", 75.0)
    assert 10 < shown["score_reach"] < 15
    assert line["limits"] == {"m": "preparing samples"}


def test_a_line_a_second_and_one_for_each_change_of_state() -> None:
    progress = running()
    lines, meter = Lines(progress), Meter(progress, 0.0)
    for tick in range(41):
        if tick == 10:
            progress.jobs[0].state = "scoring"
        lines.screen.paint(meter.read(tick / 4))
    assert 11 <= len(lines.objects) <= 13
    assert [line["jobs"][0]["state"] for line in lines.objects].count("asking") == 3


def test_notes_the_end_and_the_last_state() -> None:
    progress = running()
    lines, meter = Lines(progress), Meter(progress, 0.0)
    lines.screen.note("note: something")
    lines.screen.paint(meter.read(0.0))
    progress.jobs[0].answered = 7
    lines.screen.paint(meter.read(0.1))
    lines.screen.close()
    lines.screen.end("finished", 0, Path("out/report.json"))
    assert [line["event"] for line in lines.objects] == ["note", "progress", "progress", "end"]
    assert lines.objects[0]["text"] == "note: something"
    assert lines.objects[2]["done"] == 7, "the last state is written whenever it came"
    assert lines.objects[3] | {"at": ""} == {
        "event": "end",
        "at": "",
        "state": "finished",
        "exit_code": 0,
        "report": "out/report.json",
    }


def test_lines_go_to_the_end_of_a_file(tmp_path: Path) -> None:
    target = tmp_path / "progress.jsonl"
    for text in ("one", "two"):
        with open_json_lines(str(target)) as write:
            JsonLines(write, running()).note(text)
    assert [json.loads(line)["text"] for line in target.read_text().splitlines()] == ["one", "two"]


def test_a_file_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write progress to"), open_json_lines(str(tmp_path / "no" / "file")):
        pass


def test_a_screen_that_breaks_falls_silent_alone() -> None:
    progress = running()

    def full(line: bytes) -> None:
        raise OSError(28, "No space left on device")

    stream = io.StringIO()
    screens = Screens([JsonLines(full, progress), PlainLines(stream)])
    screens.note("first")
    screens.note("second")
    screens.paint(Meter(progress, 0.0).read(0.0))
    screens.close()
    assert stream.getvalue().startswith("first\nsecond\n")


# -- notebooks --------------------------------------------------------------------------------------------------------


class OutStream(io.StringIO):
    """What a notebook's kernel puts in the place of standard error."""


OutStream.__module__ = "ipykernel.iostream"


def test_a_notebook_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = OutStream()
    monkeypatch.setattr(sys, "stderr", stream)
    screen = default_screen()
    assert isinstance(screen, NotebookLine)
    progress = running()
    meter = Meter(progress, 0.0)
    for tick in range(40):
        progress.jobs[0].answered = progress.jobs[0].requests = tick
        screen.paint(meter.read(tick / 4))
    screen.note("note: the file is another one")
    progress.jobs[0].state = "done"
    progress.jobs[0].answered = 100
    screen.paint(meter.read(10.0))
    screen.close()
    shown = _as_a_notebook_shows(stream.getvalue())
    assert shown[0] == "note: the file is another one"
    assert shown[1].startswith("m Shapes: done, 100/100 done")
    assert shown[2].startswith("100/100 in 0:10")
    assert len(shown) == 3
    assert stream.getvalue().count("\r") <= 16, "once a second"


def _as_a_notebook_shows(text: str) -> list[str]:
    lines = []
    for line in text.rstrip("\n").split("\n"):
        cells = ""
        for piece in line.split("\r"):
            cells = piece + cells[len(piece) :]
        lines.append(cells.rstrip())
    return lines


def test_a_log_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(default_screen(), PlainLines)


# -- what limits ------------------------------------------------------------------------------------------------------


def test_words_for_a_number_that_is_found() -> None:
    gate = AutoGate(Limits(64))
    assert limit_words(gate, 0.0) == "preparing samples, nproc auto 4"
    charged = [gate.leave(0.0) for _ in range(4)]
    assert limit_words(gate, 0.0) == "nproc auto 4, still growing"
    gate.refused(1.0, 0.0, 20.0)
    for tokens in charged:
        gate.arrive(1.0, tokens, None)
    assert limit_words(gate, 1.0) == "the server, pause of 20 s, nproc auto 2"
    full = AutoGate(Limits(2))
    for _ in range(2):
        full.leave(0.0)
    assert limit_words(full, 0.0) == "nproc_max 2"


def test_words_for_several_addresses() -> None:
    replicas = [Replica(ScriptedModel(), Gate(Limits(1)), f"host{n}") for n in range(3)]
    fleet = Fleet(replicas)
    for replica in replicas:
        replica.gate.leave(0.0)
    assert limit_words(fleet, 0.0) == "nproc 1, at 3 of 3 addresses"
    for _ in range(3):
        fleet.failed(replicas[0], Transport("gone"), 0.0, 0.0)
    assert limit_words(fleet, 0.0) == "nproc 1, at 2 of 3 addresses"


def test_shares_add_up_to_the_whole() -> None:
    shares = TimeShares()
    assert shares.shares() == {}
    for reason, seconds in (("nproc", 50.0), ("server", 12.0), ("nproc", 33.0), ("preparing", 5.0), ("rpm", 0.0)):
        shares.add(reason, seconds)
    assert shares.shares() == {"nproc": 0.83, "server": 0.12, "preparing": 0.05}
    assert shares_text(shares.shares()) == "nproc 83 %, server 12 %, preparing 5 %"


def test_words_of_a_report() -> None:
    replica = {"address": "a:1", "answered": 60, "failed": 0, "set_aside": 0, "nproc": 24, "settled": True}
    other = {**replica, "address": "b:1", "answered": 40, "nproc": 20}
    about = {"limited_by": {"server": 0.9, "nproc": 0.1}, "nproc": "auto", "replicas": [replica]}
    assert asking_words(about) == "limited by server 90 %, nproc 10 %; nproc auto settled at 24"
    about = {"limited_by": {}, "nproc": "auto", "replicas": [replica, {**other, "settled": False}]}
    assert asking_words(about) == "nproc auto was still growing at 24 + 20; answers: 60 at a:1, 40 at b:1"
    assert asking_words({}) == ""


@pytest.mark.virtual_time
class TestOfWholeRuns:
    """The dispatcher measures what it waits for."""

    async def shares(self, path: Path, model: ScriptedModel, samples: int, **about: Any) -> dict[str, float]:
        rig = Rig(path, model, MemoryBenchmark(samples), **about)
        await rig.run()
        return rig.pipeline.shares.shares()

    @pytest.mark.anyio
    async def test_nproc(self, tmp_path: Path) -> None:
        shares = await self.shares(tmp_path, ScriptedModel(), 100)
        assert shares["nproc"] > 0.9
        assert sum(shares.values()) == pytest.approx(1, abs=0.001)

    @pytest.mark.anyio
    async def test_rpm(self, tmp_path: Path) -> None:
        shares = await self.shares(tmp_path, ScriptedModel(), 100, limits=Limits(50, rpm=60))
        assert shares["rpm"] > 0.9

    @pytest.mark.anyio
    async def test_server(self, tmp_path: Path) -> None:
        script = {f"q{n}": [Overloaded("busy", status=503, retry_after=60.0)] for n in range(0, 100, 10)}
        shares = await self.shares(tmp_path, ScriptedModel(script=script), 100)
        assert shares["server"] > 0.9

    @pytest.mark.anyio
    async def test_retries(self, tmp_path: Path) -> None:
        fault = ServerFault("broken", status=500, retry_after=100.0)
        shares = await self.shares(tmp_path, ScriptedModel(script={"q3": [fault, fault]}), 20)
        assert shares["retries"] > 0.9

    @pytest.mark.anyio
    async def test_the_last_answers(self, tmp_path: Path) -> None:
        shares = await self.shares(tmp_path, ScriptedModel(script={"q19": [99.0]}), 20)
        assert shares["last answers"] > 0.9
