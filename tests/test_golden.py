"""Every folder of golden vectors, one test per file: prompts, per-sample results, tables.

``EYECHART_GOLDEN`` names another directory of such folders. A folder or file that cannot be run fails by name.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import math
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
import openpyxl
import pytest
from golden_videos import VIDEOS, in_reference_form

from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.scoring_run import make_submission, make_submission_async, score_predictions
from eyechart.benchmarks.vcr import VCR
from eyechart.engine.documents import Documents, page_settings
from eyechart.engine.media import load_image
from eyechart.errors import DataError, MediaError
from eyechart.messages import Image, Message, Part, Text
from eyechart.records import Failure, ScoreResult, Table
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.letters import read_letter
from eyechart.scoring.protocol import VLMEVAL
from eyechart.scoring.words import CHARACTERS, Words, with_gaps
from eyechart.scoring.yes_no import read_yn

GOLDEN = Path(os.environ.get("EYECHART_GOLDEN") or Path(__file__).parent / "golden")

RUBRICS = MappingProxyType({"en": "option_letter_en", "cn": "option_letter_cn", "blink": "option_letter_blink"})
MODES = frozenset({"exact", "judge"})  # "pack" has a test of its own
NOT_REPRODUCED = "not expected to be reproduced"
MORE_TABLES = MappingProxyType({"scores_fine": "score_fine"})
CASE_KEYS = """
    answers
    columns
    direct_evaluate
    error
    evaluate_returned
    file
    group_tables
    hidden
    judge_args
    judge_calls
    judge_prompt_head
    judge_prompt_kind
    judge_prompt_last_line
    judge_prompt_tail
    judge_replies
    judge_reply_when_exhausted
    judge_temperatures
    judge_working
    mode
    note
    per_sample
    per_sample_note
    prediction_columns
    predictions
    prefetch
    prefetched_only
    primary_metric
    rows_unordered
    scores
    scores_fine
    skip_reason
    submission
    table_columns
    table_rows
