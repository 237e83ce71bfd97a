"""Which judges a task and its environment ask for, each with its fields gathered from where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr

from .config_env import Environment
from .config_eval import JUDGE_TIMEOUT, EvalConfig
from .config_judge import ALIASES, IN_A_MAPPING, JudgeEntry, JudgeFields
from .config_model import result_name
from .config_problems import Path, Problem, show_path
from .config_task import TaskConfig
from .config_types import behind_base_url

__all__ = ["JUDGE", "Asked", "Trio", "asked_judges", "conflicts", "fields_beside", "read_trio"]

JUDGE: Final[Path] = ("eval_config", "judge")
_TRIO: Final = ("OPENAI_API_BASE", "OPENAI_API_KEY", "LOCAL_LLM")
_NO_KEY: Final = ("", "EMPTY")


@dataclass(frozen=True, slots=True)
class Trio:
    """`OPENAI_API_BASE`, `OPENAI_API_KEY` and `LOCAL_LLM`: of eval_config, else of the task, else of the environment.

    Attributes:
        base: address of judges that have none of their own.
        key: the configuration's key. That of the environment is no part of it, as it goes to fewer addresses.
        local_llm: the model to ask in place of a judge given by name.
        places: where those of the configuration stand, by name.
    """

    base: str | None
    key: SecretStr | None
    local_llm: str | None
    places: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Asked:
    """A judge that is asked for.

    Attributes:
        path: where it stands.
        fields: how it is asked.
        by_name: whether it is given by name, to which the fields beside it belong.
    """

    path: Path
    fields: JudgeFields
    by_name: bool

    @property
    def name(self) -> str:
        """What reports call it."""
        return result_name(self.fields.name or self.fields.model or "")


def read_trio(task: TaskConfig, environment: Environment) -> Trio:
    """Reads the three wherever they stand. The key ``EMPTY`` is none, as in the reference."""
    places: dict[str, Path] = {}
    values: dict[str, Any] = {}
    for name in _TRIO:
        for path, record in ((("eval_config", name), task.eval_config), ((name,), task)):
            value = getattr(record, name)
            no_key = isinstance(value, SecretStr) and value.get_secret_value() in _NO_KEY
            if name not in places and value is not None and not no_key:
                places[name], values[name] = path, value
    return Trio(
        base=values.get("OPENAI_API_BASE", environment.openai_base),
        key=values.get("OPENAI_API_KEY"),
        local_llm=values.get("LOCAL_LLM", environment.local_llm),
        places=places,
    )


def fields_beside(config: EvalConfig) -> list[Path]:
    """Returns the fields beside a judge's name that ask for something."""
    return [
        ("eval_config", name)
        for name in ("judge_args", *IN_A_MAPPING)
        if getattr(config, name) is not None and not (name == "judge_timeout" and config.judge_timeout == JUDGE_TIMEOUT)
    ]


def asked_judges(config: EvalConfig, trio: Trio) -> list[Asked]:
    """Gathers the judges that are asked for, the one that decides first; none where nothing asks for one.

    Args:
        config: the configuration, whose `judge` is not ``exact_matching``.
        trio: the address, key and model that may stand elsewhere.
    """
    judge = config.judge
    if judge is None:
        name = _unnamed(config, trio)
        return [_by_name(name, JUDGE, config, trio)] if name else []
    pairs = (
        [((*JUDGE, position), item) for position, item in enumerate(judge)]
        if isinstance(judge, list)
        else [(JUDGE, judge)]
    )
    return [
        Asked(path, item, by_name=False) if isinstance(item, JudgeEntry) else _by_name(item, path, config, trio)
        for path, item in pairs
    ]


def _unnamed(config: EvalConfig, trio: Trio) -> str | None:
    """The judge that is asked for without the field `judge`."""
    arguments = config.judge_args or JudgeFields()
    if arguments.model is not None:
        return arguments.model
    has_address = config.judge_base_url or arguments.api_base or trio.base
    return trio.local_llm if has_address else None


def _by_name(name: str, path: Path, config: EvalConfig, trio: Trio) -> Asked:
    """Gathers the fields of a judge given by name: `judge_args` first, the fields beside it over it."""
    arguments = config.judge_args or JudgeFields()
    beside = {short: getattr(config, long) for long, short in IN_A_MAPPING.items()}
    if config.judge_base_url is not None:
        beside["api_base"] = behind_base_url(config.judge_base_url)
    changes = {short: value for short, value in beside.items() if value is not None}
    changes |= {"name": arguments.name or name, "model": trio.local_llm or ALIASES.get(name, name)}
    return Asked(path, arguments.model_copy(update=changes), by_name=True)


def conflicts(config: EvalConfig, asked: Sequence[Asked], trio: Trio) -> list[Problem]:
    """Finds fields that contradict each other, and judges that reports could not tell apart."""
    named = sum(judge.by_name for judge in asked)
    problems = _beside_mappings(config) if named < len(asked) else []
    place = trio.places.get("LOCAL_LLM")
    if place and not named:
        problems.append(Problem(place, "is for a judge given by name; a judge's mapping says what to ask by model"))
    elif trio.local_llm and named > 1:
        whose = "" if place else "the environment's LOCAL_LLM "
        text = f"{whose}takes the place of one judge given by name, and here are {named}"
        problems.append(Problem(place or JUDGE, text))
    return problems + _same_names(asked)


def _beside_mappings(config: EvalConfig) -> list[Problem]:
    problems = []
    for path in fields_beside(config):
        short = IN_A_MAPPING.get(str(path[-1]))
        how = f"as {short}" if short else "field by field"
        problems.append(Problem(path, f"is for judges given by name; write it into the judge's mapping, {how}"))
    return problems


def _same_names(asked: Sequence[Asked]) -> list[Problem]:
    problems = []
    first: dict[str, Path] = {}
    for judge in asked:
        name = judge.name
        if not name:
            problems.append(Problem(judge.path, "leaves reports nothing to call it by; set name"))
        elif name in first:
            text = f"reports would call it {name!r}, as {show_path(first[name])}; set name in one of the two"
            problems.append(Problem(judge.path, text))
        first.setdefault(name, judge.path)
    return problems
