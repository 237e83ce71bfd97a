"""What a configuration may say, and what is answered to everything else."""

from __future__ import annotations

import copy
from pathlib import Path
from types import MappingProxyType

import pytest

from eyechart.engine.config import TaskConfig, apply_overrides, load_tasks
from eyechart.engine.config_eval import EvalConfig
from eyechart.engine.config_model import ModelEntry
from eyechart.errors import ConfigError

SEED = {
    "work_dir": "outputs",
    "eval_backend": "VLMEvalKit",
    "eval_config": {
        "model": [
            {
                "type": "qwen-vl-chat",
                "name": "CustomAPIModel",
                "api_base": "http://localhost:8000/v1/chat/completions",
                "key": "EMPTY",
                "temperature": 0.0,
                "img_size": -1,
            }
        ],
        "data": ["SEEDBench_IMG", "ChartQA_TEST"],
        "mode": "all",
        "limit": 20,
        "reuse": False,
        "nproc": 16,
    },
}


def task(**values):
    """The seed with values set at paths whose dots are written as ``__`` and model[0] as ``model``."""
    changed = copy.deepcopy(SEED)
    for path, value in values.items():
        place = changed
        *way, last = path.split("__")
        for step in way:
            place = place[step][0] if step == "model" else place[step]
        place[last] = value
    return changed


def problem(source) -> str:
    with pytest.raises(ConfigError) as caught:
        load_tasks(source)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_seed_dict_verbatim():
    before = copy.deepcopy(SEED)
    (config,) = load_tasks(SEED)
    assert before == SEED
    assert config.eval_config.model[0].type == "qwen-vl-chat"
    assert config.eval_config.model[0].key.get_secret_value() == "EMPTY"
    assert config.eval_config.data == ["SEEDBench_IMG", "ChartQA_TEST"]
    assert (config.eval_config.limit, config.eval_config.nproc, config.eval_config.mode) == (20, 16, "all")
    assert config == TaskConfig(**SEED)


def test_changing_the_dict_afterwards_changes_nothing():
    mapping = task(eval_config__model__top_p=0.5, eval_config__model__stop=["a"])
    (config,) = load_tasks(mapping)
    mapping["eval_config"]["model"][0]["stop"].append("b")
    mapping["eval_config"]["data"].append("MMStar")
    assert config.eval_config.model[0].extra == {"top_p": 0.5, "stop": ["a"]}
    assert config.eval_config.data == ["SEEDBench_IMG", "ChartQA_TEST"]


