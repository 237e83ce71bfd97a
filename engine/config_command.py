"""Tasks as a command line gives them: a file with options that override it, or options alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigError
from .config_cli import JUDGE_OPTIONS, LOCAL_OPTIONS, apply_overrides, task_from_options, with_judge_options
from .config_env import Environment
from .config_load import load_tasks, read_file
from .config_plan import RunPlan
from .config_resolve import resolve_all
from .config_task import TaskConfig

__all__ = ["plans_from_command"]

_TASK_OPTIONS: Final = frozenset({"work_dir", "use_cache", "no_timestamp"})
_MODEL_OPTIONS: Final = frozenset(
    {"api_base", "key", "temperature", "max_tokens", "img_size", "img_detail", "system_prompt", *LOCAL_OPTIONS}
)
_BEHIND_BASE_URL: Final = frozenset({"key", "temperature", "max_tokens"})
_OPTION_PATHS: Final = (
    (re.compile(r"^eval_config\.model(?:\[\d+\])?(?:\.type)?(?=:)", re.MULTILINE), "--model"),
    (re.compile(r"^eval_config\.data(?:\[\d+\])?(?=:)", re.MULTILINE), "--data"),
    (re.compile(r"^eval_config\.judge_args\.api_base(?=:)", re.MULTILINE), "--judge-api-base"),
    (re.compile(r"^eval_config\.judge_api_nproc(?=:)", re.MULTILINE), "--judge-nproc"),
    (re.compile(r"^(?:eval_config\.(?:model\[\d+\]\.)?)?(\w+)(?=:)", re.MULTILINE), None),
)


def plans_from_command(
    config: Path | None, assignments: Sequence[str], options: Mapping[str, Any], environment: Environment
) -> list[RunPlan]:
    """Makes the plans of one command.

    Args:
        config: YAML or JSON file with one task or several, None for options alone.
        assignments: texts of ``--set``; they win over everything else.
        options: options by the name of their field; None means not given. With a file they replace what it says, in
            every task and, where a field is one of a model, in every model.
        environment: what `read_environment` returned.

    Raises:
        ConfigError: something is missing or wrong; a fault in an option is told under the option's name.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if config is not None:
        return resolve_all(_from_file(config, assignments, given), environment)
    missing = [f"--{name}" for name in ("model", "data") if not given.get(name)]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing: give a configuration file, or at least --model NAME --api-base URL "
            "--data BENCHMARK (a model on this machine: --model transformers --model-path DIR)"
        )
    mapping = apply_overrides(task_from_options(**given), assignments)
    try:
        return resolve_all(load_tasks(mapping), environment)
    except ConfigError as error:
        problem = str(error)
    raise ConfigError(problem if assignments else _as_options(problem))


def _as_options(problem: str) -> str:
    """Names the options of a command in place of the fields that they set."""
    for pattern, option in _OPTION_PATHS:
        problem = pattern.sub((lambda match: f"--{match[1].replace('_', '-')}") if option is None else option, problem)
    return problem


def _from_file(config: Path, assignments: Sequence[str], given: Mapping[str, Any]) -> list[TaskConfig]:
    if "model" in given:
        raise ConfigError(
            f"--model and {config} both name models; to change one in the file use "
            "--set 'eval_config.model[0].type=NAME'"
        )
    content = read_file(config)
    tasks = content if isinstance(content, list) else [content]
    if not assignments and not given:
        return load_tasks(config)
    changed = []
    for position, task in enumerate(tasks):
        where = f"{config}: task [{position}]" if isinstance(content, list) else str(config)
        if not isinstance(task, dict):
            raise ConfigError(f"{where}: expected a mapping with eval_config")
        evaluation = task.get("eval_config")
        if isinstance(evaluation, (str, os.PathLike)):
            task = {**task, "eval_config": read_file(Path(evaluation))}  # noqa: PLW2901
        try:
            changed += load_tasks(apply_overrides(_merged(task, given), assignments))
        except ConfigError as error:
            problem = str(error)
        else:
            continue
        raise ConfigError(f"{where}: {problem}")
    return changed


def _merged(task: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lets options replace what a task says; a task of the wrong shape is left for the check that follows."""
    evaluation = task.get("eval_config")
    if not isinstance(evaluation, dict):
        return dict(task)
    of_task = {name: value for name, value in given.items() if name in _TASK_OPTIONS}
    behind_base_url = evaluation.get("base_url") is not None
    of_models = {
        name: value
        for name, value in given.items()
        if name in _MODEL_OPTIONS and not (behind_base_url and name in _BEHIND_BASE_URL)
    }
    of_judge = {name: value for name, value in given.items() if name in JUDGE_OPTIONS}
    others = {*of_task, *of_models, *of_judge}
    rest = {name: value for name, value in given.items() if name not in others}
    evaluation = {**evaluation, **rest}
    models = evaluation.get("model")
    if of_models and isinstance(models, list):
        evaluation["model"] = [_with_fields(model, of_models) for model in models]
    return with_judge_options({**task, **of_task, "eval_config": evaluation}, of_judge)


def _with_fields(model: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(model, str):
        return {"type": model, **fields}
    return {**model, **fields} if isinstance(model, dict) else model
