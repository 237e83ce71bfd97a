"""Entries of ``model`` that stand for models on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eyechart.engine.config import load_tasks, read_environment, resolve, task_from_options
from eyechart.engine.config_plan import ModelSpec
from eyechart.engine.resume import kept_fields, plan_of_run
from eyechart.errors import ConfigError


def specs(*entries: Any, environ: dict[str, str] | None = None, **fields: Any) -> tuple[ModelSpec, ...]:
    (task,) = load_tasks({"eval_config": {"model": list(entries), "data": ["MMStar"], **fields}})
    return resolve(task, read_environment({"HOME": "/home/me", **(environ or {})})).models


def problem(*entries: Any, **fields: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        specs(*entries, **fields)
    return str(caught.value)


def test_a_folder_by_transformers():
    (spec,) = specs({"name": "transformers", "model_path": "models/Qwen2.5-VL-3B"})
    assert (spec.name, spec.style, spec.url) == ("Qwen2_5-VL-3B", "local", "")
    assert spec.local is not None
    assert (spec.local.model_path, spec.local.interface) == ("models/Qwen2.5-VL-3B", "chat_template")
    assert (spec.local.devices, spec.local.batch_size, spec.local.dtype) == ("auto", 8, "auto")
    assert (spec.local.generation.temperature, spec.local.generation.max_new_tokens) == (0.0, 2048)
    assert (spec.nproc, spec.timeout_s) == (128, 1800.0)


def test_the_seed_s_entry_needs_trust():
    entry = {"name": "qwen_chat", "model_path": "models/Qwen-VL-Chat"}
    assert "trust_remote_code: true" in problem(entry)
    (spec,) = specs({**entry, "trust_remote_code": True})
    assert spec.name == "qwen_chat"
    assert spec.local is not None
    assert (spec.local.interface, spec.local.trust_remote_code) == ("chat", True)


def test_names_of_the_reference_have_a_home():
    first, second = specs("Qwen2.5-VL-7B-Instruct", {"name": "llava_v1.5_7b", "model_path": "/here/llava"})
    assert first.local is not None
    assert second.local is not None
    assert (first.name, first.local.model_path) == ("Qwen2_5-VL-7B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct")
    assert (second.name, second.local.model_path) == ("llava_v1_5_7b", "/here/llava")


def test_a_name_behind_base_url_is_the_server_s():
    (spec,) = specs("Qwen2.5-VL-7B-Instruct", base_url="http://localhost:1/v1")
    assert (spec.style, spec.model) == ("lmdeploy", "Qwen2.5-VL-7B-Instruct")


def test_a_folder_is_the_same_whichever_way_it_is_written(tmp_path, monkeypatch):
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path)
    relative, absolute = (
        specs({"name": "transformers", "model_path": path})[0] for path in ("./m", str(tmp_path / "m"))
    )
    assert relative.determines() == absolute.determines()
    assert relative.local is not None
    assert relative.local.model_path == str(tmp_path / "m")


def test_a_run_keeps_where_the_model_lies_and_no_key_for_it(tmp_path, monkeypatch):
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path)
    task = {"eval_config": {"model": [{"name": "transformers", "model_path": "./m"}], "data": ["MMStar"]}}
    plan = resolve(load_tasks(task)[0], read_environment({}))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps(kept_fields(plan, {})))
    monkeypatch.chdir("/")
    again, notes = plan_of_run(tmp_path / "run", read_environment({}), key="sk-1")
    assert again.digest == plan.digest
    assert again.models[0].local == plan.models[0].local
    assert notes == []


def test_every_field_arrives():
    (spec,) = specs(
        {
            "name": "transformers", "model_path": "~/m", "type": "mine", "dtype": "bfloat16", "devices": [1, 0],
            "attn_implementation": "sdpa", "batch_size": 4, "batch_tokens": 1000, "processor": {"max_pixels": 5},
            "temperature": 0.5, "top_p": 0.9, "top_k": 3, "repetition_penalty": 1.1, "max_new_tokens": 7, "seed": 3,
            "system_prompt": "Be brief.", "img_size": 448, "nproc": 9, "timeout": 5.0, "video_llm": True, "workers": 2,
        }
    )  # fmt: skip
    local = spec.local
    assert local is not None
    assert (spec.name, spec.system_prompt, spec.img_size, spec.nproc) == ("mine", "Be brief.", 448, 9)
    assert (spec.video_llm, spec.max_tokens) == (True, 7)
    assert Path(local.model_path).is_absolute()
    assert (local.dtype, local.devices, local.workers, local.attn_implementation) == ("bfloat16", (1, 0), 2, "sdpa")
    assert (local.batch_size, local.batch_tokens, dict(local.processor)) == (4, 1000, {"max_pixels": 5})
    drawn = local.generation
    assert (drawn.temperature, drawn.top_p, drawn.top_k, drawn.repetition_penalty) == (0.5, 0.9, 3, 1.1)
    assert (drawn.max_new_tokens, drawn.seed, local.patience_s) == (7, 3, 5.0)


def test_one_device_may_stand_without_a_list():
    (spec,) = specs({"name": "transformers", "model_path": "m", "devices": 1})
    assert spec.local is not None
    assert spec.local.devices == (1,)


HERE = {"name": "transformers", "model_path": "m"}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"name": "transformers"}, "model_path is missing, expected the model's folder or its name on the hub"),
        ({**HERE, "batchsize": 4}, ".batchsize: unknown field; did you mean batch_size?"),
        ({**HERE, "min_pixels": 4}, ".min_pixels: is a setting of the model's processor; give it in processor"),
        ({**HERE, "limit": 4}, ".limit: unknown field here; it belongs to eval_config.limit"),
        ({**HERE, "use_vllm": True}, ".use_vllm: is not supported; serve the model with vLLM"),
        ({**HERE, "devices": [0, 0]}, ".devices: given a list, expected auto or a list of different device numbers"),
        ({**HERE, "devices": "gpu"}, ".devices: given 'gpu', expected auto or a list of different device numbers"),
        ({**HERE, "devices": [-1]}, ".devices: given a list, expected auto or"),
        ({**HERE, "devices": [0], "device_map": "auto"}, "leave one out"),
        ({**HERE, "dtype": "float8"}, ".dtype: given 'float8', expected one of auto, float32, bfloat16, float16"),
        ({**HERE, "batch_size": 0}, ".batch_size: given 0, expected at least 1"),
        ({**HERE, "temperature": -1}, ".temperature: given -1, expected at least 0"),
        ({**HERE, "api_base": "http://h/v1"}, "transformers runs on this machine and has no api_base"),
        ({"name": "transformer", "model_path": "m"}, "unknown model 'transformer'; did you mean transformers?"),
    ],
)
def test_wrong_input_gets_this_message(entry, text):
    assert text in problem(entry)


def test_it_has_no_place_behind_base_url():
    assert "has no place behind base_url" in problem(HERE, base_url="http://localhost:1/v1")


def test_two_results_under_one_name_are_refused():
    assert "results would be filed under 'm'" in problem(HERE, {**HERE, "model_path": "other/m"})


def test_a_batch_larger_than_what_may_wait_is_told():
    (task,) = load_tasks({"eval_config": {"model": [HERE], "data": ["MMStar"], "nproc": 4}})
    notes = resolve(task, read_environment({"HOME": "/home/me"})).notes
    assert any("batches have at most 4 questions" in note for note in notes)


def test_what_determines_answers():
    def digest(**fields: Any) -> str:
        (task,) = load_tasks({"eval_config": {"model": [{**HERE, **fields}], "data": ["MMStar"]}})
        return resolve(task, read_environment({"HOME": "/home/me"})).digest

    same = digest()
    assert digest(batch_size=2, devices=[1], workers=3, timeout=9.0, batch_tokens=9) == same
    for changed in ({"temperature": 1.0}, {"seed": 1}, {"dtype": "float16"}, {"processor": {"max_pixels": 1}}):
        assert digest(**changed) != same


def test_a_command_names_it_by_its_folder():
    task = task_from_options(model=["transformers"], data=["MMStar"], model_path="models/m", batch_size=2)
    assert task["eval_config"]["model"] == [{"name": "transformers", "model_path": "models/m", "batch_size": 2}]
    alias = task_from_options(model=["SmolVLM"], data=["MMStar"], model_path="models/m")
    assert alias["eval_config"]["model"] == [{"name": "SmolVLM", "model_path": "models/m"}]
    served = task_from_options(model=["SmolVLM"], data=["MMStar"], api_base="http://h/v1")
    assert served["eval_config"]["model"][0]["name"] == "CustomAPIModel"