def test_other_mappings_tuples_and_paths_are_taken(tmp_path):
    evaluation = {**SEED["eval_config"], "data": ("MMStar",)}
    (config,) = load_tasks(MappingProxyType({"work_dir": tmp_path, "eval_config": MappingProxyType(evaluation)}))
    assert config.work_dir == str(tmp_path)
    assert config.eval_config.data == ["MMStar"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", ["a", "b"]), ("data", ["MMStar"]), ("mode", "infer"), ("limit", 1), ("repeats", 1),
        ("protocol", "vlmeval"), ("nproc", 64), ("nproc", "auto"), ("nproc_max", 128), ("api_nproc", 8), ("rpm", 600), ("tpm", 1e6), ("timeout", 60),
        ("connect_timeout", 2.5), ("retry", 3), ("patience", 120), ("grace", 0), ("reuse", True),
        ("reuse_aux", "infer"), ("reuse_aux", 0), ("reuse_aux", True), ("reuse_aux", "yes"), ("data_root", "/data"),
        ("mirror", "https://mirror.example/tsv"), ("quiet", True), ("judge", "exact_matching"), ("judge", None),
        ("judge", "gpt-4o-mini"), ("judge", {"model": "m"}), ("judge", ["gpt-4o-mini", {"model": "m"}]), ("judge", ["m"]),
        ("judge_args", None), ("judge_args", '{"temperature": 0, "top_p": 1}'), ("judge_args", {"max_tokens": 5}),
        ("judge_base_url", "http://localhost:1/v1"), ("judge_key", "sk-1"), ("judge_api_nproc", 8),
        ("judge_api_nproc", "auto"), ("judge_retry", 3), ("judge_timeout", 600), ("OPENAI_API_KEY", "EMPTY"),
        ("OPENAI_API_BASE", "http://localhost:1/v1"), ("LOCAL_LLM", "qwen2.5-7b"), ("base_url", "http://localhost:23333/v1"),
        ("key", "sk-admin"), ("max_tokens", 32768), ("temperature", 0.5), ("top_k", -1), ("top_p", 1),
        ("repetition_penalty", 1.1), ("extra_body", {"min_p": 0.1}), ("extra_body", '{"min_p": 0.1}'),
        ("extra_body", None), ("thinker", True), ("custom_prompt", None), ("local_media", False),
        ("video_llm", True), ("fps", -1), ("fps", -1.0), ("fps", 0), ("fps", 2), ("fps", 0.5), ("nframe", 8),
        ("nframe", 64.0), ("nframe", 0), ("pack", True), ("use_subtitle", True), ("max_frames", 100),
        ("total_pixels", 1e6), ("video_transport", "file"), ("video_base_url", "http://files:8000/vlm"),
        ("video_timeout", 60), ("frame_cache", True),
        ("max_pages", 40), ("concat_num", 5), ("concat_num", None), ("column_num", 2), ("column_num", -1.0),
        ("use_vllm", False), ("use_verifier", False), ("keep_failed", True), ("config", None), ("work_dir", "out"),
        ("verbose", True), ("debug", True), ("ignore", True), ("monitor_interval", 10), ("api_mode", True),
    ],
)  # fmt: skip
def test_every_field_of_eval_config_is_accepted(field, value):
    (config,) = load_tasks(task(**{f"eval_config__{field}": value} if field != "model" else {}))
    assert field in EvalConfig.model_fields
    assert field in config.eval_config.model_fields_set


def test_the_table_above_knows_every_field():
    (marker,) = (mark for mark in test_every_field_of_eval_config_is_accepted.pytestmark if mark.name == "parametrize")
    assert {field for field, _ in marker.args[1]} == set(EvalConfig.model_fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "CustomAPIModel"), ("type", "org/model:7b"), ("api_base", "https://host/v1"), ("key", "sk-1"),
        ("temperature", 1), ("temperature", None), ("max_tokens", 64), ("max_tokens", None), ("img_size", 512),
        ("img_detail", "low"), ("total_img_size", 1024), ("max_file_size", 1e9), ("timeout", 10.5),
        ("connect_timeout", 1), ("wait", 5), ("system_prompt", "Be brief.\nVery."), ("retry", 10), ("verbose", False),
        ("video_llm", True), ("use_azure", False), ("rpm", 60), ("tpm", 5e4), ("nproc", 2), ("extra_body", {"a": [1]}),
        ("nproc", "auto"), ("nproc_max", 16), ("api_base", ["http://a", "http://b:1/v1"]),
    ],
)  # fmt: skip
def test_every_field_of_a_model_is_accepted(field, value):
    (config,) = load_tasks(task(**{f"eval_config__model__{field}": value}))
    assert field in ModelEntry.model_fields
    assert not config.eval_config.model[0].model_extra


def test_a_list_with_one_address_is_that_address():
    (config,) = load_tasks(task(eval_config__model__api_base=["http://a:1"]))
    assert config.eval_config.model[0].api_base == "http://a:1"


@pytest.mark.parametrize(
    "name",
    """top_p top_k seed stop min_p presence_penalty frequency_penalty repetition_penalty chat_template_kwargs
    reasoning_effort max_completion_tokens n logprobs top_logprobs response_format mm_processor_kwargs ignore_eos
    min_tokens stop_token_ids skip_special_tokens logit_bias user guided_choice enable_thinking thinking num_ctx
    repeat_penalty do_sample max_new_tokens truncation_side watermark my_own_field""".split(),  # noqa: SIM905
)
def test_request_fields_pass(name):
    (config,) = load_tasks(task(**{f"eval_config__model__{name}": 1}))
    assert config.eval_config.model[0].extra == {name: 1}


def test_extra_body_carries_any_name():
    (config,) = load_tasks(task(eval_config__model__extra_body={"tempreature": 1}, eval_config__model__top_p=0.1))
    assert config.eval_config.model[0].extra == {"tempreature": 1, "top_p": 0.1}


