"""One entry of ``eval_config.model`` that runs on this machine, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as File
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from ..adapters.local.checkpoint import is_folder
from ..adapters.local.names import LOCAL, TRANSFORMERS
from ..adapters.local.settings import Devices, Dtype, Generation, LocalSettings
from .config_data import folder
from .config_problems import Path, Problem, closest, field_names, refuse, shown
from .config_types import Amount, Base, Count, JsonObject, Nproc, PathText, Pixels, Seconds, Word

__all__ = ["LocalEntry", "is_local", "local_problems", "local_settings"]

_DEFAULT = LocalSettings("")
_MOST_WORKERS: Final = 256
_PROCESSOR: Final = "is a setting of the model's processor; give it in processor, as {min_pixels: 3136}"
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("min_pixels", "max_pixels", "num_frames", "fps", "do_image_splitting"), _PROCESSOR),
        "api_base": "is the address of a served model, whose name is CustomAPIModel; leave out one of the two",
        "key": "is for models behind an address; this one runs on this machine",
        "use_vllm": "is not supported; serve the model with vLLM and give its address by api_base",
        "use_custom_prompt": "prompts of single model families are not supported; every model gets the benchmark's own",
        "rpm": "has no effect: a model on this machine has nobody's limits to keep",
        "tpm": "has no effect: a model on this machine has nobody's limits to keep",
    }
)


def _devices(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value if value == "auto" else (value,)
    right = isinstance(value, list | tuple) and value and all(type(item) is int and item >= 0 for item in value)
    if not right or len(set(value)) < len(value):  # type: ignore[call-overload,arg-type]
        raise refuse(f"given {shown(value)}, expected auto or a list of different device numbers such as [0, 1]")
    return tuple(value)  # type: ignore[arg-type]


class LocalEntry(Base):
    """A model on this machine: loaded by worker processes, which need ``pip install 'eyechart[local]'``."""

    model_config = ConfigDict(extra="ignore")  # `local_problems` tells of unknown fields, in better words

    name: str = Field(
        description="`transformers`: any model that transformers serves as image-text-to-text. `qwen_chat`: "
        "Qwen-VL-Chat and its like. Or one of the reference's names (`eyechart list models`)."
    )
    model_path: PathText | None = Field(
        None,
        description="The model's folder, or its name on the hub, `owner/name`. Required for `transformers`; the other "
        "names have one on the hub.",
    )
    type: Word | None = Field(
        None,
        description="What results are filed under. Default: the last part of `model_path` for `transformers`, else "
        "`name`.",
    )
    dtype: Dtype = Field(
        "auto", description="Numbers to compute with; `auto` takes those of the files, on a processor float32."
    )
    devices: Annotated[Any, BeforeValidator(_devices)] = Field(
        "auto",
        description="Numbers of the devices that get a worker each, such as `[0, 1]`; `auto` takes all there are.",
    )
    device_map: Literal["auto", "balanced", "balanced_low_0", "sequential"] | None = Field(
        None, description="Spreads one model over all devices, as transformers does it, where it is too large for one."
    )
    workers: Annotated[Count, Field(le=_MOST_WORKERS)] = Field(
        1, description="Workers where there is no accelerator; each loads the model for itself."
    )
    attn_implementation: Word | None = Field(
        None, description="Attention of transformers: `sdpa`, `flash_attention_2`, `eager`. Default: its own choice."
    )
    trust_remote_code: bool = Field(
        False, description="Run program code that comes with the model. `qwen_chat` is nothing without it."
    )
    batch_size: Annotated[Count, Field(le=4096)] = Field(
        _DEFAULT.batch_size,
        description="Most questions that are answered together; halved for a while where memory runs out.",
    )
    batch_tokens: Count = Field(
        _DEFAULT.batch_tokens, description="Most tokens in a batch, of prompts with their padding and of answers."
    )
    processor: JsonObject = Field(
        default_factory=dict,
        description="Settings of the model's processor: `{max_pixels: 1003520}`, for whole videos `num_frames`, `fps`.",
    )
    temperature: Amount = Field(0.0, description="Sampling temperature; 0 takes the likeliest token each time.")
    top_p: Amount | None = Field(None, gt=0, le=1, description="Share of probability that tokens are drawn from.")
    top_k: Count | None = Field(None, description="Number of likeliest tokens that are drawn from.")
    repetition_penalty: Amount | None = Field(None, gt=0, description="Default: that of the model's own configuration.")
    max_tokens: Count = Field(2048, description="Longest answer in tokens.")
    max_new_tokens: Count | None = Field(None, description="The same under transformers' name, which wins.")
    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        description="With a temperature: the same seed and prompt give the same answer, whatever runs beside it.",
    )
    system_prompt: str | None = Field(None, description="Sent as a system message before every question.")
    img_size: Pixels = Field(
        -1, description="Longest edge in pixels that pictures are shrunk to; -1 shows them as they are."
    )
    total_img_size: Pixels = Field(-1, description="As for served models.")
    max_file_size: Count = Field(1_000_000_000, description="As for served models.")
    video_llm: bool = Field(False, description="Show whole videos instead of frames, where the model takes them.")
    nproc: Nproc | None = Field(
        None, description="Most questions that wait for an answer. Default: `eval_config.nproc`, else 16 batches."
    )
    nproc_max: Count | None = Field(
        None, description="Highest number that `nproc: auto` may come to. Default: `eval_config.nproc_max`."
    )
    timeout: Seconds | None = Field(
        None,
        description="Seconds without a sign of life after which a worker counts as hung and is started again. Default: "
        "`eval_config.timeout`, else 1800.",
    )
    verbose: bool = Field(False, description="Accepted without effect: every answer is in predictions.jsonl.")

    @model_validator(mode="after")
    def _whole(self) -> LocalEntry:
        if self.model_path is None and LOCAL[self.name].home is None:
            raise refuse("model_path is missing, expected the model's folder or its name on the hub")
        if LOCAL[self.name].own_code and not self.trust_remote_code:
            raise refuse(
                f"{self.name} is nothing without program code from the model's folder; say trust_remote_code: true if "
                "you trust it"
            )
        if self.device_map is not None and self.devices != "auto":
            raise refuse("device_map spreads the model over all devices, devices gives each one a model; leave one out")
        return self

    @property
    def path(self) -> str:
        """Folder, absolute, or name on the hub."""
        path = self.model_path or LOCAL[self.name].home
        assert path is not None
        return str(folder(path).absolute()) if is_folder(path) else path

    @property
    def filed_under(self) -> str:
        """What results are filed under, before it is made fit for a path."""
        return self.type or (File(self.path).name if self.name == TRANSFORMERS else self.name)


def is_local(entry: object) -> bool:
    """Whether an entry of ``model``, as given, stands for a model on this machine."""
    if isinstance(entry, LocalEntry):
        return True
    if not isinstance(entry, Mapping) or "api_base" in entry:
        return False
    name = entry.get("name")
    return isinstance(name, str) and name in LOCAL


def local_problems(entry: Mapping[str, Any], path: Path, elsewhere: frozenset[str]) -> list[Problem]:
    """Finds fields of a model on this machine that it does not have.

    Args:
        entry: the model as given.
        path: where it stands.
        elsewhere: fields of eval_config, which are a mistake here.
    """
    own = field_names(LocalEntry)
    problems = []
    for name in entry:
        if name in own:
            continue
        near = closest(name, own)
        hint = f"; did you mean {near}?" if near else ""
        belongs = f"unknown field here; it belongs to eval_config.{name}" if name in elsewhere else None
        problems.append(Problem((*path, name), _REASONS.get(name) or belongs or f"unknown field{hint}"))
    return problems


def local_settings(entry: LocalEntry, timeout_s: float | None) -> LocalSettings:
    """Makes what workers are told of an entry.

    Args:
        entry: the model.
        timeout_s: ``eval_config.timeout``.
    """
    devices: Devices = entry.devices
    return LocalSettings(
        model_path=entry.path,
        interface=LOCAL[entry.name].interface,
        dtype=entry.dtype,
        attn_implementation=entry.attn_implementation,
        device_map=entry.device_map,
        devices=devices,
        workers=entry.workers,
        trust_remote_code=entry.trust_remote_code,
        batch_size=entry.batch_size,
        batch_tokens=entry.batch_tokens,
        processor=entry.processor,
        generation=Generation(
            temperature=entry.temperature,
            top_p=entry.top_p,
            top_k=entry.top_k,
            repetition_penalty=entry.repetition_penalty,
            max_new_tokens=entry.max_new_tokens or entry.max_tokens,
            seed=entry.seed,
        ),
        patience_s=entry.timeout or timeout_s or _DEFAULT.patience_s,
    )
