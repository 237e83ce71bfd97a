"""How a model on this machine is loaded and asked: everything that its workers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Devices", "Dtype", "Generation", "Interface", "LocalSettings"]

Interface: TypeAlias = Literal["chat_template", "chat"]
"""``chat_template``: `AutoModelForImageTextToText` and its processor. ``chat``: the model's own method ``chat``."""
Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]
Devices: TypeAlias = Literal["auto"] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Generation:
    """How an answer is drawn.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_p: share of probability that tokens are drawn from, None for all.
        top_k: number of likeliest tokens that are drawn from, None for all.
        repetition_penalty: None leaves it to the model's own configuration.
        max_new_tokens: longest answer in tokens.
        seed: with a temperature, the same seed and prompt give the same answer, whatever runs beside it.
    """

    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_new_tokens: int = 2048
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """A model on this machine.

    Attributes:
        model_path: its folder, or its name on a hub, from where transformers fetches it.
        interface: how it is talked to.
        dtype: numbers that it computes with; ``auto`` takes those of its files, on a processor float32.
        attn_implementation: of transformers, e.g. ``sdpa`` or ``flash_attention_2``; None leaves it to transformers.
        device_map: spreads one model over several devices, as transformers does it; then there is one worker.
        devices: numbers of the devices that get a worker each; ``auto`` takes all there are, else the processor.
        workers: workers where there is no other device than the processor.
        trust_remote_code: run program code that comes in the model's folder.
        batch_size: most questions that are answered together.
        batch_tokens: most tokens, of prompts with their padding and of answers, that a batch may hold.
        processor: settings for the model's processor, such as ``max_pixels`` or ``num_frames``.
        generation: how answers are drawn.
        patience_s: seconds without a sign of life after which a worker that has work counts as hung.
    """

    model_path: str
    interface: Interface = "chat_template"
    dtype: Dtype = "auto"
    attn_implementation: str | None = None
    device_map: str | None = None
    devices: Devices = "auto"
    workers: int = 1
    trust_remote_code: bool = False
    batch_size: int = 8
    batch_tokens: int = 65_536
    processor: Mapping[str, Any] = field(default_factory=dict)
    generation: Generation = field(default_factory=Generation)
    patience_s: float = 1800.0

    def as_json(self) -> dict[str, Any]:
        """Returns what `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> LocalSettings:
        """Makes settings of what `as_json` returned, after a way through JSON."""
        devices = fields["devices"]
        return cls(
            **{
                **fields,
                "devices": devices if isinstance(devices, str) else tuple(devices),
                "generation": Generation(**fields["generation"]),
            }
        )

    def determines(self) -> dict[str, Any]:
        """What of it determines answers, beside the model's files: not where or how many at a time it computes."""
        return {
            "interface": self.interface,
            "dtype": self.dtype,
            "processor": dict(self.processor),
            "generation": asdict(self.generation),
        }
