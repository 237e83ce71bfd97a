"""Whole runs over benchmarks on videos: what the server gets, what a broken video costs, what is decoded again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from clips import break_videos, turned, write_clip, write_uneven
from stories import run_meanwhile
from tiny_benchmarks import write_tiny

from eyechart.engine import videos
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.decoders import Decoders
from eyechart.engine.doctor import examine
from eyechart.engine.estimate import estimate
from eyechart.engine.frames import FrameSampler
from eyechart.engine.report import Report
from eyechart.engine.run import run_plan, run_task_async
from eyechart.errors import ConfigError

Task = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _files_need_not_be_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyechart.engine.session.Session._verify", _nothing)


async def _nothing(_: object) -> None:
    return None


@pytest.fixture
def samplers(monkeypatch: pytest.MonkeyPatch) -> list[FrameSampler]:
    """The samplers of the runs of a test."""
    made: list[FrameSampler] = []
    opened = videos.open_sampler

    def note(plan: Any) -> FrameSampler:
        made.append(opened(plan))
        return made[-1]

    monkeypatch.setattr(videos, "open_sampler", note)
    return made


@pytest.fixture
def task(tmp_path: Path) -> Task:
    def build(server: Any, *data: str, model: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        entry = {"type": "m", "name": "CustomAPIModel", "api_base": server.url, **(model or {})}
        config = {"model": [entry], "data": list(data), "quiet": True, "data_root": str(tmp_path), "nproc": 4}
        return {"work_dir": str(tmp_path / "outputs"), "eval_config": config | fields}

    return build


async def run(config: dict[str, Any]) -> Report:
    report = await run_task_async(config, environ={})
    assert isinstance(report, Report)
    return report


def parts(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    content = [m["content"] for m in body["messages"] if isinstance(m["content"], list)]
    return [part[kind] for message in content for part in message if part["type"] == kind]


def said(body: dict[str, Any]) -> str:
    return json.dumps([m for m in body["messages"] if m["role"] == "user"])


async def test_frames_travel_as_pictures_in_order(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("MVBench", tmp_path)
    server = await mock_server(record=True)
    report = await run(task(server, "MVBench", nframe=3))
    assert (report.state, report.entries[0].tally.ok) == ("finished", 6)
    first = server.stats.recorded[0]
    assert first["messages"][0]["role"] == "system"
    pictures = parts(first, "image_url")
    assert len(pictures) == 3
    assert len({picture["url"] for picture in pictures}) == 3
    assert "image/jpeg" in pictures[0]["url"]
    manifest = json.loads((report.run_dir / "run.json").read_text())
    assert manifest["config"]["eval_config"]["nframe"] == 3


async def test_questions_far_apart_on_one_video_cost_one_decoding(
    mock_server: Any, task: Task, tmp_path: Path, samplers: list[FrameSampler]
) -> None:
    write_tiny("Video-MME", tmp_path)
    path = tmp_path / "Video-MME.tsv"
    header, *rows = path.read_text().splitlines()
    many = [row.replace(f"{k}\t", f"{k + 6 * n}\t", 1) for n in range(10) for k, row in enumerate(rows)]
    path.write_text("\n".join([header, *many]) + "\n")
    monkey = FrameSampler.__init__.__kwdefaults__
    before = monkey["cache_bytes"]
    monkey["cache_bytes"] = 30_000  # the frames of one video and no more
    try:
        report = await run(task(await mock_server(), "Video-MME"))
    finally:
        monkey["cache_bytes"] = before
    assert report.entries[0].tally.ok == 60
    assert samplers[0].decoded == 3
    assert samplers[0]._frames.held_bytes <= 30_000


def break_ten_videos(folder: Path) -> dict[str, Path]:
    """Ten kinds of videos that are broken, by name."""
    broken = break_videos(folder)
    whole = (folder / "whole.mp4").read_bytes()
    broken["zeroed"] = folder / "zeroed.mp4"
    broken["zeroed"].write_bytes(whole[:5000] + bytes(len(whole) - 5000))
    assert len(broken) == 10
    return broken


def write_mvbench(root: Path, names: list[str]) -> None:
    columns = ["index", "task_type", "prefix", "video", "question", "candidates", "answer"]
    rows = [[str(k), "t", "video/", name, "Which?", "['cat', 'dog']", "cat"] for k, name in enumerate(names)]
    (root / "MVBench_MP4.tsv").write_text("\n".join("\t".join(row) for row in [columns, *rows]) + "\n")


async def test_each_broken_video_costs_its_own_question_and_nothing_else(
    mock_server: Any, task: Task, tmp_path: Path, samplers: list[FrameSampler]
) -> None:
    folder = tmp_path / "video"
    folder.mkdir()
    broken = break_ten_videos(folder)
    good = [turned(write_clip(folder / "good.mp4"), 90), write_uneven(folder / "vfr.mp4")]
    good += [write_clip(folder / "one.mp4", frames=1), write_clip(folder / "odd.mkv", size=(101, 77), codec="ffv1")]
    names = [path.name for path in (*broken.values(), *good)]
    write_mvbench(tmp_path, names)
    server = await mock_server()
    report = await run(task(server, "MVBench_MP4"))
    (entry,) = report.entries
    assert (report.state, report.exit_code) == ("incomplete", 2)
    assert (entry.tally.ok, entry.tally.failed, server.stats.requests) == (4, 10, 4)
    lines = (report.run_dir / "m" / "MVBench_MP4" / "predictions.jsonl").read_text().splitlines()
    failures = {names[int(line["index"])]: line["failure"] for line in map(json.loads, lines) if line.get("failure")}
    assert failures.keys() == {path.name for path in broken.values()}
    for name, failure in failures.items():
        assert (failure["kind"], failure["stage"]) == ("MediaError", "prepare")
        assert failure["message"].startswith(f"video {name}: ")

    # Mended, it is asked; all that was answered is neither asked nor decoded again.
    write_clip(broken["cut"])
    again = await run(task(server, "MVBench_MP4"))
    assert again.run_dir == report.run_dir
    assert (again.entries[0].tally.ok, again.entries[0].tally.failed, server.stats.requests) == (5, 9, 5)
    assert samplers[1].decoded <= 10


async def test_a_video_that_changed_is_asked_about_again(
    mock_server: Any, task: Task, tmp_path: Path, samplers: list[FrameSampler]
) -> None:
    write_tiny("Video-MME", tmp_path)
    server = await mock_server()
    await run(task(server, "Video-MME"))
    os.utime(tmp_path / "video" / "v0.mp4")
    await run(task(server, "Video-MME", reuse=True))
    assert server.stats.requests == 6  # another time, the same frames
    assert samplers[1].decoded == 1
    write_clip(tmp_path / "video" / "v0.mp4", frames=30)
    report = await run(task(server, "Video-MME", reuse=True))
    assert server.stats.requests == 8
    assert any("2 stored answers did not fit" in note for note in report.notes)
    assert samplers[2].decoded == 1


async def test_another_sampling_is_another_run(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("Video-MME", tmp_path)
    server = await mock_server()
    eight = await run(task(server, "Video-MME"))
    four = await run(task(server, "Video-MME", nframe=4, reuse=True))
    by_rate = await run(task(server, "Video-MME", fps=5, reuse=True))
    small = await run(task(server, "Video-MME", total_pixels=1000, reuse=True))
    assert len({report.run_dir for report in (eight, four, by_rate, small)}) == 4
    assert server.stats.requests == 24


async def test_whole_videos_inside_requests(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("MVBench", tmp_path)
    server = await mock_server(record=True)
    report = await run(task(server, "MVBench", model={"video_llm": True}))
    assert report.entries[0].tally.ok == 6
    urls = [url["url"] for body in server.stats.recorded for url in parts(body, "video_url")]
    assert len(urls) == 6
    assert all("video/mp4" in url for url in urls)
    # Rows 0, 2 and 4 show parts of three videos, which begin alike; the others show whole ones.
    assert len(set(urls)) == 4
    assert len(list((tmp_path / ".eyechart" / "clips").glob("*.mp4"))) == 3
    assert not any(parts(body, "image_url") for body in server.stats.recorded)


@pytest.mark.parametrize("transport", ["file", "path", "http"])
async def test_whole_videos_by_their_address(transport: str, mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("Video-MME", tmp_path)
    base = {"video_base_url": "http://files.example/vlm/"} if transport == "http" else {}
    server = await mock_server(record=True)
    fields = {"video_transport": transport, **base}
    report = await run(task(server, "Video-MME", model={"video_llm": True}, limit=1, **fields))
    assert report.entries[0].tally.ok == 1
    video = tmp_path / "video" / "v0.mp4"
    expected = {"file": video.as_uri(), "path": str(video), "http": "http://files.example/vlm/video/v0.mp4"}
    assert [part["url"] for part in parts(server.stats.recorded[0], "video_url")] == [expected[transport]]


async def test_frames_and_whole_videos_in_one_run(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("MMBench-Video", tmp_path)
    server = await mock_server(record=True)
    config = task(server, "MMBench-Video", pack=True, mode="infer")
    whole = {**config["eval_config"]["model"][0], "type": "w", "video_llm": True}
    config["eval_config"]["model"].append(whole)
    report = await run(config)
    packed, single = report.entries
    assert (packed.tally.ok, single.tally.ok) == (3, 6)
    bodies = {name: [b for b in server.stats.recorded if b["model"] == name] for name in ("m", "w")}
    assert all(len(parts(body, "image_url")) == 8 for body in bodies["m"])
    assert all(len(parts(body, "video_url")) == 1 for body in bodies["w"])
    assert all("Questions: " in said(body) for body in bodies["m"])


async def test_a_judge_rates_each_question_of_a_packed_reply(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("MMBench-Video", tmp_path)
    server = await mock_server(mode="fixed", text=json.dumps({str(number): "a red one" for number in range(6)}))
    judge = await mock_server(mode="fixed", text="2")
    report = await run(task(server, "MMBench-Video", pack=True, judge={"model": "j", "api_base": judge.url}))
    (entry,) = report.entries
    assert (report.state, entry.tally.ok) == ("finished", 3)
    assert entry.score is not None
    assert [record["score"] for record in entry.score.per_sample.values()] == [2] * 6
    assert judge.stats.requests >= 6


async def test_subtitles_are_shown(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("Video-MME", tmp_path)
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "v0.srt").write_text("1\n00:00:00,000 --> 00:00:09,000\nHello\n")
    server = await mock_server(record=True)
    await run(task(server, "Video-MME", use_subtitle=True))
    assert sum("Hello" in said(body) for body in server.stats.recorded) == 2
    assert all("subtitles are listed" in said(body) for body in server.stats.recorded)


async def test_the_references_system_prompt_stays_for_what_comes_after(
    mock_server: Any, task: Task, tmp_path: Path
) -> None:
    for name in ("Video-MME", "MVBench_MP4", "MMStar"):
        write_tiny(name, tmp_path)
    for protocol, expected in (("vlmeval", {False: 6, True: 12}), ("eyechart", {False: 12, True: 6})):
        server = await mock_server(record=True)
        await run(task(server, "Video-MME", "MVBench_MP4", "MMStar", protocol=protocol))
        counts = {False: 0, True: 0}
        for body in server.stats.recorded:
            counts[body["messages"][0]["role"] == "system"] += 1
        assert counts == expected


async def test_frames_are_kept_for_further_runs_where_asked(
    mock_server: Any, task: Task, tmp_path: Path, samplers: list[FrameSampler]
) -> None:
    write_tiny("Video-MME", tmp_path)
    server = await mock_server()
    await run(task(server, "Video-MME"))
    assert not (tmp_path / ".eyechart" / "frames").exists()
    await run(task(server, "Video-MME", frame_cache=True, model={"type": "other"}))
    assert len(list((tmp_path / ".eyechart" / "frames").iterdir())) == 3


async def test_a_benchmark_in_a_folder_of_its_own(mock_server: Any, task: Task, tmp_path: Path) -> None:
    (tmp_path / "Video-MME").mkdir()
    write_tiny("Video-MME", tmp_path / "Video-MME")
    report = await run(task(await mock_server(), "Video-MME"))
    assert report.entries[0].tally.ok == 6


def problem(**fields: Any) -> str:
    entry = {"type": "m", "name": "CustomAPIModel", "api_base": "http://localhost:1", **fields.pop("model", {})}
    config = {"model": [entry], "data": fields.pop("data", ["Video-MME"]), **fields}
    with pytest.raises(ConfigError) as caught:
        resolve_all(load_tasks({"eval_config": config}), read_environment({}))
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"fps": 1, "nframe": 8}, "fps: says how many frames a second, and nframe: 8 how many of a video; leave one out"),
        ({"nframe": 8, "max_frames": 4}, "max_frames: is less than nframe (8)"),
        ({"data": ["MVBench"], "fps": 1}, "MVBench shows parts of videos and takes nframe only; MVBench_MP4 takes fps"),
        ({"nframe": 0}, "nothing of the videos of Video-MME would be shown to a model without video_llm"),
        ({"nframe": 0, "use_subtitle": True, "model": {"video_llm": True}}, "subtitles are those that stand at the frames"),
        ({"video_transport": "http"}, "video_base_url: is missing"),
        ({"video_base_url": "http://h"}, "video_base_url: has no effect without video_transport: http"),
        ({"video_llm": True}, "video_llm: has no effect without base_url; set eval_config.model[i].video_llm instead"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_together(fields: dict[str, Any], told: str) -> None:
    assert told in problem(**fields)


async def test_what_can_be_done_together(tmp_path: Path) -> None:
    def plan(**fields: Any) -> Any:
        entry = {"type": "m", "api_base": "http://localhost:1", **fields.pop("model", {})}
        (found,) = resolve_all(
            load_tasks({"eval_config": {"model": [entry], "data": ["Video-MME"], **fields}}), read_environment({})
        )
        return found

    assert (plan(fps=1).videos.options.nframe, plan(fps=1).videos.options.fps) == (0, 1)
    assert plan(nframe=0, fps=0.5).videos.options.fps == 0.5
    assert plan(nframe=0, model={"video_llm": True}).models[0].video_llm
    assert plan().videos.options.nframe == 8
    usual = plan().digest
    assert plan(video_transport="file").digest == plan(frame_cache=True).digest == plan(nframe=8).digest == usual
    others = [plan(nframe=4), plan(use_subtitle=True), plan(total_pixels=9), plan(model={"video_llm": True})]
    assert len({usual, *(other.digest for other in others)}) == 5


HANGS = """
import sys, time
for line in sys.stdin.buffer:
    time.sleep(100)
