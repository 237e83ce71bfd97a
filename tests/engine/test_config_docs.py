"""docs/configuration.md says what the configuration's own records say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.config_judge import ALIASES
from eyechart.engine.config_load import parse_yaml

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
GENERATE = runpy.run_path(str(DOCS / "generate.py"))


def test_field_tables_are_up_to_date():
    assert GENERATE["page"](PAGE) == PAGE, "run: python docs/generate.py"


def test_a_page_without_its_places_is_refused():
    with pytest.raises(ValueError, match="has 0 places for the fields of task"):
        GENERATE["page"]("nothing")


@pytest.mark.parametrize("model", GENERATE["TABLES"].values(), ids=GENERATE["TABLES"])
def test_every_field_is_described(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_every_example_is_a_valid_configuration(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "MyQuestions.tsv").write_text("index\n")
    (root / "receipts.tsv").write_text("index\n")
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 5
    for example in examples:
        (task,) = load_tasks(parse_yaml(example.replace("/data/receipts.tsv", str(root / "receipts.tsv"))))
        assert resolve(task, read_environment({"LMUData": str(root)})).notes == ()


def test_every_variable_of_the_environment_is_documented():
    source = (DOCS.parent / "engine" / "config_env.py").read_text(encoding="utf-8")
    variables = set(re.findall(r'"((?:[A-Z]+_)+[A-Z]+|LMUData|BOYUE)"', source))
    assert len(variables) > 10
    assert {name for name in variables if f"`{name}`" not in PAGE} == set()


def test_every_short_name_of_a_judge_is_documented():
    page = (DOCS / "judge.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", page, re.MULTILINE)) == ALIASES
