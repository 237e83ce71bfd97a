"""What models on this machine are called in a configuration, and what each needs. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from .settings import Interface

__all__ = ["LOCAL", "PACKAGES", "QWEN_CHAT", "TRANSFORMERS", "LocalName", "missing_packages"]

TRANSFORMERS: Final = "transformers"
QWEN_CHAT: Final = "qwen_chat"
PACKAGES: Final = ("torch", "transformers", "torchvision", "accelerate")
"""Import names of what every model on this machine needs: the extra ``local``."""


@dataclass(frozen=True, slots=True)
class LocalName:
    """A name by which a model on this machine is asked for.

    Attributes:
        name: in a configuration.
        about: what it is, in a few words.
        interface: how it is talked to.
        home: the model's name on the hub, which stands in for a missing `model_path`; None where it has to be given.
        own_code: whether it is of no use without the program code in its folder.
    """

    name: str
    about: str
    interface: Interface = "chat_template"
    home: str | None = None
    own_code: bool = False


def missing_packages() -> list[str]:
    """Returns which of `PACKAGES` are not installed."""
    return [package for package in PACKAGES if find_spec(package) is None]


_QWEN_VL_CHAT: Final = "Qwen/Qwen-VL-Chat"
_HOMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"Qwen2-VL-{size}-Instruct": f"Qwen/Qwen2-VL-{size}-Instruct" for size in ("2B", "7B", "72B")},
        **{f"Qwen2.5-VL-{size}-Instruct": f"Qwen/Qwen2.5-VL-{size}-Instruct" for size in ("3B", "7B", "32B", "72B")},
        **{
            f"Qwen3-VL-{size}-{kind}": f"Qwen/Qwen3-VL-{size}-{kind}"
            for size in ("2B", "4B", "8B", "32B", "30B-A3B", "235B-A22B")
            for kind in ("Instruct", "Thinking")
        },
        **{f"InternVL3-{size}": f"OpenGVLab/InternVL3-{size}-hf" for size in ("1B", "2B", "8B", "14B", "38B", "78B")},
        "llava_v1.5_7b": "llava-hf/llava-1.5-7b-hf",
        "llava_v1.5_13b": "llava-hf/llava-1.5-13b-hf",
        "llava_next_vicuna_7b": "llava-hf/llava-v1.6-vicuna-7b-hf",
        "llava_next_vicuna_13b": "llava-hf/llava-v1.6-vicuna-13b-hf",
        "llava_next_mistral_7b": "llava-hf/llava-v1.6-mistral-7b-hf",
        "llava_next_yi_34b": "llava-hf/llava-v1.6-34b-hf",
        "llava_next_llama3": "llava-hf/llama3-llava-next-8b-hf",
        "llava_next_72b": "llava-hf/llava-next-72b-hf",
        "llava_next_110b": "llava-hf/llava-next-110b-hf",
        "llava_next_interleave_7b": "llava-hf/llava-interleave-qwen-7b-hf",
        "llava_next_interleave_7b_dpo": "llava-hf/llava-interleave-qwen-7b-dpo-hf",
        **{
            f"llava-onevision-qwen2-{kind}-hf": f"llava-hf/llava-onevision-qwen2-{kind}-hf"
            for kind in ("0.5b-ov", "0.5b-si", "7b-ov", "7b-si")
        },
        "idefics2_8b": "HuggingFaceM4/idefics2-8b",
        "Idefics3-8B-Llama3": "HuggingFaceM4/Idefics3-8B-Llama3",
        "SmolVLM-256M": "HuggingFaceTB/SmolVLM-256M-Instruct",
        "SmolVLM-500M": "HuggingFaceTB/SmolVLM-500M-Instruct",
        "SmolVLM": "HuggingFaceTB/SmolVLM-Instruct",
        "SmolVLM-DPO": "HuggingFaceTB/SmolVLM-Instruct-DPO",
        "SmolVLM-Synthetic": "HuggingFaceTB/SmolVLM-Synthetic",
        "SmolVLM2-256M": "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
        "SmolVLM2-500M": "HuggingFaceTB/SmolVLM2-500M-Video-Instruct",
        "SmolVLM2": "HuggingFaceTB/SmolVLM2-2.2B-Instruct",
        "Gemma3-4B": "google/gemma-3-4b-it",
        "Gemma3-12B": "google/gemma-3-12b-it",
        "Gemma3-27B": "google/gemma-3-27b-it",
        "Llama-3.2-11B-Vision-Instruct": "meta-llama/Llama-3.2-11B-Vision-Instruct",
        "Llama-3.2-90B-Vision-Instruct": "meta-llama/Llama-3.2-90B-Vision-Instruct",
        "LLaVA-CoT": "Xkev/Llama-3.2V-11B-cot",
        "GLM4_1VThinking-9b": "THUDM/GLM-4.1V-9B-Thinking",
    }
)
"""The reference's names of models that transformers serves by itself, and where they lie. Of InternVL3 and LLaVA 1.5 it
is the same weights in transformers' own form."""

LOCAL: Final[Mapping[str, LocalName]] = MappingProxyType(
    {
        TRANSFORMERS: LocalName(TRANSFORMERS, "any model of image-text-to-text, by its folder"),
        **{
            name: LocalName(name, "Qwen-VL-Chat, by its own chat method", "chat", _QWEN_VL_CHAT, own_code=True)
            for name in (QWEN_CHAT, "qwen-vl-chat")
        },
        **{name: LocalName(name, f"{home}, by transformers", home=home) for name, home in _HOMES.items()},
    }
)
"""Models on this machine by name."""
