from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_judges import JudgeOfSamples
from tiny_benchmarks import write_tiny

from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.joined import Joined, JoinedSource
from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError
from eyechart.records import Cell
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.protocol import EYECHART

PARTS = catalog()["MMMB"].parts
UNCLEAR = "the picture is rather dark and shows nothing in particular, as far as anybody can tell from here"


def joined(tmp_path: Path, name: str = "MMMB", protocol: str = "eyechart") -> Joined:
    write_tiny(name, tmp_path)
    bench = load_benchmark(name, tmp_path, protocol)
    assert isinstance(bench, Joined)
    return bench


def rename_split(tmp_path: Path, name: str) -> None:
    for file in tmp_path.glob("*.tsv"):
        header, rows = file.read_text().split("\n", 1)
        columns = [name if column.lower() == "split" else column for column in header.split("\t")]
        file.write_text("\t".join(columns) + "\n" + rows)


def test_rows_are_counted_over_all_parts(tmp_path: Path):
    bench = joined(tmp_path)
    samples = list(bench.samples())
    assert [sample.index for sample in samples] == [str(k) for k in range(36)]
    assert (samples[13].cells["SUB_DATASET"], samples[13].cells["original_index"]) == (PARTS[2], "1")
    assert isinstance(bench.source, JoinedSource)
    assert bench.source.original(samples[13]) == list(load_benchmark(PARTS[2], tmp_path).samples())[1]
    assert list(bench.source.files) == list(PARTS)
    assert len(bench.source) == bench.source.rows == 36
    assert bench.source.stamp is not None


def test_a_part_prompts_as_it_would_alone(tmp_path: Path):
    bench = joined(tmp_path)
    alone = load_benchmark(PARTS[5], tmp_path)
    assert [bench.prompt(s) for s in bench.samples()][30:] == [alone.prompt(s) for s in alone.samples()]


def test_pictures_are_copied_as_jpeg_in_the_reference(tmp_path: Path):
    bench = joined(tmp_path, protocol="vlmeval")
    (picture,) = bench.source.images(list(bench.samples())[7])
    assert (picture.name, picture.stored_as) == ("1.jpg", "jpeg")


def test_results_tables_and_the_accuracy_over_all(tmp_path: Path):
    bench = joined(tmp_path)
    right = {sample.index: sample.cells["answer"] for sample in bench.samples()}
    answers: dict[str, Cell] = {**right, "0": "C", "7": "D"}
    result = score_predictions(bench, answers)
    assert list(result.per_sample)[:2] == ["MMMB_ar:0", "MMMB_ar:1"]
    assert result.per_sample["MMMB_cn:1"]["hit"] == 0
    assert result.columns[-1] == "DATASET"
    assert [row["DATASET"] for row in result.table] == [part for part in PARTS for _ in range(2)]
    overall = result.metrics[0]
    assert (overall.name, overall.row, overall.estimate.mean, overall.estimate.n) == (
        "Overall",
        "all parts",
        34 / 36,
        36,
    )
    assert overall.estimate.clusters == 6, "the parts show the same pictures"
    assert [m.row for m in result.metrics if m.name == "Overall"][1:3] == ["MMMB_ar, val", "MMMB_ar, test"]
    own = score_predictions(load_benchmark(PARTS[0], tmp_path), {str(k): answers[str(k)] for k in range(6)})
    assert result.more_tables["MMMB_ar_acc"].rows == own.table
    rename_split(tmp_path, "part")
    without = score_predictions(load_benchmark("MMMB", tmp_path), answers)
    assert [m.row for m in without.metrics if m.name == "Overall"] == ["all parts", *PARTS]


def test_parts_that_were_not_asked_are_told(tmp_path: Path):
    result = score_predictions(joined(tmp_path), {"0": "A"})
    assert [caveat for caveat in result.caveats if caveat.endswith("was not asked")] == [
        f"{part} was not asked" for part in PARTS[1:]
    ]
    assert [row["Overall"] for row in result.table] == [1.0, *[None] * 5]


def test_a_part_that_was_not_asked_has_no_row_beside_splits_in_the_reference(tmp_path: Path):
    result = score_predictions(joined(tmp_path, protocol="vlmeval"), {"0": "A", "8": "C"})
    assert [(row["DATASET"], row["split"]) for row in result.table] == [("MMMB_ar", "val"), ("MMMB_cn", "val")]
    rename_split(tmp_path, "Split")
    assert len(score_predictions(load_benchmark("MMMB", tmp_path, "vlmeval"), {"0": "A"}).table) == 1
    rename_split(tmp_path, "part")
    without = score_predictions(load_benchmark("MMMB", tmp_path, "vlmeval"), {"0": "A"})
    assert [row["Overall"] for row in without.table] == [1.0, *[None] * 5]