"""
SHOWN_CHARACTERS = 60  # of an answer, as golden cases show it where they tell what was read
OTHER_FILES = frozenset(
    {"chat_flow.json", "index_map.json", "official_server.json", "other_judge.json", "reading.json"}
)

# Document benchmarks: prompts of some rows alone, and how the reference puts pages together for a model of that name.
DOCUMENTS = frozenset({"DUDE", "MMLongBench_DOC", "SLIDEVQA"})
RENDERED = frozenset(
    {"DUDE", "MMLongBench_DOC"}
)  # by another renderer than the reference's: sizes are equal, not pixels
PACKED: MappingProxyType[str, dict[str, int]] = MappingProxyType(
    {
        "prompts": {},
        "prompts_InternVL-Chat-V1-5": {"concat_num": 5, "column_num": 2},
        "prompts_MiniCPM-Llama3-V-2_5": {"concat_num": 1, "column_num": 5},
        "prompts_XComposer2d5": {"concat_num": 1, "column_num": -1},
    }
)

CUT = 200  # characters of a long text that a case holds


def folders() -> list[Path]:
    found = sorted(path for path in GOLDEN.iterdir() if path.is_dir()) if GOLDEN.is_dir() else []
    return [path for path in found if not path.name.startswith("_")]


def files(pattern: str, *, videos: bool = True) -> list[Any]:
    """Returns the matching files of all folders as parameters, those of benchmarks on videos among them or not."""
    return [
        pytest.param(
            path,
            id=f"{folder.name}/{path.stem}",
        )
        for folder in folders()
        for path in sorted(folder.glob(pattern))
        if videos or folder.name not in VIDEOS
    ]


def loaded(folder: Path, data_root: Path, protocol: Any = "vlmeval", *, dataset: str = "dataset.tsv") -> Benchmark:
    for path in folder.iterdir():
        if path.name == dataset:
            shutil.copy(path, data_root / f"{folder.name}.tsv")
        elif path.suffix == ".tsv" and not path.name.startswith("dataset"):  # a part of a joined benchmark
            shutil.copy(path, data_root)
        elif path.is_dir() and path.name != "cases":
            shutil.copytree(path, data_root / path.name)
    return load_benchmark(folder.name, data_root=data_root, protocol=protocol)


def dataset_of(case: dict[str, Any]) -> str:
    """Returns the file that a case is about; its note says so where it is another one than usual."""
    named = re.search(r"dataset\w*\.tsv", case.get("note", ""))
    return named[0] if named else "dataset.tsv"


def test_there_is_something_to_run():
    assert folders(), f"no golden folders in {GOLDEN}"


@pytest.mark.parametrize("name", [f.name for f in sorted(GOLDEN.glob("_*"))])
def test_part(name: str):
    # Vectors of parts have their own tests: `_mcq` here, `_api` in test_golden_api.py and scoring/test_round_trip.py.
    assert name in {"_mcq", "_api"}, f"golden folder {name} has no test"


@pytest.mark.parametrize("name", [f.name for f in folders()])
def test_folder(name: str):
    files = [f.name for f in (GOLDEN / name).glob("*.json")]
    # Those of benchmarks on videos are read in test_golden_videos.py.
    known = r"(prompts|frames)(_[\w.]+)?\.json|test\.json" if name in VIDEOS else r"prompts(_[\w-]+)?\.json"
    unknown = [file for file in files if not re.fullmatch(known, file) and file not in OTHER_FILES]
    assert not unknown, f"golden files {unknown} of {name} have no test"
    assert list((GOLDEN / name).glob("*.tsv"))


def test_letters():
    entries = json.loads((GOLDEN / "_mcq" / "can_infer.json").read_text(encoding="utf-8"))
    wrong = [e for e in entries if (read_letter(e["answer"], e["choices"]).letter or False) != e["result"]]
    assert wrong == []


@pytest.mark.parametrize("path", files("reading.json"))
def test_yes_or_no(path: Path):
    entries = json.loads(path.read_text(encoding="utf-8"))
    assert entries
    assert [(text, read_yn(text)) for text, _ in entries] == [(text, verdict) for text, verdict in entries]


@pytest.mark.parametrize("path", files("prompts*.json", videos=False))
def test_prompts(path: Path, tmp_path: Path):
    if path.parent.name in DOCUMENTS:
        check_documents(path, tmp_path)
        return
    # A variant is another file of the benchmark, or another way to load the same.
    dataset = path.name.replace("prompts", "dataset").replace(".json", ".tsv")
    variants = {"prompts": VLMEVAL, "prompts_localized": replace(VLMEVAL, localize_above_bytes=0)}
    expected = json.loads(path.read_text(encoding="utf-8"))
    if any("role" in part for parts in expected.values() for part in parts):
        check_dialogues(loaded(path.parent, tmp_path), expected)
        return
    # Where the reference crashed a clear error is right, and so is a prompt.
    crashed = {index for index, parts in expected.items() if any(part["type"] == "error" for part in parts)}
    if (path.parent / dataset).exists():
        bench = loaded(path.parent, tmp_path, dataset=dataset)
    else:
        assert path.stem in variants, f"golden file {path.name} of {path.parent.name} has no test"
        bench = loaded(path.parent, tmp_path, variants[path.stem])
    built = {}
    for sample in bench.samples():
        try:
            messages = bench.prompt(sample)
        except (DataError, MediaError):
            assert sample.index in crashed
            continue
        assert [m.role for m in messages] == ["user"]
        built[sample.index] = [shown(part) for part in messages[0].parts]
    assert len(bench) == len(expected)
    for index in expected.keys() - crashed:
        assert built[index] == [trimmed(part) for part in expected[index]], index


def check_documents(path: Path, tmp_path: Path) -> None:
    expected = json.loads(path.read_text(encoding="utf-8"))
    left_out = {"rgb_sha256", "path"} if path.parent.name in RENDERED else {"path"}
    bench = loaded(path.parent, tmp_path)
    built = {}
    with Documents(page_settings(VLMEVAL, **PACKED[path.stem])) as documents:
        for sample in bench.samples():
            if sample.index in expected:
                (message,) = documents.shown(bench.prompt(sample))
                built[sample.index] = [trimmed(shown(part), left_out) for part in message.parts]
    assert built.keys() == expected.keys()
    for index, parts in expected.items():
        assert built[index] == [trimmed(part, left_out) for part in parts], index


def check_dialogues(bench: Benchmark, expected: dict[str, Any]) -> None:
    """Compares whole dialogues; in the reference's prompts the right answers stand where the model's own will."""
    assert len(bench) == len(expected)
    for sample in bench.samples():
        said = expected[sample.index]
        *answers, last = [said_as_text(turn["content"]) for turn in said if turn["role"] == "assistant"]
        assert (bench.turns(sample), last) == (len(answers) + 1, ast.literal_eval(str(sample.cells["answer"]))[-1])
        assert bench.prompt(sample) == bench.turn_prompt(sample, ())
        assert [shown_message(m) for m in bench.turn_prompt(sample, answers)] == [
            shown_turn(turn) for turn in said[:-1]
        ]


@pytest.mark.parametrize("path", files("chat_flow.json"))
def test_dialogue(path: Path, tmp_path: Path):
    """What the model is given turn by turn, where its second turn always fails."""
    flow = json.loads(path.read_text(encoding="utf-8"))
    bench = loaded(path.parent, tmp_path)
    for sample in bench.samples():
        answers: list[str] = []
        for turns in flow[sample.index]["turns_seen"]:
            assert [shown_message(m) for m in bench.turn_prompt(sample, answers)] == [shown_turn(t) for t in turns]
            failed = bench.failed_turn(Failure("MediaError", "boom", "prepare"))
            answers.append(failed if len(answers) == 1 and failed else f"model answer {len(answers) + 1}")
        assert (answers, len(answers)) == (flow[sample.index]["answers"], bench.turns(sample))


def said_as_text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part["value"] for part in content)


def shown_turn(turn: dict[str, Any]) -> dict[str, Any]:
    content = turn["content"]
    parts = [{"type": "text", "value": content}] if isinstance(content, str) else [trimmed(part) for part in content]
    return {"role": turn["role"], "parts": parts}


def shown_message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [shown(part) for part in message.parts]}


def shown(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "value": part.text}
    assert isinstance(part, Image)
    picture = load_image(part).convert("RGB")
    digest = hashlib.sha256(picture.tobytes()).hexdigest()
    return {"type": "image", "value": part.name, "size": list(picture.size), "rgb_sha256": digest}


def trimmed(part: dict[str, Any], left_out: Collection[str] = ("path",)) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in left_out}


@pytest.mark.parametrize("path", [case for case in files("cases/*.json") if "/pack_" not in str(case.id)])
def test_case(path: Path, tmp_path: Path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["mode"] in MODES
    assert case.keys() <= set(CASE_KEYS.split()), f"golden file {path.name} has keys that no test reads"
    bench = loaded(path.parent.parent, tmp_path, dataset=dataset_of(case))
    if "answers" in case:
        change_answers(bench, case["answers"])
    if isinstance(bench, VCR):
        bench.words = stand_in(path.stem) or bench.words
    if case.get("hidden"):
        check_hidden(bench, case)
        return
    judge = ScriptedJudge(case)
    works = case.get("judge_working", "probe of the judge fails" not in case.get("note", ""))
    asked = case["mode"] == "judge" and works
    if "file" in case:
        check_submission(bench, case, judge)
        return
    try:
        result = score_predictions(bench, case["predictions"], judge if asked else None)
    except DataError:
        # Where the reference crashed a clear error is right, and so is an answer.
        assert "error" in case
        return
    if "error" in case or NOT_REPRODUCED in case.get("note", ""):
        return
    assert result.protocol == "vlmeval"
    if "_acc_all.csv" not in case.get("note", ""):
        assert result.per_sample.keys() == case["per_sample"].keys()
    for index, expected in case["per_sample"].items():
        got = {key: as_shown(key, result.per_sample[index].get(key)) for key in expected}
        assert same(got, expected), f"sample {index}: {got} instead of {expected}"
    table = result.more_tables["acc_all"] if "_acc_all.csv" in case.get("note", "") else main_table(result)
    rows = in_reference_form(bench.name, table.rows)
    assert same_rows(rows, case["scores"]), f"{rows} instead of {case['scores']}"
    assert all(set(record) == set(table.columns) for record in table.rows)
    assert list(table.columns) == case.get("table_columns", case.get("columns", list(table.columns)))
    for group, rows in case.get("group_tables", {}).items():
        assert same_rows(result.more_tables[f"{group}_acc"].rows, rows)
    for key, ending in MORE_TABLES.items():
        if key in case:
            assert same([dict(record) for record in result.more_tables[ending].rows], case[key])
    if case["mode"] == "judge":
        assert result.counts["judged"] == len(case["judge_calls"])
        check_requests(case, judge.requests)
    if "prefetched_only" in case:
        exact = score_predictions(bench, case["predictions"]).table
        assert same({key: exact[0][key] for key in case["prefetched_only"]}, case["prefetched_only"])


def check_requests(case: dict[str, Any], asked: dict[str, list[JudgeRequest]]) -> None:
    """Compares what the judge was asked: how often, how warm, by which rubric, and about which texts."""
    assert {index: len(requests) for index, requests in asked.items()} == case["judge_calls"]
    if "judge_prompt_kind" in case:
        rubrics = {index: requests[0].rubric.partition("@")[0] for index, requests in asked.items()}
        assert rubrics == {index: RUBRICS[kind] for index, kind in case["judge_prompt_kind"].items()}
    for index, head in case.get("judge_prompt_head", {}).items():
        assert asked[index][0].prompt.startswith(head)
    for index, line in case.get("judge_prompt_last_line", {}).items():
        assert asked[index][0].prompt.endswith(f"\n{line}")
    for index, tail in case.get("judge_prompt_tail", {}).items():
        # Rubrics are in words of our own: what they show stands in the same order.
        question, reply = tail.removesuffix("Extracted answer:").split("\nModel respone: ")
        assert question in asked[index][0].prompt
        assert reply in asked[index][0].prompt.partition(question)[2]
    args = case.get("judge_args", {})
    for index, temperatures in case.get("judge_temperatures", {}).items():
        # Where a call gives no temperature, that of the judge holds.
        assert [r.temperature for r in asked[index]] == [args["temperature"] if t is None else t for t in temperatures]
    if args:
        assert {r.max_tokens for requests in asked.values() for r in requests} == {args.get("max_tokens")}
        # Rubrics are in words of our own, and so are their system texts.
        assert {bool(r.system) for requests in asked.values() for r in requests} == {"system_prompt" in args}


def check_submission(bench: Benchmark, case: dict[str, Any], judge: ScriptedJudge) -> None:
    """Compares the file for the benchmark's own server."""
    samples = [sample for sample in bench.samples() if sample.index in case["predictions"]]
    assert bench.withheld(samples)
    if case["mode"] == "judge":
        ask = partial(make_submission_async, bench, samples, case["predictions"], judge, judge_name="openai")
        submission = anyio.run(ask)
    else:
        submission = make_submission(bench, samples, case["predictions"])
    assert case["file"] == f"mdl_{bench.name}{submission.ending}"
    if "submission" in case:
        assert json.loads(submission.content) == case["submission"]
        return
    rows = list(csv.DictReader(io.StringIO(submission.content.decode()), dialect="excel-tab"))
    assert list(rows[0]) == case["columns"]
    assert {row["index"]: {"log": row["log"], "opt": row["opt"]} for row in rows} == case["per_sample"]
    assert {index: len(requests) for index, requests in judge.requests.items()} == case["judge_calls"]


