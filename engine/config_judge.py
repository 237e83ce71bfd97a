"""``eval_config.judge``: who reads the answers that exact rules cannot read, and how it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from .config_model import ModelEntry, Price
from .config_payload import payload_problems
from .config_problems import SHAPES, Path, Problem, closest, field_names, refuse, shown
from .config_types import Addresses, Amount, Base, Count, JsonObject, Nproc, PathText, Rate, Seconds, Secret, Word

__all__ = [
    "ALIASES",
    "EXACT",
    "IN_A_MAPPING",
    "JudgeArgs",
    "JudgeEntry",
    "JudgeFields",
    "JudgeOrJudges",
    "judge_problems",
]

EXACT: Final = "exact_matching"
"""In place of a judge: exact rules alone."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gpt-4-turbo": "gpt-4-1106-preview",
        "gpt-4-0125": "gpt-4-0125-preview",
        "gpt-4-0409": "gpt-4-turbo-2024-04-09",
        "chatgpt-1106": "gpt-3.5-turbo-1106",
        "chatgpt-0125": "gpt-3.5-turbo-0125",
        "gpt-4o": "gpt-4o-2024-05-13",
        "gpt-4o-0806": "gpt-4o-2024-08-06",
        "gpt-4o-1120": "gpt-4o-2024-11-20",
        "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
        "qwen-7b": "Qwen/Qwen2.5-7B-Instruct",
        "qwen-72b": "Qwen/Qwen2.5-72B-Instruct",
        "deepseek": "deepseek-ai/DeepSeek-V3",
        "llama31-8b": "meta-llama/Llama-3.1-8B-Instruct",
    }
)
"""The reference's short names of judges, with the model that each of them asks."""

IN_A_MAPPING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "judge_base_url": "api_base",
        "judge_key": "key",
        "judge_api_nproc": "nproc",
        "judge_retry": "retry",
        "judge_timeout": "timeout",
    }
)
"""The reference's fields beside a judge's name, with what they are called in a judge's own mapping."""

_NAME, _MAPPING, _LIST = SHAPES[:3]
_NEAR_EXACT: Final = (EXACT, "exact_match", "exact")


class JudgeFields(Base):
    """How a judge is asked. Any field not listed here is sent with every request as it is."""

    model_config = ConfigDict(extra="allow")

    model: Word | None = Field(None, description="The judge's name at its server, sent as it is.")
    name: Word | None = Field(
        None, description="What reports call the judge. Default: `model`, shortened as the names of models are."
    )
    api_base: Addresses | None = Field(
        None,
        description="The judge's address, or a list of them, as those of models. Default: `OPENAI_API_BASE` of the "
        "configuration, else of the environment.",
    )
    key: Secret | None = Field(
        None,
        description="API key, as that of models. Default: `OPENAI_API_KEY` of the configuration where it is meant for "
        "this address (judge.md), else the environment's `EYECHART_JUDGE_KEY`, else `EMPTY`. Never written to any file "
        "of a run.",
    )
    rubric: PathText | None = Field(
        None, description="Text file with what the judge is told in place of the benchmark's own rubric."
    )
    repeats: Count = Field(1, description="Verdicts per answer; the majority decides.")
    temperature: Amount | None = Field(
        0.0, description="Sampling temperature where a benchmark asks for no other; `null` leaves it to the server."
    )
    max_tokens: Count | None = Field(
        2048,
        description="Longest reply in tokens, reasoning included, where a benchmark asks for no shorter one; `null` "
        "leaves it to the server.",
    )
    system_prompt: str | None = Field(None, description="Sent as a system message before every request.")
    nproc: Nproc | None = Field(
        None,
        description="Most requests in flight to the judge, to each of its addresses, or `auto`. Default: "
        "`eval_config.nproc`.",
    )
    nproc_max: Count | None = Field(
        None, description="Highest number that `nproc: auto` may come to. Default: `eval_config.nproc_max`."
    )
    rpm: Rate | None = Field(None, description="Most requests a minute to each address. Default: no bound.")
    tpm: Rate | None = Field(None, description="Most tokens a minute to and from each address. Default: no bound.")
    timeout: Seconds | None = Field(
        None,
        description="Seconds for one complete reply. Default: 660 (the reference's 600 with its margin of a tenth).",
    )
    connect_timeout: Seconds | None = Field(
        None, description="Seconds to connect. Default: `eval_config.connect_timeout`."
    )
    verify: bool = Field(True, description="Check the TLS certificate, as that of models.")
    retry: Count | None = Field(None, description="Most tries per request. Default: `eval_config.retry`.")
    wait: Amount = Field(1.0, description="Scale in seconds of the first pause before another try, as that of models.")
    price: Price | None = Field(None, description="What its tokens cost, as that of models; for the cost in reports.")
    extra_body: JsonObject = Field(
        default_factory=dict,
        description="Request fields, sent as they are; the way to send one whose name looks like a slip of another.",
    )

    @property
    def extra(self) -> Mapping[str, Any]:
        """Fields that are sent with every request as they are."""
        return {**(self.__pydantic_extra__ or {}), **self.extra_body}


