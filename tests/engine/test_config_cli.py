"""Configurations from a command line."""

from __future__ import annotations

import copy

import pytest

from eyechart.engine.config import apply_overrides, load_tasks, task_from_options
from eyechart.engine.config_cli import with_judge_options
from eyechart.errors import ConfigError

MAPPING = {"eval_config": {"model": [{"type": "a"}, {"type": "b"}], "data": ["MMStar"]}}


def set_to(*assignments):
    before = copy.deepcopy(MAPPING)
    changed = apply_overrides(MAPPING, assignments)
    assert before == MAPPING
    return changed


def test_values_are_yaml():
    changed = set_to(
        "eval_config.nproc=64", "eval_config.model[1].temperature=1e-1", "eval_config.data=[A, B]", "work_dir=a=b",
        "eval_config.reuse=true", "eval_config.limit=null", "eval_config.model[0].system_prompt='1'", "use_cache=",
        "eval_config.model[0].extra_body.chat_template_kwargs={enable_thinking: false}",
    )  # fmt: skip
    assert changed == {
        "eval_config": {
            "model": [
                {
                    "type": "a",
                    "system_prompt": "1",
                    "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
                },
                {"type": "b", "temperature": 0.1},
            ],
            "data": ["A", "B"],
            "nproc": 64,
            "reuse": True,
            "limit": None,
        },
        "work_dir": "a=b",
        "use_cache": None,
    }


def test_later_assignments_win_and_an_entry_can_be_replaced():
    changed = set_to("eval_config.limit=1", "eval_config.limit=2", "eval_config.model[1]={type: c}")
    assert changed["eval_config"]["limit"] == 2
    assert changed["eval_config"]["model"] == [{"type": "a"}, {"type": "c"}]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("nproc", "--set nproc: expected path=value, such as eval_config.nproc=64"),
        ("key:sk-1", "--set key: expected path=value, such as eval_config.nproc=64"),
        ("=3", "--set '': is no path, expected one such as eval_config.model[0].temperature"),
        ("a..b=1", "--set 'a..b': is no path, expected one such as eval_config.model[0].temperature"),
        ("[0]=1", "--set '[0]': is no path, expected one such as eval_config.model[0].temperature"),
        ("a[x]=1", "--set 'a[x]': is no path, expected one such as eval_config.model[0].temperature"),
        ("a[0]b=1", "--set 'a[0]b': is no path, expected one such as eval_config.model[0].temperature"),
        ("eval_config.model[2].key=1", "--set eval_config.model[2].key: eval_config.model has 2 entries, counted from 0"),
        ("eval_config.model.key=1", "--set eval_config.model.key: eval_config.model is no mapping"),
        ("eval_config[0]=1", "--set eval_config[0]: eval_config is no list"),
        ("eval_config.data[0].x=1", "--set eval_config.data[0].x: eval_config.data[0] is no mapping"),
        ("a={b: *secret}", "--set a: line 1, column 5: not readable as YAML: a value that begins with * must stand in quotes"),
    ],
)  # fmt: skip
def test_assignments_that_do_not_fit(assignment, message):
    with pytest.raises(ConfigError) as caught:
        set_to(assignment)
    assert str(caught.value) == message


def test_a_command_without_a_file():
    mapping = task_from_options(
        model="qwen-vl-chat", api_base="http://localhost:8000/v1", data=["SEEDBench_IMG", "ChartQA_TEST"], limit=20,
        nproc=16, work_dir="out", key="sk-1", temperature=None, max_tokens=64, protocol=None, reuse=True,
    )  # fmt: skip
    assert mapping == {
        "work_dir": "out",
        "eval_backend": "VLMEvalKit",
        "eval_config": {
            "model": [
                {
                    "name": "CustomAPIModel",
                    "type": "qwen-vl-chat",
                    "key": "sk-1",
                    "max_tokens": 64,
                    "api_base": "http://localhost:8000/v1",
                }
            ],
            "data": ["SEEDBench_IMG", "ChartQA_TEST"],
            "limit": 20,
            "nproc": 16,
            "reuse": True,
        },
    }
    (task,) = load_tasks(mapping)
    assert task.eval_config.model[0].type == "qwen-vl-chat"