def test_verdicts_are_kept_by_the_joined_index(tmp_path: Path):
    judge = JudgeOfSamples("A")
    bench = joined(tmp_path, "MTL_MMBench_DEV")
    answers: dict[str, Cell] = {sample.index: UNCLEAR for sample in list(bench.samples())[6:12]}
    result = score_predictions(bench, answers, judge)
    assert sorted(judge.asked, key=int) == ["6", "7", "8", "9"], (
        "the second variant of a question after a right first one"
    )
    assert result.counts["judged"] == 4
    assert result.rules["unneeded"] == 2


def test_questions_of_one_index_in_two_parts_are_judged_apart(tmp_path: Path):
    judge = JudgeOfSamples("D")
    bench = joined(tmp_path, "MTL_MMBench_DEV")
    result = score_predictions(bench, dict.fromkeys(("0", "6"), UNCLEAR), judge)
    assert sorted(judge.asked) == ["0", "6"]
    assert {name: record["hit"] for name, record in result.per_sample.items()} == {
        "MMBench_dev_ar:0": 0,
        "MMBench_dev_cn:0": 0,
    }


def test_columns_that_only_later_parts_have_follow_the_name_of_the_part(tmp_path: Path):
    write_tiny("MMMB", tmp_path)
    text = (tmp_path / f"{PARTS[1]}.tsv").read_text()
    (tmp_path / f"{PARTS[1]}.tsv").write_text(text.replace("task 1", "task new"))
    result = score_predictions(load_benchmark("MMMB", tmp_path), {"0": "A", "7": "A"})
    assert result.columns == ("split", "Overall", "ocr", "task 0", "DATASET", "counting", "task new")


def test_a_column_of_some_parts_is_empty_in_the_others(tmp_path: Path):
    answers = {sample.index: sample.cells["answer"] for sample in joined(tmp_path).samples()}
    (tmp_path / "MMMB_ar.tsv").write_text(
        "\n".join(line.replace("\tsplit", "\tpart") for line in (tmp_path / "MMMB_ar.tsv").read_text().splitlines())
    )
    reference = load_benchmark("MMMB", tmp_path, "vlmeval")
    table = score_predictions(reference, answers).table
    assert {row["Overall"] for row in table if row["DATASET"] == "MMMB_ar"} == {None}
    corrected = score_predictions(load_benchmark("MMMB", tmp_path), answers).table
    assert [row["Overall"] for row in corrected if row["DATASET"] == "MMMB_ar"] == [1.0]


def test_parts_of_different_columns_pass_through_a_spreadsheet_together(tmp_path: Path):
    write_tiny("MMMB", tmp_path)
    (tmp_path / "MMMB_ar.tsv").write_text((tmp_path / "MMMB_ar.tsv").read_text().replace("\tsplit", "\tpart"))
    bench = load_benchmark("MMMB", tmp_path, replace(EYECHART, round_trip_table=True))
    result = score_predictions(bench, {"0": "A", "6": "A"})
    assert [(row["DATASET"], row["split"], row["Overall"]) for row in result.table[:2]] == [
        ("MMMB_ar", "none", 1.0),
        ("MMMB_cn", "val", 1.0),
    ]


def test_the_joined_table_and_that_of_each_part_pass_through_spreadsheets(tmp_path: Path):
    # The joined table keeps the texts beside "second"; that of the first part alone makes numbers of them.
    bench = joined(tmp_path, protocol="vlmeval")
    result = score_predictions(bench, {"0": "05", "1": "7.0", "6": "second"})
    logs = [result.per_sample[name]["log"] for name in ("MMMB_ar:0", "MMMB_ar:1", "MMMB_cn:0")]
    assert all("no GPT-based" in log for log in logs)
    shown: list[str] = []

    async def judge(request: JudgeRequest) -> str:
        shown.append(request.prompt.rpartition("Answer: ")[2].partition("\n")[0])
        return "A"

    score_predictions(bench, {"0": "05", "1": "7.0", "6": "second"}, judge)
    assert sorted(shown) == ["5.0", "7.0", "second"]
    shown.clear()
    score_predictions(bench, {"0": "05", "6": "7.0"}, judge)
    assert sorted(shown) == ["5", "7"], "numbers as the joined table has them, whole ones as that of a part has them"


def test_a_missing_part_is_named(tmp_path: Path):
    write_tiny("MMMB", tmp_path)
    (tmp_path / "MMMB_pt.tsv").unlink()
    with pytest.raises(DataError, match="MMMB_pt"):
        load_benchmark("MMMB", tmp_path)


def test_ones_own_file_under_the_name_is_read_as_a_part(tmp_path: Path, make_benchmark: Any):
    write_tiny("MMMB_ar", tmp_path)
    file = (tmp_path / "MMMB_ar.tsv").rename(tmp_path / "MMMB.tsv")
    bench = load_benchmark(str(file), tmp_path)
    assert not isinstance(bench, Joined)
    assert score_predictions(bench, {"0": "A"}).table[0]["Overall"] == 1.0
