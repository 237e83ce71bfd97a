"""What a run folder keeps of its configuration, and how a run is taken up again from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from ..errors import ConfigError
from .config import Environment, RunPlan, apply_overrides, load_tasks, resolve
from .config_cli import with_judge_options
from .config_data import folder, is_path
from .config_local import is_local
from .config_plan import ModelSpec
from .resume_judges import is_judges_key, is_judges_secret, kept_judges, lacks, writable
from .run_folder import read_manifest

__all__ = ["kept_config", "kept_fields", "plan_of_run"]

_NO_KEY: Final = frozenset({"", "EMPTY", "sk-admin"})


def kept_config(plan: RunPlan) -> dict[str, Any]:
    """The configuration for the manifest: without secrets, and true in any folder and any environment.

    Paths are absolute; the data root and addresses that came from the environment are written out.
    """
    config = {name: value for name, value in plan.public.items() if name not in ("use_cache", "no_timestamp")}
    evaluation = {name: value for name, value in config["eval_config"].items() if name != "work_dir"}
    evaluation["data"] = [str(folder(name).absolute()) if is_path(name) else name for name in evaluation["data"]]
    evaluation["data_root"] = str(plan.data_root.absolute())
    if "base_url" not in evaluation:
        evaluation["model"] = [
            _kept_model(entry, spec) for entry, spec in zip(evaluation["model"], plan.models, strict=True)
        ]
    evaluation = kept_judges(evaluation, config, plan.judges)
    return {**config, "work_dir": str(plan.work_dir.absolute()), "eval_config": evaluation}


def _kept_model(entry: Mapping[str, Any], spec: ModelSpec) -> Mapping[str, Any]:
    if spec.local is not None:
        return {**entry, "model_path": spec.local.model_path}
    return entry if "api_base" in entry or not writable(spec.url) else {**entry, "api_base": spec.url}


def kept_fields(plan: RunPlan, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of the configuration.

    Args:
        plan: what is done now.
        known: the manifest as it stands. Scoring a run again does not change what the run is.
    """
    if plan.mode == "eval" and isinstance(known.get("config"), dict):
        return {name: known.get(name) for name in ("digest", "config", "secrets")}
    return {
        "digest": plan.digest,
        "config": kept_config(plan),
        "secrets": list(dict.fromkeys((*_secrets(known), *plan.secrets))),
    }


def _secrets(manifest: Mapping[str, Any]) -> list[str]:
    """Paths of the secrets that a run was begun with, as far as the manifest is what it should be."""
    kept = manifest.get("secrets")
    return [path for path in kept if isinstance(path, str)] if isinstance(kept, list) else []


def plan_of_run(
    run_dir: Path,
    environment: Environment,
    *,
    mode: Literal["eval"] | None = None,
    key: str | None = None,
    judge: Mapping[str, Any] = MappingProxyType({}),
    assignments: Sequence[str] = (),
    quiet: bool = False,
) -> tuple[RunPlan, list[str]]:
    """Makes the plan that continues a run, or scores it again.

    Args:
        run_dir: folder of the run.
        environment: what `read_environment` returned.
        mode: ``eval`` scores the stored answers and asks the models nothing; None does what the run was begun for.
        key: key of the models, which no run folder holds.
        judge: options of a command that say who judges (`with_judge_options`).
        assignments: changes to the configuration, as of ``--set``.
        quiet: show no progress.

    Returns:
        The plan, and sentences for the user about secrets that the run was begun with and that are not there now.

    Raises:
        ConfigError: there is no run in the folder, or its configuration cannot be used any more.
    """
    manifest = _manifest(run_dir)
    task = {**manifest["config"], "use_cache": str(run_dir.absolute())}
    evaluation = dict(task["eval_config"])
    if mode is not None:
        evaluation["mode"] = mode
    if quiet:
        evaluation["quiet"] = True
    if key is not None:
        _give_key(evaluation, key)
    task = apply_overrides(with_judge_options({**task, "eval_config": evaluation}, judge), assignments)
    try:
        (config,) = load_tasks(task)
        plan = resolve(config, environment)
    except ConfigError as error:
        problem = str(error)
    else:
        given = {assignment.partition("=")[0].strip() for assignment in assignments}
        given |= {"eval_config.judge"} if judge.get("judge") is not None else set()
        return plan, [_plea(path) for path in _missing_secrets(manifest, plan, frozenset(given))]
    raise ConfigError(f"{run_dir}: {problem}")


def _manifest(run_dir: Path) -> dict[str, Any]:
    manifest = read_manifest(run_dir)
    if manifest is None:
        runs = sorted(path.parent for path in run_dir.glob("*/run.json")) if run_dir.is_dir() else []
        hint = f"; the newest run below it is {runs[-1]}" if runs else ""
        raise ConfigError(f"there is no run in {run_dir}: it has no readable run.json{hint}")
    config = manifest.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("eval_config"), dict):
        raise ConfigError(f"{run_dir / 'run.json'} holds no configuration; run the original command again")
    return manifest


def _give_key(evaluation: dict[str, Any], key: str) -> None:
    models = evaluation.get("model")
    if "base_url" in evaluation:
        evaluation["key"] = key
    elif isinstance(models, list):
        evaluation["model"] = [
            {**entry, "key": key} if isinstance(entry, dict) and not is_local(entry) else entry for entry in models
        ]


def _missing_secrets(manifest: Mapping[str, Any], plan: RunPlan, given: frozenset[str]) -> Iterator[str]:
    """Yields the secrets that the run was begun with and whoever is asked now has not.

    Args:
        manifest: what the run folder holds.
        plan: what is done now.
        given: fields that are set now; what they held before is gone.
    """
    keys = {f"eval_config.model[{i}].key": spec.key for i, spec in enumerate(plan.models)}
    keys["eval_config.key"] = plan.models[0].key
    for path in _secrets(manifest):
        if path in given or path.startswith(tuple(f"{field}{sign}" for field in given for sign in ".[")):
            continue
        if is_judges_secret(path):
            missing = lacks(path, plan.judges)
        else:
            missing = plan.mode != "eval" and (path not in keys or keys[path].get_secret_value() in _NO_KEY)
        if missing:
            yield path


def _plea(path: str) -> str:
    if is_judges_key(path):
        return f"{path} is a secret and not stored with the run; give it in EYECHART_JUDGE_KEY"
    if path.endswith(".key"):
        return f"{path} is a secret and not stored with the run; give it in EYECHART_API_KEY (or by --key)"
    return f"{path} is a secret and not stored with the run; give it by --set '{path}=…'"
