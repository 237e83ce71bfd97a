"""One entry of ``eval_config.model``: a served model and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from ..adapters.embedded import EMBEDDED
from ..adapters.local.names import LOCAL
from .config_payload import payload_problems
from .config_problems import Path, Problem, closest, field_names, refuse
from .config_types import (
    Addresses,
    Amount,
    Base,
    Count,
    JsonObject,
    Nproc,
    Pixels,
    Rate,
    Seconds,
    Secret,
    Word,
    later,
)

__all__ = ["API_MODEL", "ModelEntry", "Price", "extra_problems", "result_name"]

API_MODEL: Final = "CustomAPIModel"
_UNKNOWN: Final = (
    "eyechart knows no model of this name; serve it (vLLM, LMDeploy, Ollama, ms-swift) and give name: CustomAPIModel, "
    "type: the model's name there, api_base: its address; or, where transformers can load it, give name: transformers "
    "and model_path"
)
_ON_THIS_MACHINE: Final = "is for models on this machine (name: transformers); a server's owner decides this for it"
_LOCAL: Final = (
    "model_path", "use_vllm", "devices", "device_map", "trust_remote_code", "attn_implementation", "dtype", "workers",
    "batch_size", "batch_tokens", "processor",
)  # fmt: skip


class Price(Base):
    """What a model's tokens cost."""

    prompt_per_million: Amount = Field(description="Price of a million tokens of prompts, pictures included.")
    completion_per_million: Amount = Field(description="Price of a million tokens of answers, reasoning included.")
    currency: Word = Field("USD", description="Shown behind the amount.")


