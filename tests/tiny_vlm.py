"""Writes the folder of a small vision-language model with random weights, as a published one is laid out.

Everything about it is real but the weights: transformers loads it by its own classes, its answers depend on the question
and on the pixels, most end by themselves, and the same seed gives the same model on every machine. Needs torch and
transformers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

ARCHITECTURES = ("qwen2_5_vl", "llava")
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
QWEN_MARKS = (PAD, START, END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
LLAVA_MARKS = (PAD, START, END, "<image>")

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% elif part['type'] == 'video' %}VIDEO"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Size:
    """How large a model is: width of its text part, layers, attention heads, and the context in tokens."""

    hidden: int = 64
    layers: int = 2
    heads: int = 4
    context: int = 4096


def write_tiny_vlm(
    folder: Path,
    architecture: str = "qwen2_5_vl",
    *,
    seed: int = 0,
    size: Size | None = None,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Writes a model's folder and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    size = size or Size()
    make: Callable[[Path, Size], Any] = {"qwen2_5_vl": _qwen, "llava": _llava}[architecture]
    model = make(folder, size)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(_values(name, weight, seed, tokenizer))
    model.to(dtype).save_pretrained(folder)
    ends = [tokenizer.token_to_id(END)]
    _write(folder / "generation_config.json", {"eos_token_id": ends, "pad_token_id": tokenizer.token_to_id(PAD)})
    return folder


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1))


def _values(name: str, weight: torch.Tensor, seed: int, tokenizer: Tokenizer) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed * 1_000_003 + zlib.crc32(name.encode()))
    values = torch.randn(weight.shape, generator=draws)
    if name.endswith("lm_head.weight"):
        return _head(values, tokenizer)
    if weight.dim() == 1:
        return torch.ones_like(values) if "norm" in name and name.endswith("weight") else 0.02 * values
    if "embed_tokens" in name:
        return values
    return values * (1.6 / weight[0].numel() ** 0.5)


def _head(values: torch.Tensor, tokenizer: Tokenizer) -> torch.Tensor:
    """Only letters, digits and the end can win: no answer holds half a character or the mark of a picture."""
    values = values * (4.0 / values.shape[1] ** 0.5)
    keep = torch.zeros(values.shape[0], dtype=torch.bool)
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789":
        keep[tokenizer.token_to_id(letter)] = True
    keep[tokenizer.token_to_id(END)] = True
    values[~keep] = 0
    values[tokenizer.token_to_id(END)] *= 1.6
    return values


def _tokenizer(
    folder: Path, marks: tuple[str, ...], template: str, size: Size, extra: dict[str, object]
) -> dict[str, int]:
    """A token for each byte, and the marks behind them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(marks))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": PAD, "bos_token": None}
    _write(folder / "tokenizer_config.json", {**settings, "model_max_length": size.context, **extra})
    (folder / "chat_template.jinja").write_text(template)
    return {mark: tokenizer.token_to_id(mark) for mark in marks}


def _text_config(size: Size, ids: dict[str, int]) -> dict[str, object]:
    return {
        "vocab_size": 320,
        "hidden_size": size.hidden,
        "intermediate_size": 2 * size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads,
        "max_position_embeddings": size.context,
        "bos_token_id": None,
        "eos_token_id": ids[END],
        "pad_token_id": ids[PAD],
        "tie_word_embeddings": False,
    }


def _qwen(folder: Path, size: Size) -> Any:
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    template = TEMPLATE.replace("IMAGE", picture).replace("VIDEO", picture.replace("image", "video"))
    ids = _tokenizer(folder, QWEN_MARKS, template, size, {})
    quarter = size.hidden // size.heads // 2
    rope = {"rope_type": "default", "rope_theta": 10_000.0}
    rope["mrope_section"] = [quarter - 2 * (quarter // 3), quarter // 3, quarter // 3]
    unit = 28 * 28
    shown = {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "rescale_factor": 1 / 255,
        "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 3, "patch_size": 14, "merge_size": 2,
        "temporal_patch_size": 2, "min_pixels": 4 * unit, "max_pixels": 36 * unit,
        "size": {"shortest_edge": 4 * unit, "longest_edge": 36 * unit}, "processor_class": "Qwen2_5_VLProcessor",
    }  # fmt: skip
    _write(folder / "preprocessor_config.json", {**shown, "image_processor_type": "Qwen2VLImageProcessor"})
    frames = {"video_processor_type": "Qwen2VLVideoProcessor", "min_frames": 4, "max_frames": 16, "fps": 2}
    _write(folder / "video_preprocessor_config.json", {**shown, **frames})
    _write(folder / "processor_config.json", {"processor_class": "Qwen2_5_VLProcessor"})
    vision = {
        "depth": 2, "num_heads": 2, "hidden_size": 64, "out_hidden_size": size.hidden, "intermediate_size": 128,
        "patch_size": 14, "spatial_patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2, "in_channels": 3,
        "in_chans": 3, "window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2,
    }  # fmt: skip
    config = transformers.Qwen2_5_VLConfig(
        text_config={**_text_config(size, ids), "rope_parameters": rope},
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config)


def _llava(folder: Path, size: Size) -> Any:
    ids = _tokenizer(folder, LLAVA_MARKS, TEMPLATE.replace("IMAGE", "<image>\n"), size, {"image_token": "<image>"})
    edge, patch = 56, 14
    shown = {
        "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor",
        "crop_size": {"height": edge, "width": edge}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3,
        "resample": 3, "rescale_factor": 1 / 255, "size": {"shortest_edge": edge},
    }  # fmt: skip
    _write(folder / "preprocessor_config.json", shown)
    processor = {"processor_class": "LlavaProcessor", "image_token": "<image>", "patch_size": patch}
    extra = {"num_additional_image_tokens": 1, "vision_feature_select_strategy": "default"}
    _write(folder / "processor_config.json", {**processor, **extra})
    vision = {
        "model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 2, "image_size": edge, "patch_size": patch, "projection_dim": 64,
    }  # fmt: skip
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", **_text_config(size, ids)},
        vision_config=vision,
        image_token_index=ids["<image>"],
        image_seq_length=(edge // patch) ** 2,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )
    return transformers.LlavaForConditionalGeneration(config)
