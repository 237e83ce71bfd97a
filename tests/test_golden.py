"""Every folder of golden vectors, one test per file: prompts, per-sample results, tables.

``EYECHART_GOLDEN`` names another directory of such folders. A folder or file that cannot be run fails by name.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.engine.media import load_image
from eyechart.errors import DataError
from eyechart.messages import Image, Part, Text
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.letters import read_letter
from eyechart.scoring.protocol import VLMEVAL

GOLDEN = Path(os.environ.get("EYECHART_GOLDEN") or Path(__file__).parent / "golden")

# Benchmarks that arrive with later versions: the only place where golden folders are left out.
LATER_NAMES = """
    A-Bench_VAL AI2D_TEST_NO_MASK AesBench_VAL BLINK CCBench COCO_VAL DUDE DocVQA_TEST GMAI-MMBench_VAL
    GMAI_mm_bench_VAL HallusionBench InfoVQA_VAL LLaVABench MLLMGuard_DS MMBench-Video MMBench_DEV_CN
    MMBench_DEV_EN_V11 MMBench_TEST_EN MMDU MME MMLongBench_DOC MMMB MMMU_DEV_VAL MMMU_TEST MMT-Bench_ALL
    MMT-Bench_VAL MMT-Bench_VAL_MI MMVet MTL_MMBench_DEV MTVQA_TEST MVBench MVBench_MP4 MathVision_MINI
    MathVista_MINI OCRVQA_TESTCORE POPE Q-Bench1_VAL SEEDBench2 SLIDEVQA ScienceQA_TEST
    TaskMeAnything_v1_imageqa_random VCR_EN_EASY_100 VCR_ZH_HARD_100 Video-MME
"""
LATER = MappingProxyType(dict.fromkeys(LATER_NAMES.split(), "later"))

RUBRICS = MappingProxyType({"en": "option_letter_en", "cn": "option_letter_cn"})
MODES = frozenset({"exact", "judge"})
CASE_KEYS = """
    error judge_calls judge_prompt_kind judge_replies judge_reply_when_exhausted mode note per_sample predictions
    prefetch scores table_columns