SERVE = (
    "eyechart knows no model of this name; serve it (vLLM, LMDeploy, Ollama, ms-swift) and give name: CustomAPIModel, "
    "type: the model's name there, api_base: its address; or, where transformers can load it, give name: transformers and "
    "model_path"
)
HERE = "is for models on this machine (name: transformers); a server's owner decides this for it"
ADDRESS = "an address such as http://localhost:8000/v1/chat/completions"
NOT_SHOWN = "(what was given is not shown)"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("eval_config__model__tempreature", 1, "eval_config.model[0].tempreature: unknown field; did you mean temperature? (if the server takes a field of this name, give it in extra_body)"),
        ("eval_config__model__api-base", 1, "eval_config.model[0].api-base: unknown field; did you mean api_base? (if the server takes a field of this name, give it in extra_body)"),
        ("eval_config__model__keys", "sk", "eval_config.model[0].keys: unknown field; did you mean key? (if the server takes a field of this name, give it in extra_body)"),
        ("eval_config__model__top_P", 1, "eval_config.model[0].top_P: unknown field; did you mean top_p? (if the server takes a field of this name, give it in extra_body)"),
        ("eval_config__model__limit", 1, "eval_config.model[0].limit: unknown field here; it belongs to eval_config.limit"),
        ("eval_config__model__messages", [], "eval_config.model[0].messages: cannot be set: the benchmark writes the messages"),
        ("eval_config__model__stream", True, "eval_config.model[0].stream: cannot be set: answers are read whole; leave it out"),
        ("eval_config__model__model", "m", "eval_config.model[0].model: cannot be set: the model's name at the server is given by type"),
        ("eval_config__model__extra_body", {"model": 1}, "eval_config.model[0].extra_body.model: the model's name at the server is given by type"),
        ("eval_config__model__extra_body", {"a": float("nan")}, "eval_config.model[0].extra_body: holds a number that is not finite, which JSON cannot say"),
        ("eval_config__model__extra_body", 3, "eval_config.model[0].extra_body: given 3, expected a mapping"),
        ("eval_config__model__top_p", {1, 2}, "eval_config.model[0].top_p: is sent to the server, but holds a value of type set, which JSON cannot say"),
        ("eval_config__model__model_path", "m", f"eval_config.model[0].model_path: {HERE}"),
        ("eval_config__model__name", "GPT4V", f"eval_config.model[0].name: {SERVE}"),
        ("eval_config__model__name", "qwen_chat", "eval_config.model[0].name: qwen_chat runs on this machine and has no api_base; a served model is name: CustomAPIModel"),
        ("eval_config__model__name", "CustomApiModel", "eval_config.model[0].name: unknown model 'CustomApiModel'; did you mean CustomAPIModel?"),
        ("eval_config__model__name", "x" * 500, f"eval_config.model[0].name: {SERVE}"),
        ("eval_config__model__type", None, "eval_config.model[0].type: is missing, expected the model's name at the server"),
        ("eval_config__model__type", 7, "eval_config.model[0].type: given 7, expected a text in quotes"),
        ("eval_config__model__type", " ", "eval_config.model[0].type: is empty"),
        ("eval_config__model__type", "a\nb", "eval_config.model[0].type: holds a line break or another control character"),
        ("eval_config__model__type", "a\udcff", "eval_config.model[0].type: holds a character that no UTF-8 file can hold"),
        ("eval_config__model__key", 123, f"eval_config.model[0].key: expected a text in quotes {NOT_SHOWN}"),
        ("eval_config__model__key", ["sk-secret"], f"eval_config.model[0].key: expected a text {NOT_SHOWN}"),
        ("eval_config__model__key", "sk secret", f"eval_config.model[0].key: holds a space, a line break or a character that no HTTP header can carry {NOT_SHOWN}"),
        ("eval_config__model__api_base", "localhost:8000", f"eval_config.model[0].api_base: given 'localhost:8000', expected {ADDRESS}"),
        ("eval_config__model__api_base", "ftp://a", f"eval_config.model[0].api_base: given 'ftp://a', expected {ADDRESS}"),
        ("eval_config__model__api_base", "http://", f"eval_config.model[0].api_base: given 'http://', expected {ADDRESS}"),
        ("eval_config__model__api_base", "http://a:99999", "eval_config.model[0].api_base: is no address; expected one such as http://localhost:8000/v1/chat/completions"),
        ("eval_config__model__api_base", "http://me:sk-secret@a", "eval_config.model[0].api_base: holds a login (not shown); give the secret by key and the address without it"),
        ("eval_config__model__api_base", ["http://a", "b"], f"eval_config.model[0].api_base: given 'b', expected {ADDRESS}"),
        ("eval_config__model__api_base", ["http://a", 5], "eval_config.model[0].api_base: given 5 at [1], expected an address"),
        ("eval_config__model__api_base", ["http://a", "http://b", "http://a/"], "eval_config.model[0].api_base: the address at [2] is there twice"),
        ("eval_config__model__api_base", 8000, "eval_config.model[0].api_base: given 8000, expected an address or a list of them"),
        ("eval_config__model__api_base", [], "eval_config.model[0].api_base: given an empty list, expected an address"),
        ("eval_config__model__temperature", "hot", "eval_config.model[0].temperature: given 'hot', expected a number"),
        ("eval_config__model__temperature", -1, "eval_config.model[0].temperature: given -1, expected at least 0"),
        ("eval_config__model__temperature", True, "eval_config.model[0].temperature: given true, expected a number"),
        ("eval_config__model__temperature", float("inf"), "eval_config.model[0].temperature: given inf, expected a finite number"),
        ("eval_config__model__max_tokens", 0, "eval_config.model[0].max_tokens: given 0, expected at least 1"),
        ("eval_config__model__max_tokens", 10**30, "eval_config.model[0].max_tokens: given a very large number, expected at most 2000000000"),
        ("eval_config__model__max_tokens", 1.5, "eval_config.model[0].max_tokens: given 1.5, expected a whole number"),
        ("eval_config__model__img_size", 0, "eval_config.model[0].img_size: given 0, expected -1 or at least 1"),
        ("eval_config__model__img_detail", "hihg", "eval_config.model[0].img_detail: given 'hihg', expected one of low, high, auto; did you mean high?"),
        ("eval_config__model__timeout", 0, "eval_config.model[0].timeout: given 0, expected more than 0"),
        ("eval_config__model__system_prompt", ["a"], "eval_config.model[0].system_prompt: given a list, expected a text"),
        ("eval_config__model__video_llm", "yes", "eval_config.model[0].video_llm: given 'yes', expected true or false"),
        ("eval_config__model__use_azure", True, "eval_config.model[0].use_azure: Azure's own header is not sent; give api_base: https://RESOURCE.openai.azure.com/openai/v1/chat/completions, which takes the key as other servers do"),
        ("eval_config__limit", "many", "eval_config.limit: given 'many', expected a whole number"),
        ("eval_config__limit", 0, "eval_config.limit: given 0, expected at least 1"),
        ("eval_config__limit", True, "eval_config.limit: given true, expected a whole number"),
        ("eval_config__nproc", "atuo", "eval_config.nproc: given 'atuo', expected a whole number such as 64, or auto"),
        ("eval_config__nproc", 0, "eval_config.nproc: given 0, expected at least 1"),
        ("eval_config__nproc", True, "eval_config.nproc: given true, expected a whole number such as 64, or auto"),
        ("eval_config__model__nproc", 2.5, "eval_config.model[0].nproc: given 2.5, expected a whole number such as 64, or auto"),
        ("eval_config__mode", "al", "eval_config.mode: given 'al', expected one of all, infer, eval; did you mean all?"),
        ("eval_config__mode", 3, "eval_config.mode: given 3, expected one of all, infer, eval"),
        ("eval_config__reuse", "yes", "eval_config.reuse: given 'yes', expected true or false"),
        ("eval_config__reuse_aux", "some", "eval_config.reuse_aux: given 'some', expected all, infer, none, true or false"),
        ("eval_config__protocol", "vlmevl", "eval_config.protocol: given 'vlmevl', expected one of eyechart, vlmeval; did you mean vlmeval?"),
        ("eval_config__data", "MMStar", "eval_config.data: given 'MMStar', expected a list"),
        ("eval_config__data", [], "eval_config.data: given a list, expected at least one entry"),
        ("eval_config__data", [3], "eval_config.data[0]: given 3, expected a text in quotes"),
        ("eval_config__data", None, "eval_config.data: given nothing, expected a list"),
        ("eval_config__modle", 1, "eval_config.modle: unknown field; did you mean model?"),
        ("eval_config__zzz", 1, "eval_config.zzz: unknown field"),
        ("eval_config__use_cache", "d", "eval_config.use_cache: unknown field here; it belongs to use_cache"),
        ("eval_config__api_base", "http://a", "eval_config.api_base: unknown field here; it belongs to eval_config.model[0].api_base"),
        ("eval_config__juge", "m", "eval_config.juge: unknown field; did you mean judge?"),
        ("eval_config__judge_baseurl", "m", "eval_config.judge_baseurl: unknown field; did you mean judge_base_url?"),
        ("eval_config__rubric", "m", "eval_config.rubric: unknown field here; it belongs to eval_config.judge.rubric"),
        ("eval_config__judge_base_url", "h:1", f"eval_config.judge_base_url: given 'h:1', expected {ADDRESS}"),
        ("eval_config__judge_key", 5, f"eval_config.judge_key: expected a text in quotes {NOT_SHOWN}"),
        ("eval_config__judge_api_nproc", 0, "eval_config.judge_api_nproc: given 0, expected at least 1"),
        ("eval_config__judge_retry", 1.5, "eval_config.judge_retry: given 1.5, expected a whole number"),
        ("eval_config__judge_timeout", 0, "eval_config.judge_timeout: given 0, expected more than 0"),
        ("eval_config__LOCAL_LLM", " ", "eval_config.LOCAL_LLM: is empty"),
        ("eval_config__OPENAI_API_BASE", "h", f"eval_config.OPENAI_API_BASE: given 'h', expected {ADDRESS}"),
        ("eval_config__use_verifier", True, "eval_config.use_verifier: verifiers are not supported; name a model by judge"),
        ("eval_config__fps", "fast", "eval_config.fps: given 'fast', expected frames a second, or -1"),
        ("eval_config__fps", -2, "eval_config.fps: given -2, expected 0.0001 to 1000 frames a second, or -1"),
        ("eval_config__fps", float("nan"), "eval_config.fps: given nan, expected 0.0001 to 1000 frames a second, or -1"),
        ("eval_config__fps", True, "eval_config.fps: given true, expected frames a second, or -1"),
        ("eval_config__nframe", -1, "eval_config.nframe: given -1, expected at least 0"),
        ("eval_config__nframe", 1.5, "eval_config.nframe: given 1.5, expected a whole number"),
        ("eval_config__max_frames", 0, "eval_config.max_frames: given 0, expected at least 1"),
        ("eval_config__video_transport", "pigeon", "eval_config.video_transport: given 'pigeon', expected one of data, file, path, http"),
        ("eval_config__max_pages", 0, "eval_config.max_pages: given 0, expected at least 1"),
        ("eval_config__concat_num", -1, "eval_config.concat_num: given -1, expected at least 1"),
        ("eval_config__column_num", 0, "eval_config.column_num: given 0, expected 1 to 100 columns, or -1 for long strips"),
        ("eval_config__column_num", 101, "eval_config.column_num: given 101, expected 1 to 100 columns, or -1 for long strips"),
        ("eval_config__column_num", True, "eval_config.column_num: given true, expected 1 to 100 columns, or -1 for long strips"),
        ("eval_config__column_num", "2", "eval_config.column_num: given '2', expected 1 to 100 columns, or -1 for long strips"),
        ("eval_config__use_vllm", True, "eval_config.use_vllm: serve the model with vLLM and give its address by api_base"),
        ("eval_config__config", "c.json", "eval_config.config: give models and benchmarks by model and data, not by a file of their own"),
        ("eval_config__repeats", 2, "eval_config.repeats: several answers per question are not supported yet; give each run a work_dir of its own"),
        ("eval_config__custom_prompt", "qwen3", "eval_config.custom_prompt: prompts of single model families are not supported; every model gets the benchmark's own"),
        ("eval_config__local_media", True, "eval_config.local_media: pictures travel inside the request; the server need not see your files"),
        ("eval_config__extra_body", "[1]", "eval_config.extra_body: is JSON text of a list, expected a mapping"),
        ("eval_config__extra_body", "{", "eval_config.extra_body: is no JSON text; expected a mapping, or JSON text such as '{\"top_p\": 0.9}'"),
        ("eval_backend", "Native", "eval_backend: given 'Native', expected VLMEvalKit, the one backend that eyechart stands for"),
        ("work_dir", 3, "work_dir: given 3, expected a text in quotes"),
        ("limit", 3, "limit: unknown field here; it belongs to eval_config.limit"),
        ("work_dri", "o", "work_dri: unknown field; did you mean work_dir?"),
        ("LOCAL_LLM", 7, "LOCAL_LLM: given 7, expected a text in quotes"),
        ("judge", "m", "judge: unknown field here; it belongs to eval_config.judge"),
        ("eval_config", 3, "eval_config: given 3, expected a mapping"),
        ("eval_config", {}, "2 problems in the configuration:\n  eval_config.model: is missing, expected a list of models\n  eval_config.data: is missing, expected a list of benchmark names"),
    ],
)  # fmt: skip
def test_wrong_input_gets_this_message(path, value, message):
    assert problem(task(**{path: value})) == message


