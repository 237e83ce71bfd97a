"""Who judges, where, with which key, and what is told of fields and variables that count for nothing."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.config_judge import ALIASES
from eyechart.errors import ConfigError

MODEL = {"name": "CustomAPIModel", "type": "m", "api_base": "http://localhost:1/v1"}
JUDGE = {"model": "j", "api_base": "http://judge:1"}
TRIO = {"OPENAI_API_BASE": "http://base:1/v1", "LOCAL_LLM": "local-7b"}
NOWHERE = (
    " has no address; set judge_base_url or OPENAI_API_BASE to an address such as http://localhost:8000/v1 "
    "(--judge-api-base), or make judge a mapping with model and api_base"
)


def plan(environ=None, task=None, **fields):
    """The plan of a small task; keywords are fields of eval_config, `task` holds those of the task itself."""
    mapping = {**(task or {}), "eval_config": {"model": [MODEL], "data": ["MMStar"], **fields}}
    (config,) = load_tasks(mapping)
    return resolve(config, read_environment({"HOME": "/h", **(environ or {})}))


def judge(**given):
    """The one judge of a plan that has nothing to tell."""
    made = plan(**given)
    assert made.notes == ()
    (spec,) = made.judges
    return spec


def problem(**given) -> str:
    with pytest.raises(ConfigError) as caught:
        plan(**given)
    return str(caught.value)


def key(**given) -> str:
    return judge(**given).asked.key.get_secret_value()


# -- nobody ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{}, {"judge": None}, {"judge": "exact_matching"}, {"judge_timeout": 600}, {"OPENAI_API_KEY": "EMPTY"}]
)
def test_exact_rules_alone(fields):
    made = plan(**fields)
    assert (made.judges, made.notes) == ((), ())


def test_exact_matching_wins_over_whatever_names_a_judge():
    made = plan(TRIO, judge="exact_matching", judge_base_url="http://j", judge_key="sk-1", LOCAL_LLM="x")
    assert made.judges == ()
    assert made.notes == (
        "eval_config.judge_base_url has no effect: judge is exact_matching",
        "eval_config.judge_key has no effect: judge is exact_matching",
        "eval_config.LOCAL_LLM has no effect: judge is exact_matching",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("judge_args", {"top_p": 1}), ("judge_base_url", "http://j"), ("judge_key", "sk-1"), ("judge_api_nproc", 3),
        ("judge_retry", 3), ("judge_timeout", 5),
    ],
)  # fmt: skip
def test_fields_of_a_judge_that_nobody_names(name, value):
    text = problem(**{name: value, "OPENAI_API_BASE": "http://j"})
    assert text == (
        f"eval_config.judge: is missing, and without it {name} would have no effect; name the model that judges"
    )


def test_a_run_that_only_asks_has_no_judge_and_says_so():
    fields = {"judge": {"model": "j", "rubric": "absent.txt"}, "judge_retry": 3, "mode": "infer"}
    made = plan(TRIO, task={"LOCAL_LLM": "x"}, **fields)
    assert made.judges == ()
    assert made.notes == tuple(
        f"{field} has no effect: mode: infer asks no judge"
        for field in ("eval_config.judge", "eval_config.judge_retry", "LOCAL_LLM")
    )
    assert plan(TRIO, mode="infer", judge="exact_matching").notes == ()


# -- a mapping ---------------------------------------------------------------------------------------------------------


def test_defaults_of_a_judge():
    spec = judge(judge=JUDGE)
    asked = spec.asked
    assert (spec.repeats, spec.rubric) == (1, None)
    assert (asked.name, asked.model, asked.style) == ("j", "j", "openai")
    assert asked.urls == ("http://judge:1/v1/chat/completions",)
    assert (asked.url, asked.key.get_secret_value()) == (asked.urls[0], "EMPTY")
    assert (asked.temperature, asked.max_tokens, asked.extra, asked.system_prompt) == (0.0, 2048, {}, None)
    assert (asked.timeout_s, asked.connect_timeout_s, asked.retry, asked.wait_s) == (660.0, 10.0, 6, 1.0)
    assert (asked.nproc, asked.nproc_auto, asked.rpm, asked.tpm) == (4, False, None, None)


def test_what_a_judge_takes_from_eval_config_and_what_not():
    fields = {"retry": 2, "connect_timeout": 3, "timeout": 9, "rpm": 8, "tpm": 7}
    asked = judge(judge=JUDGE, nproc=32, **fields).asked
    assert (asked.nproc, asked.retry, asked.connect_timeout_s) == (32, 2, 3)
    assert (asked.timeout_s, asked.rpm, asked.tpm) == (660.0, None, None)
    assert judge(judge=JUDGE, api_nproc=9).asked.nproc == 9
    auto = judge(judge=JUDGE, nproc="auto", nproc_max=64).asked
    assert (auto.nproc, auto.nproc_auto) == (64, True)


def test_every_value_of_a_judge_arrives(tmp_path):
    (tmp_path / "rubric.txt").write_text("\ufeffBe strict: {question}\n", encoding="utf-8")
    given = {
        "model": "org/judge:7b", "name": "My judge v1.2", "api_base": ["http://a", "http://b/v1"], "key": "sk-1",
        "rubric": str(tmp_path / "rubric.txt"), "repeats": 3, "temperature": None, "max_tokens": None,
        "system_prompt": "Be just.", "nproc": "auto", "nproc_max": 9, "rpm": 60, "tpm": 500, "timeout": 20,
        "connect_timeout": 2, "retry": 5, "wait": 0, "seed": 7, "extra_body": {"top_p": 1},
        "price": {"prompt_per_million": 0.5, "completion_per_million": 1.5, "currency": "EUR"},
    }  # fmt: skip
    spec = judge(judge=given)
    asked = spec.asked
    assert (spec.repeats, spec.rubric) == (3, "Be strict: {question}\n")
    assert (asked.name, asked.model) == ("My judge v1_2", "org/judge:7b")
    assert asked.urls == ("http://a/v1/chat/completions", "http://b/v1/chat/completions")
    assert (asked.temperature, asked.max_tokens, asked.extra) == (None, None, {"seed": 7, "top_p": 1})
    assert (asked.system_prompt, asked.nproc, asked.nproc_auto) == ("Be just.", 9, True)
    assert (asked.rpm, asked.tpm, asked.timeout_s, asked.connect_timeout_s) == (60, 500, 20, 2)
    assert (asked.retry, asked.wait_s, asked.key.get_secret_value()) == (5, 0, "sk-1")
    assert asked.price is not None
    assert (asked.price.completion_per_million, asked.price.currency) == (1.5, "EUR")


def test_the_model_of_a_mapping_is_asked_as_it_is():
    assert judge(judge={**JUDGE, "model": "gpt-4o-mini"}).asked.model == "gpt-4o-mini"
    assert judge(judge={**JUDGE, "model": "org/Judge-2.5:7b"}).asked.name == "Judge-2_5-7b"


@pytest.mark.parametrize(
    ("name", "value"),
    [("judge_base_url", "http://j"), ("judge_key", "sk-1"), ("judge_api_nproc", 3), ("judge_retry", 3),
     ("judge_timeout", 5)],
)  # fmt: skip
def test_fields_beside_a_mapping_are_refused(name, value):
    short = {"judge_base_url": "api_base", "judge_api_nproc": "nproc"}.get(name, name.removeprefix("judge_"))
    for given in (JUDGE, ["a", JUDGE]):
        text = problem(judge=given, OPENAI_API_BASE="http://h", **{name: value})
        assert text == f"eval_config.{name}: is for judges given by name; write it into the judge's mapping, as {short}"


def test_arguments_and_local_llm_beside_a_mapping_are_refused():
    assert problem(judge=JUDGE, judge_args={"top_p": 1}).endswith("write it into the judge's mapping, field by field")
    text = "is for a judge given by name; a judge's mapping says what to ask by model"
    assert problem(judge=JUDGE, LOCAL_LLM="x") == f"eval_config.LOCAL_LLM: {text}"
    assert problem(judge=JUDGE, task={"LOCAL_LLM": "x"}) == f"LOCAL_LLM: {text}"
    assert plan({"LOCAL_LLM": "x"}, judge=JUDGE).notes == (
        "the environment variable LOCAL_LLM has no effect: the judge's mapping says what to ask",
    )


def test_a_mapping_without_an_address():
    bare = {"model": "j"}
    assert problem(judge=bare) == (
        "eval_config.judge.api_base: is missing, expected an address such as http://localhost:8000/v1; or set "
        "OPENAI_API_BASE"
    )
    assert problem(judge=[JUDGE, {"model": "k"}]).startswith("eval_config.judge[1].api_base: is missing, ")
    places = [{"environ": TRIO}, {"task": {"OPENAI_API_BASE": "http://base:1"}}, {"OPENAI_API_BASE": "http://base:1"}]
    for place in places:
        assert plan(judge=bare, **place).judges[0].asked.url == "http://base:1/v1/chat/completions"


# -- by name -----------------------------------------------------------------------------------------------------------


def test_a_judge_as_the_reference_names_it():
    asked = judge(
        judge="gpt-4o-mini", judge_base_url="http://h:1/v1/", judge_key="sk-1", judge_api_nproc=8, judge_retry=3,
        judge_timeout=600, nproc=2, retry=5,
    ).asked  # fmt: skip
    assert (asked.name, asked.model) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert asked.urls == ("http://h:1/v1/chat/completions",)
    assert (asked.key.get_secret_value(), asked.nproc, asked.retry, asked.timeout_s) == ("sk-1", 8, 3, 600)


def test_what_a_judge_by_name_has_where_nothing_is_said():
    asked = judge(judge="j", judge_base_url="http://h:1", nproc=2, retry=5).asked
    assert asked.url == "http://h:1/chat/completions", "nothing but /chat/completions is added"
    assert (asked.nproc, asked.retry, asked.timeout_s, asked.temperature, asked.max_tokens) == (2, 5, 660, 0, 2048)
    assert judge(judge="j", judge_base_url="http://h:1/v1/chat/completions").asked.url.count("completions") == 1


@pytest.mark.parametrize("name", [*ALIASES, "qwen2.5-7b", "gpt-4o-2024-08-06"])
def test_short_names(name):
    asked = judge(judge=name, judge_base_url="http://h").asked
    assert (asked.name, asked.model) == (name.replace(".", "_"), ALIASES.get(name, name))


def test_the_short_names_of_the_reference():
    assert ALIASES["gpt-4-turbo"] == "gpt-4-1106-preview"
    assert ALIASES["gpt-4-0125"] == "gpt-4-0125-preview"
    assert ALIASES["gpt-4-0409"] == "gpt-4-turbo-2024-04-09"
    assert ALIASES["chatgpt-1106"] == "gpt-3.5-turbo-1106"
    assert ALIASES["chatgpt-0125"] == "gpt-3.5-turbo-0125"
    assert ALIASES["gpt-4o"] == "gpt-4o-2024-05-13"
    assert ALIASES["gpt-4o-mini"] == "gpt-4o-mini-2024-07-18"


def test_a_judge_by_name_without_an_address():
    assert problem(judge="gpt-4o") == f"eval_config.judge: gpt-4o{NOWHERE}"
    assert problem(judge=["a", "b"]).splitlines()[2] == f"  eval_config.judge[1]: b{NOWHERE}"
    assert problem(judge="gpt-4o", judge_args={"top_p": 1}) == f"eval_config.judge: gpt-4o{NOWHERE}"


def test_arguments_come_first_and_the_fields_beside_them_win():
    arguments = {
        "api_base": "http://args", "key": "sk-args", "nproc": 3, "retry": 3, "timeout": 3, "temperature": 0.5,
        "max_tokens": 9, "system_prompt": "Be just.", "repeats": 3, "wait": 2, "seed": 7,
    }  # fmt: skip
    spec = judge(judge="gpt-4o", judge_args=arguments, nproc=2, retry=2)
    asked = spec.asked
    assert (asked.url, asked.key.get_secret_value()) == ("http://args/v1/chat/completions", "sk-args")
    assert (asked.nproc, asked.retry, asked.timeout_s, asked.wait_s, spec.repeats) == (3, 3, 3, 2, 3)
    assert (asked.temperature, asked.max_tokens, asked.system_prompt) == (0.5, 9, "Be just.")
    assert (asked.extra, asked.model) == ({"seed": 7}, "gpt-4o-2024-05-13")

    beside = {
        "judge_base_url": "http://b",
        "judge_key": "sk-b",
        "judge_api_nproc": 8,
        "judge_retry": 8,
        "judge_timeout": 8,
    }
    made = plan(judge="gpt-4o", judge_args=arguments, **beside)
    asked = made.judges[0].asked
    assert (asked.url, asked.key.get_secret_value()) == ("http://b/chat/completions", "sk-b")
    assert (asked.nproc, asked.retry, asked.timeout_s, asked.temperature) == (8, 8, 8, 0.5)
    assert made.notes == tuple(
        f"eval_config.judge_args.{short} has no effect: {long} is set too and wins"
        for short, long in zip(("api_base", "key", "nproc", "retry", "timeout"), beside, strict=True)
    )


def test_arguments_can_name_the_judge():
    asked = judge(judge_args='{"model": "gpt-4o", "api_base": "http://h/v1"}').asked
    assert (asked.name, asked.model) == ("gpt-4o", "gpt-4o-2024-05-13")
    named = judge(judge="gpt-4o-mini", judge_args={"model": "other", "name": "mine", "api_base": "http://h/v1"}).asked
    assert (named.name, named.model) == ("mine", "gpt-4o-mini-2024-07-18")


# -- OPENAI_API_BASE, OPENAI_API_KEY, LOCAL_LLM ------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["eval_config", "task", "environ"])
def test_base_and_local_llm_name_a_judge_wherever_they_stand(place):
    spec = judge(**TRIO) if place == "eval_config" else judge(**{place: TRIO})
    assert (spec.asked.name, spec.asked.model) == ("local-7b", "local-7b")
    assert spec.asked.url == "http://base:1/v1/chat/completions"


def test_base_and_local_llm_from_different_places():
    spec = judge(environ={"LOCAL_LLM": "local-7b"}, OPENAI_API_BASE="http://base:1")
    assert (spec.asked.model, spec.asked.url) == ("local-7b", "http://base:1/v1/chat/completions")
    spec = judge(environ={"LOCAL_LLM": "local-7b"}, judge_args={"api_base": "http://args"})
    assert (spec.asked.model, spec.asked.url) == ("local-7b", "http://args/v1/chat/completions")
    spec = judge(LOCAL_LLM="local-7b", judge_base_url="http://b")
    assert (spec.asked.model, spec.asked.url) == ("local-7b", "http://b/chat/completions")


def test_eval_config_wins_over_the_task_and_the_task_over_the_environment():
    environ = {"OPENAI_API_BASE": "http://env", "LOCAL_LLM": "env"}
    task = {"OPENAI_API_BASE": "http://task", "LOCAL_LLM": "task", "OPENAI_API_KEY": "sk-task"}
    (spec,) = plan(environ, task).judges
    assert (spec.asked.model, spec.asked.url) == ("task", "http://task/v1/chat/completions")
    made = plan(environ, task, OPENAI_API_BASE="http://eval", LOCAL_LLM="eval", OPENAI_API_KEY="sk-eval")
    asked = made.judges[0].asked
    assert (asked.model, asked.url) == ("eval", "http://eval/v1/chat/completions")
    assert asked.key.get_secret_value() == "sk-eval"
    assert made.notes == tuple(f"{name} has no effect: eval_config.{name} wins" for name in (
        "OPENAI_API_BASE", "OPENAI_API_KEY", "LOCAL_LLM"
    ))  # fmt: skip
    same = plan(None, TRIO, **TRIO)
    assert same.notes == ()


@pytest.mark.parametrize("place", ["eval_config", "task", "environ"])
def test_local_llm_takes_the_place_of_a_judge_by_name_whose_name_stays(place):
    local = {"LOCAL_LLM": "local-7b"}
    given = local if place == "eval_config" else {place: local}
    for named in ({"judge": "gpt-4o", "judge_base_url": "http://h/v1"}, {"judge_args": {**JUDGE, "model": "gpt-4o"}}):
        made = plan(**named, **given)
        (asked,) = (spec.asked for spec in made.judges)
        assert (asked.name, asked.model) == ("gpt-4o", "local-7b")
        note = "the judge gpt-4o is local-7b, which the environment variable LOCAL_LLM puts in its place"
        assert made.notes == ((note,) if place == "environ" else ())


def test_one_of_the_two_alone_names_no_judge():
    assert plan({"OPENAI_API_BASE": "http://e"}).notes == ()
    assert plan({"LOCAL_LLM": "x"}).notes == (
        "the environment variable LOCAL_LLM has no effect: no judge is asked without OPENAI_API_BASE",
    )
    no_judge = "has no effect: no judge is asked, as long as"
    assert plan(LOCAL_LLM="x").notes == (f"eval_config.LOCAL_LLM {no_judge} OPENAI_API_BASE is not set",)
    assert plan(task={"OPENAI_API_BASE": "http://t"}, OPENAI_API_KEY="sk-1").notes == (
        f"OPENAI_API_BASE {no_judge} judge or LOCAL_LLM is not set",
        f"eval_config.OPENAI_API_KEY {no_judge} judge or LOCAL_LLM is not set",
    )
    assert plan({"OPENAI_API_BASE": "http://e"}).judges == plan({"LOCAL_LLM": "x"}).judges == ()


def test_an_address_of_the_environment_that_cannot_be_used():
    for base in ("e:1", "http://", "http://me:sk-secret@e"):
        for fields, where in (({"LOCAL_LLM": "x"}, "judge"), ({"judge": {"model": "j"}}, "judge.api_base")):
            text = problem(environ={"OPENAI_API_BASE": base}, **fields)
            assert text == f"eval_config.{where}: has no address: the environment's OPENAI_API_BASE is no plain address"
    assert judge(environ={"OPENAI_API_BASE": "e:1"}, judge=JUDGE), "nobody needs it"


def test_a_base_that_no_judge_needs():
    made = plan(judge=JUDGE, OPENAI_API_BASE="http://h", OPENAI_API_KEY="sk-1")
    assert made.judges[0].asked.url == "http://judge:1/v1/chat/completions"
    assert made.judges[0].asked.key.get_secret_value() == "EMPTY"
    assert made.notes == (
        "eval_config.OPENAI_API_BASE has no effect: every judge has an address of its own",
        "eval_config.OPENAI_API_KEY has no effect: no judge is asked at OPENAI_API_BASE without a key of its own",
    )


# -- keys --------------------------------------------------------------------------------------------------------------


def test_the_configurations_openai_key_goes_to_its_base_and_to_openai_only():
    assert key(**TRIO, OPENAI_API_KEY="sk-1") == "sk-1"
    assert key(environ=TRIO, OPENAI_API_KEY="sk-1") == "sk-1"
    assert key(judge={"model": "j", "api_base": "https://api.openai.com/v1"}, OPENAI_API_KEY="sk-1") == "sk-1"
    for fields in ({"judge": JUDGE}, {"judge": "j", "judge_base_url": "http://h"}):
        made = plan(**fields, OPENAI_API_KEY="sk-1")
        assert made.judges[0].asked.key.get_secret_value() == "EMPTY"
        assert "OPENAI_API_KEY has no effect" in str(made.notes)


def test_where_the_environments_keys_go():
    openai = {"OPENAI_API_KEY": "sk-openai", "OPENAI_API_BASE": "http://env:1/v1"}
    both = {**openai, "EYECHART_JUDGE_KEY": "sk-judge", "EYECHART_API_KEY": "sk-model"}
    at_openai = {"model": "j", "api_base": "https://api.openai.com/v1"}
    mixed = {"model": "j", "api_base": ["https://api.openai.com/v1", "http://other"]}
    assert key(environ=openai, judge=at_openai) == "sk-openai"
    assert key(environ=openai, judge={"model": "j"}) == "sk-openai"
    assert key(environ=openai, judge={"model": "j", "api_base": "http://env:1"}) == "sk-openai", "the same address"
    assert key(environ=openai, judge=JUDGE) == "EMPTY"
    assert key(environ=openai, judge=mixed) == "EMPTY"
    assert key(environ=openai, judge="j", judge_base_url="http://other") == "EMPTY"
    assert key(environ=openai, judge="j", OPENAI_API_BASE="http://other") == "EMPTY"
    for address in (JUDGE, at_openai, {"model": "j"}):
        assert key(environ=both, judge=address) == "sk-judge"
    assert key(environ={"EYECHART_API_KEY": "sk-model"}, judge=JUDGE) == "EMPTY"
    assert key(environ=both, judge={**JUDGE, "key": "sk-own"}) == "sk-own"
    assert key(environ=both, judge={**JUDGE, "key": ""}) == ""
    assert key(environ=both, judge="j", judge_base_url="http://h", judge_key="sk-own") == "sk-own"


def test_an_empty_key_of_the_configuration_is_none():
    assert key(environ={"EYECHART_JUDGE_KEY": "sk-judge"}, **TRIO, OPENAI_API_KEY="EMPTY") == "sk-judge"
    assert key(environ={"OPENAI_API_KEY": "sk-openai"}, **TRIO, OPENAI_API_KEY="EMPTY") == "EMPTY"


def test_a_key_that_no_header_can_carry():
    text = problem(environ={"EYECHART_JUDGE_KEY": "sk secret"})
    assert text.startswith("environment variable EYECHART_JUDGE_KEY: holds a space")
    assert "secret" not in text


# -- several judges ----------------------------------------------------------------------------------------------------


def test_the_first_of_several_decides():
    made = plan(judge=["gpt-4o", "j"], judge_base_url="http://h/v1", judge_retry=2)
    assert [(spec.asked.name, spec.asked.url, spec.asked.retry) for spec in made.judges] == [
        ("gpt-4o", "http://h/v1/chat/completions", 2),
        ("j", "http://h/v1/chat/completions", 2),
    ]
    made = plan(judge=[JUDGE, "gpt-4o"], OPENAI_API_BASE="http://h")
    assert [spec.asked.url for spec in made.judges] == [
        "http://judge:1/v1/chat/completions",
        "http://h/v1/chat/completions",
    ]
    assert len(plan(judge=[JUDGE]).judges) == 1


def test_judges_that_reports_could_not_tell_apart():
    assert problem(judge=[JUDGE, {**JUDGE, "model": "org/j"}]) == (
        "eval_config.judge[1]: reports would call it 'j', as eval_config.judge[0]; set name in one of the two"
    )
    named = plan(judge=[JUDGE, {**JUDGE, "name": "other"}]).judges
    assert [spec.asked.name for spec in named] == ["j", "other"]
    assert problem(judge={**JUDGE, "model": "/"}) == "eval_config.judge: leaves reports nothing to call it by; set name"
    assert judge(judge={**JUDGE, "model": "/", "name": "root"}).asked.name == "root"


def test_local_llm_is_for_one_judge():
    text = "takes the place of one judge given by name, and here are 2"
    assert problem(judge=["a", "b"], **TRIO) == f"eval_config.LOCAL_LLM: {text}"
    assert problem(environ=TRIO, judge=["a", "b"]) == f"eval_config.judge: the environment's LOCAL_LLM {text}"
    made = plan(TRIO, judge=["a", JUDGE])
    assert [(spec.asked.name, spec.asked.model) for spec in made.judges] == [("a", "local-7b"), ("j", "j")]


# -- rubrics -----------------------------------------------------------------------------------------------------------


def test_rubrics_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "large.txt").write_bytes(b"x" * 1_000_001)
    os.mkfifo(tmp_path / "pipe")
    for name, fault in (
        ("absent.txt", "there is no file '{path}'"),
        ("empty.txt", "'{path}' is empty"),
        ("latin.txt", "'{path}' is no UTF-8 text (byte 0)"),
        ("large.txt", "'{path}' is larger than 1 MB: not a rubric"),
        ("pipe", "'{path}' is no file"),
        ("", "'{path}' is no file"),
    ):
        path = str(tmp_path / name)
        assert problem(judge={**JUDGE, "rubric": path}) == f"eval_config.judge.rubric: {fault.format(path=path)}"
    text = problem(judge=["a", {**JUDGE, "rubric": "x" * 5000}], OPENAI_API_BASE="http://h")
    assert text.startswith("eval_config.judge[1].rubric: '")
    assert text.endswith("cannot be read: File name too long")


def test_rubrics_are_found_from_here_and_at_home(tmp_path, monkeypatch):
    (tmp_path / "rubric.txt").write_text("Judge.")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("rubric.txt", "~/rubric.txt"):
        assert judge(judge={**JUDGE, "rubric": name}).rubric == "Judge."
    arguments = {"rubric": "rubric.txt", "api_base": "http://h"}
    assert judge(judge="j", judge_args=arguments).rubric == "Judge."


# -- what goes with it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"judge": JUDGE}, {"judge": [JUDGE, {"model": "k", "api_base": "http://h"}]}, TRIO,
        {"judge": {**JUDGE, "temperature": 1, "repeats": 3, "max_tokens": 5}},
        {"judge": "gpt-4o", "judge_base_url": "http://h", "judge_args": {"top_p": 1}},
    ],
)  # fmt: skip
def test_another_judge_is_no_other_run(fields):
    made = plan(**fields)
    assert made.judges
    assert made.digest == plan().digest == replace(made, judges=()).digest


def test_notes_on_fields_of_judges():
    made = plan(judge=[{**JUDGE, "nproc_max": 5, "n": 2, "key": "$KEY"}, "k"], OPENAI_API_BASE="http://h")
    assert made.notes == (
        "eval_config.judge[0].nproc_max has no effect: nproc is not auto",
        "eval_config.judge[0].n: only the first of the choices is kept",
        "eval_config.judge[0].key begins with $: names of variables are not replaced in a configuration",
    )
    made = plan(judge="j", judge_base_url="http://h", judge_args={"nproc_max": 5})
    assert made.notes == ("eval_config.judge_args.nproc_max has no effect: nproc is not auto",)
    assert plan(judge={**JUDGE, "nproc": "auto", "nproc_max": 5}).notes == ()


@pytest.mark.parametrize(
    "fields",
    [{"judge": {**JUDGE, "nproc": "auto"}}, {"judge": "j", "judge_base_url": "http://h", "judge_api_nproc": "auto"}],
)
def test_nproc_max_counts_for_judges_too(fields):
    made = plan(nproc_max=7, **fields)
    assert made.notes == ()
    assert (made.judges[0].asked.nproc, made.judges[0].asked.nproc_auto) == (7, True)