class JudgeEntry(JudgeFields):
    """A judge given as a mapping."""

    model: Word | None = Field(
        None, validate_default=True, description="The judge's name at its server, sent as it is. Required."
    )

    @field_validator("model")
    @classmethod
    def _named(cls, value: str | None) -> str:
        if value is None:
            raise refuse("is missing, expected the judge's name at its server")
        return value


def _no_slip(value: str) -> str:
    if value != EXACT and closest(value, _NEAR_EXACT):
        raise refuse(f"given {shown(value)}; did you mean {EXACT}?")
    return value


def _shape(value: object) -> str:
    if isinstance(value, str):
        return _NAME
    return _LIST if isinstance(value, list) else _MAPPING


def _known_shape(value: object) -> object:
    if isinstance(value, list):
        if not value:
            raise refuse("given an empty list, expected at least one judge")
        for position, item in enumerate(value):
            if item == EXACT:
                raise refuse(f"holds {EXACT} at [{position}], which is no judge and stands alone")
            if not isinstance(item, (str, dict, JudgeFields)):
                raise refuse(f"given {shown(item)} at [{position}], expected a name or a mapping")
    elif value is not None and not isinstance(value, (str, dict, JudgeFields)):
        raise refuse(f"given {shown(value)}, expected {EXACT}, a model's name, a mapping, or a list of judges")
    return value


def _arguments(value: object) -> object:
    """The reference takes a judge's arguments as JSON text. What was given is not shown: it may hold a key."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise refuse(
                "is no JSON text; expected a mapping, or JSON text such as '{\"temperature\": 0}' "
                "(what was given is not shown)"
            ) from None
    if value is not None and not isinstance(value, (dict, JudgeFields)):
        raise refuse("expected a mapping, or JSON text of one (what was given is not shown)")
    return value


_Name: TypeAlias = Annotated[Word, AfterValidator(_no_slip), Tag(_NAME)]
_Entry: TypeAlias = Annotated[JudgeEntry, Tag(_MAPPING)]
_Judge: TypeAlias = Annotated[_Name | _Entry, Discriminator(_shape)]
_Judges: TypeAlias = Annotated[list[_Judge], Tag(_LIST)]
JudgeOrJudges: TypeAlias = Annotated[
    Annotated[_Name | _Entry | _Judges, Discriminator(_shape)] | None, BeforeValidator(_known_shape)
]
JudgeArgs: TypeAlias = Annotated[JudgeFields | None, BeforeValidator(_arguments)]


def judge_problems(evaluation: Mapping[str, Any], elsewhere: frozenset[str]) -> list[Problem]:
    """Looks at the fields of judges that are not their own and would be sent to their servers.

    Args:
        evaluation: ``eval_config`` as given.
        elsewhere: fields of eval_config, which are a mistake in a judge.
    """
    return [
        problem
        for path, entry in _mappings(evaluation)
        for problem in payload_problems(
            entry, path, own=field_names(JudgeFields), named_by="model", reasons=_REASONS, elsewhere=elsewhere
        )
    ]


def _mappings(evaluation: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    judge = evaluation.get("judge")
    if isinstance(judge, dict):
        yield ("eval_config", "judge"), judge
    for position, entry in enumerate(judge if isinstance(judge, list) else ()):
        if isinstance(entry, dict):
            yield ("eval_config", "judge", position), entry
    try:
        arguments = _arguments(evaluation.get("judge_args"))
    except PydanticCustomError:
        return  # told when the field itself is checked
    if isinstance(arguments, dict):
        yield ("eval_config", "judge_args"), arguments


_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(field_names(ModelEntry) - field_names(JudgeFields), "is a field of models, not of judges"),
        **{name: f"is called {short} here" for name, short in IN_A_MAPPING.items()},
        "type": "is a field of models; a judge's name at its server is given by model",
        "judge_args": "has no place here; write what it holds into this mapping",
    }
)