"""


def folders() -> list[Path]:
    found = sorted(path for path in GOLDEN.iterdir() if path.is_dir()) if GOLDEN.is_dir() else []
    return [path for path in found if not path.name.startswith("_")]


def files(pattern: str) -> list[Any]:
    """Returns the matching files of all folders as parameters."""
    return [
        pytest.param(
            path,
            id=f"{folder.name}/{path.stem}",
            marks=[pytest.mark.skip(reason=LATER[folder.name])] if folder.name in LATER else [],
        )
        for folder in folders()
        for path in sorted(folder.glob(pattern))
    ]


def loaded(folder: Path, data_root: Path, protocol: Any = "vlmeval") -> Benchmark:
    for path in folder.iterdir():
        if path.name == "dataset.tsv":
            shutil.copy(path, data_root / f"{folder.name}.tsv")
        elif path.is_dir() and path.name != "cases":
            shutil.copytree(path, data_root / path.name)
    return load_benchmark(folder.name, data_root=data_root, protocol=protocol)


def test_there_is_something_to_run():
    assert folders(), f"no golden folders in {GOLDEN}"


@pytest.mark.parametrize("name", [f.name for f in sorted(GOLDEN.glob("_*"))])
def test_part(name: str):
    # Vectors of parts have their own tests: `_mcq` here, `_api` in test_golden_api.py and scoring/test_round_trip.py.
    assert name in {"_mcq", "_api"}, f"golden folder {name} has no test"


@pytest.mark.parametrize("name", [f.name for f in folders()])
def test_folder(name: str):
    if name in LATER:
        pytest.skip(LATER[name])
    files = [f.name for f in (GOLDEN / name).glob("*.json")]
    unknown = [file for file in files if file != "prompts.json" and not file.startswith("prompts_")]
    assert not unknown, f"golden files {unknown} of {name} have no test"
    assert (GOLDEN / name / "dataset.tsv").exists()


def test_letters():
    entries = json.loads((GOLDEN / "_mcq" / "can_infer.json").read_text(encoding="utf-8"))
    wrong = [e for e in entries if (read_letter(e["answer"], e["choices"]).letter or False) != e["result"]]
    assert wrong == []


@pytest.mark.parametrize("path", files("prompts*.json"))
def test_prompts(path: Path, tmp_path: Path):
    variants = {"prompts": VLMEVAL, "prompts_localized": replace(VLMEVAL, localize_above_bytes=0)}
    assert path.stem in variants, f"golden file {path.name} of {path.parent.name} has no test"
    bench = loaded(path.parent, tmp_path, variants[path.stem])
    built = {}
    for sample in bench.samples():
        messages = bench.prompt(sample)
        assert [m.role for m in messages] == ["user"]
        built[sample.index] = [shown(part) for part in messages[0].parts]
    expected = json.loads(path.read_text(encoding="utf-8"))
    assert built == {index: [trimmed(part) for part in parts] for index, parts in expected.items()}
    assert len(bench) == len(built)


def shown(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "value": part.text}
    assert isinstance(part, Image)
    picture = load_image(part).convert("RGB")
    digest = hashlib.sha256(picture.tobytes()).hexdigest()
    return {"type": "image", "value": part.name, "size": list(picture.size), "rgb_sha256": digest}


def trimmed(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "path"}


@pytest.mark.parametrize("path", files("cases/*.json"))
def test_case(path: Path, tmp_path: Path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["mode"] in MODES
    assert case.keys() <= set(CASE_KEYS.split()), f"golden file {path.name} has keys that no test reads"
    bench = loaded(path.parent.parent, tmp_path)
    judge = ScriptedJudge(case)
    try:
        result = score_predictions(bench, case["predictions"], judge if case["mode"] == "judge" else None)
    except DataError:
        # Where the reference crashed a clear error is right, and so is an answer.
        assert "error" in case
        return
    if "error" in case:
        return
    assert result.protocol == "vlmeval"
    assert result.per_sample.keys() == case["per_sample"].keys()
    for index, expected in case["per_sample"].items():
        got = {key: result.per_sample[index].get(key) for key in expected}
        assert same(got, expected), f"sample {index}: {got} instead of {expected}"
    table = [dict(record) for record in sorted(result.table, key=split_of)]
    assert same(table, sorted(case["scores"], key=split_of)), f"{table} instead of {case['scores']}"
    assert all(set(record) == set(result.columns) for record in result.table)
    assert list(result.columns) == case.get("table_columns", list(result.columns))
    if case["mode"] == "judge":
        assert judge.calls == case["judge_calls"]
        assert judge.rubrics == {index: RUBRICS[kind] for index, kind in case["judge_prompt_kind"].items()}
        assert result.counts["judged"] == len(case["judge_calls"])


class ScriptedJudge:
    """Answers from the case's script; after its end with the reference's failure text."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.replies = case.get("judge_replies", {})
        self.exhausted = case.get("judge_reply_when_exhausted", "")
        self.calls: Counter[str] = Counter()
        self.rubrics: dict[str, str] = {}

    async def __call__(self, request: JudgeRequest) -> str:
        replies = self.replies.get(request.index, [])
        position = self.calls[request.index]
        assert request.attempt == position
        self.calls[request.index] += 1
        self.rubrics[request.index] = request.rubric.partition("@")[0]
        return replies[position] if position < len(replies) else self.exhausted


def same(got: Any, expected: Any) -> bool:
    """Whether two values are equal, floats to 1e-9, and NaN like a missing number."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.keys() == expected.keys() and all(same(got[k], expected[k]) for k in got)
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(same, got, expected))
    if is_number(expected) and is_number(got):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9)
    return missing(got) if missing(expected) else bool(got == expected)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not missing(value)


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def split_of(record: Any) -> str:
    return str(record.get("split"))
