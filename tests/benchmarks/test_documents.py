"""DUDE, SLIDEVQA and MMLongBench_DOC: what is shown, what the judge is asked, what counts."""

from __future__ import annotations

import base64
import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_judges import JudgeOfSamples, judge_out_of_reach
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.documents import DUDE, MMLongBench, SlideVQA
from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError, JudgeError, MediaError
from eyechart.messages import Document, Text
from eyechart.records import Cell, ScoreResult
from eyechart.scoring.protocol import EYECHART, VLMEVAL

NAMES = ["DUDE", "DUDE_MINI", "MMLongBench_DOC", "SLIDEVQA", "SLIDEVQA_MINI"]
ROW: Mapping[str, Cell] = {
    "index": "a",
    "question": "How many?",
    "answer": "three",
    "answer_format": "Str",
    "evidence_pages": "[2]",
    "evidence_sources": "['Table']",
}
PDF = base64.b64encode(b"%PDF-1.7\n" + b"." * 60).decode()
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"." * 60).decode()
FAILED = "Failed to obtain answer via API. "


def found(answer: str) -> str:
    return f"Extracted answer: {answer}\nAnswer format: String"


def values(result: ScoreResult) -> dict[Cell, tuple[Cell, Cell]]:
    return {row["category"]: (row["num"], row[result.columns[-1]]) for row in result.table}


# What is shown.


def opened(tmp_path: Path, name: str, protocol: str = "eyechart", **cells: str) -> Benchmark:
    row = {"index": "7", "question": "How many?", "answer": "3", "image": PDF, **cells}
    with (tmp_path / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(row), dialect="excel-tab", lineterminator="\n")
        table.writeheader()
        table.writerow(row)
    return load_benchmark(name, tmp_path, protocol)


def document(bench: Benchmark) -> Document:
    (message,) = bench.prompt(next(iter(bench.samples())))
    shown, question = message.parts
    assert message.role == "user"
    assert question == Text("How many?")
    assert isinstance(shown, Document)
    return shown


@pytest.mark.parametrize("name", NAMES)
def test_a_pdf_with_the_names_of_its_pages(tmp_path: Path, name: str):
    shown = document(opened(tmp_path, name, image_path="['pages/a_0.jpg', 'a_1.jpg']", doc_id="a.pdf"))
    assert shown.pdf is not None
    assert (shown.pdf.base64, shown.pages) == (PDF.encode(), ())
    assert shown.page_names == ("a_0.jpg", "a_1.jpg")
    assert shown.name == f"a.pdf ({name}.tsv, row 7)"


@pytest.mark.parametrize("name", NAMES)
def test_a_list_of_page_pictures(tmp_path: Path, name: str):
    shown = document(opened(tmp_path, name, image=str([PNG, PNG]), image_path="['s_0.png', 's_1.png']"))
    assert shown.pdf is None
    assert [page.name for page in shown.pages] == ["s_0.png", "s_1.png"]
    assert shown.name == f"s_0.png ({name}.tsv, row 7)"


@pytest.mark.parametrize(
    ("name", "called"), [("SLIDEVQA", "7.jpg"), ("DUDE", "s_0.png"), ("MMLongBench_DOC", "s_0.png")]
)
@pytest.mark.parametrize("image", [PNG, str([PNG])])
def test_a_single_picture_is_a_page_and_has_the_rows_name_in_a_deck(tmp_path: Path, name: str, called: str, image: str):
    shown = document(opened(tmp_path, name, image=image, image_path="['s_0.png']"))
    assert [page.name for page in shown.pages] == [called]


@pytest.mark.parametrize(("name", "is_pdf"), [("SLIDEVQA", False), ("DUDE", True), ("MMLongBench_DOC", True)])
def test_what_looks_like_nothing_is_what_the_benchmark_is_made_of(tmp_path: Path, name: str, is_pdf: bool):
    shown = document(opened(tmp_path, name, image=base64.b64encode(b"neither nor " * 9).decode()))
    assert (shown.pdf is not None) is is_pdf


