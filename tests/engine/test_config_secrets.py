"""A key is never shown; and no input whatever gives anything but a task or a ConfigError."""

from __future__ import annotations

import copy
import json
import traceback
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eyechart.engine.config import TaskConfig, apply_overrides, load_tasks, read_environment, resolve
from eyechart.engine.config_eval import EvalConfig
from eyechart.engine.config_judge import JudgeEntry
from eyechart.engine.config_model import ModelEntry
from eyechart.engine.resume import kept_config
from eyechart.errors import ConfigError

SECRET = "sk-5f2c9d-do-not-show"  # noqa: S105
MODEL = {"name": "CustomAPIModel", "type": "m", "api_base": "http://localhost:1/v1"}
SEED = {"work_dir": "o", "eval_config": {"model": [MODEL], "data": ["MMStar"], "mode": "all", "limit": 2}}
NAMES = sorted(
    {
        *TaskConfig.model_fields,
        *EvalConfig.model_fields,
        *ModelEntry.model_fields,
        *JudgeEntry.model_fields,
        "top_p",
        "x",
    }
)


def seed(**model):
    changed = copy.deepcopy(SEED)
    changed["eval_config"]["model"][0] |= model
    return changed


def test_a_good_configuration_never_shows_its_keys():
    mapping = seed(key=SECRET, api_base=f"https://h/v1/chat/completions?api-key={SECRET}&v=1")
    mapping["eval_config"]["model"][0]["extra_body"] = {"api_key": SECRET, "headers": {"Authorization": SECRET}}
    mapping["eval_config"]["model"][0]["access_token"] = SECRET
    mapping |= {"OPENAI_API_KEY": SECRET}
    mapping["eval_config"]["OPENAI_API_KEY"] = SECRET
    (task,) = load_tasks(mapping)
    plan = resolve(task, read_environment({"HOME": "/h", "OPENAI_API_KEY": SECRET, "EYECHART_API_KEY": SECRET}))
    public = json.dumps(plan.public)
    assert SECRET not in public
    assert "https://h/v1/chat/completions?v=1" in public
    assert SECRET not in f"{plan.notes} {plan.digest} {plan.models[0].key} {plan.models[0].key!r}"
    assert plan.models[0].key.get_secret_value() == SECRET


JUDGE = {"model": "j", "api_base": "http://judge/v1"}
JUDGES_KEYS = [
    ({"judge": {**JUDGE, "key": SECRET}}, {}, "eval_config.judge.key"),
    ({"judge": ["gpt-4o", {**JUDGE, "key": SECRET}], "OPENAI_API_BASE": "http://h"}, {}, "eval_config.judge[1].key"),
    ({"judge": "j", "judge_base_url": "http://h", "judge_key": SECRET}, {}, "eval_config.judge_key"),
    ({"judge": "j", "judge_args": {"api_base": "http://h", "key": SECRET}}, {}, "eval_config.judge_args.key"),
    (
        {"judge": "j", "judge_args": json.dumps({"api_base": "http://h", "key": SECRET})},
        {},
        "eval_config.judge_args.key",
    ),
    (
        {"OPENAI_API_BASE": "http://h", "LOCAL_LLM": "j", "OPENAI_API_KEY": SECRET},
        {},
        "eval_config.OPENAI_API_KEY",
    ),
    ({"judge": JUDGE}, {"EYECHART_JUDGE_KEY": SECRET}, None),
    ({"judge": {"model": "j"}}, {"OPENAI_API_BASE": "http://h", "OPENAI_API_KEY": SECRET}, None),
]


@pytest.mark.parametrize(("fields", "environ", "path"), JUDGES_KEYS, ids=range(len(JUDGES_KEYS)))
def test_keys_of_judges_are_hidden_everywhere(fields, environ, path):
    (task,) = load_tasks({"eval_config": {"model": [MODEL], "data": ["MMStar"], **fields}})
    plan = resolve(task, read_environment({"HOME": "/h", **environ}))
    assert plan.judges[-1].asked.key.get_secret_value() == SECRET
    assert plan.secrets == ((path,) if path else ())
    texts = [str(task), repr(task), task.model_dump_json(), str(plan), repr(plan), json.dumps(plan.public)]
    texts += [plan.digest, str(plan.notes), json.dumps(kept_config(plan)), str(plan.judges)]
    assert not any(SECRET in text for text in texts)


def test_secrets_in_other_fields_of_judges_are_hidden():
    judge = {**JUDGE, "api_base": f"http://h/v1/chat/completions?api-key={SECRET}&v=1", "access_token": SECRET}
    judge["extra_body"] = {"headers": {"Authorization": SECRET}}
    (task,) = load_tasks({"eval_config": {"model": [MODEL], "data": ["MMStar"], "judge": judge}})
    plan = resolve(task, read_environment({"HOME": "/h"}))
    kept = json.dumps(kept_config(plan))
    assert SECRET not in kept
    assert "?v=1" in kept
    assert SECRET in plan.judges[0].asked.url
    assert set(plan.secrets) == {
        "eval_config.judge.api_base",
        "eval_config.judge.access_token",
        "eval_config.judge.extra_body.headers.Authorization",
    }


def test_an_address_of_the_environment_with_a_secret_is_not_kept():
    base = f"http://h/v1/chat/completions?api-key={SECRET}"
    model = {"name": "CustomAPIModel", "type": "m"}
    (task,) = load_tasks({"eval_config": {"model": [model], "data": ["MMStar"], "judge": {"model": "j"}}})
    plan = resolve(task, read_environment({"HOME": "/h", "OPENAI_API_BASE": base}))
    assert plan.models[0].url == plan.judges[0].asked.url == base
    assert SECRET not in json.dumps(kept_config(plan))