"""


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Decoders:
    """The decoders of the runs of a test, which never finish anything."""
    (tmp_path / "stub.py").write_text(HANGS)
    decoders = Decoders(program=tmp_path / "stub.py", patience_s=90)
    monkeypatch.setattr(videos, "open_sampler", lambda _: FrameSampler(decoders))
    return decoders


async def until_one_runs(decoders: Decoders) -> None:
    while not decoders.pids():  # noqa: ASYNC110 (a process that starts tells nobody)
        await anyio.sleep(0.02)


async def test_a_run_ends_in_time_though_a_decoder_hangs(
    mock_server: Any, task: Task, tmp_path: Path, hanging: Decoders
) -> None:
    write_tiny("Video-MME", tmp_path)
    stop = anyio.Event()
    plan = planned(task(await mock_server(), "Video-MME", grace=0.3))
    with anyio.fail_after(20):
        async with run_meanwhile(plan, stop=stop) as reports:
            await until_one_runs(hanging)
            stop.set()
    assert (reports[0].state, reports[0].entries[0].missing) == ("interrupted", 6)
    assert hanging.pids() == []


async def test_a_cancelled_run_leaves_no_decoder(
    mock_server: Any, task: Task, tmp_path: Path, hanging: Decoders
) -> None:
    write_tiny("Video-MME", tmp_path)
    plan = planned(task(await mock_server(), "Video-MME"))
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_plan, plan)
            await until_one_runs(hanging)
            tasks.cancel_scope.cancel()
    assert hanging.pids() == []


def planned(config: dict[str, Any]) -> Any:
    (found,) = resolve_all(load_tasks(config), read_environment({}))
    return found


async def test_the_doctor_looks_into_videos(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("Video-MME", tmp_path)
    (tmp_path / "video" / "v2.mp4").unlink()
    (tmp_path / "video" / "v1.mp4").write_bytes(b"no video")
    server = await mock_server()
    told = {c.found for c in await examine([planned(task(server, "Video-MME"))]) if c.area == "data"}
    assert "2 of 6 rows have no readable video; they will fail, the others not" in told
    (broken,) = [text for text in told if "cannot be asked" in text]
    assert "video v1.mp4: it is no video that can be opened" in broken
    write_clip(tmp_path / "video" / "v1.mp4")
    write_clip(tmp_path / "video" / "v2.mp4")
    checks = await examine([planned(task(server, "Video-MME"))])
    assert any("the first shows v0/frame-1-of-8.jpg (image/jpeg, 64 x 48 pixels" in c.found for c in checks)
    whole = await examine([planned(task(server, "Video-MME", model={"video_llm": True}))])
    assert any("(video/mp4, " in c.found for c in whole)


async def test_an_estimate_counts_frames(mock_server: Any, task: Task, tmp_path: Path) -> None:
    write_tiny("Video-MME", tmp_path)
    server = await mock_server()
    config = task(server, "Video-MME", nframe=4)
    config["eval_config"]["model"].append({**config["eval_config"]["model"][0], "type": "w", "video_llm": True})
    found = await estimate(planned(config), probes=2)
    frames, whole = (model.jobs[0] for model in found.models)
    assert (frames.requests, frames.pictures) == (6, 24)
    assert frames.picture_bytes > 24 * 500
    assert (whole.requests, whole.pictures) == (6, 6)
    assert found.problems == ()