def test_pages_that_are_files_of_their_own(tmp_path: Path):
    for name in ("a_0.png", "a_1.png", "all.pdf"):
        (tmp_path / name).write_bytes(b"x")
    rows = "index\tquestion\tanswer\timage_path\n7\tHow many?\t3\t"
    (tmp_path / "DUDE.tsv").write_text(rows + "['a_0.png', 'a_1.png']\n")
    shown = document(load_benchmark("DUDE", tmp_path))
    assert [page.path for page in shown.pages] == [tmp_path / "a_0.png", tmp_path / "a_1.png"]
    (tmp_path / "DUDE.tsv").write_text(rows + "all.pdf\n")
    shown = document(load_benchmark("DUDE", tmp_path))
    assert shown.pdf is not None
    assert shown.pdf.path == tmp_path / "all.pdf"
    (tmp_path / "DUDE.tsv").write_text(rows + "[]\n")
    with pytest.raises(MediaError, match=r"DUDE\.tsv, row 7 shows no page"):
        document(load_benchmark("DUDE", tmp_path))


def test_only_the_reference_shows_the_first_strip_alone_and_not_in_every_benchmark(tmp_path: Path):
    alone = {
        (name, protocol): document(opened(tmp_path, name, protocol)).first_strip_only
        for name in ("DUDE", "SLIDEVQA", "MMLongBench_DOC")
        for protocol in ("eyechart", "vlmeval")
    }
    assert {key for key, value in alone.items() if value} == {("DUDE", "vlmeval"), ("SLIDEVQA", "vlmeval")}


def test_a_row_without_a_question(tmp_path: Path):
    bench = opened(tmp_path, "DUDE", question="")
    with pytest.raises(DataError, match="row 7 has no question"):
        document(bench)


def test_questions_about_one_document_are_one_cluster(tmp_path: Path):
    lines = [f"{k}\tQ\t3\t{PDF if k < 2 else PNG}" for k in range(3)]
    (tmp_path / "DUDE.tsv").write_text("\n".join(["index\tquestion\tanswer\timage", *lines]) + "\n")
    clusters = [sample.cluster for sample in load_benchmark("DUDE", tmp_path).samples()]
    assert clusters[0] == clusters[1] != clusters[2]


# What the judge is asked, and what counts.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("protocol", "most"), [("eyechart", None), ("vlmeval", 128)])
def test_the_judge_sees_question_and_answer_and_not_what_is_right(
    name: str, protocol: str, most: int | None, make_benchmark: Any
):
    judge = JudgeOfSamples(found("three"))
    result = score_predictions(
        make_benchmark(name, [{**ROW, "answer": "a secret"}], protocol), {"a": "I count three."}, judge
    )
    (request,) = judge.requests
    assert request.prompt.endswith("---\nQuestion:How many?\nAnalysis: I count three.")
    assert "a secret" not in request.prompt
    assert (request.rubric, request.temperature, request.max_tokens) == ("extracted_answer@1", 0.0, most)
    record = result.per_sample["a"]
    assert (record["pred"], record["res"], record["log"], record["rule"]) == (
        "three",
        found("three"),
        "Succeed",
        "judge",
    )


@pytest.mark.parametrize("name", NAMES)
def test_without_a_judge_answers_stay_open(name: str, make_benchmark: Any):
    bench = make_benchmark(name, [ROW])
    assert bench.needs_judge
    with pytest.raises(DataError, match=f"{name} needs a judge"):
        score_predictions(bench, {"a": "3"})


@pytest.mark.parametrize("name", NAMES)
def test_a_failed_request_is_worth_nothing_and_no_judge_sees_it(name: str, make_benchmark: Any):
    judge = JudgeOfSamples(found("three"))
    rows = [ROW, {**ROW, "index": "b"}]
    result = score_predictions(make_benchmark(name, rows), {"a": None, "b": "three"}, judge)
    assert [request.index for request in judge.requests] == ["b"]
    assert result.per_sample["a"]["rule"] == "failed"
    assert result.counts["failed"] == 1
    first = next(iter(values(result).values()))
    assert first == (2, pytest.approx(0.5))
    figures = [value for key, value in result.per_sample["a"].items() if key in ("score", "anls", "em", "f1")]
    assert figures
    assert not any(figures)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_has_the_text_of_a_failed_request_read(name: str, make_benchmark: Any):
    judge = JudgeOfSamples(found("three"))
    score_predictions(make_benchmark(name, [ROW], "vlmeval"), {"a": None}, judge)
    assert judge.requests[0].prompt.endswith("Analysis: Failed to obtain answer via API.")