def test_numbers_that_cannot_even_be_written_out():
    for field in ("limit", "model__top_k"):
        assert len(problem(task(**{f"eval_config__{field}": 10**5000}))) < 120


def test_all_problems_are_told_at_once():
    wrong = task(eval_config__model__tempreature=1, eval_config__limit="many", eval_config__moed="all", wrk=1)
    text = problem(wrong)
    assert text.startswith("4 problems in the configuration:\n  eval_config.model[0].tempreature: ")
    assert "\n  eval_config.limit: given 'many', expected a whole number" in text
    assert "\n  eval_config.moed: unknown field; did you mean mode?" in text
    assert "\n  wrk: unknown field" in text


@pytest.mark.parametrize("source", [3, None, b"x", {1}, 2.5])
def test_sources_of_another_kind(source):
    assert problem(source).endswith("expected a mapping, the path of a YAML or JSON file, or a TaskConfig")


def test_names_of_fields_are_texts():
    assert problem({**SEED, 3: 4}) == "the top level: names of fields are texts, given 3: put it in quotes"


def test_a_mapping_that_contains_itself():
    mapping = copy.deepcopy(SEED)
    mapping["eval_config"]["model"][0]["chat_template_kwargs"] = mapping
    assert problem(mapping).endswith("too deep or too large; does it contain itself?")