@pytest.mark.parametrize("place", ["model", "eval_config", "LMDEPLOY_API_KEY"])
def test_keys_are_hidden_in_every_text_of_task_and_plan(place):
    mapping = seed()
    environ = {"HOME": "/h"}
    if place == "model":
        mapping = seed(key=SECRET)
    else:
        mapping["eval_config"] |= {"base_url": "http://h", "model": ["m"]}
        environ["LMDEPLOY_API_KEY"] = SECRET
        if place == "eval_config":
            mapping["eval_config"]["key"] = SECRET
    (task,) = load_tasks(mapping)
    plan = resolve(task, read_environment(environ))
    texts = [str(task), repr(task), task.model_dump_json(), str(task.model_dump()), str(plan), repr(plan)]
    assert not any(SECRET in text for text in texts)
    assert plan.models[0].key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "wrong",
    [
        seed(key=SECRET, tempreature=1),
        seed(key=[SECRET]),
        seed(key={"a": SECRET}),
        seed(key=f"{SECRET} {SECRET}"),
        seed(key=SECRET.encode()),
        seed(keys=SECRET),
        seed(api_base=f"http://me:{SECRET}@h"),
        seed(api_base=f"h/v1?key={SECRET}"),
        {**SEED, "OPENAI_API_KEY": [SECRET]},
        {**SEED, "KEY": SECRET},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge_key": SECRET}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge_args": f'{{"key": "{SECRET}"}}'}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge_args": f'{{"key": "{SECRET}"'}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge_args": f'"{SECRET}"'}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge": {"model": "j", "key": SECRET, "repeets": 1}}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge": {"model": "j", "key": SECRET}}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge": [{"model": "j", "key": [SECRET]}]}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge": {"model": "j", "judge_key": SECRET}}},
        {**SEED, "eval_config": {**SEED["eval_config"], "judge": "j", "judge_key": SECRET}},
        {**SEED, "eval_config": {**SEED["eval_config"], "OPENAI_API_KEY": f"{SECRET} {SECRET}"}},
        {**SEED, "eval_config": {**SEED["eval_config"], "key": SECRET, "zzz": SECRET}},
        {**SEED, "eval_config": {**SEED["eval_config"], "model": [{"key": SECRET}]}},
    ],
    ids=range(22),
)
def test_errors_never_show_keys(wrong):
    with pytest.raises(ConfigError) as caught:
        resolve(load_tasks(wrong)[0], read_environment({"HOME": "/h"}))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    chain, links = caught.value, 0
    while (chain := chain.__cause__ or chain.__context__) is not None:
        links += 1
        assert SECRET not in f"{chain} {chain!r} {getattr(chain, 'object', '')}"
    assert links < 5


@pytest.mark.parametrize(
    "text",
    [
        f"key: *{SECRET}",
        f"key: !{SECRET} x",
        f"key: a: {SECRET}",
        f"key: @{SECRET}",
        f'key: "{SECRET}',
        f"\tkey: {SECRET}",
    ],
)
def test_malformed_files_never_show_keys(tmp_path, text):
    for name in ("a.yaml", "a.json"):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_tasks(tmp_path / name)
        assert SECRET not in "".join(traceback.format_exception(caught.value))


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3)
    | st.sampled_from(["all", "CustomAPIModel", "http://h/v1", "http://[", "MMStar", "auto", "vlmeval", "{}", "\ud800"])
)  # fmt: skip
keys = st.sampled_from(NAMES) | st.text(max_size=5) | st.integers()
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything.filter(lambda value: not isinstance(value, str)))
@example({"eval_config": {"model": [{"a": float("nan")}], "data": []}})
def test_any_structure_is_a_task_or_a_config_error(value):
    with suppress(ConfigError):
        assert all(isinstance(task, TaskConfig) for task in load_tasks(value))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(sorted(TaskConfig.model_fields)), anything, max_size=2),
    st.dictionaries(st.sampled_from(sorted(EvalConfig.model_fields)) | st.text(max_size=4), anything, max_size=3),
    st.dictionaries(st.sampled_from(sorted(ModelEntry.model_fields)) | st.text(max_size=4), anything, max_size=3),
    st.dictionaries(st.sampled_from(sorted(JudgeEntry.model_fields)) | st.text(max_size=4), anything, max_size=3),
    st.sampled_from(["judge", "judge_args"]),
)
def test_a_disturbed_seed_is_a_plan_or_a_config_error(task_fields, eval_fields, model_fields, judge_fields, place):
    judge = {"judge": "j", place: {**JUDGE, **judge_fields}}
    mapping = {
        **SEED,
        "eval_config": {**SEED["eval_config"], "model": [{**MODEL, **model_fields}], **judge, **eval_fields},
    }
    mapping |= task_fields
    with suppress(ConfigError):
        for task in load_tasks(mapping):
            plan = resolve(task, read_environment({"HOME": "/h"}))
            json.dumps(plan.public, allow_nan=False)
            assert len(plan.digest) == 64
            again = load_tasks(json.loads(json.dumps(plan.public)))
            same = resolve(again[0], read_environment({"HOME": "/h"}))
            # A field that is sent and holds a secret determines answers, and the public form lacks it.
            left_out = [path for path in plan.secrets if not path.endswith(".key")]
            assert same.digest == plan.digest or left_out
            assert [judge.asked.model for judge in same.judges] == [judge.asked.model for judge in plan.judges]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"\A[a-z_.\[\]0-9]{1,20}=.{0,10}\Z"))
def test_any_assignment_is_applied_or_a_config_error(text):
    with suppress(ConfigError):
        assert isinstance(apply_overrides(SEED, [text]), dict)