@pytest.mark.parametrize("name", NAMES)
def test_what_the_judge_cannot_read_is_left_out(name: str, make_benchmark: Any):
    rows = [ROW, {**ROW, "index": "b"}]
    judge = JudgeOfSamples(a="no idea", b=found("three"))
    result = score_predictions(make_benchmark(name, rows), {"a": "3", "b": "3"}, judge)
    assert sum(request.index == "a" for request in judge.requests) == 5
    assert (result.per_sample["a"]["rule"], result.counts["unparsed"]) == ("none", 1)
    assert next(iter(values(result).values())) == (1, 1.0)
    nothing = score_predictions(make_benchmark(name, [ROW]), {"a": "3"}, JudgeOfSamples("no idea"))
    assert next(iter(values(nothing).values())) == (0, None)


@pytest.mark.parametrize("name", NAMES)
def test_and_counts_in_the_reference(name: str, make_benchmark: Any):
    rows = [ROW, {**ROW, "index": "b"}]
    judge = JudgeOfSamples(a="no idea", b=found("three"))
    result = score_predictions(make_benchmark(name, rows, "vlmeval"), {"a": "x", "b": "x"}, judge)
    assert len(judge.requests) == 2
    assert result.per_sample["a"]["rule"] == "none"
    assert not result.per_sample["a"]["pred"]
    assert next(iter(values(result).values())) == (2, pytest.approx(0.5))
    left_out = replace(VLMEVAL, unread_grades_count=False)
    result = score_predictions(make_benchmark(name, rows, left_out), {"a": "x", "b": "x"}, judge)
    assert next(iter(values(result).values())) == (1, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_judge_out_of_reach_is_an_error(name: str, make_benchmark: Any):
    with pytest.raises(JudgeError):
        score_predictions(make_benchmark(name, [ROW]), {"a": "3"}, judge_out_of_reach)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_without_answers(name: str, make_benchmark: Any):
    bench = make_benchmark(name, [{"index": "a", "question": "Q"}])
    with pytest.raises(DataError, match=f"{name} has no column 'answer'"):
        score_predictions(bench, {"a": "3"}, JudgeOfSamples(found("three")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
def test_a_missing_answer_says_that_there_is_none(name: str, protocol: str, make_benchmark: Any):
    row = {**ROW, "answer": None, "answer_format": None}
    if name == "MMLongBench_DOC" and protocol == "vlmeval":
        row["answer"] = "Not answerable"  # the reference has a number there that nothing equals
    result = score_predictions(
        make_benchmark(name, [row], protocol), {"a": "?"}, JudgeOfSamples(found("Not answerable"))
    )
    assert {value for _, value in values(result).values() if value} >= {1.0} or name == "MMLongBench_DOC"
    assert result.per_sample["a"].get("score", result.per_sample["a"].get("em")) == 1.0


def test_the_reference_reads_short_answers_back_from_a_spreadsheet(make_benchmark: Any):
    rows = [{**ROW, "index": index, "answer": "none"} for index in "abc"]
    judge = JudgeOfSamples(a=found("None"), b=found("=1+1"), c=found("none"))
    predictions: dict[str, Cell] = dict.fromkeys("abc", "x")
    result = score_predictions(make_benchmark("SLIDEVQA", rows, "vlmeval"), predictions, judge)
    assert [result.per_sample[index]["pred"] for index in "abc"] == [None, 0, "none"]
    assert [result.per_sample[index]["em"] for index in "abc"] == [False, False, True]
    plain = score_predictions(make_benchmark("SLIDEVQA", rows), predictions, judge)
    assert [plain.per_sample[index]["pred"] for index in "abc"] == ["None", "=1+1", "none"]
    assert [plain.per_sample[index]["em"] for index in "abc"] == [True, False, True]


def test_short_answers_that_stop_the_reference_have_a_score(make_benchmark: Any):
    rows = [{**ROW, "index": index, "answer": "12"} for index in "ab"]
    bench = make_benchmark("DUDE", rows, "vlmeval")
    numbers = score_predictions(bench, dict.fromkeys("ab", "x"), JudgeOfSamples(found("12")))
    assert [numbers.per_sample[index]["score"] for index in "ab"] == [1.0, 1.0]
    empty = score_predictions(bench, dict.fromkeys("ab", "x"), JudgeOfSamples(a=found(""), b=found("12")))
    assert [empty.per_sample[index]["score"] for index in "ab"] == [0.0, 1.0]


def test_a_chance_to_be_right_without_case_in_dude(make_benchmark: Any):
    result = score_predictions(
        make_benchmark("DUDE", [{**ROW, "answer": "ABC"}]), {"a": "x"}, JudgeOfSamples(found("abc"))
    )
    assert values(result) == {"anls": (1, 1.0)}


@pytest.mark.parametrize(
    ("evidence", "rows"),
    [
        ({"evidence_sources": "['Table', 'Chart']", "evidence_pages": "[1, 5]"}, {"table", "chart", "multi-page"}),
        ({"evidence_sources": "[]", "evidence_pages": "[]"}, {"unanswerable"}),
        ({"evidence_sources": "Table", "evidence_pages": "3"}, set()),
        ({"evidence_sources": None, "evidence_pages": None}, set()),
        ({"evidence_sources": "['Table', 3, ['Chart']]", "evidence_pages": "[[]]"}, {"table", "single-page"}),
    ],
)
def test_kinds_of_questions_in_mmlongbench(evidence: dict[str, Cell], rows: set[str], make_benchmark: Any):
    result = score_predictions(
        make_benchmark("MMLongBench_DOC", [{**ROW, **evidence}]), {"a": "3"}, JudgeOfSamples(found("three"))
    )
    counted = {name for name, (count, _) in values(result).items() if count}
    assert counted == {"overall_f1", "overall_acc", *rows}


def test_what_is_not_answerable_and_said_to_be_counts_in_f1(make_benchmark: Any):
    rows = [
        {**ROW, "index": "a"},
        {**ROW, "index": "b", "answer": "Not answerable", "answer_format": None},
        {**ROW, "index": "c", "answer": "Not answerable", "answer_format": None},
    ]
    judge = JudgeOfSamples(a=found("three"), b=found("Not answerable"), c=found("7"))
    result = score_predictions(make_benchmark("MMLongBench_DOC", rows), dict.fromkeys("abc", "x"), judge)
    assert values(result)["overall_acc"] == (3, pytest.approx(2 / 3))
    assert values(result)["overall_f1"] == (3, pytest.approx(2 * 1.0 * 0.5 / 1.5))


def test_names_and_classes(make_benchmark: Any):
    classes = {name: type(make_benchmark(name, [ROW])) for name in NAMES}
    assert classes == {
        "DUDE": DUDE,
        "DUDE_MINI": DUDE,
        "MMLongBench_DOC": MMLongBench,
        "SLIDEVQA": SlideVQA,
        "SLIDEVQA_MINI": SlideVQA,
    }


CELL = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=30))


@pytest.mark.parametrize("name", ["DUDE", "MMLongBench_DOC", "SLIDEVQA"])
@pytest.mark.parametrize("protocol", [EYECHART, VLMEVAL], ids=["eyechart", "vlmeval"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    cells=st.fixed_dictionaries({name: CELL for name in ROW if name != "index"}),
    said=st.tuples(st.text(max_size=30), st.one_of(st.none(), st.text(max_size=30))),
)
def test_whatever_stands_in_cells_and_replies_there_is_a_table(
    name: str, protocol: Any, make_benchmark: Any, cells: dict[str, Cell], said: tuple[str, str | None]
):
    bench = make_benchmark(name, [{"index": "a", **cells}, ROW | {"index": "b"}], protocol)
    result = score_predictions(bench, {"a": said[1], "b": "x"}, JudgeOfSamples(found(said[0])))
    assert result.counts["scored"] == 2
    for _, value in values(result).values():
        assert value is None or (isinstance(value, float) and math.isfinite(value) and value >= 0)