def test_constructor_raises_the_same_error():
    with pytest.raises(
        ConfigError, match=r"^eval_config: is missing, expected a mapping with at least model and data$"
    ):
        TaskConfig(work_dir="outputs")
    with pytest.raises(ConfigError, match=r"^eval_config.limit: given 'x', expected a whole number$"):
        TaskConfig.model_validate(task(eval_config__limit="x"))


def test_frozen():
    (config,) = load_tasks(SEED)
    with pytest.raises(ValueError, match="frozen"):
        config.work_dir = "elsewhere"


def test_public_dict_can_be_loaded_again():
    (config,) = load_tasks(task(eval_config__model__key="sk-1", eval_config__model__top_p=0.3, work_dir=Path("o")))
    public = config.public_dict()
    assert public == task(eval_config__model__top_p=0.3, work_dir="o") | {
        "eval_config": {
            **SEED["eval_config"],
            "model": [{k: v for k, v in SEED["eval_config"]["model"][0].items() if k != "key"} | {"top_p": 0.3}],
        }
    }
    (again,) = load_tasks(public)
    assert again.public_dict() == public


def test_overridden_seed_still_loads():
    (config,) = load_tasks(apply_overrides(SEED, ["eval_config.model[0].name=null"]))
    assert config.eval_config.model[0].name is None
