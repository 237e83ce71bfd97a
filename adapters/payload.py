"""Builds the body of a chat completion request around the bytes of its pictures.

A body is a tuple of JSON pieces; the base64 texts stand between them untouched: no copy, and no scan for characters
to escape, because base64 has none. Two styles exist, which are the reference's two clients (ms-vlmeval 0.0.20):

``openai``
    Text alone is one string, its parts joined by line breaks. With a picture or video the content is a list: empty
    texts are left out, pictures carry ``detail``. The reference's ``CustomAPIModel`` and its judges.
``lmdeploy``
    The content is always a list; text alone is one joined part, empty texts stay beside media, no ``detail``, and
    ``n`` is 1. The reference's ``LMDeployAPI``.

System messages become one system message in front. Each says its parts with a line break after each; it is appended,
after a line break, to the model's own ``system_prompt`` and to those before it, unless it is contained there already.
An assistant message at the end is said by the user, as part of the last turn: no server is asked to continue a text.
Neighbouring messages of one role are one message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from ..errors import ConfigError
from ..messages import Document, Image, InlineMedia, Message, Part, Role, Text, Video
from .base import Request

__all__ = ["ChatOptions", "Style", "TokenField", "carried_system", "encode_chat"]

Style: TypeAlias = Literal["openai", "lmdeploy"]
TokenField: TypeAlias = Literal["max_tokens", "max_completion_tokens"]
_Turn: TypeAlias = tuple[Role, list[Part]]

_RESERVED: Final = {
    "messages": "the benchmark's prompt",
    "model": "the model's name",
    "temperature": "a field of its own",
    "max_tokens": "a field of its own",
    "max_completion_tokens": "a field of its own",
}


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Everything in a request but the prompt.

    Attributes:
        model: name that the server knows the model by.
        style: shape of the messages.
        temperature: sampling temperature; None leaves it out, as the reference does for the models below.
        max_tokens: longest answer in tokens; None leaves it to the server.
        token_field: under which name `max_tokens` is sent. The reference sends ``max_completion_tokens`` (and no
            temperature) for every model whose name contains o1, o3, o4 or gpt-5; here that is said, not guessed.
        detail: value of ``detail`` beside each picture, None leaves it out; style lmdeploy has none.
        system_prompt: what the model is told first.
        extra: further fields, sent as they are at the top level; None values are left out.
        end: what follows the messages in every request: the bracket that closes them, and all other fields.

    Raises:
        ConfigError: an extra field would replace one of the above, asks for a stream, or is not JSON.
    """

    model: str
    style: Style = "openai"
    temperature: float | None = 0.0
    max_tokens: int | None = 2048
    token_field: TokenField = "max_tokens"  # noqa: S105 (tokens of text)
    detail: str | None = "high"
    system_prompt: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    end: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in self.extra:
            if name in _RESERVED:
                raise ConfigError(
                    f"the request field {name!r} cannot be set as an extra field: it is {_RESERVED[name]}"
                )
        if self.extra.get("stream"):
            raise ConfigError("the request field 'stream' is not supported: answers are read whole")
        try:
            end = json.dumps(self.fields(), allow_nan=False).encode()[1:]
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"a request field of model {self.model!r} is not JSON: {error}") from None
        object.__setattr__(self, "end", b"]," + end)

    def fields(self) -> dict[str, Any]:
        """Returns the top-level fields but ``messages``, None values left out."""
        own: dict[str, Any] = {"model": self.model, "temperature": self.temperature, self.token_field: self.max_tokens}
        if self.style == "lmdeploy":
            own["n"] = 1
        return {name: value for name, value in {**own, **self.extra}.items() if value is not None}

    def identity(self) -> dict[str, Any]:
        """Returns all that determines an answer apart from the prompt."""
        return {
            "style": self.style,
            "detail": self.detail if self.style == "openai" else None,
            "system_prompt": self.system_prompt or None,
            "request": self.fields(),
        }


