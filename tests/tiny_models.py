"""Writes folders of vision-language models with random weights, as a rule small enough to answer in milliseconds.

Everything is there that a published model has: configuration, safetensors, tokenizer, processor, chat template. The
tokenizer knows the 256 bytes and a few special words. The last layer lets only printable characters and the end win, so
that answers are text, differ with the question and the pixels, and mostly end by themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from eyechart.adapters.local.torchvision_operators import import_torchvision

__all__ = ["CONTEXT", "SMALL", "WRITERS", "Size", "write_llava", "write_qwen", "write_words_only"]

TORCHVISION = import_torchvision()  # before the models of transformers; kept, as it asks for
CONTEXT = 1024
"""Positions that the models have."""

_END, _START, _STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_SPECIAL = [_END, _START, _STOP, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<image>"]
_MEAN, _SPREAD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]


@dataclass(frozen=True)
class Size:
    """How large a model is: width of its text part, layers, attention heads, context in tokens, and its numbers."""

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    context: int = CONTEXT
    dtype: torch.dtype = torch.float32

    @property
    def text(self) -> dict[str, Any]:
        """Fields of the text part's configuration."""
        return {
            "hidden_size": self.hidden,
            "intermediate_size": 2 * self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads // 2,
            "max_position_embeddings": self.context,
        }


SMALL = Size()


def write_qwen(folder: Path, *, seed: int = 0, size: Size = SMALL) -> Path:
    """Writes a model of the architecture of Qwen2.5-VL, for pictures and videos."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = _write_tokenizer(
        folder,
        picture="<|vision_start|><|image_pad|><|vision_end|>",
        video="<|vision_start|><|video_pad|><|vision_end|>",
        kind="Qwen2Tokenizer",
        context=size.context,
    )
    turned = size.hidden // size.heads // 2
    sections = [turned - 2 * (3 * turned // 8), 3 * turned // 8, 3 * turned // 8]
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 10000.0}
    config = Qwen2_5_VLConfig(
        text_config={**size.text, **_ends(ids), "vocab_size": len(ids), "rope_parameters": rope},
        vision_config={
            "depth": 2,
            "num_heads": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "out_hidden_size": size.hidden,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    square = 28 * 28
    pictures = {
        **_PICTURES,
        "patch_size": 14,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": square, "longest_edge": 16 * square},
        "processor_class": "Qwen2_5_VLProcessor",
    }
    _write(folder / "preprocessor_config.json", {**pictures, "image_processor_type": "Qwen2VLImageProcessor"})
    frames = {"video_processor_type": "Qwen2VLVideoProcessor", "min_frames": 2, "max_frames": 8}
    _write(folder / "video_preprocessor_config.json", {**pictures, **frames})
    _write(folder / "processor_config.json", {"processor_class": "Qwen2_5_VLProcessor"})
    return _write_weights(folder, Qwen2_5_VLForConditionalGeneration(config), ids, seed, size.dtype)


def write_llava(folder: Path, *, seed: int = 0, size: Size = SMALL) -> Path:
    """Writes a model of the architecture of LLaVA, for pictures."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    ids = _write_tokenizer(folder, picture="<image>", video=None, kind="PreTrainedTokenizerFast", context=size.context)
    edge, patch = 56, 14
    config = LlavaConfig(
        image_token_index=ids["<image>"],
        image_seq_length=(edge // patch) ** 2,
        text_config={"model_type": "llama", **size.text, **_ends(ids), "vocab_size": len(ids)},
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": edge,
            "patch_size": patch,
            "projection_dim": 32,
        },
        tie_word_embeddings=False,
    )
    shape = {"size": {"shortest_edge": edge}, "crop_size": {"height": edge, "width": edge}, "do_center_crop": True}
    names = {"image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor"}
    _write(folder / "preprocessor_config.json", {**_PICTURES, **shape, **names})
    placeholder = {"image_token": "<image>", "patch_size": patch, "num_additional_image_tokens": 1}
    strategy = {"vision_feature_select_strategy": "default", "processor_class": "LlavaProcessor"}
    _write(folder / "processor_config.json", {**placeholder, **strategy})
    return _write_weights(folder, LlavaForConditionalGeneration(config), ids, seed, size.dtype)


def write_words_only(folder: Path, *, seed: int = 0) -> Path:
    """Writes a model that knows nothing but words."""
    from transformers import LlamaConfig, LlamaForCausalLM

    ids = _write_tokenizer(folder, picture="<image>", video=None, kind="PreTrainedTokenizerFast", context=CONTEXT)
    config = LlamaConfig(**SMALL.text, **_ends(ids), vocab_size=len(ids))
    return _write_weights(folder, LlamaForCausalLM(config), ids, seed, SMALL.dtype)


WRITERS = {"qwen2_5_vl": write_qwen, "llava": write_llava}
"""By architecture."""

_PICTURES: dict[str, Any] = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": _MEAN,
    "image_std": _SPREAD,
    "resample": 3,
    "rescale_factor": 1 / 255,
}


def _ends(ids: dict[str, int]) -> dict[str, Any]:
    return {"bos_token_id": ids[_END], "eos_token_id": ids[_STOP], "pad_token_id": ids[_END]}


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1))


def _write_tokenizer(folder: Path, *, picture: str, video: str | None, kind: str, context: int) -> dict[str, int]:
    """Writes a tokenizer of bytes; returns the number of every word."""
    folder.mkdir(parents=True)
    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(alphabet, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))
    ids = tokenizer.get_vocab()
    words = {str(ids[word]): {"content": word, "special": True} for word in _SPECIAL}
    named = {"eos_token": _STOP, "pad_token": _END, "bos_token": None, "unk_token": None, "image_token": "<image>"}
    if kind == "Qwen2Tokenizer":
        named.pop("image_token")
    settings = {"tokenizer_class": kind, "model_max_length": context, "added_tokens_decoder": words, **named}
    _write(folder / "tokenizer_config.json", settings)
    shown = f"{{% elif part.type == 'video' %}}{video}" if video else ""
    (folder / "chat_template.jinja").write_text(
        "{% for turn in messages %}"
        "{% if turn.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
        f"{_START}{{{{ turn.role }}}}\n"
        "{% for part in turn.content %}"
        f"{{% if part.type == 'image' %}}{picture}{shown}{{% else %}}{{{{ part.text }}}}{{% endif %}}"
        f"{{% endfor %}}{_STOP}\n{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{_START}assistant\n{{% endif %}}"
    )
    return ids


def _write_weights(folder: Path, model: Any, ids: dict[str, int], seed: int, dtype: torch.dtype) -> Path:
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
            else:
                # So wide that single pixels and letters come through to the answer.
                width = 1.0 if "embed" in name else 1.6 / weight[0].numel() ** 0.5
                weight.copy_(torch.randn(weight.shape, generator=dice) * width)
        head = model.get_output_embeddings().weight
        silent = torch.ones(len(head), dtype=torch.bool)
        silent[[ids[chr(letter)] for letter in range(ord("!"), ord("~"))] + [ids[_STOP]]] = False
        head[silent] = 0
        head[~silent] *= 3
        head[ids[_STOP]] *= 1.7
    model.generation_config.update(do_sample=True, temperature=0.7, **_ends(ids))  # as published models have it
    model.to(dtype).save_pretrained(folder)
    return folder