def test_several_models_and_base_url():
    mapping = task_from_options(model=["a", "b"], data=("MMStar",), base_url="http://h", key="sk-1", max_tokens=5)
    assert mapping["eval_config"] == {
        "model": ["a", "b"],
        "data": ["MMStar"],
        "base_url": "http://h",
        "key": "sk-1",
        "max_tokens": 5,
    }
    entries = task_from_options(model=["a", "b"], data=["MMStar"], api_base="http://h")["eval_config"]["model"]
    assert [entry["type"] for entry in entries] == ["a", "b"]
    entries[0]["key"] = "changed"
    assert "key" not in entries[1]


def test_a_slip_in_an_option_is_found_when_the_task_is_loaded():
    with pytest.raises(ConfigError, match=r"^eval_config\.limt: unknown field; did you mean limit\?$"):
        load_tasks(task_from_options(model="m", api_base="http://h", data=["MMStar"], limt=3))


@pytest.mark.parametrize(
    ("given", "options", "meant"),
    [
        ({}, {}, {}),
        ({"judge": "a"}, {"judge": None, "judge_api_base": None, "judge_nproc": None}, {"judge": "a"}),
        ({}, {"judge": "j"}, {"judge": "j"}),
        ({"judge": {"model": "a", "key": "sk"}}, {"judge": "j"}, {"judge": "j"}),
        (
            {"judge": {"model": "a", "nproc": 3}},
            {"judge_api_base": "http://h", "judge_nproc": 8},
            {"judge": {"model": "a", "nproc": 8, "api_base": "http://h"}},
        ),
        (
            {"judge": [{"model": "a"}, "b"]},
            {"judge_nproc": "auto"},
            {"judge": [{"model": "a", "nproc": "auto"}, "b"]},
        ),
        (
            {},
            {"judge": "j", "judge_api_base": "http://h", "judge_nproc": 8},
            {"judge": "j", "judge_args": {"api_base": "http://h"}, "judge_api_nproc": 8},
        ),
        (
            {"judge": "a", "judge_base_url": "http://a", "judge_retry": 3, "judge_args": '{"top_p": 1}'},
            {"judge_api_base": "http://h"},
            {"judge": "a", "judge_retry": 3, "judge_args": {"top_p": 1, "api_base": "http://h"}},
        ),
        ({"judge": ["a", "b"]}, {"judge_nproc": 8}, {"judge": ["a", "b"], "judge_api_nproc": 8}),
        ({"judge_args": "{"}, {"judge_api_base": "http://h"}, {"judge_args": "{"}),
        ({"judge_args": "[1]"}, {"judge_api_base": "http://h"}, {"judge_args": [1]}),
    ],
)  # fmt: skip
def test_options_that_say_who_judges(given, options, meant):
    task = {"work_dir": "o", "eval_config": given}
    before = copy.deepcopy(task)
    assert with_judge_options(task, options) == {"work_dir": "o", "eval_config": meant}
    assert task == before


def test_a_judge_of_the_command_line_is_not_replaced_by_that_of_the_file():
    task = {"LOCAL_LLM": "a", "OPENAI_API_BASE": "http://h", "eval_config": {"LOCAL_LLM": "b", "judge_retry": 3}}
    assert with_judge_options(task, {"judge": "j"}) == {
        "OPENAI_API_BASE": "http://h",
        "eval_config": {"judge": "j", "judge_retry": 3},
    }
    assert with_judge_options(task, {"judge_nproc": 3})["LOCAL_LLM"] == "a"


def test_a_judge_without_a_file():
    mapping = task_from_options(
        model="m", api_base="http://h", data=["MMStar"], judge="gpt-4o", judge_api_base="http://j", judge_nproc=None
    )
    assert {name: value for name, value in mapping["eval_config"].items() if name.startswith("judge")} == {
        "judge": "gpt-4o",
        "judge_args": {"api_base": "http://j"},
    }
