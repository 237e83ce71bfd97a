"""Reads tasks from dicts and YAML or JSON files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml

from ..errors import ConfigError
from .config_problems import shown
from .config_task import TaskConfig

__all__ = ["load_tasks", "parse_yaml", "read_file"]

_LARGEST_FILE: Final = 4_000_000
_FLOAT: Final = re.compile(
    r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
    r"|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
)
_INT: Final = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$")
_PLAIN_WORDS: Final = (
    ("unhashable key", "the name of a field is a list or a mapping"),
    ("\\t", "a tab stands where spaces are expected"),
    ("mapping values are not allowed", "a colon stands where none belongs: a wrong indent, or a text without quotes"),
    ("undefined alias", "a value that begins with * must stand in quotes"),
    ("scanning an alias", "a value that begins with * must stand in quotes"),
    ("scanning an anchor", "a value that begins with & must stand in quotes"),
    ("constructor for the tag", "tags (a value that begins with !) are not read; put the value in quotes"),
    ("tag", "a value that begins with ! must stand in quotes"),
    ("could not find expected ':'", "a field name without its colon"),
    ("scanning a quoted scalar", "a quoted text does not end, or holds an escape that YAML does not know"),
    ("scanning a double-quoted scalar", "a quoted text holds an escape that YAML does not know"),
    ("cannot start any token", "a value that begins with this character must stand in quotes"),
    ("parsing a block mapping", "a line is indented wrongly, or a text with special characters lacks quotes"),
    ("parsing a flow", "a [ or { is not closed, or a comma is missing"),
    ("parsing a block collection", "a line of a list is indented wrongly"),
    ("single document", "more than one document (---); give a list of tasks instead"),
    ("special characters are not allowed", "a control character"),
)  # fmt: skip


class _Duplicate(ConfigError):
    """A field that stands twice in one mapping."""


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: 1e-5 is a number, 0123 and 2024-01-01 are texts, a field stands once."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (pyyaml's own way to say it; never changed)
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag.rpartition(":")[2] not in {"int", "float", "timestamp", "merge", "value"}
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for name, _ in node.value:
                line = name.start_mark.line + 1
                if isinstance(name, yaml.ScalarNode):
                    if name.value in seen:
                        raise _Duplicate(
                            f"line {line}, column {name.start_mark.column + 1}: the field {name.value[:60]!r} stands "
                            f"twice, first in line {seen[name.value]}"
                        )
                    seen[name.value] = line
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))


def load_tasks(source: object) -> list[TaskConfig]:
    """Reads one or several tasks.

    Args:
        source: a mapping, the path of a YAML or JSON file (with one task or a list of them), a `TaskConfig`, or a list
            of these.

    Returns:
        The tasks in order, at least one.

    Raises:
        ConfigError: a file cannot be read or a task is wrong; says where.
    """
    if isinstance(source, (list, tuple)):
        if not source:
            raise ConfigError("no task is given: the list is empty")
        tasks = []
        for position, item in enumerate(source):
            if isinstance(item, (list, tuple)):
                raise ConfigError(f"task [{position}]: given a list, expected a mapping, a path or a TaskConfig")
            tasks += _named(f"task [{position}]", item)
        return tasks
    if isinstance(source, TaskConfig):
        return [source]
    if isinstance(source, (str, os.PathLike)):
        return _tasks_of_file(Path(source))
    if isinstance(source, Mapping):
        return [_task(source)]
    raise ConfigError(f"given {shown(source)}, expected a mapping, the path of a YAML or JSON file, or a TaskConfig")


def _tasks_of_file(path: Path) -> list[TaskConfig]:
    content = read_file(path)
    if isinstance(content, dict) or not any(isinstance(item, str) for item in content):
        return _named(str(path), content)
    raise ConfigError(f"{path}: a list in a file holds tasks themselves, not paths")


def _named(origin: str, source: object) -> list[TaskConfig]:
    try:
        return load_tasks(source)
    except ConfigError as error:
        problem = str(error)
    raise ConfigError(f"{origin}: {problem}")


def _task(mapping: Mapping[Any, Any]) -> TaskConfig:
    """Builds a task; eval_config may be the path of a file of its own, as in the reference."""
    evaluation = mapping.get("eval_config")
    if isinstance(evaluation, (str, os.PathLike)):
        return TaskConfig.from_mapping({**mapping, "eval_config": read_file(Path(evaluation))})
    return TaskConfig.from_mapping(mapping)


def read_file(path: Path) -> Any:
    """Reads a YAML or JSON file that holds a mapping or a list.

    Raises:
        ConfigError: the file cannot be read, or holds something else; names the file.
    """
    try:
        text = _text(path)
        parsed = parse_json(text) if path.suffix.lower() == ".json" else parse_yaml(text)
    except ConfigError as error:
        problem = str(error)
    else:
        if isinstance(parsed, (dict, list)):
            return parsed
        problem = "is empty" if parsed is None else "holds a single value at the top"
        problem += ", expected a mapping with eval_config"
    raise ConfigError(f"{str(path)[:300]}: {problem}")


def _text(path: Path) -> str:
    try:
        if "\n" in str(path) or "\0" in str(path):
            problem = "is no path; give the path of a YAML or JSON file, or a mapping"
        elif path.is_dir():
            problem = "is a folder, expected a YAML or JSON file"
        elif path.stat().st_size > _LARGEST_FILE:
            problem = f"is larger than {_LARGEST_FILE // 1_000_000} MB: not a configuration"
        else:
            return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        problem = "there is no such file"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"is no UTF-8 text (byte {error.start})"
    except ValueError:
        problem = "is no path that this system can open"
    raise ConfigError(problem)


def parse_yaml(text: str) -> Any:
    """Parses YAML text strictly: no tags, no merge keys, no field twice.

    Raises:
        ConfigError: the text is not YAML; names line and column, never repeats the text.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except _Duplicate as error:
        problem = str(error)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = where + _plain_words(f"{error.context} {error.problem}")
    except yaml.YAMLError as error:
        problem = _plain_words(str(error))
    except RecursionError:
        problem = "is nested too deep"
    except ValueError:
        problem = "holds a number that cannot be read; put it in quotes"
    raise ConfigError(problem)


def _plain_words(technical: str) -> str:
    sentence = next((words for sign, words in _PLAIN_WORDS if sign in technical), "this is not YAML")
    return f"not readable as YAML: {sentence}"


def parse_json(text: str) -> Any:
    """Parses JSON text strictly: no field twice, finite numbers only.

    Raises:
        ConfigError: the text is not JSON; names line and column, never repeats the text.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_not_finite) if text.strip() else None
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno}: not readable as JSON: {error.msg}"
    except RecursionError:
        problem = "is nested too deep"
    except ValueError:
        problem = "holds a number that cannot be read; put it in quotes"
    raise ConfigError(problem)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"the field {twice[:60]!r} stands twice in one mapping")
    return fields


def _not_finite(word: str) -> NoReturn:
    raise ConfigError(f"{word} is no JSON number")
