"""Turns a task and its environment into a plan: defaults filled in, names checked, addresses completed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypedDict
from urllib.parse import urlsplit

from pydantic import SecretStr

from ..adapters.embedded import EMBEDDED, processors
from ..adapters.openai_chat import completions_url
from ..errors import ConfigError
from ..scoring.protocol import Protocol, resolve_protocol
from .config_data import by_own_rules, data_problems, folder, is_path
from .config_env import Environment
from .config_eval import ASKS_NOTHING, ONLY_BEHIND_BASE_URL, RETRY, EvalConfig, in_flight
from .config_judge_resolve import OPENAI_HOST, resolve_judges
from .config_local import LocalEntry, local_settings
from .config_model import ModelEntry, result_name
from .config_notes import notes
from .config_plan import ModelSpec, RunPlan
from .config_problems import Problem, fail, show_path
from .config_task import TaskConfig
from .config_types import behind_base_url
from .config_videos import video_plan, video_problems

__all__ = ["resolve", "resolve_all"]

_TIMEOUT_S: Final = 330.0
_PATIENCE_S: Final = 600.0
_WAIT_S: Final = 1.0
_MIN_EDGE: Final = 100
_LMDEPLOY_KEY: Final = "sk-admin"
_LMDEPLOY_MAX_TOKENS: Final = 32_768
_LMDEPLOY_TIMEOUT_S: Final = 1980.0
_LONGEST_NAME: Final = 150
_BATCHES_WAITING: Final = 16
"""Batches' worth of questions that wait at a model on this machine: two for each of eight devices."""
_EVAL: Final = "eval_config"
_OF_EMBEDDED: Final = frozenset(
    {
        "name", "type", "img_size", "total_img_size", "max_file_size", "nproc", "nproc_max", "rpm", "retry", "wait",
        "verbose",
    }
)  # fmt: skip
"""Fields of a model that an embedded one has, too."""


def resolve(task: TaskConfig, environment: Environment) -> RunPlan:
    """Makes the plan of a task.

    Args:
        task: the configuration.
        environment: what `read_environment` returned.

    Raises:
        ConfigError: every problem that shows only with the environment: unknown benchmarks, models without an address,
            models whose results would be filed under one name, judges that cannot be asked.
    """
    config = task.eval_config
    data_root = folder(config.data_root) if config.data_root else environment.data_root
    judging = resolve_judges(task, environment)
    problems = [
        *_model_problems(config, environment),
        *data_problems(config.data, data_root),
        *judging.problems,
        *_page_problems(config),
        *video_problems(config),
    ]
    if problems:
        raise fail(problems)
    protocol = resolve_protocol(config.protocol)
    models = tuple(_models(config, environment, protocol))
    longest = max(spec.timeout_s for spec in (*models, *(judge.asked for judge in judging.judges)))
    return RunPlan(
        models=models,
        data=tuple(str(folder(name)) if is_path(name) else name for name in config.data),
        mode=config.mode,
        limit=config.limit,
        repeats=config.repeats,
        protocol=protocol,
        reuse=config.reuse,
        use_cache=folder(task.use_cache) if task.use_cache else None,
        work_dir=folder(task.work_dir or config.work_dir or "outputs"),
        no_timestamp=task.no_timestamp,
        data_root=data_root,
        mirror=config.mirror,
        nproc=in_flight(None, config)["nproc"],
        rpm=config.rpm,
        tpm=config.tpm,
        retry=config.retry or RETRY,
        grace_s=config.grace,
        patience_s=config.patience or max(_PATIENCE_S, 2 * longest),
        keep_failed=config.keep_failed,
        quiet=config.quiet,
        split_think=environment.split_think,
        notes=(*notes(task), *judging.notes, *environment.notes, *_data_notes(config)),
        public=task.public_dict(),
        secrets=tuple(task.secret_paths()),
        judges=judging.judges,
        max_pages=config.max_pages,
        concat_num=config.concat_num,
        column_num=config.column_num,
        videos=video_plan(config),
    )


def resolve_all(tasks: Sequence[TaskConfig], environment: Environment) -> list[RunPlan]:
    """Makes the plans of several tasks.

    Raises:
        ConfigError: as `resolve`; names the task where there are several.
    """
    plans = []
    for position, task in enumerate(tasks):
        try:
            plans.append(resolve(task, environment))
        except ConfigError as error:
            problem = str(error) if len(tasks) == 1 else f"task [{position}]: {error}"
            raise ConfigError(problem) from None
    return plans


def _data_notes(config: EvalConfig) -> list[str]:
    return [
        f"{name} is scored by the rules for files of one's own, not by the benchmark's, which arrive with a later "
        "version: its figures are not comparable with published ones"
        for name in by_own_rules(config.data)
    ]


class _Pictures(TypedDict):
    """How pictures are shown, by the names of `ModelSpec`."""

    img_size: int
    total_img_size: int
    max_file_size: int
    min_image_edge: int


