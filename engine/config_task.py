"""The whole configuration of a task, as the seed writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from ..adapters.secrets import names_secret
from ..errors import ConfigError
from .config_eval import EvalConfig
from .config_judge import JudgeEntry, judge_problems
from .config_local import LocalEntry, is_local, local_problems
from .config_model import ModelEntry, Price, extra_problems
from .config_problems import SECRET_FIELDS, Path, Problem, fail, field_names, plain, refuse, show_path, shown, translate
from .config_types import Base, PathText, Secret, Url, Word

__all__ = ["TaskConfig", "without_secrets"]

_NO_KEY: Final = ("", "EMPTY")


def _backend(value: object) -> object:
    if value == "VLMEvalKit":
        return value
    raise refuse(f"given {shown(value)}, expected VLMEvalKit, the one backend that eyechart stands for")


class TaskConfig(Base):
    """A task: models, benchmarks, where results go. Takes a seed configuration's fields as they are.

    Raises:
        ConfigError: every problem of the configuration, a line each.
    """

    eval_config: EvalConfig = Field(description="What is evaluated, and how (below).")
    work_dir: PathText | None = Field(
        None, description="Folder that run folders are made in. Default: `eval_config.work_dir`, else `outputs`."
    )
    eval_backend: Annotated[str, BeforeValidator(_backend)] = Field("VLMEvalKit", description="Only `VLMEvalKit`.")
    use_cache: PathText | None = Field(None, description="An existing run folder to continue.")
    no_timestamp: bool = Field(False, description="Use `work_dir` itself as the run folder.")
    debug: bool = Field(False, description="Accepted without effect.")
    OPENAI_API_KEY: Secret | None = Field(None, description="As in `eval_config`, which wins.")
    OPENAI_API_BASE: Url | None = Field(None, description="As in `eval_config`, which wins.")
    LOCAL_LLM: Word | None = Field(None, description="As in `eval_config`, which wins.")

    def __init__(self, **fields: Any) -> None:
        copied, problems = plain(fields)
        problems += _extras(copied)
        if not problems:
            try:
                super().__init__(**copied)
            except ValidationError as error:
                problems = translate(error, _KNOWN)
        else:
            problems += _found(copied)
        if problems:
            raise fail(problems)

    def public_dict(self) -> dict[str, Any]:
        """Returns the configuration as given, without secrets, ready for JSON; it can be loaded again."""
        public = _public(self.model_dump(mode="json", exclude_unset=True))
        assert isinstance(public, dict)
        return public

    def secret_paths(self) -> list[str]:
        """Returns the paths of fields that hold a secret, which `public_dict` leaves out or shortens."""
        given = self.model_dump(mode="python", exclude_unset=True)
        return [show_path(path) for path in _left_out(given, self.public_dict(), ())]

    @classmethod
    def from_mapping(cls, mapping: object) -> TaskConfig:
        """Builds a task from a mapping, which stays as it is.

        Raises:
            ConfigError: every problem of the configuration, a line each.
        """
        if not isinstance(mapping, Mapping):
            raise ConfigError(f"given {shown(mapping)}, expected a mapping with eval_config")
        copied, problems = plain(mapping)
        if problems:
            raise fail(problems)
        return cls(**copied)


_KNOWN: Final[Mapping[Path, frozenset[str]]] = {
    (): field_names(TaskConfig),
    ("eval_config",): field_names(EvalConfig),
    ("eval_config", "model", 0): field_names(ModelEntry) | field_names(LocalEntry),
    ("eval_config", "model", 0, "price"): field_names(Price),
    ("eval_config", "judge", "price"): field_names(Price),
    ("eval_config", "judge"): field_names(JudgeEntry),
}


def _found(copied: dict[str, Any]) -> list[Problem]:
    """Names what pydantic finds beside problems that are known already, so that all are told at once."""
    try:
        TaskConfig.__pydantic_validator__.validate_python(copied, self_instance=TaskConfig.__new__(TaskConfig))
    except ValidationError as error:
        return translate(error, _KNOWN)
    return []


def _extras(copied: dict[str, Any]) -> list[Problem]:
    evaluation = copied.get("eval_config")
    models = evaluation.get("model") if isinstance(evaluation, dict) else None
    problems = []
    for position, entry in enumerate(models if isinstance(models, list) else ()):
        if isinstance(entry, dict):
            find = local_problems if is_local(entry) else extra_problems
            problems += find(entry, ("eval_config", "model", position), _KNOWN["eval_config",])
    if isinstance(evaluation, dict):
        problems += judge_problems(evaluation, _KNOWN["eval_config",])
    return problems


def _left_out(given: Any, public: Any, path: Path) -> Iterator[Path]:
    if isinstance(given, dict):
        for name, value in given.items():
            if name in public:
                yield from _left_out(value, public[name], (*path, name))
            elif value is not None and _text(value) not in _NO_KEY:
                yield (*path, name)
    elif isinstance(given, list):
        for position, (value, shown_) in enumerate(zip(given, public, strict=True)):
            yield from _left_out(value, shown_, (*path, position))
    elif isinstance(given, str) and given != public:
        yield path


def _text(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _public(item) for name, item in value.items() if not _secret(name)}
    if isinstance(value, list):
        return [_public(item) for item in value]
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return without_secrets(value)
    return value


def _secret(name: str) -> bool:
    return name in SECRET_FIELDS or names_secret(name)


def without_secrets(url: str) -> str:
    """Returns an address without a login and without fields of its query that are named like secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an address)"
    query = urlencode([(name, text) for name, text in parse_qsl(parts.query) if not _secret(name)])
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, query, parts.fragment))
