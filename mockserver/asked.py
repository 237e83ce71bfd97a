"""Reading a chat request cheaply: the media are cut out of the body before anything parses it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

__all__ = ["Asked", "Medium", "UnreadableRequest", "read_asked"]

_MARK = b";base64,"
_SHORT = 256
_CHARS_PER_TOKEN = 4
_TOKENS_PER_MEDIUM = 256
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\x00", b"MM\x00*")


class UnreadableRequest(ValueError):
    """The body is not a chat request; the text says why."""


@dataclass(frozen=True, slots=True)
class Medium:
    """One picture or video of a request.

    Attributes:
        kind: type of the message part, ``image_url`` or ``video_url``.
        url: the address as sent, the base64 text of a data URL replaced by ``sha256:`` and its digest.
        data: base64 text of a data URL, else None.
    """

    kind: str
    url: str
    data: bytes | None

    def fault(self) -> str | None:
        """What a server that reads the picture would find wrong with it, None if nothing."""
        if self.data is None:
            return None if self.url.startswith(("http://", "https://")) else "The URL must be an HTTP or data URL."
        if self.kind != "image_url":
            return None
        try:
            raw = base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            return str(error)
        return None if raw.startswith(_MAGIC) else "cannot identify image file"


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat request.

    Attributes:
        body: the parsed body, base64 text of media replaced by ``sha256:`` and its digest.
        model: the model asked for, None if the request names none.
        texts: texts of all message parts, in order.
        last: text of the last message.
        media: pictures and videos, in order.
        question: digest of roles, texts and media, 16 bytes: equal for equal questions, whatever the parameters.
        digest: the same with the model's name.
    """

    body: dict[str, Any]
    model: str | None
    texts: tuple[str, ...]
    last: str
    media: tuple[Medium, ...]
    question: bytes
    digest: bytes

    @property
    def text(self) -> str:
        """All texts, joined by newlines."""
        return "\n".join(self.texts)

    @property
    def prompt_tokens(self) -> int:
        """Rough size of the prompt: 4 characters a token, 256 tokens a picture."""
        return sum(map(len, self.texts)) // _CHARS_PER_TOKEN + 1 + _TOKENS_PER_MEDIUM * len(self.media)

    @property
    def max_tokens(self) -> int | None:
        """The request's bound on the answer's length."""
        bound = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return bound if isinstance(bound, int) else None


def read_asked(body: bytes) -> Asked:
    """Reads the body of a chat request.

    Raises:
        UnreadableRequest: not JSON, or no messages.
    """
    skeleton, blobs = _cut_media(body)
    try:
        parsed = orjson.loads(skeleton)
    except orjson.JSONDecodeError as error:
        raise UnreadableRequest(f"JSON decode error: {error}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("messages"), list) or not parsed["messages"]:
        raise UnreadableRequest("messages: Field required, a list with at least one message")
    texts: list[str] = []
    media: list[Medium] = []
    hasher = hashlib.blake2b(digest_size=16)
    last: list[str] = []
    for message in parsed["messages"]:
        if not isinstance(message, dict):
            raise UnreadableRequest("messages: every message is an object")
        last = []
        hasher.update(b"\x00" + str(message.get("role")).encode())
        for kind, value in _parts(message.get("content")):
            hasher.update(b"\x01" + kind.encode() + b"\x02" + value.encode("utf-8", "surrogatepass"))
            if kind == "text":
                last.append(value)
            else:
                media.append(_medium(kind, value, blobs))
        texts += last
    model = parsed.get("model")
    question = hasher.digest()
    hasher.update(b"\x03" + str(model).encode())
    return Asked(
        body=parsed,
        model=model if isinstance(model, str) else None,
        texts=tuple(texts),
        last="\n".join(last),
        media=tuple(media),
        question=question,
        digest=hasher.digest(),
    )


def _cut_media(body: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Takes the base64 texts out of a body, leaving their digests, so that little remains to be parsed."""
    pieces: list[bytes] = []
    blobs: dict[str, bytes] = {}
    done = 0
    while (start := body.find(_MARK, done)) >= 0:
        start += len(_MARK)
        end = body.find(b'"', start)
        if end < 0:
            break
        blob = body[start:end]
        # An escape inside means that this is no plain base64 text: the JSON parser must see it.
        if end - start < _SHORT or b"\\" in blob:
            pieces.append(body[done:end])
        else:
            name = "sha256:" + hashlib.sha256(blob).hexdigest()
            blobs[name] = blob
            pieces += (body[done:start], name.encode())
        done = end
    if not pieces:
        return body, blobs
    pieces.append(body[done:])
    return b"".join(pieces), blobs


def _parts(content: Any) -> Iterator[tuple[str, str]]:
    """Yields type and value of the parts of a message's content: a text, or the address of a medium."""
    if content is None:
        return
    if isinstance(content, str):
        yield "text", content
        return
    if not isinstance(content, list):
        raise UnreadableRequest("content: a text or a list of parts")
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        value = part.get(kind) if isinstance(kind, str) else None
        if kind in {"image_url", "video_url"} and isinstance(value, dict):
            value = value.get("url")
        if kind not in {"text", "image_url", "video_url"} or not isinstance(value, str):
            raise UnreadableRequest(f"Unsupported chat content part type: {kind!r}")
        yield kind, value


def _medium(kind: str, url: str, blobs: dict[str, bytes]) -> Medium:
    _, mark, tail = url.partition(";base64,")
    if not mark:
        return Medium(kind, url, None)
    data = blobs.get(tail)
    return Medium(kind, url, data if data is not None else tail.encode("utf-8", "surrogatepass"))
