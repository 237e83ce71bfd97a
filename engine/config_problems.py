"""What is wrong with a configuration, told plainly: where, what was given, what is expected, what is nearest.

Nothing here repeats a secret: values of fields that hold one, of unknown fields and of addresses with a login are never
shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from rapidfuzz.distance import OSA

from ..errors import ConfigError

__all__ = [
    "REFUSED",
    "SECRET_FIELDS",
    "SHAPES",
    "Path",
    "Problem",
    "closest",
    "fail",
    "plain",
    "refuse",
    "show_path",
    "shown",
    "translate",
]

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands: field names and positions in lists, from the top."""

REFUSED: Final = "eyechart"
SECRET_FIELDS: Final = frozenset({"key", "judge_key", "OPENAI_API_KEY"})
SHAPES: Final = (":name", ":mapping", ":list", ":served", ":local")
"""Which shape of a field that has several a value was checked as: steps that pydantic adds to a path."""
_NOT_SHOWN: Final = SECRET_FIELDS | {"judge_args"}
_MAX_NODES: Final = 100_000
_MAX_DEPTH: Final = 60
_SHOWN: Final = 60
_SHORT: Final = 5
_HUGE: Final = 10**18

_MISSING: Final = {
    "eval_config": "a mapping with at least model and data",
    "data": "a list of benchmark names",
    "model": "a list of models",
}
_EXPECTED: Final = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, and a sentence about it."""

    path: Path
    text: str


def refuse(text: str) -> PydanticCustomError:
    """Builds the exception by which a validator says, in our own words, why it takes no such value."""
    return PydanticCustomError(REFUSED, "{text}", {"text": text})


def show_path(path: Path) -> str:
    """Writes a path as people do: ``eval_config.model[0].key``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[\w-]{1,80}", step):
            text += f".{step}" if text else step
        else:
            text += f"[{step[:_SHOWN]!r}]"
    return text or "the top level"


def fail(problems: Sequence[Problem]) -> ConfigError:
    """Makes one error of all problems, a line each."""
    lines = [f"{show_path(problem.path)}: {problem.text}" for problem in problems]
    if len(lines) == 1:
        return ConfigError(lines[0])
    return ConfigError(f"{len(lines)} problems in the configuration:\n" + "\n".join(f"  {line}" for line in lines))


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate that `name` is most likely a slip of, None when none is near.

    Near is one slip (a letter more, less, wrong, or two exchanged) up to five letters and two above, whatever the
    case, underscores and hyphens.
    """
    wanted = _bare(name)
    if not wanted or len(name) > 4 * _SHOWN:
        return None
    near = []
    for candidate in candidates:
        bare = _bare(candidate)
        allowed = 1 if min(len(wanted), len(bare)) <= _SHORT else 2
        distance = OSA.distance(wanted, bare)
        if distance <= allowed and distance < len(wanted):
            near.append((distance, abs(len(wanted) - len(bare)), candidate))
    return min(near)[2] if near else None


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def shown(value: object) -> str:
    """Describes a given value in a few words; lists and mappings only by what they are."""
    text = f"a value of type {type(value).__name__}"
    match value:
        case None:
            text = "nothing"
        case bool():
            text = "true" if value else "false"
        case int() if abs(value) >= _HUGE:
            text = "a very large number"
        case int() | float():
            text = repr(value)
        case str():
            text = repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
        case list() | tuple():
            text = "a list"
        case Mapping():
            text = "a mapping"
    return text


def plain(value: object, path: Path = ()) -> tuple[Any, list[Problem]]:
    """Copies a configuration into fresh dicts and lists, so that the caller's stays his.

    Returns:
        The copy, and what could not be copied: names of fields that are no text, structures that contain themselves
        or are absurdly large.
    """
    problems: list[Problem] = []
    budget = [_MAX_NODES]
    copy = _copy(value, path, problems, budget)
    return copy, problems


def _copy(value: object, path: Path, problems: list[Problem], budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0 or len(path) > _MAX_DEPTH:
        if not any(problem.text.startswith("too deep") for problem in problems):
            problems.append(Problem(path[:3], "too deep or too large; does it contain itself?"))
        return None
    if isinstance(value, Mapping):
        copied: dict[str, Any] = {}
        for name, item in value.items():
            if isinstance(name, str):
                copied[str(name)] = _copy(item, (*path, str(name)), problems, budget)
            else:
                problems.append(Problem(path, f"names of fields are texts, given {shown(name)}: put it in quotes"))
        return copied
    if isinstance(value, (list, tuple)):
        return [_copy(item, (*path, position), problems, budget) for position, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def translate(error: ValidationError, known: Mapping[Path, Iterable[str]]) -> list[Problem]:
    """Turns what pydantic found into our own sentences.

    Args:
        error: what pydantic raised.
        known: names of the fields at each path of mappings, positions in lists written as 0.
    """
    return [_problem(details, known) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, known: Mapping[Path, Iterable[str]]) -> Problem:
    path: Path = tuple(step for step in details["loc"] if step not in SHAPES)
    kind, context = details["type"], details.get("ctx") or {}
    last = path[-1] if path else ""
    if kind == REFUSED:
        return Problem(path, str(context["text"]))
    if kind == "missing":
        return Problem(path, f"is missing, expected {_MISSING.get(str(last), 'a value')}")
    if kind == "extra_forbidden":
        return Problem(path, _unknown(path, known))
    given = details["input"]
    expected = _expected(kind, context)
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = closest(given, options) if isinstance(given, str) else None
        expected += f"; did you mean {near}?" if near else ""
    if any(step in _NOT_SHOWN for step in path) or isinstance(given, SecretStr):
        hint = " in quotes" if isinstance(given, (int, float)) else ""
        return Problem(path, f"expected {expected}{hint} (what was given is not shown)")
    if isinstance(given, (int, float)) and kind.startswith("string"):
        expected += " in quotes"
    return Problem(path, f"given {shown(given)}, expected {expected}")


def _expected(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "literal_error":
            return "one of " + ", ".join(re.findall(r"'([^']*)'", str(context.get("expected", ""))))
        case "greater_than_equal":
            return f"at least {_number(context['ge'])}"
        case "greater_than":
            return f"more than {_number(context['gt'])}"
        case "less_than_equal":
            return f"at most {_number(context['le'])}"
        case "too_short":
            return "at least one entry"
    return _EXPECTED.get(kind.split("_", maxsplit=1)[0], "another value")


def _number(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else str(bound)


def _unknown(path: Path, known: Mapping[Path, Iterable[str]]) -> str:
    name = str(path[-1])
    here = tuple(0 if isinstance(step, int) else step for step in path[:-1])
    for place, names in known.items():
        if place != here and name in names and name not in known.get(here, ()):
            return f"unknown field here; it belongs to {show_path((*place, name))}"
    near = closest(name, known.get(here, ()))
    return f"unknown field; did you mean {near}?" if near else "unknown field"


def field_names(model: type[BaseModel]) -> frozenset[str]:
    """Names of a model's fields, as they are written in a configuration."""
    return frozenset(model.model_fields)