class ModelEntry(Base):
    """A served model. Any field not listed here is sent with every request as it is."""

    model_config = ConfigDict(extra="allow")

    name: str | None = Field(
        None,
        description="`CustomAPIModel`: a model behind an OpenAI-style address. May be left out where `api_base` is "
        "given. Or an embedded model, such as `EyechartReader`, which needs nothing else (`eyechart list models`).",
    )
    type: Word | None = Field(
        None,
        validate_default=True,
        description="The model's name at the server; sent as `model`. Results are filed under its last path "
        "component with `:` replaced by `-` and `.` by `_`.",
    )
    api_base: Addresses | None = Field(
        None,
        description="The server's address, complete (`…/chat/completions`), or ending in `/v1`, or only host and "
        "port. A path of another shape is taken as it is. A list names several servers of the same model: each "
        "question goes to the one with the fewest requests in flight, and one that fails is set aside for a while. "
        "Default: the environment's `OPENAI_API_BASE`.",
    )
    key: Secret | None = Field(
        None,
        description="API key, sent as `Authorization: Bearer`. Written as it is: `$NAME` is not replaced. Default: "
        "the environment's `EYECHART_API_KEY`, else `EMPTY`. Never written to any file of a run.",
    )
    temperature: Amount | None = Field(0.0, description="Sampling temperature; `null` leaves it to the server.")
    max_tokens: Count | None = Field(
        2048, description="Longest answer in tokens, reasoning included; `null` leaves it to the server."
    )
    system_prompt: str | None = Field(None, description="Sent as a system message before every question.")
    img_size: Pixels = Field(
        -1,
        description="Longest edge in pixels that pictures are shrunk to; -1 sends them as they are.",
    )
    img_detail: Literal["low", "high", "auto"] = Field(
        "high", description="`detail` of every picture, for servers that read it."
    )
    total_img_size: Pixels = Field(
        -1,
        description="When positive, `img_size` is divided by the square root of the number of pictures of a question "
        "(as in the reference, the value itself plays no part).",
    )
    max_file_size: Count = Field(
        1_000_000_000,
        description="Longest base64 text of one picture in characters; larger pictures are shrunk until they fit.",
    )
    timeout: Seconds | None = Field(
        None,
        description="Seconds for one complete answer. Default: `eval_config.timeout`, else 330 (the reference's 300 "
        "with its margin of a tenth).",
    )
    connect_timeout: Seconds | None = Field(
        None, description="Seconds to connect. Default: `eval_config.connect_timeout`."
    )
    verify: bool = Field(
        True,
        description="Check the TLS certificate of an https address. `false` trusts whoever answers; every run then "
        "warns, and so does its report.",
    )
    retry: Count | None = Field(
        None, description="Most tries per question. Default: `eval_config.retry`. The reference ignores it here."
    )
    nproc: Nproc | None = Field(
        None,
        description="Most requests in flight to this model, to each of its addresses, or `auto`. Default: "
        "`eval_config.nproc`.",
    )
    nproc_max: Count | None = Field(
        None, description="Highest number that `nproc: auto` may come to. Default: `eval_config.nproc_max`."
    )
    rpm: Rate | None = Field(None, description="Most requests a minute to each address. Default: `eval_config.rpm`.")
    tpm: Rate | None = Field(
        None, description="Most tokens a minute to and from each address. Default: `eval_config.tpm`."
    )
    extra_body: JsonObject = Field(
        default_factory=dict,
        description="Request fields, sent as they are; the way to send one whose name looks like a slip of another.",
    )
    wait: Amount | None = Field(
        None,
        description="Scale in seconds of the first pause before another try; pauses double up to a minute and obey "
        "Retry-After. Default: 1.",
    )
    price: Price | None = Field(
        None, description="What tokens cost (below), for `eyechart estimate` and, of a judge, for reports."
    )
    verbose: bool = Field(False, description="Accepted without effect: every answer is in predictions.jsonl.")
    video_llm: bool = Field(False, description="Show whole videos as `video_url` instead of frames; see videos.md.")
    use_azure: Annotated[
        bool,
        later(
            False,
            "Azure's own header is not sent; give api_base: "
            "https://RESOURCE.openai.azure.com/openai/v1/chat/completions, which takes the key as other servers do",
        ),
    ] = Field(False, description="Only `false`: use Azure's v1 address as `api_base`.")

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value, "type": value} if value in EMBEDDED else {"type": value}
        if isinstance(value, dict) and isinstance(name := value.get("name"), str) and name in EMBEDDED:
            return {"type": name, **value}
        return value

    @field_validator("name")
    @classmethod
    def _served(cls, value: str | None) -> str | None:
        if value in (None, API_MODEL) or value in EMBEDDED:
            return value
        if value in LOCAL:
            raise refuse(f"{value[:60]} runs on this machine and has no api_base; a served model is name: {API_MODEL}")
        near = closest(value, [API_MODEL, *EMBEDDED, *LOCAL])
        raise refuse(f"unknown model {value[:60]!r}; did you mean {near}?" if near else _UNKNOWN)

    @field_validator("type")
    @classmethod
    def _named(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "name" in info.data:
            raise refuse("is missing, expected the model's name at the server")
        return value

    @property
    def extra(self) -> Mapping[str, Any]:
        """Fields that are sent with every request as they are."""
        return {**(self.__pydantic_extra__ or {}), **self.extra_body}


def extra_problems(entry: Mapping[str, Any], path: Path, elsewhere: frozenset[str]) -> list[Problem]:
    """Looks at the fields of a model that are not its own and would be sent to the server.

    Args:
        entry: the model as given.
        path: where it stands.
        elsewhere: fields of eval_config, which are a mistake here.
    """
    return payload_problems(
        entry,
        path,
        own=field_names(ModelEntry),
        named_by="type",
        reasons=dict.fromkeys(_LOCAL, _ON_THIS_MACHINE),
        elsewhere=elsewhere,
    )


def result_name(model: str) -> str:
    """Name that a model's results are filed under: last path component, ``:`` as ``-`` and ``.`` as ``_``."""
    return model.rstrip("/").rpartition("/")[2].replace(":", "-").replace(".", "_")
