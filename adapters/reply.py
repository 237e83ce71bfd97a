"""Reads the body of a chat completion.

The answer is ``choices[0].message.content``: a string, or the texts of a list of parts; where a model refuses and the
server puts that into ``refusal``, the refusal is the answer. Reasoning that the server returns apart (``reasoning`` or
``reasoning_content``) stays apart; a ``<think>`` block inside the content stays inside unless `split_think` is on.

A reply without text is an `EmptyAnswer`, which may be asked again, except when the server says that it stopped at the
token limit (``finish_reason`` ``length``): then the model spent its tokens, mostly on reasoning, and asking again would
spend them again. Such a reply is an answer with the text ``""``, counted as truncated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ..errors import EmptyAnswer, MalformedReply
from ..records import Reply, Usage
from .errors_http import classify, clean

__all__ = ["parse_reply", "without_think"]

_MAX_COUNT: Final = 2**53
_MAX_REASON: Final = 64
_CLIENT_ERROR: Final = 400
_STATUS_END: Final = 600


def parse_reply(body: bytes, *, split_think: bool = False) -> Reply:
    """Reads the body of a 2xx response.

    Args:
        body: the whole body.
        split_think: take what stands before the last ``</think>`` of the content as reasoning.

    Raises:
        MalformedReply: the body is not a chat completion.
        EmptyAnswer: it holds no text, though the token limit was not reached.
        EndpointError: the body is an error object with a status of its own, sent with 200.
    """
    data = _json(body)
    if not isinstance(data, dict):
        raise MalformedReply(f"the reply is JSON, but no object: {_start(body)}")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices:
        if "error" in data or data.get("object") == "error":
            raise classify(_error_status(data), {}, body)
        raise MalformedReply(f"the reply has no choices: {_start(body)}")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise MalformedReply(f"the reply's first choice has no message: {_start(body)}")
    text = _content(message)
    reasoning = next((v for k in ("reasoning", "reasoning_content") if (v := _words(message.get(k)))), None)
    if split_think:
        text, reasoning = without_think(text, reasoning)
    finish = choice.get("finish_reason")
    finish = finish[:_MAX_REASON] if isinstance(finish, str) else None
    if not text and finish != "length":
        extra = ", only reasoning" if reasoning else ""
        raise EmptyAnswer(f"the reply holds no text{extra} (finish_reason {clean(str(finish), _MAX_REASON)})")
    return Reply(text=text, reasoning=reasoning, finish_reason=finish, usage=_usage(data.get("usage")))


def _json(body: bytes) -> Any:
    """Reads JSON; what strict JSON forbids and servers send all the same (NaN, lone surrogates) is put up with."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return _storable(json.loads(body))
    except (ValueError, RecursionError):
        said = f"starts with: {_start(body)}" if body.strip() else "is empty"
        raise MalformedReply(f"the reply is not JSON; it {said}") from None


def _storable(data: Any) -> Any:
    """Replaces lone surrogates in all texts: no file could hold them."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode()
    if isinstance(data, list):
        return [_storable(item) for item in data]
    if isinstance(data, dict):
        return {_storable(name): _storable(item) for name, item in data.items()}
    return data


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is not None and not isinstance(content, str | list):
        raise MalformedReply(f"the reply's content is neither text nor a list, but {type(content).__name__}")
    return _words(content) or _words(message.get("refusal")) or ""


def _words(content: object) -> str | None:
    """Returns the text of a string or of a list of text parts, stripped; None when there is none."""
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        content = "".join(part for part in parts if isinstance(part, str))
    return (content.strip() or None) if isinstance(content, str) else None


def without_think(text: str, reasoning: str | None = None) -> tuple[str, str | None]:
    """Parts an answer from the thinking before its last ``</think>``.

    Args:
        text: what a model wrote.
        reasoning: thinking that came apart from it.

    Returns:
        The answer, and all of the thinking; None where there is none.
    """
    thought, mark, answer = text.rpartition("</think>")
    if not mark:
        return text, reasoning
    thought = thought.strip().removeprefix("<think>").strip()
    return answer.strip(), "\n".join(filter(None, (reasoning, thought))) or None


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return None if prompt is None and completion is None else Usage(prompt, completion)


def _count(value: object) -> int | None:
    """Reads a token count, which some servers give as a float or a text."""
    if type(value) is int and 0 <= value <= _MAX_COUNT:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and 0 <= number <= _MAX_COUNT else None


def _error_status(data: Mapping[str, Any]) -> int:
    """Returns the status that an error sent with 200 names, 500 when it names none."""
    for holder in (data.get("error"), data):
        code = _count(holder.get("code", holder.get("status"))) if isinstance(holder, dict) else None
        if code is not None and _CLIENT_ERROR <= code < _STATUS_END:
            return code
    return 500


def _start(body: bytes) -> str:
    return clean(body[:400].decode("utf-8", "replace"), 120)