@pytest.mark.parametrize("name", [f.parent.name for f in sorted(GOLDEN.glob("*/official_server.json"))])
def test_answers_that_are_not_public(name: str, tmp_path: Path):
    public = json.loads((GOLDEN / name / "official_server.json").read_text(encoding="utf-8"))
    for dataset in (stem for stem in public if " " not in stem):
        # A file beside it that has all answers opens the reference's gate, behind which it crashes.
        bench = loaded(GOLDEN / name, tmp_path, dataset=f"{dataset}.tsv")
        assert (bench.withheld(bench.samples()) is None) == public[dataset]


def change_answers(bench: Benchmark, answers: dict[str, str]) -> None:
    """Gives some rows of a benchmark another cell under ``answer``, by index."""
    samples = [
        replace(s, cells={**s.cells, "answer": answers.get(s.index, s.cells["answer"])}) for s in bench.samples()
    ]
    bench.samples = lambda: iter(samples)  # type: ignore[method-assign]


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """Returns a row of a table in which a list stands in columns of its own, numbered from 1."""
    return {
        f"{name}_{k}" if isinstance(value, list) else name: item
        for name, value in record.items()
        for k, item in enumerate(value if isinstance(value, list) else [value], 1)
    }


def stand_in(case: str) -> Words | None:
    """Returns what the case's name says that texts were cut into words with, in the place of a model."""
    if case.endswith("_char"):
        return CHARACTERS
    if case.endswith("_jieba"):
        jieba = pytest.importorskip("jieba")
        return Words("jieba", lambda text: with_gaps(jieba.cut(text), text), "")
    return None


