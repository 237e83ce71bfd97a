"""Any model that transformers serves as image-text-to-text, through its processor and chat template."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import jinja2
import torch
import transformers

from .answerer import Answer, Fatal, Model
from .bodies import Clip, Picture, Refused, Turn, Words, kind_of
from .clips import frames_of
from .devices import is_out_of_memory, out_of_memory
from .loading import Origin, load_model, short
from .sampling import drawing, seed_of
from .settings import LocalSettings

__all__ = ["TransformersModel", "load_transformers_model"]

_SAMPLING: Final = ("num_frames", "fps")
_UNKNOWN: Final = ("Unrecognized configuration class", "model type", "Unrecognized model")
_PARTS: Final = ("image_processor", "video_processor")
_OFTEN_SET: Final = frozenset({"size", "min_pixels", "max_pixels", "do_resize", "num_frames", "fps"})
_SERVE: Final = "serve it (vLLM, LMDeploy, ms-swift) and give its address by api_base"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A batch, tokenized and padded on the left, on the processor's side still."""

    inputs: Any
    prompt_tokens: tuple[int, ...]
    seeds: tuple[int, ...]


class TransformersModel:
    """A loaded model (`worker.Answerer`).

    Args:
        settings: how it is asked.
        processor: its processor.
        model: the model, in evaluation mode.
        device: where its inputs go.
    """

    def __init__(self, settings: LocalSettings, processor: Any, model: Any, device: str) -> None:
        self._settings = settings
        self._processor = processor
        self._model = model
        self._device = device
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._tokenizer.padding_side = "left"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._template = getattr(processor, "chat_template", None) or getattr(self._tokenizer, "chat_template", None)
        if self._template is None:
            raise Fatal(f"the model's folder holds no chat template, so it cannot be asked in turns; {_SERVE}")
        self._config = self._generation_config()
        ends = self._config.eos_token_id
        self._ends = frozenset(ends if isinstance(ends, list) else [ends])
        text_config = model.config.get_text_config()
        self._context: int | None = getattr(text_config, "max_position_embeddings", None)

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> _Prepared:
        """Renders, decodes, tokenizes and pads; see `worker.Answerer`."""
        if len({kind_of(list(question)) for question in questions}) > 1:
            raise Refused("questions with different media cannot be put together")
        texts = [self._rendered(question) for question in questions]
        pictures = [[part.image for part in _parts(question) if isinstance(part, Picture)] for question in questions]
        clips = [part for question in questions for part in _parts(question) if isinstance(part, Clip)]
        media: dict[str, Any] = {"images": pictures} if any(pictures) else {}
        if clips:
            media |= self._videos(clips)
        bos = self._tokenizer.bos_token
        inputs = self._processor(
            text=texts,
            **media,
            padding=True,
            return_tensors="pt",
            add_special_tokens=not (bos and texts[0].startswith(bos)),  # most templates write it themselves
        )
        lengths = tuple(int(row.sum()) for row in inputs["attention_mask"])
        if self._context is not None and max(lengths) >= self._context:
            raise Refused(
                f"the prompt has {max(lengths)} tokens, and the model's context is {self._context}", "ContextOverflow"
            )
        rows = zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        prompts = [row[mask.bool()].numpy().tobytes() for row, mask in rows]
        seeds = tuple(self._seed(*asked) for asked in zip(prompts, questions, strict=True))
        return _Prepared(inputs, lengths, seeds)

    def answer(self, prepared: _Prepared) -> list[Answer]:
        """Generates; see `worker.Answerer`."""
        try:
            with torch.inference_mode():
                inputs = copy.copy(prepared.inputs).to(self._device)  # else what was prepared would go there, and stay
                for name, value in inputs.items():
                    if torch.is_tensor(value) and value.is_floating_point():
                        inputs[name] = value.to(self._model.dtype)
                found = self._model.generate(
                    **inputs,
                    generation_config=self._config,
                    logits_processor=drawing(self._settings.generation, prepared.seeds),
                )
            rows = found[:, inputs["input_ids"].shape[1] :].tolist()
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                problem = out_of_memory(error, self._device)
            elif "CUDA error" in str(error):
                raise SystemExit(f"the device failed: {error}") from None  # nothing works after that in this process
            else:
                raise
        else:
            return [self._read(row, count) for row, count in zip(rows, prepared.prompt_tokens, strict=True)]
        raise problem

    def _seed(self, prompt: bytes, question: Sequence[Turn]) -> int:
        """Seeds a question's draws by all that it says and shows: many ask the same of different pictures."""
        generation = self._settings.generation
        return seed_of(generation.seed, prompt, *map(_shown, _parts(question))) if generation.temperature else 0

    def _rendered(self, question: Sequence[Turn]) -> str:
        conversation = [{"role": turn.role, "content": [_part(part) for part in turn.parts]} for turn in question]
        try:
            text: str = self._processor.apply_chat_template(
                conversation, chat_template=self._template, tokenize=False, add_generation_prompt=True
            )
        except jinja2.TemplateError as error:
            raise Refused(f"the model's chat template refuses it: {error}") from None
        return text

    def _videos(self, clips: Sequence[Clip]) -> dict[str, Any]:
        video_processor = getattr(self._processor, "video_processor", None)
        if video_processor is None:
            raise Refused("this model takes no videos; leave video_llm out, and it is shown frames")
        sampling = {name: self._settings.processor[name] for name in _SAMPLING if name in self._settings.processor}
        frames, metadata = zip(*(frames_of(clip, video_processor, sampling) for clip in clips), strict=True)
        return {"videos": list(frames), "video_metadata": list(metadata), "do_sample_frames": False}

    def _generation_config(self) -> Any:
        generation = self._settings.generation
        config = copy.deepcopy(self._model.generation_config)
        config.update(
            do_sample=False,  # `drawing` draws
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=generation.max_new_tokens,
            max_length=None,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        if config.eos_token_id is None:
            config.eos_token_id = self._tokenizer.eos_token_id
        if generation.repetition_penalty is not None:
            config.repetition_penalty = generation.repetition_penalty
        return config

    def _read(self, row: list[int], prompt_tokens: int) -> Answer:
        """Cuts an answer off at its end, or at the end of the model's context: what a batch goes on with is padding."""
        most = len(row) if self._context is None else min(len(row), self._context - prompt_tokens)
        end = next((place for place, token in enumerate(row[:most]) if token in self._ends), None)
        kept = row[: most if end is None else end]
        return {
            "text": self._tokenizer.decode(kept, skip_special_tokens=True).strip(),
            "finish": "length" if end is None else "stop",
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(kept) + (end is not None),
        }


def _parts(question: Sequence[Turn]) -> list[Any]:
    return [part for turn in question for part in turn.parts]


def _shown(part: Any) -> bytes:
    match part:
        case Picture(image):
            return image.tobytes()
        case Clip(source):
            return source if isinstance(source, bytes) else source.name.encode()
        case _:
            return b""


def _part(part: Any) -> dict[str, str]:
    match part:
        case Words(text):
            return {"type": "text", "text": text}
        case Picture():
            return {"type": "image"}
        case _:
            return {"type": "video"}


def load_transformers_model(settings: LocalSettings, device: str | None) -> Model:
    """Loads a model from its folder or the hub.

    Raises:
        Fatal: it cannot be loaded; the text says what to do.
    """
    return load_model(settings, device, partial(_load, settings), TransformersModel)


def _load(settings: LocalSettings, origin: Origin) -> tuple[Any, Any]:
    try:
        processor = transformers.AutoProcessor.from_pretrained(origin.path, **origin.options, **settings.processor)
        _check_processor(processor, settings.processor)
        model, found = transformers.AutoModelForImageTextToText.from_pretrained(
            origin.path, output_loading_info=True, **origin.options, **origin.weights
        )
    except ValueError as error:
        if "trust_remote_code" not in str(error) and any(sign in str(error) for sign in _UNKNOWN):
            version = transformers.__version__
            raise Fatal(
                f"{origin.path}: transformers {version} does not serve this architecture; {_SERVE}. ({short(error)})"
            ) from None
        raise
    if missing := sorted(found["missing_keys"]):
        raise Fatal(
            f"{origin.path}: {len(missing)} weights are in none of its files, first {missing[0]}; they would be random "
            "numbers. Copy the model again"
        )
    return processor, model


def _check_processor(processor: Any, given: Collection[str]) -> None:
    """Refuses settings that a processor does not have: it would take no notice of them."""
    parts = [part for name in _PARTS if (part := getattr(processor, name, None)) is not None]
    if not all(hasattr(part, "valid_kwargs") for part in parts):
        return  # program code of the model's own, which says of no setting that it is one
    known = set(inspect.signature(type(processor)).parameters).union(
        *(part.valid_kwargs.__annotations__ for part in parts)
    )
    for name in sorted(set(given) - known):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(known & _OFTEN_SET))} and more"
        raise Fatal(f"processor.{name}: {type(processor).__name__} has no such setting; {hint}")
