"""Headlines of the newest run of a configuration."""

from __future__ import annotations

import pytest

from eyechart import Summarizer, VLMEvalKitBackendManager, list_supported_datasets, list_supported_models
from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "LOCAL_LLM", "EYECHART_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LMUData", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Mine.tsv").write_text("index\tquestion\timage\tanswer\n")
    return tmp_path


def task(**fields):
    evaluation = {"model": [{"type": "org/my.model:7b", "api_base": "http://h/v1"}], "data": ["Mine"]}
    return {"work_dir": "outputs", **fields, "eval_config": evaluation}


def write_run(folder, task_cfg, stamp, rows, state="finished"):
    plan = resolve(load_tasks(task_cfg)[0], read_environment())
    run = folder / stamp
    (run / "my_model-7b").mkdir(parents=True)
    (run / "run.json").write_text(f'{{"digest": "{plan.digest}", "state": "{state}"}}')
    if rows:
        (run / "my_model-7b" / "my_model-7b_Mine_acc.csv").write_text(rows)
    return run


ROWS = '"split","Overall","n","note"\n"none","0.5","12",""\n"dev","0.75","4","x"\n'


def test_the_first_row_of_the_newest_run(folder):
    write_run(folder / "outputs", task(), "20260101_000000", ROWS.replace("0.5", "0.1"))
    write_run(folder / "outputs", task(), "20260102_000000", ROWS)
    write_run(folder / "outputs", {**task(), "work_dir": "other"}, "20250102_000000", "")
    assert Summarizer.get_report_from_cfg(task()) == [
        {"my_model-7b_Mine_acc": {"split": "none", "Overall": 0.5, "n": 12, "note": None}}
    ]


def test_numbers_keep_their_kind(folder):
    write_run(folder / "outputs", task(), "20260101_000000", '"a","b","c","d"\n"1","1.0","1e-3","1.2.3"\n')
    row = Summarizer.get_report_from_cfg(task())[0]["my_model-7b_Mine_acc"]
    assert [(value, type(value)) for value in row.values()] == [(1, int), (1.0, float), (0.001, float), ("1.2.3", str)]


@pytest.mark.parametrize("fixed", [{"use_cache": "here"}, {"work_dir": "here", "no_timestamp": True}])
def test_a_run_in_a_given_folder(folder, fixed):
    write_run(folder, task(**fixed), "here", ROWS)
    assert Summarizer.get_report_from_cfg(task(**fixed))[0]["my_model-7b_Mine_acc"]["Overall"] == 0.5
    with pytest.raises(ConfigError, match="no run in there"):
        Summarizer.get_report_from_cfg(task(use_cache="there"))


def test_a_list_of_tasks(folder):
    write_run(folder / "one", task(work_dir="one"), "20260101_000000", ROWS)
    write_run(folder / "two", task(work_dir="two"), "20260101_000000", ROWS)
    assert len(Summarizer.get_report_from_cfg([task(work_dir="one"), task(work_dir="two")])) == 2


def test_before_there_is_anything():
    with pytest.raises(ConfigError, match="no run of this configuration in outputs"):
        Summarizer.get_report_from_cfg(task())


def test_a_run_without_results(folder):
    write_run(folder / "outputs", task(), "20260101_000000", "")
    with pytest.raises(DataError, match=r"no result yet.*eyechart resume"):
        Summarizer.get_report_from_cfg(task())


def test_a_table_without_rows(folder):
    write_run(folder / "outputs", task(), "20260101_000000", '"split"\n')
    with pytest.raises(DataError, match="has no row"):
        Summarizer.get_report_from_cfg(task())


def test_lists():
    assert {"SEEDBench_IMG", "ChartQA_TEST", "OCRBench"} <= set(list_supported_datasets())
    assert list_supported_datasets() == sorted(list_supported_datasets(), key=str.lower)
    assert VLMEvalKitBackendManager.list_supported_datasets() == list_supported_datasets()
    models = list_supported_models()
    assert VLMEvalKitBackendManager.list_supported_models() == models
    assert models[:4] == ["CustomAPIModel", "EyechartReader", "transformers", "qwen_chat"]
    assert {"Qwen2.5-VL-7B-Instruct", "llava_v1.5_7b", "SmolVLM"} <= set(models)
