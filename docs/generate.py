"""Writes the field tables of docs/configuration.md from the configuration's own records.

Run ``python docs/generate.py`` after a field was changed.
"""  # noqa: INP001

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from eyechart.engine.config_eval import EvalConfig
from eyechart.engine.config_judge import JudgeEntry
from eyechart.engine.config_local import LocalEntry
from eyechart.engine.config_model import ModelEntry, Price
from eyechart.engine.config_task import TaskConfig

PAGE: Final = Path(__file__).with_name("configuration.md")
TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "task": TaskConfig,
    "eval_config": EvalConfig,
    "model": ModelEntry,
    "price": Price,
    "local": LocalEntry,
    "judge": JudgeEntry,
}
WORDS: Final = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "array": "list",
    "object": "mapping",
}


def _choices(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields what a schema allows, one by one; a field that may be left out is no choice of its own."""
    several = schema.get("anyOf") or schema.get("oneOf")
    for choice in several or ():
        yield from _choices(choice)
    if not several and schema.get("type") != "null":
        yield schema


def takes(schema: Mapping[str, Any]) -> str:
    """Says in words what a field's JSON schema allows."""
    words = []
    for choice in _choices(schema):
        if "$ref" in choice:
            words.append("mapping")
            continue
        if "const" in choice:
            words.append(f"`{choice['const']}`")
            continue
        if "enum" in choice:
            words.append(", ".join(f"`{option}`" for option in choice["enum"]))
            continue
        bounds = [
            f"{sign} {choice[name]:g}"
            for name, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"))
            if name in choice and choice[name] < 2_000_000_000  # noqa: PLR2004  (the bound of every whole number)
        ]
        words.append(" ".join([WORDS.get(choice.get("type", ""), ""), " and ".join(bounds)]).strip())
    return " or ".join(words)


def table(model: type[BaseModel]) -> str:
    """Builds the table of one record's fields."""
    schema = model.model_json_schema()
    lines = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "required" if field.is_required() else f"`{json.dumps(default)}`" if default is not None else ""
        lines.append(f"| `{name}` | {takes(schema['properties'][name])} | {shown} | {field.description} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Returns the page with its tables written anew.

    Raises:
        ValueError: the page has no place for one of them.
    """
    for name, model in TABLES.items():
        pattern = re.compile(rf"(<!-- fields: {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        rows = table(model)
        text, count = pattern.subn(lambda match, rows=rows: f"{match[1]}\n{rows}\n{match[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"{PAGE.name} has {count} places for the fields of {name}, expected one")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
