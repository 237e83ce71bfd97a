"""Runs against a real model server, from configuration to report."""

from __future__ import annotations

import base64
import csv
import io
import json
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from integration.conftest import ModelServer
from PIL import Image, ImageDraw

from eyechart.engine.report import Report
from eyechart.engine.run import run_task

pytestmark = pytest.mark.integration

Run: TypeAlias = Callable[..., Report]

COLOURS = ("red", "green", "blue", "orange")
ROWS = 12


def _png(row: int) -> bytes:
    picture = Image.new("RGB", (60 + 5 * row, 48), COLOURS[row % 4])
    ImageDraw.Draw(picture).ellipse((5, 5, 20 + 2 * row, 40), fill=COLOURS[(row + 1) % 4])
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([columns, *rows])


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """Letters.tsv asks for an option, Words.tsv for a word, both about the same pictures."""
    folder = tmp_path / "data"
    folder.mkdir()
    pictures = [base64.b64encode(_png(row)).decode() for row in range(ROWS)]
    letters = [
        [row, picture, f"Which colour lies behind the disc of picture {row}?", *COLOURS, "ABCD"[row % 4]]
        for row, picture in enumerate(pictures)
    ]
    words = [[row, pictures[row], f"What is in picture {row}?", COLOURS[row % 4]] for row in range(ROWS)]
    _write(folder / "Letters.tsv", ("index", "image", "question", "A", "B", "C", "D", "answer"), letters)
    _write(folder / "Words.tsv", ("index", "image", "question", "answer"), words)
    return folder


@pytest.fixture
def run(llamacpp: ModelServer, data_root: Path, tmp_path: Path) -> Run:
    """Runs a task: fields of `eval_config` by name, fields of the model in `model`, the rest in `task`."""

    def start(*, model: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **fields: Any) -> Report:
        entry = {"name": "CustomAPIModel", "type": llamacpp.model, "api_base": llamacpp.url, "max_tokens": 16}
        evaluation = {
            "model": [{**entry, **(model or {})}],
            "data": ["Letters", "Words"],
            "data_root": str(data_root),
            "nproc": 4,
            "quiet": True,
            **fields,
        }
        report = run_task(
            {"work_dir": str(tmp_path / "outputs"), "eval_config": evaluation, **(task or {})}, environ={}
        )
        assert isinstance(report, Report)
        return report

    return start


def _journal(report: Report, benchmark: str) -> list[dict[str, Any]]:
    path = report.run_dir / "tiny-vlm" / benchmark / "predictions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def _answers(report: Report, benchmark: str) -> dict[str, str]:
    return {line["index"]: line["prediction"] for line in _journal(report, benchmark)}


def test_every_question_is_answered_and_counted(run: Run) -> None:
    report = run()
    assert (report.state, report.exit_code) == ("finished", 0)
    assert [(entry.benchmark, entry.total, entry.tally.ok) for entry in report.entries] == [
        ("Letters", ROWS, ROWS),
        ("Words", ROWS, ROWS),
    ]
    assert all(entry.score is not None and entry.score.table for entry in report.entries)


def test_usage_is_what_the_server_counted(run: Run) -> None:
    entry = run(data=["Words"]).entries[0]
    lines = _journal(run(data=["Words"], reuse=True), "Words")
    usage = [line["usage"] for line in lines]
    assert all(u["prompt_tokens"] > len("What is in picture 1?") for u in usage)  # a token is a byte in this model
    assert all(1 <= u["completion_tokens"] <= 16 for u in usage)
    assert entry.tally.prompt_tokens == sum(u["prompt_tokens"] for u in usage)
    assert entry.tally.completion_tokens == sum(u["completion_tokens"] for u in usage)
    assert entry.tally.truncated == sum(line["finish_reason"] == "length" for line in lines)


def test_the_same_questions_get_the_same_answers_in_another_run(run: Run, tmp_path: Path) -> None:
    first = run(nproc=1)
    second = run(task={"work_dir": str(tmp_path / "elsewhere")})
    assert first.run_dir.parent != second.run_dir.parent
    for benchmark in ("Letters", "Words"):
        assert _answers(first, benchmark) == _answers(second, benchmark)
        assert len(set(_answers(first, benchmark).values())) > 1  # the pictures reach the model


def test_a_finished_run_needs_no_server(run: Run) -> None:
    first = run()
    journals = {benchmark: _journal(first, benchmark) for benchmark in ("Letters", "Words")}
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        second = run(model={"api_base": dead}, task={"use_cache": str(first.run_dir)})
    assert second.run_dir == first.run_dir
    assert second.state == "finished"
    assert {benchmark: _journal(second, benchmark) for benchmark in journals} == journals
    assert [entry.as_dict() for entry in second.entries] == [entry.as_dict() for entry in first.entries]


def test_a_larger_limit_asks_only_what_is_new(run: Run) -> None:
    first = run(limit=5)
    second = run(limit=None, task={"use_cache": str(first.run_dir)})
    for benchmark in ("Letters", "Words"):
        lines = _journal(second, benchmark)
        assert sorted(int(line["index"]) for line in lines) == list(range(ROWS))
        assert {int(line["index"]) for line in lines[:5]} == set(range(5))


def test_another_parameter_is_another_question(run: Run) -> None:
    first = run(data=["Words"], model={"max_tokens": 2})
    second = run(data=["Words"], task={"use_cache": str(first.run_dir)})
    assert len(_journal(second, "Words")) == 2 * ROWS
    assert second.entries[0].total == second.entries[0].tally.ok == ROWS


def test_bad_pictures_fail_alone(run: Run, data_root: Path) -> None:
    whole = _png(3)
    pictures = [whole, b"this is no picture at all, however long it may be", whole[: len(whole) // 2], whole]
    rows = [[k, base64.b64encode(p).decode(), f"What is {k}?", "red"] for k, p in enumerate(pictures)]
    _write(data_root / "Torn.tsv", ("index", "image", "question", "answer"), rows)
    report = run(data=["Torn"])
    assert (report.state, report.exit_code) == ("incomplete", 2)
    failed = {line["index"]: line["failure"]["kind"] for line in _journal(report, "Torn") if "failure" in line}
    assert set(failed) == {"1", "2"}
    assert set(failed.values()) <= {"MediaError", "BadRequest"}
    assert report.entries[0].tally.ok == 2


def test_a_question_too_long_for_the_model_fails_alone(run: Run, data_root: Path) -> None:
    picture = base64.b64encode(_png(1)).decode()
    rows = [[k, picture, question, "red"] for k, question in enumerate(["What?", "why " * 2000, "Who?"])]
    _write(data_root / "Long.tsv", ("index", "image", "question", "answer"), rows)
    report = run(data=["Long"])
    assert report.exit_code == 2
    failed = {line["index"]: line["failure"] for line in _journal(report, "Long") if "failure" in line}
    assert {index: (failure["kind"], failure["status"]) for index, failure in failed.items()} == {
        "1": ("ContextOverflow", 400)
    }
