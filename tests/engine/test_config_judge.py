"""What a configuration may say of judges, and what is answered to everything else."""

from __future__ import annotations

import pytest

from eyechart.engine.config import load_tasks
from eyechart.engine.config_judge import JudgeEntry
from eyechart.errors import ConfigError

MODEL = {"name": "CustomAPIModel", "type": "m", "api_base": "http://localhost:1/v1"}
NOT_SHOWN = "(what was given is not shown)"
MAY_BE_ANOTHER = "(if the server takes a field of this name, give it in extra_body)"


def load(**fields):
    (task,) = load_tasks({"eval_config": {"model": [MODEL], "data": ["MMStar"], **fields}})
    return task


def problem(**fields) -> str:
    with pytest.raises(ConfigError) as caught:
        load(**fields)
    assert caught.value.__cause__ is None
    return str(caught.value)


FIELDS = [
    ("model", "org/judge:72b"), ("name", "strict"), ("api_base", "https://host/v1"),
    ("api_base", ["http://a", "http://b:1/v1"]), ("key", "sk-1"), ("rubric", "rubrics/mine.txt"), ("repeats", 3),
    ("temperature", 0.7), ("temperature", None), ("max_tokens", 64), ("max_tokens", None),
    ("system_prompt", "Be just.\nBe brief."), ("nproc", 2), ("nproc", "auto"), ("nproc_max", 16), ("rpm", 60),
    ("tpm", 5e4), ("timeout", 10.5), ("connect_timeout", 1), ("retry", 10), ("wait", 0), ("verify", False), ("extra_body", {"a": [1]}),
    ("extra_body", '{"a": 1}'), ("price", {"prompt_per_million": 1, "completion_per_million": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), FIELDS)
def test_every_field_of_a_judge_is_accepted(field, value):
    for fields in ({"judge": {"model": "j", field: value}}, {"judge_args": {field: value}}):
        config = load(**fields).eval_config
        entry = config.judge or config.judge_args
        assert field in entry.model_fields_set
        assert not entry.model_extra


def test_the_table_above_knows_every_field():
    assert {field for field, _ in FIELDS} == set(JudgeEntry.model_fields)


@pytest.mark.parametrize(
    "judge", ["gpt-4o", {"model": "m", "top_p": 0.5}, ["a", {"model": "m", "seed": 1}], ["a"], "exact_matching"]
)
def test_a_judge_is_kept_in_the_shape_that_it_was_given_in(judge):
    task = load(judge=judge)
    assert task.public_dict()["eval_config"]["judge"] == judge
    assert load(**task.public_dict()["eval_config"]) == task


def test_other_fields_are_sent_as_they_are():
    entry = load(judge={"model": "m", "top_p": 0.5, "reasoning_effort": "low", "extra_body": {"tempreature": 1}})
    assert entry.eval_config.judge.extra == {"top_p": 0.5, "reasoning_effort": "low", "tempreature": 1}


def test_arguments_are_json_text_or_a_mapping():
    text = load(judge="j", judge_args='{"temperature": 0.5, "seed": 7}').eval_config
    assert text.judge_args == load(judge="j", judge_args={"temperature": 0.5, "seed": 7}).eval_config.judge_args
    assert (text.judge_args.temperature, text.judge_args.extra) == (0.5, {"seed": 7})


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (3, "judge: given 3, expected exact_matching, a model's name, a mapping, or a list of judges"),
        (True, "judge: given true, expected exact_matching, a model's name, a mapping, or a list of judges"),
        ("", "judge: is empty"),
        ("a\nb", "judge: holds a line break or another control character"),
        ("exact matching", "judge: given 'exact matching'; did you mean exact_matching?"),
        ("exact_match", "judge: given 'exact_match'; did you mean exact_matching?"),
        ("Exact_Matching", "judge: given 'Exact_Matching'; did you mean exact_matching?"),
        ([], "judge: given an empty list, expected at least one judge"),
        (["a", "exact_matching"], "judge: holds exact_matching at [1], which is no judge and stands alone"),
        (["a", None], "judge: given nothing at [1], expected a name or a mapping"),
        ([["a"]], "judge: given a list at [0], expected a name or a mapping"),
        (["a", " "], "judge[1]: is empty"),
        ({}, "judge.model: is missing, expected the judge's name at its server"),
        ({"model": None}, "judge.model: is missing, expected the judge's name at its server"),
        ({"model": 7}, "judge.model: given 7, expected a text in quotes"),
        ({"model": " "}, "judge.model: is empty"),
        (["a", {"api_base": "http://h"}], "judge[1].model: is missing, expected the judge's name at its server"),
        ({"model": "m", "name": ""}, "judge.name: is empty"),
        ({"model": "m", "api_base": "h:1"}, "judge.api_base: given 'h:1', expected an address such as http://localhost:8000/v1/chat/completions"),
        ({"model": "m", "api_base": []}, "judge.api_base: given an empty list, expected an address"),
        ({"model": "m", "api_base": "http://me:sk-secret@h"}, "judge.api_base: holds a login (not shown); give the secret by key and the address without it"),
        ({"model": "m", "key": 5}, f"judge.key: expected a text in quotes {NOT_SHOWN}"),
        ({"model": "m", "key": "a b"}, f"judge.key: holds a space, a line break or a character that no HTTP header can carry {NOT_SHOWN}"),
        ({"model": "m", "rubric": ["a"]}, "judge.rubric: given a list, expected a text"),
        ({"model": "m", "repeats": 0}, "judge.repeats: given 0, expected at least 1"),
        ({"model": "m", "temperature": "hot"}, "judge.temperature: given 'hot', expected a number"),
        ({"model": "m", "max_tokens": 0}, "judge.max_tokens: given 0, expected at least 1"),
        ({"model": "m", "system_prompt": 3}, "judge.system_prompt: given 3, expected a text in quotes"),
        ({"model": "m", "nproc": 0}, "judge.nproc: given 0, expected at least 1"),
        ({"model": "m", "nproc_max": "auto"}, "judge.nproc_max: given 'auto', expected a whole number"),
        ({"model": "m", "rpm": 0}, "judge.rpm: given 0, expected more than 0"),
        ({"model": "m", "tpm": -1}, "judge.tpm: given -1, expected more than 0"),
        ({"model": "m", "timeout": 0}, "judge.timeout: given 0, expected more than 0"),
        ({"model": "m", "connect_timeout": 0}, "judge.connect_timeout: given 0, expected more than 0"),
        ({"model": "m", "retry": 0}, "judge.retry: given 0, expected at least 1"),
        ({"model": "m", "wait": -1}, "judge.wait: given -1, expected at least 0"),
        ({"model": "m", "extra_body": 3}, "judge.extra_body: given 3, expected a mapping"),
        ({"model": "m", "tempreature": 1}, f"judge.tempreature: unknown field; did you mean temperature? {MAY_BE_ANOTHER}"),
        ({"model": "m", "repeets": 1}, f"judge.repeets: unknown field; did you mean repeats? {MAY_BE_ANOTHER}"),
        ({"model": "m", "top_P": 1}, f"judge.top_P: unknown field; did you mean top_p? {MAY_BE_ANOTHER}"),
        ({"model": "m", "limit": 1}, "judge.limit: unknown field here; it belongs to eval_config.limit"),
        ({"model": "m", "type": "t"}, "judge.type: is a field of models; a judge's name at its server is given by model"),
        ({"model": "m", "img_size": 5}, "judge.img_size: is a field of models, not of judges"),
        ({"model": "m", "judge_timeout": 5}, "judge.judge_timeout: is called timeout here"),
        ({"model": "m", "judge_base_url": "x"}, "judge.judge_base_url: is called api_base here"),
        ({"model": "m", "judge_args": {}}, "judge.judge_args: has no place here; write what it holds into this mapping"),
        ({"model": "m", "messages": []}, "judge.messages: cannot be set: the benchmark writes the messages"),
        ({"model": "m", "stream": True}, "judge.stream: cannot be set: answers are read whole; leave it out"),
        ({"model": "m", "extra_body": {"model": 1}}, "judge.extra_body.model: the model's name at the server is given by model"),
        ({"model": "m", "top_p": {1, 2}}, "judge.top_p: is sent to the server, but holds a value of type set, which JSON cannot say"),
        (["a", {"model": "m", "keys": "sk"}], f"judge[1].keys: unknown field; did you mean key? {MAY_BE_ANOTHER}"),
    ],
)  # fmt: skip
def test_wrong_judges_get_this_message(judge, message):
    assert problem(judge=judge) == f"eval_config.{message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sk-secret", f"judge_args: is no JSON text; expected a mapping, or JSON text such as '{{\"temperature\": 0}}' {NOT_SHOWN}"),
        ("[" * 100_000, f"judge_args: is no JSON text; expected a mapping, or JSON text such as '{{\"temperature\": 0}}' {NOT_SHOWN}"),
        ('"sk-secret"', f"judge_args: expected a mapping, or JSON text of one {NOT_SHOWN}"),
        (["sk-secret"], f"judge_args: expected a mapping, or JSON text of one {NOT_SHOWN}"),
        ({"temperature": "sk-secret"}, f"judge_args.temperature: expected a number {NOT_SHOWN}"),
        ('{"temperature": "sk-secret"}', f"judge_args.temperature: expected a number {NOT_SHOWN}"),
        ('{"tempreature": 1}', f"judge_args.tempreature: unknown field; did you mean temperature? {MAY_BE_ANOTHER}"),
        ('{"verbose": true}', "judge_args.verbose: is a field of models, not of judges"),
        ('{"top_p": NaN}', "judge_args.top_p: is sent to the server, but holds a number that is not finite, which JSON cannot say"),
    ],
)  # fmt: skip
def test_wrong_arguments_get_this_message_and_are_not_shown(arguments, message):
    assert problem(judge="j", judge_args=arguments) == f"eval_config.{message}"


def test_problems_of_several_judges_are_told_at_once():
    text = problem(judge=[{"model": "a", "tempreature": 1}, {"model": "b", "nproc": 0}], limit=0)
    assert text.startswith("3 problems in the configuration:\n  eval_config.judge[0].tempreature: ")
    assert "\n  eval_config.judge[1].nproc: given 0, expected at least 1" in text
