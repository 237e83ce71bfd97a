"""Configurations from a command line: ``--set`` assignments, and a task without a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ..adapters.embedded import EMBEDDED
from ..adapters.local.names import QWEN_CHAT, TRANSFORMERS
from ..errors import ConfigError
from .config_load import parse_yaml
from .config_model import API_MODEL
from .config_problems import fail, plain, show_path

__all__ = ["JUDGE_OPTIONS", "LOCAL_OPTIONS", "apply_overrides", "task_from_options", "with_judge_options"]

JUDGE_OPTIONS: Final[tuple[str, ...]] = ("judge", "judge_api_base", "judge_nproc")

LOCAL_OPTIONS: Final[tuple[str, ...]] = ("model_path", "batch_size", "devices", "trust_remote_code")
"""Options of models on this machine."""

_STEP: Final = re.compile(r"(?:^|\.)([\w-]+)|\[(\d{1,6})\]")
_MODEL_OPTIONS: Final = (
    "key", "temperature", "max_tokens", "img_size", "img_detail", "system_prompt", "extra_body", *LOCAL_OPTIONS,
)  # fmt: skip
_TASK_OPTIONS: Final = ("work_dir", "use_cache", "no_timestamp")


def apply_overrides(mapping: Mapping[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Applies assignments such as ``eval_config.model[0].temperature=0.7``.

    Args:
        mapping: a task's configuration; stays as it is.
        assignments: path, equals sign, value as YAML. Fields and mappings that are not there yet are made; an entry of
            a list must exist.

    Returns:
        A new mapping. It is not checked yet.

    Raises:
        ConfigError: an assignment cannot be read or does not fit the mapping. Never repeats a value.
    """
    changed, problems = plain(mapping)
    if problems:
        raise fail(problems)
    assert isinstance(changed, dict)
    for assignment in assignments:
        left, sign, right = assignment.partition("=")
        if not sign:
            raise ConfigError(f"--set {_start(left)}: expected path=value, such as eval_config.nproc=64")
        path = _path(left.strip())
        _assign(changed, path, _value(left.strip(), right))
    return changed


def _path(text: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    end = 0
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None or match.end() == end:
            break
        steps.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    if not steps or end != len(text) or isinstance(steps[0], int):
        raise ConfigError(f"--set {_start(text)!r}: is no path, expected one such as eval_config.model[0].temperature")
    return tuple(steps)


def _start(text: str) -> str:
    """As much of an assignment as looks like a path: what follows may be a key."""
    match = re.match(r"[\w.\[\]]{0,60}", text)
    return match[0] if match else ""


def _value(path: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except ConfigError as error:
        problem = str(error)
    raise ConfigError(f"--set {path}: {problem}")


def _assign(mapping: dict[str, Any], path: tuple[str | int, ...], value: Any) -> None:
    place: Any = mapping
    for depth, step in enumerate(path):
        here = show_path(path[:depth])
        if isinstance(step, int):
            if not isinstance(place, list):
                raise ConfigError(f"--set {show_path(path)}: {here} is no list")
            if step >= len(place):
                raise ConfigError(f"--set {show_path(path)}: {here} has {len(place)} entries, counted from 0")
        elif not isinstance(place, dict):
            raise ConfigError(f"--set {show_path(path)}: {here} is no mapping")
        if depth == len(path) - 1:
            place[step] = value
        elif isinstance(step, int):
            place = place[step]
        else:
            if place.get(step) is None:
                place[step] = {}
            place = place[step]


def task_from_options(
    *, model: str | Sequence[str], data: Sequence[str], api_base: str | Sequence[str] | None = None, **options: Any
) -> dict[str, Any]:
    """Builds a task's configuration from the options of a command without a file.

    Args:
        model: names of models at the server; where there is no `api_base`, of embedded ones or, with `model_path` or
            where the name stands for nothing else, of models on this machine.
        data: benchmarks.
        api_base: the server's address, or those of several servers of the same model.
        options: further fields under their names in a configuration: those of a task (``work_dir``, ``use_cache``,
            ``no_timestamp``), of every model (``key``, ``temperature``, ``max_tokens``, ``img_size``, ``img_detail``,
            ``system_prompt``, ``extra_body``, `LOCAL_OPTIONS`), those that say who judges (`with_judge_options`), all
            others of ``eval_config``. None means not given.

    Returns:
        A mapping for `load_tasks`. It is not checked yet.
    """
    given = {name: value for name, value in options.items() if value is not None}
    of_judge = {name: given.pop(name) for name in JUDGE_OPTIONS if name in given}
    behind_base_url = "base_url" in given
    of_task: dict[str, Any] = {name: given.pop(name) for name in _TASK_OPTIONS if name in given}
    of_model: dict[str, Any] = (
        {} if behind_base_url else {name: given.pop(name) for name in _MODEL_OPTIONS if name in given}
    )
    if api_base is not None:
        of_model["api_base"] = api_base
    names = [model] if isinstance(model, str) else list(model)
    entries = (
        names
        if behind_base_url and not of_model
        else [
            {**_called(name, served=api_base is not None, here="model_path" in of_model), **of_model} for name in names
        ]
    )
    evaluation = {"model": entries, "data": list(data), **given}
    return with_judge_options({**of_task, "eval_backend": "VLMEvalKit", "eval_config": evaluation}, of_judge)


def _called(name: str, *, served: bool, here: bool) -> dict[str, str]:
    """How an entry of ``model`` names a model that a command names."""
    if not served and (here or name in (TRANSFORMERS, QWEN_CHAT)):
        return {"name": name}
    return {"name": name if name in EMBEDDED and not served else API_MODEL, "type": name}


def with_judge_options(task: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Lets options of a command say who judges.

    Args:
        task: a task's configuration with a mapping as ``eval_config``, not checked yet; stays as it is.
        options: ``judge`` takes the place of the task's `judge` and `LOCAL_LLM`; ``judge_api_base`` and ``judge_nproc``
            go into every mapping of a judge, or stand beside a judge given by name. None means not given.

    Returns:
        A new mapping. It is not checked yet.
    """
    outer, changed = dict(task), dict(task["eval_config"])
    if options.get("judge") is not None:
        changed["judge"] = options["judge"]
        for record in (outer, changed):
            record.pop("LOCAL_LLM", None)
    api_base, nproc = options.get("judge_api_base"), options.get("judge_nproc")
    fields = {name: value for name, value in (("api_base", api_base), ("nproc", nproc)) if value is not None}
    judge = changed.get("judge")
    if isinstance(judge, dict):
        changed["judge"] = {**judge, **fields}
    elif isinstance(judge, list) and any(isinstance(entry, dict) for entry in judge):
        changed["judge"] = [{**entry, **fields} if isinstance(entry, dict) else entry for entry in judge]
    else:
        changed |= {"judge_api_nproc": nproc} if nproc is not None else {}
        if api_base is not None:
            changed.pop("judge_base_url", None)
            changed["judge_args"] = _with_address(changed.get("judge_args"), api_base)
    return {**outer, "eval_config": changed}


def _with_address(arguments: Any, api_base: str) -> Any:
    """Sets the address in `judge_args`; what is no mapping is left for the check that follows."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return arguments
    if arguments is None or isinstance(arguments, dict):
        return {**(arguments or {}), "api_base": api_base}
    return arguments
