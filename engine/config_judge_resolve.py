"""Turns the judges that are asked for into plans of how each is asked: addresses, keys, limits, rubrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from ..adapters.openai_chat import completions_url
from ..errors import ConfigError
from .config_data import folder
from .config_env import Environment
from .config_eval import RETRY, EvalConfig, in_flight
from .config_judge import EXACT, IN_A_MAPPING, JudgeFields
from .config_judge_asked import JUDGE, Asked, Trio, asked_judges, conflicts, fields_beside, read_trio
from .config_model import result_name
from .config_plan import JudgeSpec, ModelSpec
from .config_problems import Path, Problem, show_path
from .config_task import TaskConfig

__all__ = ["OPENAI_HOST", "Judging", "resolve_judges"]

OPENAI_HOST: Final = "api.openai.com"
_TIMEOUT_S: Final = 660.0
_LARGEST_RUBRIC: Final = 1_000_000
_ADDRESS: Final = "an address such as http://localhost:8000/v1"


@dataclass(frozen=True, slots=True)
class Judging:
    """Who judges a task's answers.

    Attributes:
        judges: the judges, the one that decides first; empty for exact rules alone.
        problems: what stands against asking them.
        notes: sentences for the user about fields and variables without effect.
    """

    judges: tuple[JudgeSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def resolve_judges(task: TaskConfig, environment: Environment) -> Judging:
    """Finds out who judges, and how each judge is asked. Reads the files of rubrics.

    Args:
        task: the configuration.
        environment: what `read_environment` returned.
    """
    config = task.eval_config
    trio = read_trio(task, environment)
    idle = [*fields_beside(config), *trio.places.values()]
    if config.mode == "infer":
        given = [JUDGE, *idle] if config.judge not in (None, EXACT) else idle
        return Judging(notes=_without_effect(given, "mode: infer asks no judge"))
    if config.judge == EXACT:
        return Judging(notes=_without_effect(idle, f"judge is {EXACT}"))
    asked = asked_judges(config, trio)
    if not asked:
        return _nobody(config, trio, environment)
    problems = conflicts(config, asked, trio)
    judges = []
    for judge in asked:
        urls, found = _urls(judge, trio, environment)
        rubric, fault = _rubric(judge.fields.rubric)
        problems += found
        problems += [Problem((*judge.path, "rubric"), fault)] if fault else []
        if not problems:
            key = _key(judge.fields, urls, trio, environment)
            judges.append(JudgeSpec(_spec(judge, urls, key, config), judge.fields.repeats, rubric))
    if problems:
        return Judging(problems=tuple(problems))
    return Judging(tuple(judges), notes=tuple(_notes(task, asked, trio, environment)))


def _spec(judge: Asked, urls: tuple[str, ...], key: SecretStr, config: EvalConfig) -> ModelSpec:
    fields = judge.fields
    assert fields.model is not None
    return ModelSpec(
        name=judge.name,
        model=fields.model,
        style="openai",
        url=urls[0],
        urls=urls,
        key=key,
        temperature=fields.temperature,
        max_tokens=fields.max_tokens,
        extra=fields.extra,
        system_prompt=fields.system_prompt,
        img_size=-1,
        total_img_size=-1,
        max_file_size=1_000_000_000,
        min_image_edge=0,
        img_detail="auto",
        timeout_s=fields.timeout or _TIMEOUT_S,
        connect_timeout_s=fields.connect_timeout or config.connect_timeout,
        retry=fields.retry or config.retry or RETRY,
        wait_s=fields.wait,
        **in_flight(fields, config),
        rpm=fields.rpm,
        tpm=fields.tpm,
        price=fields.price,
        verify=fields.verify,
    )


def _nobody(config: EvalConfig, trio: Trio, environment: Environment) -> Judging:
    """No judge: exact rules alone, unless fields are there that only a judge can have."""
    if given := fields_beside(config):
        fields = ", ".join(str(path[-1]) for path in given)
        text = f"is missing, and without it {fields} would have no effect; name the model that judges"
        return Judging(problems=(Problem(JUDGE, text),))
    notes: list[str] = []
    for name, path in trio.places.items():
        lacking = "OPENAI_API_BASE" if name == "LOCAL_LLM" else "judge or LOCAL_LLM"
        notes += _without_effect([path], f"no judge is asked, as long as {lacking} is not set")
    if environment.local_llm is not None and "LOCAL_LLM" not in trio.places:
        notes += ["the environment variable LOCAL_LLM has no effect: no judge is asked without OPENAI_API_BASE"]
    return Judging(notes=tuple(notes))


# -- addresses and keys ------------------------------------------------------------------------------------------------


def _urls(judge: Asked, trio: Trio, environment: Environment) -> tuple[tuple[str, ...], list[Problem]]:
    given = judge.fields.api_base or trio.base
    path = judge.path if judge.by_name else (*judge.path, "api_base")
    if given is None and judge.by_name:
        text = (
            f"{judge.name} has no address; set judge_base_url or OPENAI_API_BASE to {_ADDRESS} (--judge-api-base), or "
            "make judge a mapping with model and api_base"
        )
        return (), [Problem(path, text)]
    if given is None:
        return (), [Problem(path, f"is missing, expected {_ADDRESS}; or set OPENAI_API_BASE")]
    try:
        return tuple(completions_url(url) for url in ([given] if isinstance(given, str) else given)), []
    except ConfigError:  # its text may repeat what the address holds
        whose = "the environment's OPENAI_API_BASE" if given == environment.openai_base else "what is given"
        return (), [Problem(path, f"has no address: {whose} is no plain address")]


def _key(fields: JudgeFields, urls: Sequence[str], trio: Trio, environment: Environment) -> SecretStr:
    """OpenAI's key of the environment goes to OpenAI and to the address that stands beside it, nowhere else."""
    if fields.key is not None:
        return fields.key
    if trio.key is not None and _takes_openai_key(fields):
        return trio.key
    if environment.judge_key is not None:
        return environment.judge_key
    if environment.openai_key is not None and (_at_openai(urls) or _is_base(urls, environment.openai_base)):
        return environment.openai_key
    return SecretStr("EMPTY")