def check_hidden(bench: Benchmark, case: dict[str, Any]) -> None:
    """Checks a benchmark whose answers are not public: it hands in what was asked and answered, and gives no score."""
    with pytest.raises(DataError, match="not public"):
        score_predictions(bench, case["predictions"])
    samples = list(bench.samples())
    assert bench.withheld(samples)
    book = openpyxl.load_workbook(io.BytesIO(make_submission(bench, samples, case["predictions"]).content))
    assert [cell.value for cell in book.active[1]] == case["prediction_columns"]


class ScriptedJudge:
    """Answers from the case's script; after its end with the reference's failure text."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.replies = case.get("judge_replies", {})
        self.exhausted = case.get("judge_reply_when_exhausted", "")
        self.requests: dict[str, list[JudgeRequest]] = {}

    async def __call__(self, request: JudgeRequest) -> str:
        replies = self.replies.get(request.index, [])
        asked = self.requests.setdefault(request.index, [])
        position = len(asked)
        assert request.attempt == position
        asked.append(request)
        return replies[position] if position < len(replies) else self.exhausted


def as_shown(key: str, value: Any) -> Any:
    if key != "prediction_as_read" or not isinstance(value, str) or len(value) <= SHOWN_CHARACTERS:
        return value
    return value[:SHOWN_CHARACTERS] + "…"


def same(got: Any, expected: Any) -> bool:
    """Whether two values are equal, floats to 1e-9, NaN like a missing number, and texts as far as cases hold them."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.keys() == expected.keys() and all(same(got[k], expected[k]) for k in got)
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if is_number(expected) and is_number(got):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, str) and len(expected) == CUT:
        return isinstance(got, str) and got.startswith(expected)
    return missing(got) if missing(expected) else bool(got == expected)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not missing(value)


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def main_table(result: ScoreResult) -> Table:
    return Table(result.columns, result.table, result.metrics)


def same_rows(got: Any, expected: Any) -> bool:
    """Whether two tables have the same rows; the reference orders some of them by chance."""
    return same(sorted(map(flat, got), key=row_name), sorted(map(flat, expected), key=row_name))


def row_name(record: Any) -> tuple[str, str]:
    return str(record.get("DATASET")), str(record.get("split"))
