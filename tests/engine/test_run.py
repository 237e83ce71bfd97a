"""Whole runs against the mock server: what is asked, kept, resumed, scored and reported."""

from __future__ import annotations

import base64
import csv
import gc
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image
from tiny_benchmarks import write_tiny

from eyechart.benchmarks import digest
from eyechart.benchmarks.base import Scored
from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.multiple_choice import MultipleChoice
from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.report import Report
from eyechart.engine.run import run_plan, run_task_async
from eyechart.errors import ConfigError, DataError, EndpointUnusable, RunLocked, StorageError
from eyechart.records import Cell, Sample

ROWS = 24


def picture(n: int = 0, size: tuple[int, int] = (120, 110), file_format: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, (n % 256, 80, 160)).save(buffer, file_format)
    return buffer.getvalue()


def choice_row(n: int, image: str) -> str:
    return f"{n}\tWhat is in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 3}\t{image}\n"


def write_choices(path: Path, images: Mapping[int, str] | None = None, rows: int = ROWS) -> Path:
    """A multiple-choice TSV of `rows` rows; `images` replaces the base64 of some."""
    lines = ["index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n"]
    for n in range(rows):
        image = base64.b64encode(picture(n)).decode()
        lines.append(choice_row(n, (images or {}).get(n, image)))
    path.write_text("".join(lines))
    return path


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A configuration over a small TSV; keywords are fields of eval_config, `model` those of the model."""

    def build(server: Any, *, data: list[str] | None = None, model: Mapping[str, Any] | None = None, **fields: Any):
        if data is None:
            data = [str(write_choices(tmp_path / "Choices.tsv"))]
        entry = {"type": "m", "name": "CustomAPIModel", "api_base": server.url, **(model or {})}
        config = {"model": [entry], "data": data, "nproc": 8, "quiet": True, "data_root": str(tmp_path), **fields}
        return {"work_dir": str(tmp_path / "outputs"), "eval_config": config}

    return build


async def run(task: dict[str, Any]) -> Report:
    report = await run_task_async(task, environ={})
    assert isinstance(report, Report)
    return report


@pytest.mark.anyio
async def test_answers_leave_no_cycles_behind(mock_server, task, tmp_path: Path) -> None:
    """Each would hold its request, picture and all, until the collector comes; and that is told to come seldom."""
    server = await mock_server(mode="fixed", text="A")

    async def left_by(rows: int) -> int:
        data = [str(write_choices(tmp_path / f"Rows{rows}.tsv", rows=rows))]
        gc.collect()
        gc.disable()
        try:
            await run(task(server, data=data))
            return gc.collect()
        finally:
            gc.enable()

    await left_by(10)  # what is imported and made once
    few, many = await left_by(20), await left_by(220)
    assert many < few + 200


@pytest.mark.anyio
async def test_a_run_leaves_the_files_it_promises(mock_server, task, tmp_path: Path) -> None:
    server = await mock_server(mode="fixed", text="A")
    report = await run(task(server))
    assert (report.state, report.exit_code, server.stats.requests) == ("finished", 0, ROWS)
    folder = report.run_dir / "m" / "Choices"
    assert {p.name for p in folder.iterdir()} == {"predictions.jsonl", "scores.json"}
    with (report.run_dir / "m" / "m_Choices_acc.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row == {"split": "none", "Overall": "0.25", "c0": "0.25", "c1": "0.25", "c2": "0.25"}
    saved = json.loads((report.run_dir / "report.json").read_text())
    (entry,) = saved["entries"]
    assert entry["counts"]["ok"] == entry["counts"]["total"] == ROWS
    overall = next(m for m in entry["metrics"] if m["name"] == "Overall")
    assert overall["low"] < overall["mean"] == 0.25 < overall["high"]
    assert "Overall" in (report.run_dir / "report.md").read_text()
    manifest = json.loads((report.run_dir / "run.json").read_text())
    assert (manifest["state"], manifest["protocol"]) == ("finished", "eyechart")
    assert manifest["data"]["Choices"]["file"] == str(tmp_path / "Choices.tsv")


@pytest.mark.anyio
async def test_twenty_percent_of_every_fault_and_every_sample_is_answered(mock_server, task, tmp_path: Path) -> None:
    data = [str(write_choices(tmp_path / "Choices.tsv", rows=150))]
    calm = await run(task(await mock_server(), data=data))
    rough = await mock_server(
        fault_rate=0.2, seed=3, retry_after=0.05, slow_body_seconds=0.2, huge_bytes=200_000, max_faults_per_request=5
    )
    config = task(rough, data=data, timeout=1.0, nproc=16, retry=20, model={"wait": 0.02})
    config["work_dir"] += "_rough"
    report = await run(config)
    assert (report.state, report.exit_code) == ("finished", 0)
    assert rough.stats.requests > 170, "faults were injected"
    assert report.entries[0].tally.ok == 150
    assert report.entries[0].score.table == calm.entries[0].score.table


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("bad_request", "BadRequest"),
        ("server_error", "ServerFault"),
        ("context_overflow", "ContextOverflow"),
        ("malformed_json", "MalformedReply"),
    ],
)
async def test_a_sample_that_never_succeeds_is_typed_and_the_rest_scored(mock_server, task, kind, failure) -> None:
    server = await mock_server(mode="fixed", fail_always={"What is in 5?": kind})
    config = task(server, model={"wait": 0.01})
    report = await run(config)
    assert (report.state, report.exit_code) == ("incomplete", 2)
    entry = report.entries[0]
    assert dict(entry.tally.failures) == {failure: 1}
    assert entry.tally.first_failures[failure].startswith("5: ")
    assert entry.score.per_sample["5"]["hit"] == 0
    assert entry.score.counts["failed"] == 1
    asked = server.stats.requests
    server.settings = type(server.settings)(mode="fixed")
    again = await run(config)
    assert (again.run_dir, again.state) == (report.run_dir, "finished")
    assert server.stats.requests == asked + 1


@pytest.mark.anyio
async def test_a_failed_answer_never_counts_as_right(mock_server, task, tmp_path: Path) -> None:
    # Option text "api" stands in the reference's text for a failed request.
    row = f"0\tWhich?\tapi\ta very large brown dog\tA\t{base64.b64encode(picture()).decode()}\n"
    (tmp_path / "Unlucky.tsv").write_text("index\tquestion\tA\tB\tanswer\timage\n" + row)
    server = await mock_server(fail_always={"Which?": "bad_request"})
    ours = await run(task(server, data=["Unlucky"]))
    theirs = await run(task(server, data=["Unlucky"], protocol="vlmeval"))
    assert ours.entries[0].score.per_sample["0"]["hit"] == 0
    assert theirs.entries[0].score.per_sample["0"]["hit"] == 1
    assert theirs.protocol == "vlmeval"


def bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels in a few hundred bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(60_000 * 3 + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.anyio
@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
async def test_broken_pictures_fail_alone_with_the_reason(mock_server, task, tmp_path: Path, protocol: str) -> None:
    encode = lambda raw: base64.b64encode(raw).decode()  # noqa: E731
    broken = {
        3: "!" * 80 + encode(picture())[80:],
        5: encode(picture(file_format="JPEG")[:-200]),
        7: encode(bomb()),
        9: encode(b"this is text and no picture " * 9),
    }
    data = [str(write_choices(tmp_path / "Choices.tsv", broken))]
    server = await mock_server(mode="fixed")
    report = await run(task(server, data=data, protocol=protocol))
    assert report.exit_code == 2
    tally = report.entries[0].tally
    assert dict(tally.failures) == {"MediaError": len(broken)}
    assert server.stats.requests == ROWS - len(broken)
    lines = (report.run_dir / "m" / "Choices" / "predictions.jsonl").read_text().splitlines()
    messages = {r["index"]: r["failure"]["message"] for r in map(json.loads, lines) if "failure" in r}
    assert set(messages) == {str(n) for n in broken}
    assert all(f"{n}.png" in messages[str(n)] for n in broken)
    assert "60000" in messages["7"].replace(",", "").replace(" ", "")


@pytest.mark.anyio
async def test_an_image_path_that_climbs_out_is_refused(mock_server, task, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture())
    root = tmp_path / "root"
    (root / "images").mkdir(parents=True)
    (root / "images" / "fine.png").write_bytes(picture())
    (root / "Paths.tsv").write_text(
        "index\tquestion\tanswer\timage_path\n0\tq\ta\tfine.png\n1\tq\ta\t../../secret.png\n2\tq\ta\t/etc/passwd\n"
    )
    server = await mock_server(mode="fixed")
    report = await run(task(server, data=["Paths"], data_root=str(root)))
    assert (report.exit_code, server.stats.requests) == (2, 1)
    assert dict(report.entries[0].tally.failures) == {"MediaError": 2}


@pytest.mark.anyio
async def test_limit_takes_the_first_rows_and_is_a_run_of_its_own(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    few = await run(task(server, limit=5))
    assert (few.entries[0].total, server.stats.requests) == (5, 5)
    assert list(few.entries[0].score.per_sample) == ["0", "1", "2", "3", "4"]
    more = await run(task(server, limit=9))
    assert more.run_dir != few.run_dir
    assert server.stats.requests == 14


@pytest.mark.anyio
async def test_use_cache_continues_a_folder_even_with_another_limit(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    few = await run(task(server, limit=5))
    more = await run({**task(server, limit=9), "use_cache": str(few.run_dir)})
    assert (more.run_dir, more.entries[0].total, server.stats.requests) == (few.run_dir, 9, 9)
    fewer = await run({**task(server, limit=2), "use_cache": str(few.run_dir)})
    assert (fewer.entries[0].total, fewer.entries[0].tally.ok, server.stats.requests) == (2, 2, 9)


@pytest.mark.anyio
async def test_a_finished_run_is_reused_only_when_asked(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    first = await run(task(server))
    fresh = await run(task(server))
    assert (fresh.run_dir != first.run_dir, server.stats.requests) == (True, 2 * ROWS)
    reused = await run(task(server, reuse=True))
    assert (reused.run_dir, server.stats.requests) == (fresh.run_dir, 2 * ROWS)


@pytest.mark.anyio
async def test_infer_then_eval(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    inferred = await run(task(server, mode="infer"))
    assert (inferred.state, inferred.entries[0].score) == ("finished", None)
    scored = await run(task(server, mode="eval"))
    assert (scored.run_dir, scored.entries[0].score.table[0]["Overall"]) == (inferred.run_dir, 0.25)
    assert server.stats.requests == ROWS


@pytest.mark.anyio
async def test_folders_that_hold_no_run_are_told(mock_server, task, tmp_path: Path) -> None:
    server = await mock_server(mode="fixed")
    with pytest.raises(ConfigError, match="scores stored answers, and there is none"):
        await run(task(server, mode="eval"))
    with pytest.raises(ConfigError, match="scores stored answers, and there is none"):
        await run({**task(server, mode="eval"), "use_cache": str(tmp_path / "elsewhere")})
    assert server.stats.requests == 0
    begun = await run({**task(server), "use_cache": str(tmp_path / "elsewhere")})
    assert (begun.run_dir, begun.state) == (tmp_path / "elsewhere", "finished")
    assert any("a new one begins there" in note for note in begun.notes)


@pytest.mark.anyio
async def test_changed_generation_is_asked_again_in_the_same_folder(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    first = await run(task(server))
    hotter = await run({**task(server, model={"temperature": 0.7}), "use_cache": str(first.run_dir)})
    assert server.stats.requests == 2 * ROWS
    assert hotter.entries[0].tally.ok == ROWS
    assert any(f"{ROWS} stored answers did not fit" in note for note in hotter.notes)


@pytest.mark.anyio
async def test_two_models_and_two_benchmarks(mock_server, task, tmp_path: Path) -> None:
    write_choices(tmp_path / "Choices.tsv")
    (tmp_path / "Words.tsv").write_text(
        f"index\tquestion\tanswer\timage\n0\tWhat?\tcat\t{base64.b64encode(picture()).decode()}\n"
    )
    good, bad = await mock_server(mode="fixed"), await mock_server(api_key="right")
    config = task(good, data=["Choices", "Words"])
    config["eval_config"]["model"].append(
        {"type": "n", "name": "CustomAPIModel", "api_base": bad.url, "key": "wrong-key"}
    )
    with pytest.raises(EndpointUnusable, match=r"n: .*same task again continues it") as raised:
        await run(config)
    assert "wrong-key" not in str(raised.value)
    (run_dir,) = (tmp_path / "outputs").iterdir()
    saved = json.loads((run_dir / "report.json").read_text())
    done = {(e["model"], e["benchmark"]): e["counts"]["ok"] for e in saved["entries"]}
    assert done == {("m", "Choices"): ROWS, ("m", "Words"): 1, ("n", "Choices"): 0, ("n", "Words"): 0}
    assert saved["state"] == "stopped"
    assert bad.stats.requests <= 16, "a refused key does not burn the benchmark"


@pytest.mark.anyio
async def test_keys_are_in_no_file(mock_server, task, tmp_path: Path) -> None:
    server = await mock_server(api_key="sk-canary-4711", fail_always={"What is in 5?": "bad_request"})
    await run(task(server, model={"key": "sk-canary-4711"}))
    for path in (tmp_path / "outputs").rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes(), path


@pytest.mark.anyio
async def test_a_second_process_on_the_same_run_is_refused(mock_server, task) -> None:
    from eyechart.engine.run_folder import RunFolder

    server = await mock_server(mode="fixed")
    report = await run(task(server))
    with RunFolder(report.run_dir), pytest.raises(RunLocked, match="another process"):
        await run({**task(server), "use_cache": str(report.run_dir)})


@pytest.mark.anyio
async def test_a_full_disk_stops_the_run_which_then_continues(mock_server, task, monkeypatch, tmp_path: Path) -> None:
    from eyechart.engine.journal import Journal

    server = await mock_server(mode="fixed")
    plain_append, lines = Journal.append, []

    def append(self: Journal, batch: list[bytes]) -> None:
        if len(lines) + len(batch) > 10:
            raise StorageError("the disk is full")
        lines.extend(batch)
        plain_append(self, batch)

    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(StorageError, match="the disk is full"):
        await run(task(server))
    asked = server.stats.requests
    monkeypatch.undo()
    report = await run(task(server))
    assert report.state == "finished"
    assert server.stats.requests <= asked + ROWS - len(lines)
    assert len(list((tmp_path / "outputs").iterdir())) == 1


@pytest.mark.anyio
async def test_a_fault_in_the_scoring_costs_no_answer(mock_server, task, monkeypatch) -> None:
    plain_score = MultipleChoice.score

    def score(self: MultipleChoice, sample: Sample, prediction: Cell) -> Scored:
        if sample.row == 5:
            raise KeyError("boom")
        return plain_score(self, sample, prediction)

    server = await mock_server(mode="fixed")
    monkeypatch.setattr(MultipleChoice, "score", score)
    report = await run(task(server))
    assert (report.state, report.exit_code, report.entries[0].tally.ok) == ("incomplete", 1, ROWS)
    assert "KeyError: 'boom'" in report.entries[0].error
    monkeypatch.undo()
    again = await run(task(server))
    assert (again.run_dir, again.exit_code, server.stats.requests) == (report.run_dir, 0, ROWS)


@pytest.mark.anyio
async def test_stopped_among_stale_answers_a_run_is_not_finished(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    first = await run(task(server))
    hotter = {**task(server, model={"temperature": 0.7}, nproc=2), "use_cache": str(first.run_dir)}
    server.settings = replace(server.settings, latency=0.05)
    stop = anyio.Event()
    stopped = []

    async def stop_soon() -> None:
        while server.stats.requests < ROWS + 4:  # noqa: ASYNC110 (the server has no event to offer)
            await anyio.sleep(0.01)
        stop.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_soon)
        (plan,) = resolve_all(load_tasks(hotter), read_environment({}))
        stopped.append(await run_plan(plan, stop=stop))
    assert (stopped[0].state, stopped[0].exit_code) == ("interrupted", 130)
    assert any("results are of an earlier run" in note for note in stopped[0].notes)
    again = await run(hotter)
    assert (again.state, server.stats.requests) == ("finished", 2 * ROWS)
    assert not any("earlier run" in note for note in again.notes)


@pytest.mark.anyio
async def test_stopping_does_not_wait_for_a_file_to_be_verified(mock_server, task, tmp_path, monkeypatch) -> None:
    stop = anyio.Event()

    def endless(path: Path, pause: Callable[[], None]) -> str:
        anyio.from_thread.run_sync(stop.set)
        while True:
            pause()

    monkeypatch.setattr(digest, "_hash", endless)
    write_choices(tmp_path / "MMStar.tsv")
    (plan,) = resolve_all(load_tasks(task(await mock_server(), data=["MMStar"], mirror=None)), read_environment({}))
    with anyio.fail_after(20):
        report = await run_plan(plan, stop=stop)
    assert report.entries[0].data["md5"] is None


@pytest.mark.anyio
async def test_a_name_too_long_for_the_result_table_is_told_before_anything_is_asked(mock_server, task, tmp_path):
    server = await mock_server()
    data = [str(write_choices(tmp_path / f"{'B' * 110}.tsv"))]
    with pytest.raises(ConfigError, match="shorter name"):
        await run(task(server, data=data, model={"type": "m" * 140}))
    assert server.stats.requests == 0
    assert not (tmp_path / "outputs").exists()


@pytest.mark.anyio
async def test_rows_of_one_index_do_not_keep_a_run_from_its_end(mock_server, task, tmp_path: Path) -> None:
    path = write_choices(tmp_path / "Twice.tsv")
    path.write_text(path.read_text().replace("\n5\tWhat", "\n4\tWhat"))
    server = await mock_server(mode="fixed")
    report = await run(task(server, data=[str(path)], protocol="vlmeval"))
    assert (report.state, report.exit_code, report.entries[0].missing) == ("finished", 0, 0)


@pytest.mark.anyio
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
async def test_a_log_that_cannot_grow_disturbs_nothing(mock_server, task, tmp_path: Path, capsys) -> None:
    (tmp_path / "kept" / "logs").mkdir(parents=True)
    (tmp_path / "kept" / "logs" / "run.log").symlink_to("/dev/full")
    report = await run({**task(await mock_server()), "use_cache": str(tmp_path / "kept")})
    assert (report.state, capsys.readouterr().err) == ("finished", "")


@pytest.mark.anyio
async def test_a_manifest_that_holds_nonsense_does_no_harm(mock_server, task) -> None:
    server = await mock_server(mode="fixed")
    report = await run(task(server))
    nonsense = b'{"state": 5, "digest": null, "config": {"eval_config": 7}, "secrets": 8, "created": [], "later": {}}'
    for content in (b"", b"{", b"[]", nonsense, b"\xff\xfe"):
        (report.run_dir / "run.json").write_bytes(content)
        again = await run({**task(server), "use_cache": str(report.run_dir)})
        assert (again.state, server.stats.requests) == ("finished", ROWS)
        assert json.loads((report.run_dir / "run.json").read_bytes())["state"] == "finished"


@pytest.mark.anyio
async def test_missing_and_malformed_files_are_told_before_anything_is_asked(mock_server, task, tmp_path: Path) -> None:
    server = await mock_server()
    (tmp_path / "NoQuestion.tsv").write_text("index\tquestoin\tanswer\timage\n0\tq\ta\tAAAA\n")
    with pytest.raises(DataError, match=r"NoQuestion.tsv has no column 'question' \(is it 'questoin'"):
        await run(task(server, data=["NoQuestion"]))
    with pytest.raises(ConfigError, match="did you mean MMStar"):
        await run(task(server, data=["MMStr"]))
    with pytest.raises(ConfigError, match=r"eval_config.model\[0\].tempreature"):
        await run(task(server, model={"tempreature": 1}))
    assert server.stats.requests == 0


@pytest.mark.anyio
async def test_answers_that_only_a_judge_can_grade_are_kept_and_the_report_says_what_to_set(
    mock_server, task, tmp_path: Path
) -> None:
    write_choices(tmp_path / "MMVet.tsv")
    server = await mock_server(mode="fixed")
    report = await run(task(server, data=["MMVet"]))
    (entry,) = report.entries
    assert (report.exit_code, entry.tally.ok, entry.score) == (1, ROWS, None)
    assert "MMVet needs a judge: set `judge`" in entry.error
    await run({**task(server, data=["MMVet"]), "use_cache": str(report.run_dir)})
    assert server.stats.requests == ROWS


@pytest.mark.anyio
async def test_every_part_of_a_joined_benchmark_is_compared_with_the_published_one(
    mock_server, task, tmp_path: Path
) -> None:
    write_tiny("MMMB", tmp_path)
    report = await run(task(await mock_server(), data=["MMMB"]))
    assert [warning.partition(" ")[0] for warning in report.warnings] == [
        str(tmp_path / f"{part}.tsv") for part in catalog()["MMMB"].parts
    ]
    parts = report.entries[0].data["parts"]
    assert list(parts) == list(catalog()["MMMB"].parts)
    assert all(len(part["md5"]) == 32 for part in parts.values())


@pytest.mark.anyio
async def test_a_file_that_breaks_off_ends_its_benchmark_not_the_run(mock_server, task, tmp_path: Path) -> None:
    path = write_choices(tmp_path / "Broken.tsv")
    with path.open("a") as file:
        file.write(choice_row(3, base64.b64encode(picture()).decode()))
    write_choices(tmp_path / "Whole.tsv")
    server = await mock_server(mode="fixed")
    report = await run(task(server, data=["Broken", "Whole"]))
    assert (report.state, report.exit_code) == ("incomplete", 1)
    broken, whole = report.entries
    assert "index '3'" in broken.error
    assert whole.tally.ok == ROWS


@pytest.mark.anyio
async def test_another_md5_is_warned_of_and_used(mock_server, task, tmp_path: Path) -> None:
    write_choices(tmp_path / "MMStar.tsv")
    report = await run(task(await mock_server(mode="fixed"), data=["MMStar"]))
    assert report.state == "finished"
    assert any("is not the MMStar that the catalogue knows" in warning for warning in report.warnings)
    assert "**Warning:**" in report.as_markdown()
    assert len(report.entries[0].data["md5"]) == 32
