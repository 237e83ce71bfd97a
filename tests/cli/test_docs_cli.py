"""docs/cli.md describes every verb and option, as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_cli", DOCS / "generate_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date(generator):
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert generator.page(text) == text, "run: python docs/generate_cli.py"


def test_every_verb_and_option_has_a_text(generator):
    verbs = dict(generator._verbs(generator.typer.main.get_command(generator.app), "eyechart"))
    assert {"eyechart eval", "eyechart data pull", "eyechart list models", "eyechart mock-server"} <= set(verbs)
    for command in verbs.values():
        assert command.help
        for param in command.params:
            assert param.help, param.name
            assert param.metavar or param.is_flag, param.name


def test_a_page_without_a_place_is_refused(generator):
    with pytest.raises(ValueError, match="0 places"):
        generator.page("# The command line\n")
