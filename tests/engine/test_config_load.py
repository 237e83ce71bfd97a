"""Reading YAML and JSON: strict about form, kind about errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyechart.engine.config import TaskConfig, load_tasks
from eyechart.engine.config_load import parse_json, parse_yaml
from eyechart.errors import ConfigError

SEED_YAML = """\
work_dir: outputs
eval_backend: VLMEvalKit
eval_config:
  model:
    - type: qwen-vl-chat
      name: CustomAPIModel
      api_base: http://localhost:8000/v1/chat/completions
      key: EMPTY
      temperature: 0.0
      img_size: -1
  data:
    - SEEDBench_IMG
    - ChartQA_TEST
  mode: all
  limit: 20
  reuse: false
  nproc: 16
"""
SEED = parse_yaml(SEED_YAML)


def problem(source) -> str:
    with pytest.raises(ConfigError) as caught:
        load_tasks(source)
    return str(caught.value)


def test_yaml_json_dict_and_config_say_the_same(tmp_path):
    (tmp_path / "eval.yaml").write_text(SEED_YAML)
    (tmp_path / "bom.yml").write_text(SEED_YAML.replace("\n", "\r\n"), encoding="utf-8-sig")
    (tmp_path / "eval.json").write_text(json.dumps(SEED, indent="\t"))
    (from_dict,) = load_tasks(SEED)
    assert from_dict.eval_config.limit == 20
    for source in (tmp_path / "eval.yaml", str(tmp_path / "bom.yml"), tmp_path / "eval.json", from_dict):
        assert load_tasks(source) == [from_dict]


def test_lists_of_tasks(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(json.dumps([SEED, {**SEED, "work_dir": "b"}]))
    tasks = load_tasks([SEED, path, TaskConfig(**SEED)])
    assert [task.work_dir for task in tasks] == ["outputs", "outputs", "b", "outputs"]


def test_errors_name_task_and_file(tmp_path):
    wrong = {**SEED, "limit": 3}
    path = tmp_path / "many.yaml"
    path.write_text(json.dumps([SEED, wrong]))
    text = "limit: unknown field here; it belongs to eval_config.limit"
    assert problem([SEED, wrong]) == f"task [1]: {text}"
    assert problem([path]) == f"task [0]: {path}: task [1]: {text}"
    assert problem([]) == "no task is given: the list is empty"
    assert problem([[SEED]]) == "task [0]: given a list, expected a mapping, a path or a TaskConfig"


def test_eval_config_may_be_a_file(tmp_path):
    path = tmp_path / "inner.yaml"
    path.write_text(json.dumps(SEED["eval_config"]))
    assert load_tasks({**SEED, "eval_config": str(path)}) == load_tasks(SEED)
    assert problem({**SEED, "eval_config": "absent.yaml"}) == "absent.yaml: there is no such file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty, expected a mapping with eval_config"),
        ("# nothing\n", "is empty, expected a mapping with eval_config"),
        ("just words", "holds a single value at the top, expected a mapping with eval_config"),
        ("[]", "no task is given: the list is empty"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the field 'a' stands twice, first in line 1"),
        ("x: {a: 1, a: 2}\n", "line 1, column 11: the field 'a' stands twice, first in line 1"),
        ("a: b: c\n", "line 1, column 5: not readable as YAML: a colon stands where none belongs: a wrong indent, or a text without quotes"),
        ("a:\n\t- b\n", "line 2, column 1: not readable as YAML: a tab stands where spaces are expected"),
        ("a: [1, 2\n", "line 2, column 1: not readable as YAML: a [ or { is not closed, or a comma is missing"),
        ("a: 'x\n", "line 2, column 1: not readable as YAML: a quoted text does not end, or holds an escape that YAML does not know"),
        ("a: 1\n b: 2\n", "line 2, column 3: not readable as YAML: a colon stands where none belongs: a wrong indent, or a text without quotes"),
        ("a:\n  - b\n c: 1\n", "line 3, column 2: not readable as YAML: a line is indented wrongly, or a text with special characters lacks quotes"),
        ("key: *secret\n", "line 1, column 6: not readable as YAML: a value that begins with * must stand in quotes"),
        ("key: !secret x\n", "line 1, column 6: not readable as YAML: tags (a value that begins with !) are not read; put the value in quotes"),
        ("key: @secret\n", "line 1, column 6: not readable as YAML: a value that begins with this character must stand in quotes"),
        ("!!python/object/apply:os.system ['true']", "line 1, column 1: not readable as YAML: tags (a value that begins with !) are not read; put the value in quotes"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: not readable as YAML: more than one document (---); give a list of tasks instead"),
        ("a: \x01\n", "not readable as YAML: a control character"),
        ("[" * 3000, "is nested too deep"),
        ("a: " + "9" * 5000, "holds a number that cannot be read; put it in quotes"),
        ("? [a]\n: 1\n", "line 1, column 3: not readable as YAML: the name of a field is a list or a mapping"),
    ],
)  # fmt: skip
def test_malformed_yaml(tmp_path, content, message):
    path = tmp_path / "eval.yaml"
    path.write_text(content)
    assert problem(path) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty, expected a mapping with eval_config"),
        ("{", "line 1, column 2: not readable as JSON: Expecting property name enclosed in double quotes"),
        ('{"a": 1, "a": 2}', "the field 'a' stands twice in one mapping"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ("3", "holds a single value at the top, expected a mapping with eval_config"),
        ("[" * 100_000, "is nested too deep"),
        ('{"a": ' + "9" * 5000 + "}", "holds a number that cannot be read; put it in quotes"),
    ],
)
def test_malformed_json(tmp_path, content, message):
    path = tmp_path / "eval.json"
    path.write_text(content)
    assert problem(path) == f"{path}: {message}"


def test_files_that_cannot_be_read(tmp_path):
    assert problem(tmp_path) == f"{tmp_path}: is a folder, expected a YAML or JSON file"
    absent = tmp_path / "absent.yaml"
    assert problem(absent) == f"{absent}: there is no such file"
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: é".encode("latin-1"))
    assert problem(latin) == f"{latin}: is no UTF-8 text (byte 3)"
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 4_000_001)
    assert problem(large) == f"{large}: is larger than 4 MB: not a configuration"
    assert problem("work_dir: a\neval_config: b").endswith(
        "is no path; give the path of a YAML or JSON file, or a mapping"
    )
    assert problem("a" * 5000).endswith(": cannot be read: File name too long")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5), ("1E5", 1e5), ("-.5", -0.5), ("1.", 1.0), ("1_000", 1000), ("-7", -7), ("0", 0),
        ("0123", "0123"), ("2024-01-31", "2024-01-31"), ("12:30", "12:30"), ("0x1f", "0x1f"), ("1.2.3", "1.2.3"),
        ("$KEY", "$KEY"), ("${KEY}", "${KEY}"), ("<<", "<<"), ("=", "="), ("yes", True), ("no", False), ("~", None),
        (".inf", float("inf")), ("sk-1e5", "sk-1e5"), ("Null", None),
    ],
)  # fmt: skip
def test_yaml_scalars(text, value):
    parsed = parse_yaml(f"a: {text}")["a"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_aliases_that_multiply_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    assert "too deep or too large" in problem(path)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_parsed_or_refused(text):
    for parse in (parse_yaml, parse_json):
        try:
            found = parse(text)
        except ConfigError as error:
            assert str(error)  # noqa: PT017 (either outcome is fine, any other exception is not)
        else:
            assert found is None or isinstance(found, dict | list | str | int | float | bool)
