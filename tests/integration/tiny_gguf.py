"""Writes a tiny random vision-language model that llama.cpp serves: real protocol, real errors, nonsense answers.

The text model has llama's layout and a vocabulary of single bytes, so that every prompt can be read; the picture
encoder has CLIP's layout with LLaVA's two-layer projector. Half a megabyte together, float32, the same numbers on every
machine. Only letters, digits, the space and the end token can win a step, so that answers are plain words.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

__all__ = ["TinyModel", "write_tiny_model"]

Tensor = npt.NDArray[np.float32]

WIDTH, FEED, LAYERS, HEADS, CONTEXT = 64, 128, 2, 4, 4096
EYE_WIDTH, EYE_FEED, EYE_LAYERS, EYE_HEADS, EYE_SIDE, EYE_PATCH = 32, 64, 2, 2, 56, 14
EPSILON = 1e-5

SPECIAL = ("<|begin|>", "<|turn|>", "<|end|>")
TEMPLATE = (
    "{% for message in messages %}<|turn|>{{ message['role'] }}\n{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class TinyModel:
    """The two files of a model."""

    text: Path
    eye: Path


def write_tiny_model(folder: Path, *, seed: int = 7) -> TinyModel:
    """Writes both files into a folder and says where they are."""
    dice = np.random.default_rng(seed)
    model = TinyModel(folder / "text.gguf", folder / "eye.gguf")
    _write_text(model.text, dice)
    _write_eye(model.eye, dice)
    return model


def byte_alphabet() -> list[str]:
    """The 256 characters that stand for the bytes in GPT-2's vocabulary: printable ones for themselves."""
    plain = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)}
    stand_ins = iter(range(0x100, 0x200))
    return [chr(byte if byte in plain else next(stand_ins)) for byte in range(256)]


def _normal(dice: np.random.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return (dice.standard_normal(shape) * scale).astype(np.float32)


def _matrix(dice: np.random.Generator, rows: int, columns: int, gain: float = 1.5) -> Tensor:
    """A random map; the gain keeps answers dependent on what went in."""
    return _normal(dice, rows, columns, scale=gain / math.sqrt(columns))


def _answer_head(dice: np.random.Generator, tokens: list[str]) -> Tensor:
    """Rows of tokens that must not win stay zero: the largest of some sixty random logits is above zero."""
    head = np.zeros((len(tokens), WIDTH), np.float32)
    gains = dict.fromkeys(string.ascii_letters + string.digits, 3.0) | dict.fromkeys("ABCD", 5.0) | {SPECIAL[2]: 6.0}
    for row, token in enumerate(tokens):
        if token in gains:
            head[row] = _normal(dice, WIDTH, scale=gains[token] / math.sqrt(WIDTH))
    return head


def _write_text(path: Path, dice: np.random.Generator) -> None:
    tokens = [*byte_alphabet(), *SPECIAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny random vision-language model")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges(["t h"])  # the loader wants a list; the pair has no token of its own and never merges
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256 + SPECIAL.index("<|end|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    tensors = {"token_embd.weight": _normal(dice, len(tokens), WIDTH), "output_norm.weight": np.ones(WIDTH, np.float32)}
    tensors["output.weight"] = _answer_head(dice, tokens)
    for layer in range(LAYERS):
        for part in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{part}.weight"] = np.ones(WIDTH, np.float32)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"blk.{layer}.{part}.weight"] = _matrix(dice, WIDTH, WIDTH)
        for part in ("ffn_gate", "ffn_up"):
            tensors[f"blk.{layer}.{part}.weight"] = _matrix(dice, FEED, WIDTH)
        tensors[f"blk.{layer}.ffn_down.weight"] = _matrix(dice, WIDTH, FEED)
    _finish(writer, tensors)


def _write_eye(path: Path, dice: np.random.Generator) -> None:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_name("tiny random picture encoder")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_image_size(EYE_SIDE)
    writer.add_vision_patch_size(EYE_PATCH)
    writer.add_vision_embedding_length(EYE_WIDTH)
    writer.add_vision_feed_forward_length(EYE_FEED)
    writer.add_vision_block_count(EYE_LAYERS)
    writer.add_vision_head_count(EYE_HEADS)
    writer.add_vision_attention_layernorm_eps(EPSILON)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.25] * 3)
    writer.add_vision_use_gelu(True)
    patches = (EYE_SIDE // EYE_PATCH) ** 2
    tensors = {
        "v.class_embd": _normal(dice, EYE_WIDTH),
        "v.patch_embd.weight": _normal(dice, EYE_WIDTH, 3, EYE_PATCH, EYE_PATCH, scale=0.1),
        "v.position_embd.weight": _normal(dice, patches + 1, EYE_WIDTH, scale=0.5),
        **_norm("v.pre_ln"),
    }
    # llama.cpp skips the last block for this projector, as LLaVA does.
    for layer in range(EYE_LAYERS):
        prefix = f"v.blk.{layer}"
        tensors |= _norm(f"{prefix}.ln1") | _norm(f"{prefix}.ln2")
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors |= _dense(dice, f"{prefix}.{part}", EYE_WIDTH, EYE_WIDTH)
        tensors |= _dense(dice, f"{prefix}.ffn_up", EYE_FEED, EYE_WIDTH)
        tensors |= _dense(dice, f"{prefix}.ffn_down", EYE_WIDTH, EYE_FEED)
    tensors |= _dense(dice, "mm.0", WIDTH, EYE_WIDTH) | _dense(dice, "mm.2", WIDTH, WIDTH)
    _finish(writer, tensors)


def _norm(name: str) -> dict[str, Tensor]:
    return {f"{name}.weight": np.ones(EYE_WIDTH, np.float32), f"{name}.bias": np.zeros(EYE_WIDTH, np.float32)}


def _dense(dice: np.random.Generator, name: str, rows: int, columns: int) -> dict[str, Tensor]:
    return {f"{name}.weight": _matrix(dice, rows, columns), f"{name}.bias": np.zeros(rows, np.float32)}


def _finish(writer: gguf.GGUFWriter, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
