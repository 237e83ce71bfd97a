"""The plan: defaults, environment, addresses, names, and what makes two runs the same."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest

from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.families import FAMILIES
from eyechart.engine.config import (
    apply_overrides,
    load_tasks,
    read_environment,
    resolve,
    resolve_all,
    result_name,
)
from eyechart.errors import ConfigError

SEED = {
    "work_dir": "outputs",
    "eval_config": {
        "model": [{"name": "CustomAPIModel", "type": "qwen-vl-chat", "api_base": "http://localhost:8000/v1"}],
        "data": ["SEEDBench_IMG", "ChartQA_TEST"],
    },
}
HOME = {"HOME": "/home/me"}


def plan(*overrides, environ=None, mapping=None):
    (task,) = load_tasks(apply_overrides(mapping or SEED, overrides))
    return resolve(task, read_environment(HOME | (environ or {})))


def problem(*overrides, environ=None, mapping=None) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(*overrides, environ=environ, mapping=mapping)
    return str(caught.value)


def test_defaults_follow_the_reference():
    made = plan()
    (model,) = made.models
    assert (model.name, model.model, model.style) == ("qwen-vl-chat", "qwen-vl-chat", "openai")
    assert model.url == "http://localhost:8000/v1/chat/completions"
    assert model.key.get_secret_value() == "EMPTY"
    assert (model.temperature, model.max_tokens, model.extra, model.system_prompt) == (0.0, 2048, {}, None)
    assert (model.img_size, model.total_img_size, model.max_file_size, model.img_detail) == (-1, -1, 10**9, "high")
    assert (model.timeout_s, model.connect_timeout_s, model.retry, model.nproc) == (330.0, 10.0, 6, 4)
    assert model.min_image_edge == 0
    assert (made.nproc, made.retry, made.rpm, made.tpm, made.repeats) == (4, 6, None, None, 1)
    assert (made.data, made.mode, made.limit) == (("SEEDBench_IMG", "ChartQA_TEST"), "all", None)
    assert (made.work_dir, made.data_root, made.use_cache) == (Path("outputs"), Path("/home/me/LMUData"), None)
    assert (made.protocol.name, made.reuse, made.quiet, made.split_think) == ("eyechart", False, False, False)
    assert (made.grace_s, made.patience_s, made.notes) == (30.0, 660.0, ())


def test_every_value_arrives():
    made = plan(
        "eval_config.model[0].temperature=0.7", "eval_config.model[0].max_tokens=null",
        "eval_config.model[0].top_p=0.9", "eval_config.model[0].extra_body={top_p: 0.8, x: 1}",
        "eval_config.model[0].system_prompt=Be brief.", "eval_config.model[0].img_size=512",
        "eval_config.model[0].total_img_size=1024", "eval_config.model[0].max_file_size=1e6",
        "eval_config.model[0].img_detail=low", "eval_config.model[0].timeout=20", "eval_config.model[0].rpm=30",
        "eval_config.model[0].key=sk-1", "eval_config.nproc=64", "eval_config.api_nproc=8", "eval_config.rpm=60",
        "eval_config.tpm=1e5", "eval_config.retry=2", "eval_config.timeout=50", "eval_config.grace=0",
        "eval_config.patience=12", "eval_config.limit=5", "eval_config.mode=infer",
        "eval_config.reuse=true", "eval_config.protocol=vlmeval", "eval_config.mirror=https://m.example",
        "eval_config.data_root=/data", "eval_config.quiet=true", "use_cache=outputs/a", "no_timestamp=true",
    )  # fmt: skip
    (model,) = made.models
    assert (model.temperature, model.max_tokens, model.extra) == (0.7, None, {"top_p": 0.8, "x": 1})
    assert (model.system_prompt, model.img_size, model.total_img_size) == ("Be brief.", 512, 1024)
    assert (model.max_file_size, model.img_detail, model.timeout_s, model.rpm, model.tpm) == (10**6, "low", 20, 30, 1e5)
    assert (model.retry, model.nproc, model.key.get_secret_value()) == (2, 64, "sk-1")
    assert model.min_image_edge == 100
    assert (made.nproc, made.rpm, made.grace_s, made.patience_s, made.repeats) == (64, 60, 0, 12, 1)
    assert (made.limit, made.mode, made.reuse, made.quiet, made.no_timestamp) == (5, "infer", True, True, True)
    assert (made.protocol.name, made.mirror, made.data_root) == ("vlmeval", "https://m.example", Path("/data"))
    assert made.use_cache == Path("outputs/a")
    assert made.notes == ("eval_config.api_nproc has no effect: nproc is set too and wins",)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("qwen-vl-chat", "qwen-vl-chat"), ("Qwen/Qwen2.5-VL-7B", "Qwen2_5-VL-7B"), ("llava:7b", "llava-7b"),
        ("/models/a.b/", "a_b"), ("..", "__"),
    ],
)  # fmt: skip
def test_result_names(model, name):
    assert result_name(model) == name


def test_models_with_one_result_name_collide():
    models = [{"name": "CustomAPIModel", "type": name, "api_base": "http://a"} for name in ("a/m.1", "b", "b/m_1")]
    text = problem(mapping={"eval_config": {"model": models, "data": ["MMStar"]}})
    assert text == (
        "eval_config.model[2].type: results would be filed under 'm_1', as those of eval_config.model[0]; run the two "
        "as separate tasks with a work_dir each"
    )


def test_how_documents_are_shown():
    assert (plan().max_pages, plan().concat_num, plan().column_num) == (120, None, 1)
    made = plan("eval_config.max_pages=40", "eval_config.concat_num=5", "eval_config.column_num=-1")
    assert (made.max_pages, made.concat_num, made.column_num) == (40, 5, -1)
    assert plan("eval_config.max_pages=120", "eval_config.column_num=1").digest == plan().digest
    assert problem("eval_config.column_num=2") == (
        "eval_config.column_num: has no effect without concat_num: pages are put on sheets only where it says on how "
        "many"
    )


def test_models_that_leave_no_name():
    assert problem("eval_config.model[0].type=/").startswith("eval_config.model[0].type: gives no name to file")
    assert problem(f"eval_config.model[0].type={'x' * 200}").startswith("eval_config.model[0].type: gives no name")


def test_behind_base_url():
    made = plan(
        "eval_config.base_url=http://h:23333/v1/", "eval_config.model=[org/internvl3.5, b]", "eval_config.top_p=0.9",
        "eval_config.extra_body='{\"min_p\": 0.1}'",
    )  # fmt: skip
    model, other = made.models
    assert (model.name, model.model, model.style, other.name) == ("internvl3_5", "org/internvl3.5", "lmdeploy", "b")
    assert model.url == "http://h:23333/v1/chat/completions"
    assert (model.key.get_secret_value(), model.max_tokens, model.timeout_s) == ("sk-admin", 32768, 1980.0)
    assert (model.temperature, model.extra) == (0.0, {"top_p": 0.9, "min_p": 0.1})
    assert made.patience_s == 3960.0
    thinking = plan(
        "eval_config.base_url=http://h", "eval_config.model=[a]", "eval_config.thinker=true", "eval_config.timeout=10",
        "eval_config.key=sk-2", "eval_config.temperature=0.6", environ={"LMDEPLOY_API_KEY": "sk-env"},
    ).models[0]  # fmt: skip
    assert (thinking.max_tokens, thinking.timeout_s, thinking.temperature) == (65536, 20, 0.6)
    assert thinking.key.get_secret_value() == "sk-2"


def test_lmdeploy_key_of_the_environment():
    made = plan("eval_config.base_url=http://h", "eval_config.model=[a]", environ={"LMDEPLOY_API_KEY": "sk-env"})
    assert made.models[0].key.get_secret_value() == "sk-env"


def test_fields_that_would_have_no_effect_are_refused():
    assert problem("eval_config.temperature=0.5") == (
        "eval_config.temperature: has no effect without base_url; set eval_config.model[i].temperature instead"
    )
    assert problem("eval_config.thinker=true").endswith("it is for models behind base_url")
    assert problem("eval_config.base_url=http://h", "eval_config.model[0].temperature=1") == (
        "2 problems in the configuration:\n"
        "  eval_config.model[0].api_base: has no effect beside base_url; set it in eval_config, or give each model "
        "api_base\n"
        "  eval_config.model[0].temperature: has no effect beside base_url; set it in eval_config, or give each model "
        "api_base"
    )


def test_the_references_own_defaults_spelled_out_ask_for_nothing():
    made = plan(
        "eval_config.key=sk-admin", "eval_config.max_tokens=32768", "eval_config.thinker=false",
        "eval_config.temperature=null", "eval_config.extra_body=null", "eval_config.timeout=1800",
    )  # fmt: skip
    assert made.models[0].max_tokens == 2048
    assert made.models[0].timeout_s == 1800


def test_models_without_an_address():
    bare = {"eval_config": {"model": ["GPT4V"], "data": ["MMStar"]}}
    assert problem(mapping=bare).startswith("eval_config.model[0]: a model's name alone stands for a model on this ")
    nowhere = {"eval_config": {"model": [{"name": "CustomAPIModel", "type": "m"}], "data": ["MMStar"]}}
    assert problem(mapping=nowhere).startswith("eval_config.model[0].api_base: is missing, expected the server's addr")
    assert plan(mapping=nowhere, environ={"OPENAI_API_BASE": "http://e/v1"}).models[0].url.startswith("http://e/v1/")
    for base in ("e:1", "http://me:sk-secret@e"):
        text = problem(mapping=nowhere, environ={"OPENAI_API_BASE": base})
        assert text.endswith("the environment's OPENAI_API_BASE is no plain address")


def test_where_the_environments_keys_go():
    environ = {"OPENAI_API_KEY": "sk-openai", "EYECHART_API_KEY": "sk-mine"}
    nowhere = {"eval_config": {"model": [{"name": "CustomAPIModel", "type": "m"}], "data": ["MMStar"]}}

    def key(*overrides, **rest):
        return plan(*overrides, **rest).models[0].key.get_secret_value()

    assert key(environ=environ) == "sk-mine"
    assert key(environ={"OPENAI_API_KEY": "sk-openai"}) == "EMPTY"
    assert key("eval_config.model[0].api_base=https://api.openai.com/v1", environ=environ) == "sk-openai"
    assert key(mapping=nowhere, environ=environ | {"OPENAI_API_BASE": "http://e"}) == "sk-openai"
    assert key("eval_config.model[0].key=sk-own", environ=environ) == "sk-own"
    assert key("eval_config.model[0].key=''", environ=environ) == ""


def test_image_variables_count_under_vlmeval_only():
    environ = {"VLMEVAL_MIN_IMAGE_EDGE": "28", "VLMEVAL_MAX_IMAGE_SIZE": "5000"}
    ours, theirs = plan(environ=environ), plan("eval_config.protocol=vlmeval", environ=environ)
    assert (ours.models[0].min_image_edge, ours.models[0].max_file_size) == (0, 10**9)
    assert (theirs.models[0].min_image_edge, theirs.models[0].max_file_size) == (28, 5000)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"VLMEVAL_MIN_IMAGE_EDGE": "big"}, "environment variable VLMEVAL_MIN_IMAGE_EDGE: given 'big', expected a whole number"),
        ({"VLMEVAL_MAX_IMAGE_SIZE": "-1"}, "environment variable VLMEVAL_MAX_IMAGE_SIZE: given '-1', expected a whole number"),
        ({"SPLIT_THINK": "perhaps"}, "environment variable SPLIT_THINK: given 'perhaps', expected 1 or 0"),
        ({"OPENAI_API_KEY": "sk secret"}, "environment variable OPENAI_API_KEY: holds a space, a line break or a character that no HTTP header can carry (what was given is not shown)"),
    ],
)  # fmt: skip
def test_variables_with_impossible_values(environ, message):
    assert problem(environ=environ) == message


def test_environment():
    assert read_environment({"HOME": "/h"}).data_root == Path("/h/LMUData")
    assert read_environment({"HOME": "/h", "LMUData": "~/d"}).data_root == Path("/h/d")
    assert read_environment({"LMUData": "/data"}).data_root == Path("/data")
    assert read_environment({"SPLIT_THINK": "True"}).split_think
    assert not read_environment({"SPLIT_THINK": "0"}).split_think
    assert plan(environ={"MMEVAL_ROOT": "/x"}).notes == (
        "the environment variable MMEVAL_ROOT has no effect: set work_dir instead",
    )


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("LMUData", "/from/the/process")
    assert read_environment().data_root == Path("/from/the/process")


def test_unknown_benchmarks_name_the_nearest(tmp_path):
    text = problem("eval_config.data=[MMStar, SEEDBench_IMGG, Zzzzzzzz]", environ={"LMUData": str(tmp_path)})
    assert text == (
        "2 problems in the configuration:\n"
        "  eval_config.data[1]: unknown benchmark 'SEEDBench_IMGG'; did you mean SEEDBench_IMG? (a file of your own "
        f"would be {tmp_path}/SEEDBench_IMGG.tsv)\n"
        "  eval_config.data[2]: unknown benchmark 'Zzzzzzzz'; `eyechart list benchmarks` shows them all (a file of "
        f"your own would be {tmp_path}/Zzzzzzzz.tsv)"
    )


def test_own_files(tmp_path):
    (tmp_path / "Mine.tsv").write_text("index\n")
    by_name = plan("eval_config.data=[Mine]", environ={"LMUData": str(tmp_path)})
    by_path = plan(f"eval_config.data=[{tmp_path}/Mine.tsv]")
    assert (by_name.data, by_path.data) == (("Mine",), (f"{tmp_path}/Mine.tsv",))
    assert problem(f"eval_config.data=[{tmp_path}/Other.tsv]").endswith(f"there is no file '{tmp_path}/Other.tsv'")
    assert problem("eval_config.data=[a/b.csv]") == "eval_config.data[0]: the file 'a/b.csv' does not end in .tsv"
    assert problem("eval_config.data=[" + "x" * 300 + "]").startswith("eval_config.data[0]: unknown benchmark 'xxx")


def test_benchmarks_that_stand_twice(tmp_path):
    path = tmp_path / "MMStar.tsv"
    path.write_text("index\n")
    assert problem("eval_config.data=[MMStar, MMStar]") == (
        "eval_config.data[1]: stands twice: results of 'MMStar' are filed under the same name as those of data[0]"
    )
    assert "data[1]: stands twice" in problem(f"eval_config.data=[MMStar, {path}]")


def test_benchmarks_that_cannot_be_run_yet():
    name = min(catalog().keys() - FAMILIES.keys(), default=None)
    if name is None:
        pytest.skip("the whole catalogue is built")
    assert problem(f"eval_config.data=[{name}]") == (
        f"eval_config.data[0]: the benchmark {name!r} is in the catalogue but not supported yet"
    )


def test_nproc_auto_is_bounded_by_nproc_max():
    (model,) = plan("eval_config.nproc=auto").models
    assert (model.nproc, model.nproc_auto) == (512, True)
    (model,) = plan("eval_config.nproc=auto", "eval_config.nproc_max=64").models
    assert (model.nproc, model.nproc_auto) == (64, True)
    (model,) = plan("eval_config.nproc=auto", "eval_config.model[0].nproc_max=32").models
    assert (model.nproc, model.nproc_auto) == (32, True)
    (model,) = plan("eval_config.nproc=auto", "eval_config.model[0].nproc=8").models
    assert (model.nproc, model.nproc_auto) == (8, False)
    (model,) = plan("eval_config.model[0].nproc=auto").models
    assert (model.nproc, model.nproc_auto) == (512, True)


def test_nproc_max_without_auto_has_no_effect_and_that_is_said():
    assert plan("eval_config.nproc_max=64").notes == ("eval_config.nproc_max has no effect: nproc is not auto",)
    assert plan("eval_config.model[0].nproc_max=64").notes == (
        "eval_config.model[0].nproc_max has no effect: nproc is not auto",
    )
    assert plan("eval_config.nproc=auto", "eval_config.nproc_max=64", "eval_config.model[0].nproc_max=6").notes == ()


def test_every_address_of_a_model_is_completed():
    (model,) = plan("eval_config.model[0].api_base=[http://a:8000, http://b:8000/v1]").models
    assert model.urls == ("http://a:8000/v1/chat/completions", "http://b:8000/v1/chat/completions")
    assert model.url == model.urls[0]
    assert not any("http" in str(value) for value in model.determines().values())


def test_openais_key_goes_to_no_list_that_names_another_host():
    addresses = "eval_config.model[0].api_base=[https://api.openai.com/v1, http://b:8000]"
    (model,) = plan(addresses, environ={"OPENAI_API_KEY": "sk-openai", "EYECHART_API_KEY": "own"}).models
    assert model.key.get_secret_value() == "own"


def test_home_in_paths(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert plan("work_dir=~/out").work_dir == Path("/home/me/out")
    assert plan("eval_config.data_root=~/d").data_root == Path("/home/me/d")


@pytest.mark.parametrize(
    "override",
    [
        "work_dir=elsewhere", "eval_config.nproc=64", "eval_config.rpm=5", "eval_config.tpm=5", "eval_config.retry=1",
        "eval_config.timeout=5", "eval_config.mode=infer", "eval_config.reuse=true", "eval_config.model[0].key=sk-1",
        "eval_config.model[0].api_base=http://other:9", "eval_config.quiet=true", "eval_config.data_root=/d",
        "eval_config.judge=exact_matching", "eval_config.model[0].temperature=0", "eval_config.nproc=auto",
        "eval_config.model[0].api_base=[http://other:9, http://another:9]", "eval_config.nproc_max=9",
        "eval_config.judge={model: a, api_base: http://j, temperature: 1, repeats: 3}",
    ],
)  # fmt: skip
def test_the_same_command_again_has_the_same_digest(override):
    assert plan(override).digest == plan().digest


@pytest.mark.parametrize(
    "override",
    [
        "eval_config.limit=3", "eval_config.protocol=vlmeval", "eval_config.data=[MMStar]",
        "eval_config.data=[ChartQA_TEST, SEEDBench_IMG]", "eval_config.model[0].temperature=0.1",
        "eval_config.model[0].type=other", "eval_config.model[0].top_p=0.1", "eval_config.model[0].max_tokens=5",
        "eval_config.model[0].system_prompt=x", "eval_config.model[0].img_size=5",
        "eval_config.model[0].img_detail=low", "eval_config.max_pages=119", "eval_config.concat_num=1",
    ],
)  # fmt: skip
def test_what_determines_answers_changes_the_digest(override):
    assert plan(override).digest != plan().digest


def test_split_think_changes_the_digest():
    assert plan(environ={"SPLIT_THINK": "1"}).digest != plan().digest


def test_plans_are_values():
    assert plan() == plan()
    assert replace(plan(), limit=3).digest == plan("eval_config.limit=3").digest


def test_notes():
    mapping = copy.deepcopy(SEED)
    mapping["eval_config"] |= {
        "api_mode": True, "debug": True, "ignore": True, "monitor_interval": 5, "reuse_aux": "none", "verbose": True,
        "work_dir": "b",
    }  # fmt: skip
    mapping["eval_config"]["model"][0] |= {"wait": 3, "verbose": True, "n": 2, "key": "$KEY"}
    notes = plan(mapping=mapping).notes
    assert [note.split()[0] for note in notes] == [
        "eval_config.api_mode", "eval_config.debug", "eval_config.ignore", "eval_config.monitor_interval",
        "eval_config.reuse_aux", "eval_config.verbose", "eval_config.work_dir",
        "eval_config.model[0].verbose", "eval_config.model[0].n:",
        "eval_config.model[0].key",
    ]  # fmt: skip
    assert plan(mapping=mapping).models[0].wait_s == 3
    assert plan().models[0].wait_s == 1


def test_several_tasks():
    wrong = apply_overrides(SEED, ["eval_config.data=[Nonsense]"])
    environment = read_environment(HOME)
    assert resolve_all(load_tasks([SEED, SEED]), environment) == [plan(), plan()]
    with pytest.raises(ConfigError, match=r"^task \[1\]: eval_config\.data\[0\]: unknown benchmark 'Nonsense'"):
        resolve_all(load_tasks([SEED, wrong]), environment)
    with pytest.raises(ConfigError, match=r"^eval_config\.data\[0\]: unknown"):
        resolve_all(load_tasks(wrong), environment)
