"""What a user should know about fields that are accepted and have no effect, or less than they seem to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .config_eval import EvalConfig
from .config_judge import JudgeFields
from .config_local import LocalEntry
from .config_model import ModelEntry
from .config_task import TaskConfig

__all__ = ["notes"]

_WITHOUT_EFFECT: Final = {
    "api_mode": (False, "asking and scoring always overlap"),
    "debug": (False, "logs/run.log has the details"),
    "ignore": (False, "failed questions are counted apart and asked again on resume"),
    "monitor_interval": (30, "progress is shown as it happens"),
    "reuse_aux": ("all", "scores are computed anew from the answers"),
    "verbose": (False, "every answer is in predictions.jsonl"),
}


def notes(task: TaskConfig) -> list[str]:
    """Collects a sentence for each field that is set and has no effect."""
    config = task.eval_config
    found = []
    for prefix, record in (("", task), ("eval_config.", config)):
        for field, (default, why) in _WITHOUT_EFFECT.items():
            if field in record.model_fields_set and getattr(record, field) != default:
                found.append(f"{prefix}{field} has no effect: {why}")
    if config.nproc is not None and "api_nproc" in config.model_fields_set and config.api_nproc != config.nproc:
        found.append("eval_config.api_nproc has no effect: nproc is set too and wins")
    judges = dict(_judges(config))
    numbers = [config.nproc, config.judge_api_nproc]
    numbers += [model.nproc for model in config.model] + [judge.nproc for judge in judges.values()]
    if "nproc_max" in config.model_fields_set and "auto" not in numbers:
        found.append("eval_config.nproc_max has no effect: nproc is not auto")
    if task.work_dir is not None and config.work_dir not in (None, task.work_dir):
        found.append("eval_config.work_dir has no effect: the task's own work_dir wins")
    for position, model in enumerate(config.model):
        path = f"eval_config.model[{position}]"
        if model.verbose:
            found.append(f"{path}.verbose has no effect: every answer is in predictions.jsonl")
        found += _of_entry(model, path, config.nproc)
    for path, judge in judges.items():
        found += _of_entry(judge, path, config.judge_api_nproc or config.nproc)
    return found


def _judges(config: EvalConfig) -> Iterator[tuple[str, JudgeFields]]:
    """The judges that have fields of their own and may be asked, by the place that they stand at."""
    if config.mode == "infer":
        return
    if isinstance(config.judge, list):
        for position, judge in enumerate(config.judge):
            if isinstance(judge, JudgeFields):
                yield f"eval_config.judge[{position}]", judge
    elif isinstance(config.judge, JudgeFields):
        yield "eval_config.judge", config.judge
    if config.judge_args is not None:
        yield "eval_config.judge_args", config.judge_args


def _of_entry(entry: ModelEntry | LocalEntry | JudgeFields, path: str, default: int | str | None) -> Iterator[str]:
    nproc = entry.nproc or default
    if entry.nproc_max is not None and nproc != "auto":
        yield f"{path}.nproc_max has no effect: nproc is not auto"
    if isinstance(entry, LocalEntry):
        if isinstance(nproc, int) and nproc < entry.batch_size:
            yield f"{path}.batch_size: batches have at most {nproc} questions, for nproc lets no more wait"
        return
    if entry.extra.get("n", 1) != 1:
        yield f"{path}.n: only the first of the choices is kept"
    if entry.key is not None and entry.key.get_secret_value().startswith("$"):
        yield f"{path}.key begins with $: names of variables are not replaced in a configuration"