def _pictures(entry: ModelEntry | LocalEntry, environment: Environment, protocol: Protocol) -> _Pictures:
    return {
        "img_size": entry.img_size,
        "total_img_size": entry.total_img_size,
        "max_file_size": _max_file_size(entry.max_file_size, environment, protocol),
        "min_image_edge": _min_edge(environment, protocol),
    }


def _served(entry: ModelEntry, config: EvalConfig, environment: Environment, protocol: Protocol) -> ModelSpec:
    assert entry.type is not None
    given = entry.api_base or environment.openai_base or ""
    urls = tuple(completions_url(url) for url in ([given] if isinstance(given, str) else given))
    return ModelSpec(
        name=result_name(entry.type),
        model=entry.type,
        style="openai",
        url=urls[0],
        urls=urls,
        key=entry.key if entry.key is not None else _ambient_key(entry, urls, environment),
        temperature=entry.temperature,
        max_tokens=entry.max_tokens,
        extra=entry.extra,
        system_prompt=entry.system_prompt,
        **_pictures(entry, environment, protocol),
        img_detail=entry.img_detail,
        timeout_s=entry.timeout or config.timeout or _TIMEOUT_S,
        connect_timeout_s=entry.connect_timeout or config.connect_timeout,
        retry=entry.retry or config.retry or RETRY,
        wait_s=_WAIT_S if entry.wait is None else entry.wait,
        **in_flight(entry, config),
        rpm=entry.rpm or config.rpm,
        tpm=entry.tpm or config.tpm,
        price=entry.price,
        video_llm=entry.video_llm,
        verify=entry.verify,
    )


def _embedded(entry: ModelEntry, config: EvalConfig, environment: Environment, protocol: Protocol) -> ModelSpec:
    assert entry.name is not None
    return ModelSpec(
        name=result_name(entry.name),
        model=entry.name,
        style="embedded",
        url="",
        key=SecretStr(""),
        temperature=None,
        max_tokens=None,
        extra={},
        system_prompt=None,
        **_pictures(entry, environment, protocol),
        img_detail="auto",
        timeout_s=_TIMEOUT_S,
        connect_timeout_s=config.connect_timeout,
        retry=entry.retry or config.retry or RETRY,
        wait_s=_WAIT_S if entry.wait is None else entry.wait,
        **in_flight(entry, config, processors()),
        rpm=entry.rpm or config.rpm,
        tpm=None,
    )


def _local(entry: LocalEntry, config: EvalConfig, environment: Environment, protocol: Protocol) -> ModelSpec:
    settings = local_settings(entry, config.timeout)
    return ModelSpec(
        name=result_name(entry.filed_under),
        model=entry.filed_under,
        style="local",
        url="",
        key=SecretStr(""),
        temperature=entry.temperature,
        max_tokens=settings.generation.max_new_tokens,
        extra={},
        system_prompt=entry.system_prompt,
        **_pictures(entry, environment, protocol),
        img_detail="auto",
        timeout_s=settings.patience_s,
        connect_timeout_s=config.connect_timeout,
        retry=config.retry or RETRY,
        wait_s=_WAIT_S,
        **in_flight(entry, config, _BATCHES_WAITING * entry.batch_size),
        rpm=None,
        tpm=None,
        video_llm=entry.video_llm,
        local=settings,
    )


def _behind_base_url(entry: ModelEntry, config: EvalConfig, environment: Environment, protocol: Protocol) -> ModelSpec:
    assert entry.type is not None
    assert config.base_url is not None
    extra = {
        name: getattr(config, name)
        for name in ("top_k", "top_p", "repetition_penalty")
        if getattr(config, name) is not None
    }
    factor = 2 if config.thinker else 1
    return ModelSpec(
        name=result_name(entry.type),
        model=entry.type,
        style="lmdeploy",
        url=behind_base_url(config.base_url),
        key=config.key if config.key is not None else environment.lmdeploy_key or SecretStr(_LMDEPLOY_KEY),
        temperature=0.0 if config.temperature is None else config.temperature,
        max_tokens=factor * (config.max_tokens or _LMDEPLOY_MAX_TOKENS),
        extra=extra | (config.extra_body or {}),
        system_prompt=None,
        img_size=-1,
        total_img_size=-1,
        max_file_size=_max_file_size(entry.max_file_size, environment, protocol),
        min_image_edge=_min_edge(environment, protocol),
        img_detail="auto",
        timeout_s=factor * (config.timeout or _LMDEPLOY_TIMEOUT_S),
        connect_timeout_s=config.connect_timeout,
        retry=config.retry or RETRY,
        wait_s=_WAIT_S,
        **in_flight(None, config),
        rpm=config.rpm,
        tpm=config.tpm,
        price=entry.price,
        video_llm=config.video_llm,
    )


def _ambient_key(entry: ModelEntry, urls: Sequence[str], environment: Environment) -> SecretStr:
    """OpenAI's key goes to OpenAI and to the address that the environment names beside it, nowhere else."""
    trusted = entry.api_base is None or all(urlsplit(url).hostname == OPENAI_HOST for url in urls)
    if trusted and environment.openai_key is not None:
        return environment.openai_key
    return environment.api_key or SecretStr("EMPTY")