def encode_chat(messages: Sequence[Message], options: ChatOptions) -> Request:
    """Turns messages into a request body.

    Args:
        messages: what is said; media are `InlineMedia`, or `Video` with an address that the server can read itself.
        options: everything else.

    Raises:
        TypeError: a picture is not ready to be sent.
    """
    pieces: list[bytes] = [b'{"messages":[']
    for number, (role, parts) in enumerate(_turns(messages, options)):
        pieces.append(b"," if number else b"")
        pieces.append(b'{"role":"%b","content":' % role.encode())
        pieces.extend(_content(parts, options, is_system=role == "system"))
        pieces.append(b"}")
    pieces.append(options.end)
    chunks = tuple(_joined(pieces))
    return Request(chunks, sum(map(len, chunks)))


def carried_system(carried: Sequence[Message], messages: Sequence[Message]) -> tuple[Message, ...]:
    """Returns the system messages in force after `messages`: those carried over and the new ones, in order.

    Put in front of the messages of later benchmarks they give what the reference does there (protocol switch
    ``keep_system_prompt``); being part of the messages, they are part of every fingerprint.
    """
    return tuple(dict.fromkeys([*carried, *(m for m in messages if m.role == "system")]))


def _turns(messages: Sequence[Message], options: ChatOptions) -> list[_Turn]:
    """Orders the messages into turns: one system turn, then users and assistants by turns."""
    system = options.system_prompt or ""
    talk: list[Message] = []
    for message in messages:
        if message.role != "system":
            talk.append(message)
            continue
        said = "".join(f"{part.text}\n" for part in message.parts if isinstance(part, Text))
        if said not in system:
            system = f"{system}\n{said}" if system else said
    if talk and talk[-1].role == "assistant":
        talk[-1] = Message("user", talk[-1].parts)
    turns: list[_Turn] = [("system", [Text(system)])] if system else []
    for message in talk:
        if turns and turns[-1][0] == message.role:
            turns[-1][1].extend(message.parts)
        else:
            turns.append((message.role, list(message.parts)))
    return turns


def _content(parts: Sequence[Part], options: ChatOptions, *, is_system: bool) -> Iterator[bytes]:
    texts = [part.text for part in parts if isinstance(part, Text)]
    listed = options.style == "lmdeploy" and not is_system
    if len(texts) == len(parts):
        joined = _json_text("\n".join(texts))
        yield b'[{"type":"text","text":%b}]' % joined if listed else joined
        return
    comma = b"["
    for part in parts:
        if isinstance(part, Text) and not part.text and not listed:
            continue
        yield comma
        yield from _part(part, options)
        comma = b","
    yield b"]"


def _part(part: Part, options: ChatOptions) -> Iterator[bytes]:
    if isinstance(part, Text):
        yield b'{"type":"text","text":%b}' % _json_text(part.text)
        return
    if isinstance(part, Image | Document):
        raise TypeError(f"picture or document {part.name} is not ready to be sent: it has to be InlineMedia")
    kind = b"video" if isinstance(part, Video) or part.kind == "video" else b"image"
    yield b'{"type":"%b_url","%b_url":{"url":' % (kind, kind)
    if isinstance(part, InlineMedia):
        yield b'"data:%b;base64,' % part.mime.encode()
        yield part.base64
        yield b'"'
    else:
        yield _json_text(part.url)
    if kind == b"image" and options.style == "openai" and options.detail is not None:
        yield b',"detail":%b' % _json_text(options.detail)
    yield b"}}"


def _json_text(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate, which UTF-8 cannot hold and \u escapes can
        return json.dumps(text).encode()


_LARGE: Final = 4096


def _joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Joins small neighbours and leaves large pieces alone: they are the pictures."""
    small: list[bytes] = []
    for piece in pieces:
        if len(piece) < _LARGE:
            small.append(piece)
            continue
        if small:
            yield b"".join(small)
            small.clear()
        yield piece
    if small:
        yield b"".join(small)
