"""Runs over documents: broken ones fail by themselves, and all pages of the others are asked about."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pdf_files
import pytest
from stories import run_meanwhile

from eyechart.engine.config import load_tasks, read_environment, resolve_all
from eyechart.engine.documents import Documents
from eyechart.engine.report import Report
from eyechart.engine.run import run_task_async

TOKENS = 256  # of a picture, as the mock server counts
REAL = pdf_files.pdf_of([(50, 70)] * 3)
BROKEN = {
    "web.pdf": (b"<html>" + b"Not found. " * 9 + b"</html>", "it is no PDF"),
    "cut.pdf": (REAL[: len(REAL) // 2], "it is damaged, or no PDF"),
    "locked.pdf": (pdf_files.encrypted(), "it is encrypted and opens only with a password"),
    "bare.pdf": (pdf_files.simple(kids="", count=0), "it has no pages"),
    "endless.pdf": (pdf_files.endless(), "it was given up after 2 s without any result"),
    "huge.pdf": (
        pdf_files.simple("0 0 200000 200000"),
        "its page 1 would have 400000 x 400000 pixels; more than 178956970 are refused",
    ),
}


def write(path: Path, files: Mapping[str, bytes]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        table.writerow(["index", "doc_id", "question", "answer", "image", "image_path"])
        for index, (name, raw) in enumerate(files.items()):
            names = str([f"{name}_{page}.jpg" for page in range(200)])
            table.writerow([index, name, "How many?", "3", base64.b64encode(raw).decode(), names])


def task(server: Any, tmp_path: Path, **fields: Any) -> dict[str, Any]:
    model = {"type": "m", "name": "CustomAPIModel", "api_base": server.url}
    config = {"model": [model], "data": ["DUDE"], "mode": "infer", "quiet": True, "data_root": str(tmp_path), **fields}
    return {"work_dir": str(tmp_path / "outputs"), "eval_config": config}


async def run(server: Any, tmp_path: Path, **fields: Any) -> Report:
    report = await run_task_async(task(server, tmp_path, **fields), environ={})
    assert isinstance(report, Report)
    return report


def lines(report: Report) -> list[dict[str, Any]]:
    path = report.run_dir / "m" / "DUDE" / "predictions.jsonl"
    return sorted((json.loads(line) for line in path.read_bytes().splitlines()), key=lambda line: int(line["index"]))


@pytest.mark.anyio
async def test_every_kind_of_broken_pdf_is_one_failure_and_the_run_goes_on(
    mock_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyechart.engine.session.Documents", partial(Documents, page_s=2.0))
    files = {"first.pdf": REAL, **{name: raw for name, (raw, _) in BROKEN.items()}, "last.pdf": REAL}
    write(tmp_path / "DUDE.tsv", files)
    server = await mock_server(mode="fixed", text="3")
    report = await run(server, tmp_path)
    assert (report.state, report.exit_code, server.stats.requests) == ("incomplete", 2, 2)
    first, *failed, last = lines(report)
    assert (first["prediction"], last["prediction"]) == ("3", "3")
    for index, ((name, (_, reason)), line) in enumerate(zip(BROKEN.items(), failed, strict=True), 1):
        assert line["failure"]["kind"] == "MediaError"
        assert line["failure"]["stage"] == "prepare"
        assert line["failure"]["message"] == f"document {name} (DUDE.tsv, row {index}): {reason}"


@pytest.mark.anyio
async def test_a_long_document_is_shown_page_by_page_up_to_the_bound(mock_server: Any, tmp_path: Path) -> None:
    write(tmp_path / "DUDE.tsv", {"long": pdf_files.pdf_of([(30, 40)] * 150)})
    server = await mock_server()
    reports = [
        await run(server, tmp_path, **fields)
        for fields in ({}, {"max_pages": 7}, {"max_pages": 7, "concat_num": 2, "column_num": 2})
    ]
    assert [report.state for report in reports] == ["finished"] * 3
    answers = [lines(report)[0] for report in reports]
    assert [answer["usage"]["prompt_tokens"] // TOKENS for answer in answers] == [120, 7, 2]
    assert len({answer["fingerprint"] for answer in answers}) == 3


@pytest.mark.anyio
async def test_a_run_that_is_stopped_does_not_wait_for_a_page(mock_server: Any, tmp_path: Path) -> None:
    write(tmp_path / "DUDE.tsv", {"endless": pdf_files.endless()})
    (plan,) = resolve_all(load_tasks(task(await mock_server(), tmp_path)), read_environment({}))
    stop = anyio.Event()
    with anyio.fail_after(15):
        async with run_meanwhile(plan, stop=stop) as reports:
            await anyio.sleep(1.5)
            stop.set()
    assert reports[0].state == "interrupted"
    assert lines(reports[0]) == []


@pytest.mark.anyio
async def test_nor_does_one_that_is_cancelled(mock_server: Any, tmp_path: Path) -> None:
    write(tmp_path / "DUDE.tsv", {"endless": pdf_files.endless()})
    server = await mock_server()
    with anyio.fail_after(15):
        with anyio.move_on_after(1.5) as scope:
            await run(server, tmp_path)
        assert scope.cancelled_caught
    (folder,) = (tmp_path / "outputs").iterdir()
    assert (folder / "m" / "DUDE" / "predictions.jsonl").read_bytes() == b""