def _takes_openai_key(fields: JudgeFields) -> bool:
    """Whether the configuration's `OPENAI_API_KEY` is for the judge's address."""
    base = fields.api_base
    return base is None or _at_openai([base] if isinstance(base, str) else base)


def _at_openai(urls: Iterable[str]) -> bool:
    return all(urlsplit(url).hostname == OPENAI_HOST for url in urls)


def _is_base(urls: Iterable[str], base: str | None) -> bool:
    try:
        return base is not None and set(urls) == {completions_url(base)}
    except ConfigError:
        return False


# -- rubrics -----------------------------------------------------------------------------------------------------------


def _rubric(name: str | None) -> tuple[str | None, str | None]:
    """Returns the text of a rubric, and what is wrong with its file."""
    if name is None:
        return None, None
    path, shown = folder(name), repr(name[:200])
    text = fault = None
    try:
        if not path.exists():
            fault = f"there is no file {shown}"
        elif not path.is_file():
            fault = f"{shown} is no file"
        elif path.stat().st_size > _LARGEST_RUBRIC:
            fault = f"{shown} is larger than {_LARGEST_RUBRIC // 1_000_000} MB: not a rubric"
        else:
            text = path.read_text(encoding="utf-8-sig")
            fault = None if text.strip() else f"{shown} is empty"
    except OSError as error:
        fault = f"{shown} cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        fault = f"{shown} is no UTF-8 text (byte {error.start})"
    return text, fault


# -- what to tell ------------------------------------------------------------------------------------------------------


def _notes(task: TaskConfig, asked: Sequence[Asked], trio: Trio, environment: Environment) -> list[str]:
    config = task.eval_config
    notes: list[str] = []
    for name, path in trio.places.items():
        if getattr(task, name) not in (None, getattr(config, name)) and path != (name,):
            notes += _without_effect([(name,)], f"{show_path(path)} wins")
    arguments = config.judge_args or JudgeFields()
    for long, short in IN_A_MAPPING.items():
        if short in arguments.model_fields_set and getattr(config, long) is not None:
            notes += _without_effect([("eval_config", "judge_args", short)], f"{long} is set too and wins")
    if "OPENAI_API_BASE" in trio.places and all(judge.fields.api_base for judge in asked):
        notes += _without_effect([trio.places["OPENAI_API_BASE"]], "every judge has an address of its own")
    if trio.key and not any(judge.fields.key is None and _takes_openai_key(judge.fields) for judge in asked):
        why = "no judge is asked at OPENAI_API_BASE without a key of its own"
        notes += _without_effect([trio.places["OPENAI_API_KEY"]], why)
    if environment.local_llm is not None and "LOCAL_LLM" not in trio.places:
        notes += _of_local_llm(environment.local_llm, asked)
    return notes


def _of_local_llm(model: str, asked: Sequence[Asked]) -> Iterator[str]:
    """A variable that was set long ago should not change the judge without a word."""
    named = [judge.name for judge in asked if judge.by_name]
    if not named:
        yield "the environment variable LOCAL_LLM has no effect: the judge's mapping says what to ask"
    yield from (
        f"the judge {name} is {model}, which the environment variable LOCAL_LLM puts in its place"
        for name in named
        if name != result_name(model)
    )


def _without_effect(paths: Iterable[Path], why: str) -> tuple[str, ...]:
    return tuple(f"{show_path(path)} has no effect: {why}" for path in paths)