def _min_edge(environment: Environment, protocol: Protocol) -> int:
    if not protocol.cached_images:
        return 0
    return _MIN_EDGE if environment.min_image_edge is None else environment.min_image_edge


def _max_file_size(given: int, environment: Environment, protocol: Protocol) -> int:
    return environment.max_image_size or given if protocol.cached_images else given


def _model_problems(config: EvalConfig, environment: Environment) -> list[Problem]:
    problems = []
    first: dict[str, int] = {}
    for position, entry in enumerate(config.model):
        path = (_EVAL, "model", position)
        given = entry.filed_under if isinstance(entry, LocalEntry) else entry.type
        name = result_name(given or "")
        if not name or len(name.encode()) > _LONGEST_NAME:
            text = f"gives no name to file results under (1 to {_LONGEST_NAME} bytes after the last /)"
            problems.append(Problem((*path, "type"), text))
        elif name in first:
            problems.append(
                Problem(
                    (*path, "type"),
                    f"results would be filed under {name!r}, as those of {show_path((*path[:2], first[name]))}; "
                    "run the two as separate tasks with a work_dir each",
                )
            )
        first.setdefault(name, position)
        problems += _entry_problems(entry, config, environment, position)
    if config.base_url is None:
        problems += _stray_fields(config)
    return problems


def _entry_problems(
    entry: ModelEntry | LocalEntry, config: EvalConfig, environment: Environment, position: int
) -> list[Problem]:
    path = (_EVAL, "model", position)
    if isinstance(entry, LocalEntry):
        text = "runs on this machine and has no place behind base_url; run it as a task of its own"
        return [Problem(path, text)] if config.base_url is not None else []
    if entry.name in EMBEDDED and config.base_url is None:
        return _embedded_problems(entry, path)
    return _address_problems(entry, config, environment, position)


def _address_problems(entry: ModelEntry, config: EvalConfig, environment: Environment, position: int) -> list[Problem]:
    path = (_EVAL, "model", position)
    if config.base_url is not None:
        fields = (entry.model_fields_set | set(entry.model_extra or ())) - {"type", "name", "price"}
        return [
            Problem((*path, field), "has no effect beside base_url; set it in eval_config, or give each model api_base")
            for field in sorted(fields)
        ]
    if entry.api_base is not None:
        return []
    if entry.name is None:
        text = (
            "a model's name alone stands for a model on this machine, and eyechart knows none of this name (eyechart "
            "list models); give name: transformers and model_path; or, served, name: CustomAPIModel, type, api_base; "
            "or set base_url"
        )
        return [Problem(path, text)]
    if environment.openai_base is None:
        text = "is missing, expected the server's address such as http://localhost:8000/v1/chat/completions"
        return [Problem((*path, "api_base"), text)]
    if not environment.openai_base.startswith(("http://", "https://")) or "@" in environment.openai_base:
        return [Problem((*path, "api_base"), "is missing, and the environment's OPENAI_API_BASE is no plain address")]
    return []


def _embedded_problems(entry: ModelEntry, path: tuple[str | int, ...]) -> list[Problem]:
    stray = (entry.model_fields_set | set(entry.model_extra or ())) - _OF_EMBEDDED
    problems = [Problem((*path, field), f"has no effect: {entry.name} is embedded") for field in sorted(stray)]
    if entry.type != entry.name:
        text = f"is another name than {entry.name}, which is embedded and filed under its own; leave it out"
        problems.append(Problem((*path, "type"), text))
    return problems


def _stray_fields(config: EvalConfig) -> list[Problem]:
    """Generation parameters beside models that have their own: the reference ignores them, which nobody wants."""
    problems = []
    for field in ONLY_BEHIND_BASE_URL:
        value = getattr(config, field)
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        if field not in config.model_fields_set or value is None or value == ASKS_NOTHING.get(field):
            continue
        hint = "it is for models behind base_url" if field == "thinker" else f"set {_EVAL}.model[i].{field} instead"
        problems.append(Problem((_EVAL, field), f"has no effect without base_url; {hint}"))
    return problems


def _models(config: EvalConfig, environment: Environment, protocol: Protocol) -> Iterator[ModelSpec]:
    for entry in config.model:
        if isinstance(entry, LocalEntry):
            yield _local(entry, config, environment, protocol)
        elif config.base_url is not None:
            yield _behind_base_url(entry, config, environment, protocol)
        elif entry.name in EMBEDDED:
            yield _embedded(entry, config, environment, protocol)
        else:
            yield _served(entry, config, environment, protocol)


def _page_problems(config: EvalConfig) -> list[Problem]:
    if config.concat_num is not None or config.column_num == 1:
        return []
    text = "has no effect without concat_num: pages are put on sheets only where it says on how many"
    return [Problem((_EVAL, "column_num"), text)]
