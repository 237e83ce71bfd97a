"""What a mock server answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from ..errors import ConfigError
from .asked import Asked
from .settings import MockSettings, Pattern, compile_pattern

__all__ = ["Answerer", "completion"]

_OPTION = re.compile(r"^\s*\(?([A-Z])[.):]", re.MULTILINE)
_LISTED = re.compile(r"^\s*\(?([A-Z])[.):][ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_DIGEST = "sha256:"
_NO_OPTION = "Z"
_WORDS = ("red", "two", "dog", "left", "7", "blue", "car", "2019", "tree", "none", "12.5", "Paris")


class Answerer:
    """Finds the answer to a request.

    Args:
        settings: mode, texts and script.

    Raises:
        ConfigError: the script file cannot be read or is not a mapping from texts to texts.
    """

    def __init__(self, settings: MockSettings) -> None:
        self._settings = settings
        script: dict[str, str | list[str]] = dict(settings.script)
        if settings.script_file is not None:
            script |= _read_script(settings.script_file)
        self._exact: Mapping[str, str | list[str]] = script
        self._digests = any(key.startswith(_DIGEST) for key in script)
        self._patterns: list[tuple[Pattern, str | list[str]]] = [
            (compile_pattern(key), value) for key, value in script.items() if not key.startswith(_DIGEST)
        ]

    def answer(self, asked: Asked, nth: int) -> str:
        """The answer to a request.

        Args:
            asked: the request.
            nth: how many answers this same request has had before.
        """
        if self._settings.mode == "fixed":
            return self._settings.text
        if self._settings.mode == "echo":
            return asked.last
        if self._settings.mode == "computed":
            return _computed(asked)
        found = self._look_up(asked)
        if isinstance(found, str):
            return found
        if found:
            return found[min(nth, len(found) - 1)]
        return _judged(asked.text, self._settings.text) if self._settings.mode == "judge" else self._settings.text

    def _look_up(self, asked: Asked) -> str | list[str] | None:
        text = asked.text
        for exact in (text, asked.last):
            if exact in self._exact:
                return self._exact[exact]
        if self._digests and (digest := _DIGEST + hashlib.sha256(text.encode()).hexdigest()) in self._exact:
            return self._exact[digest]
        for pattern, answer in self._patterns:
            if pattern.matches(text):
                return answer
        return None


def completion(settings: MockSettings, asked: Asked, text: str | None) -> dict[str, Any]:
    """The reply that carries an answer.

    Args:
        settings: names, reasoning, finish reason and token count.
        asked: the request.
        text: the answer; None is a missing one.
    """
    words = (text or "").split(" ")
    bound = asked.max_tokens
    cut = text is not None and bound is not None and len(words) > bound
    if cut:
        text = " ".join(words[:bound])
    tokens = settings.answer_tokens if settings.answer_tokens is not None else min(len(words), bound or len(words))
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if settings.reasoning is not None:
        message[settings.reasoning_key] = settings.reasoning
    return {
        "id": "chatcmpl-" + asked.digest.hex(),
        "object": "chat.completion",
        "created": 0,
        "model": asked.model or settings.model or "mock",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": settings.finish_reason or ("length" if cut else "stop"),
            }
        ],
        "usage": {
            "prompt_tokens": asked.prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": asked.prompt_tokens + tokens,
        },
    }


def _computed(asked: Asked) -> str:
    options: list[str] = sorted(set(_OPTION.findall(asked.text)))
    if len(options) > 1:
        choices: list[str] = options
    elif "yes or no" in asked.text.lower():
        choices = ["Yes", "No"]
    else:
        choices = list(_WORDS)
    return choices[int.from_bytes(asked.question, "big") % len(choices)]


def _judged(text: str, otherwise: str) -> str:
    """The letter of the one option that the words after the last list of options name."""
    listed = list(_LISTED.finditer(text))
    if not listed:
        return otherwise
    last = len(listed) - 1
    while last > 0 and not text[listed[last - 1].end() : listed[last].start()].strip():
        last -= 1
    words = text[listed[-1].end() :].casefold()
    named = {option[1] for option in listed[last:] if option[2].casefold() in words}
    return named.pop() if len(named) == 1 else _NO_OPTION


def _read_script(path: Path) -> dict[str, str | list[str]]:
    try:
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"mock server: script_file {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"mock server: script_file {path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"mock server: script_file {path}: a JSON object {{question: answer}} is needed")
    for key, value in data.items():
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise ConfigError(f"mock server: script_file {path}: the answer to {key!r} is neither a text nor texts")
    return data
