"""What a user should know about fields that are accepted and have no effect, or less than they seem to."""

from __future__ import annotations

from typing import Final

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
    "OPENAI_API_KEY": (None, "it is the key of a judge, and no judge is asked"),
    "OPENAI_API_BASE": (None, "it is the address of a judge, and no judge is asked"),
}
_EMPTY_KEY: Final = "EMPTY"


def notes(task: TaskConfig) -> list[str]:
    """Collects a sentence for each field that is set and has no effect."""
    config = task.eval_config
    found = []
    for prefix, record in (("", task), ("eval_config.", config)):
        for field, (default, why) in _WITHOUT_EFFECT.items():
            if field not in record.model_fields_set:
                continue
            value = getattr(record, field)
            if value == default or (field == "OPENAI_API_KEY" and value.get_secret_value() == _EMPTY_KEY):
                continue
            found.append(f"{prefix}{field} has no effect: {why}")
    if config.nproc is not None and "api_nproc" in config.model_fields_set and config.api_nproc != config.nproc:
        found.append("eval_config.api_nproc has no effect: nproc is set too and wins")
    if "nproc_max" in config.model_fields_set and "auto" not in (
        config.nproc,
        *(entry.nproc for entry in config.model),
    ):
        found.append("eval_config.nproc_max has no effect: nproc is not auto")
    if task.work_dir is not None and config.work_dir not in (None, task.work_dir):
        found.append("eval_config.work_dir has no effect: the task's own work_dir wins")
    return found + [
        note for position, entry in enumerate(config.model) for note in _of_model(entry, position, config.nproc)
    ]


def _of_model(entry: ModelEntry, position: int, default: int | str | None) -> list[str]:
    path = f"eval_config.model[{position}]"
    found = []
    if entry.verbose:
        found.append(f"{path}.verbose has no effect: every answer is in predictions.jsonl")
    if entry.nproc_max is not None and (entry.nproc or default) != "auto":
        found.append(f"{path}.nproc_max has no effect: nproc is not auto")
    if entry.extra.get("n", 1) != 1:
        found.append(f"{path}.n: only the first of the choices is kept")
    if entry.key is not None and entry.key.get_secret_value().startswith("$"):
        found.append(f"{path}.key begins with $: names of variables are not replaced in a configuration")
    return found
