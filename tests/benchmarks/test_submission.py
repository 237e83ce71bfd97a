from __future__ import annotations

import csv
import io
import json
from typing import Any

import openpyxl
import pytest

from eyechart.benchmarks.scoring_run import make_submission
from eyechart.benchmarks.submission import spreadsheet, tsv_file
from eyechart.scoring.protocol import VLMEVAL

ROW = {"question": "q", "A": "cat", "B": "dog"}
FAILED = VLMEVAL.failed_text


def cells_of(content: bytes) -> list[tuple[Any, ...]]:
    return list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))


def test_spreadsheets_hold_texts_as_they_are():
    texts = ["=1+1", "http://a.b", "007", "@SUM(A1)", "x" * 40_000, None]
    content = spreadsheet(["n", "text"], [{"n": n, "text": text} for n, text in enumerate(texts)])
    assert cells_of(content) == [
        ("n", "text"),
        (0, "=1+1"),
        (1, "http://a.b"),
        (2, "007"),
        (3, "@SUM(A1)"),
        (4, "x" * 32_767),
        (5, None),
    ]
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet["B2"].data_type == "s", "no formula"
    head = openpyxl.load_workbook(io.BytesIO(spreadsheet(["=1+1", "{=A1}", "http://a.b"], []))).active
    assert [(cell.value, cell.data_type, cell.hyperlink) for cell in head[1]] == [
        ("=1+1", "s", None), ("{=A1}", "s", None), ("http://a.b", "s", None)
    ]  # fmt: skip
    assert sheet["B3"].hyperlink is None


def test_the_same_table_is_the_same_file():
    assert spreadsheet(["a"], [{"a": 1}]) == spreadsheet(["a"], [{"a": 1}])


def test_tables_of_text_quote_what_would_break_them():
    assert tsv_file(["a", "b"], [{"a": 'x\t"y"\nz', "b": None}]) == b'a\tb\n"x\t""y""\nz"\t\n'


def test_answers_that_are_public_are_no_matter_for_a_server(make_benchmark: Any):
    bench = make_benchmark("MMBench_TEST_EN", [ROW | {"answer": "A"}])
    assert bench.withheld(bench.samples()) is None
    partly = make_benchmark("MMBench_TEST_EN", [ROW | {"answer": "A"}, ROW | {"answer": None}])
    assert "not public" in partly.withheld(partly.samples())
    assert make_benchmark("MMStar", [ROW]).withheld([]) is None, "a file without answers is a fault there"


def test_the_table_of_predictions_is_handed_in_by_default(make_benchmark: Any):
    bench = make_benchmark("AesBench_TEST", [ROW | {"index": k} for k in "01"])
    file = make_submission(bench, list(bench.samples()), {"0": "A", "1": None})
    assert file.ending == ".xlsx"
    assert cells_of(file.content) == [
        ("index", "question", "A", "B", "prediction"),
        ("0", "q", "cat", "dog", "A"),
        ("1", "q", "cat", "dog", None),
    ]


def test_what_no_rule_reads_is_handed_in_as_it_is(make_benchmark: Any):
    rows = [ROW | {"id": "one"}, ROW | {"id": "two"}, {"question": "q", "A": None, "B": None, "id": "three"}]
    answers = {"0": "B", "1": "something else, neither of them", "2": "7.5"}
    corrected = make_benchmark("MMMU_TEST", rows)
    told = json.loads(make_submission(corrected, list(corrected.samples()), answers).content)
    assert told == {"one": "B", "two": answers["1"], "three": "7.5"}
    reference = make_benchmark("MMMU_TEST", rows, "vlmeval")
    told = json.loads(make_submission(reference, list(reference.samples()), answers).content)
    assert told == {"one": "B", "two": False, "three": "7.5"}


@pytest.mark.parametrize(("protocol", "told"), [("vlmeval", [0, None, FAILED]), ("eyechart", ["=5", "", None])])
def test_answers_to_open_questions_are_handed_in_as_the_reference_reads_them_back(
    make_benchmark: Any, protocol: str, told: list[Any]
):
    bench = make_benchmark("MMMU_TEST", [ROW | {"A": None, "B": None, "id": str(k)} for k in range(3)], protocol)
    file = make_submission(bench, list(bench.samples()), {"0": "=5", "1": "", "2": None})
    assert list(json.loads(file.content).values()) == told


def test_letters_are_handed_in_with_what_they_were_read_from(make_benchmark: Any):
    bench = make_benchmark("MMT-Bench_ALL", [ROW | {"index": "0", "L2-Category": "ocr"}])
    file = make_submission(bench, list(bench.samples()), {"0": "It is a dog"})
    assert file.ending == "_exact_matching_submission.tsv"
    assert file.content.decode().splitlines() == [
        "index\tquestion\tA\tB\tl2-category\tprediction\topt\tlog",
        "0\tq\tcat\tdog\tocr\tIt is a dog\tB\tIt is a dog",
    ]


@pytest.mark.parametrize(("protocol", "told"), [("vlmeval", ["0", "nan", FAILED]), ("eyechart", ["=A", "", ""])])
def test_predictions_are_handed_in_as_the_reference_reads_them_back(
    make_benchmark: Any, protocol: str, told: list[str]
):
    bench = make_benchmark("MMT-Bench_ALL", [ROW | {"index": str(k)} for k in range(3)], protocol)
    file = make_submission(bench, list(bench.samples()), {"0": "=A", "1": "", "2": None})
    rows = csv.DictReader(io.StringIO(file.content.decode()), dialect="excel-tab")
    assert [row["prediction"] for row in rows] == told
