"""Judges of a run that is taken up again: what a run folder keeps of them, and which of their secrets are missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .config_data import folder
from .config_judge import ALIASES
from .config_plan import JudgeSpec
from .config_task import without_secrets

__all__ = ["is_judges_key", "is_judges_secret", "kept_judges", "lacks", "writable"]

_OWN_KEY: Final = re.compile(r"eval_config\.judge(?:\[(\d+)\])?\.key")
_SHARED_KEYS: Final = frozenset(
    {"eval_config.judge_key", "eval_config.judge_args.key", "eval_config.OPENAI_API_KEY", "OPENAI_API_KEY"}
)
_NO_KEY: Final = frozenset({"", "EMPTY"})


def writable(url: str) -> bool:
    """Whether an address may be written to a file: it is there, and holds no secret."""
    return bool(url) and without_secrets(url) == url


def kept_judges(evaluation: Mapping[str, Any], task: Mapping[str, Any], judges: Sequence[JudgeSpec]) -> dict[str, Any]:
    """Returns ``eval_config`` with its judges as they are in any folder and any environment.

    Args:
        evaluation: ``eval_config`` without secrets.
        task: the task that it belongs to.
        judges: the judges of the plan, in which the environment's address and model are found.
    """
    kept = dict(evaluation)
    judge, arguments = kept.get("judge"), kept.get("judge_args") or {}
    if judge is not None:
        kept["judge"] = [_anywhere(entry) for entry in judge] if isinstance(judge, list) else _anywhere(judge)
    if arguments:
        kept["judge_args"] = _anywhere(arguments)
    for entry, spec in zip(judge if isinstance(judge, list) else [judge], judges, strict=False):
        by_name = not isinstance(entry, dict)
        own = (kept.get("judge_base_url") or arguments.get("api_base")) if by_name else entry.get("api_base")
        if own is None and writable(spec.asked.url):
            _set_unless_given("OPENAI_API_BASE", spec.asked.url, kept, task)
        name = entry if isinstance(entry, str) else arguments.get("model") or ""
        if by_name and spec.asked.model != ALIASES.get(name, name):
            _set_unless_given("LOCAL_LLM", spec.asked.model, kept, task)
    return kept


def _anywhere(entry: Any) -> Any:
    """A judge's mapping with the path of its rubric made absolute."""
    if not isinstance(entry, dict) or entry.get("rubric") is None:
        return entry
    return {**entry, "rubric": str(folder(entry["rubric"]).absolute())}


def _set_unless_given(name: str, value: str, evaluation: dict[str, Any], task: Mapping[str, Any]) -> None:
    if evaluation.get(name) is None and task.get(name) is None:
        evaluation[name] = value


def is_judges_secret(path: str) -> bool:
    """Whether a field that holds a secret is one of judges."""
    return path.startswith("eval_config.judge") or path.removeprefix("eval_config.").startswith("OPENAI_API_")


def is_judges_key(path: str) -> bool:
    """Whether a field is the key of judges, which the environment may hold in its place."""
    return path in _SHARED_KEYS or _OWN_KEY.fullmatch(path) is not None


def lacks(path: str, judges: Sequence[JudgeSpec]) -> bool:
    """Whether judges that are asked lack a secret of theirs.

    Args:
        path: the field that held it.
        judges: the judges of the plan.
    """
    if not judges or not is_judges_key(path):
        return bool(judges)
    own = _OWN_KEY.fullmatch(path)
    position = int(own[1] or 0) if own else None
    concerned = judges if position is None else judges[position : position + 1]
    return any(judge.asked.key.get_secret_value() in _NO_KEY for judge in concerned)
