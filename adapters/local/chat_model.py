"""Models that bring a method ``chat`` of their own, as Qwen-VL-Chat does.

Its program code comes with the model's folder and is run only with ``trust_remote_code: true``. Questions are asked one
by one, the way the reference asks them: pictures by the path of a file, put into the query by the tokenizer's
``from_list_format``, earlier turns as ``history`` in which pictures stand as ``Picture n: <img>path</img>``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from .answerer import Answer, Fatal, Model
from .bodies import Clip, Picture, Refused, Turn, Words
from .devices import is_out_of_memory, out_of_memory
from .loading import Origin, load_model
from .sampling import seed_of
from .settings import LocalSettings

__all__ = ["ChatModel", "load_chat_model"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question in the model's own terms.

    Attributes:
        query: the last turn, of texts and paths of pictures.
        history: what was said before: question and answer by turns.
        system: what the model is told first, None for its own words.
        folder: where its pictures lie, until it is answered.
    """

    query: list[dict[str, str]]
    history: list[tuple[str, str]]
    system: str | None
    folder: tempfile.TemporaryDirectory[str]


class ChatModel:
    """A loaded model (`worker.Answerer`).

    Args:
        settings: how it is asked.
        tokenizer: with a method ``from_list_format``.
        model: with a method ``chat``.
        device: for messages.
    """

    def __init__(self, settings: LocalSettings, tokenizer: Any, model: Any, device: str) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self._model = model
        self._device = device

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> list[_Asked]:
        """Writes pictures into files and puts turns into the model's form; see `worker.Answerer`."""
        return [_asked(question) for question in questions]

    def answer(self, prepared: list[_Asked]) -> list[Answer]:
        """Asks one by one; see `worker.Answerer`."""
        try:
            with torch.inference_mode():
                return [self._answer(asked) for asked in prepared]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = out_of_memory(error, self._device)
        raise problem

    def _answer(self, asked: _Asked) -> Answer:
        generation = self._settings.generation
        query = self._tokenizer.from_list_format(asked.query)
        fields: dict[str, Any] = {"max_new_tokens": generation.max_new_tokens, "do_sample": generation.temperature > 0}
        if generation.temperature > 0:
            chosen = {"temperature": generation.temperature, "top_p": generation.top_p, "top_k": generation.top_k}
            fields |= {name: value for name, value in chosen.items() if value is not None}
            torch.manual_seed(seed_of(generation.seed, *_said(asked, query)))
        if generation.repetition_penalty is not None:
            fields["repetition_penalty"] = generation.repetition_penalty
        if asked.system is not None:
            fields["system"] = asked.system
        with asked.folder:
            text, _ = self._model.chat(self._tokenizer, query=query, history=asked.history or None, **fields)
        tokens = len(self._tokenizer.encode(text))
        return {
            "text": text.strip(),
            "finish": "length" if tokens >= generation.max_new_tokens else "stop",
            "prompt_tokens": None,
            "completion_tokens": tokens,
        }


def _said(asked: _Asked, query: str) -> list[bytes]:
    """Returns all that determines an answer: texts without the folder's name, which is another each time, pictures."""
    texts = json.dumps([query, asked.history, asked.system]).replace(asked.folder.name, "")
    return [texts.encode(), *(file.read_bytes() for file in sorted(Path(asked.folder.name).iterdir()))]


def _asked(question: Sequence[Turn]) -> _Asked:
    system = None
    talk = list(question)
    if talk and talk[0].role == "system":
        system = "".join(part.text for part in talk.pop(0).parts if isinstance(part, Words)).rstrip("\n")
    folder = tempfile.TemporaryDirectory(prefix="eyechart-")
    said = [_listed(turn, Path(folder.name), number) for number, turn in enumerate(talk)]
    history = [(_joined(one), _joined(other)) for one, other in zip(said[:-1:2], said[1::2], strict=False)]
    return _Asked(said[-1], history, system, folder)


def _listed(turn: Turn, folder: Path, number: int) -> list[dict[str, str]]:
    listed = []
    for place, part in enumerate(turn.parts):
        match part:
            case Words(text):
                listed.append({"text": text})
            case Picture(image):
                file = folder / f"{number}-{place}.png"
                image.save(file)
                listed.append({"image": str(file)})
            case Clip():
                raise Refused("this model takes no videos; leave video_llm out, and it is shown frames")
    return listed


def _joined(listed: Sequence[dict[str, str]]) -> str:
    texts = []
    pictures = 0
    for part in listed:
        if "image" in part:
            pictures += 1
            texts.append(f"Picture {pictures}: <img>{part['image']}</img>\n")
        else:
            texts.append(part["text"])
    return "".join(texts)


def load_chat_model(settings: LocalSettings, device: str | None) -> Model:
    """Loads a model with its own code.

    Raises:
        Fatal: it cannot be loaded, or has no method ``chat``.
    """
    return load_model(settings, device, _load, ChatModel)


def _load(origin: Origin) -> tuple[Any, Any]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(origin.path, **origin.options)
    model = transformers.AutoModelForCausalLM.from_pretrained(origin.path, **origin.options, **origin.weights)
    for kind, part, method in (("tokenizer", tokenizer, "from_list_format"), ("model", model, "chat")):
        if not callable(getattr(part, method, None)):
            raise Fatal(
                f"{origin.path}: its {kind} has no method {method}, so it is no model of the kind of Qwen-VL-Chat; "
                "name: transformers is for others"
            )
    return tokenizer, model
