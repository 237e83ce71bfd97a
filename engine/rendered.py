"""A prompt as the server gets it, made fit to be read: roles, texts in full, and a line for each picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

import orjson
import pybase64

from ..adapters.base import Model, Request
from ..benchmarks.base import Benchmark
from ..messages import Document, Image, InlineMedia, Message, Text, Video
from ..records import Sample
from .documents import Documents
from .media import MediaSettings, load_image, prepare_messages
from .sniff import look
from .survey import characters

__all__ = ["PictureShown", "Rendered", "Turn", "prepare_prompt"]

_DATA: Final = "data:"
_MIDDLE: Final = ";base64,"


@dataclass(frozen=True, slots=True)
class PictureShown:
    """A picture or video of a prompt.

    Attributes:
        name: name of the picture as the benchmark knows it.
        format: media type that it is sent as, e.g. ``image/png``.
        width: in pixels; None for a video.
        height: in pixels; None for a video.
        sent_bytes: bytes that it takes up in the request (base64).
    """

    name: str
    format: str
    width: int | None
    height: int | None
    sent_bytes: int


Part: TypeAlias = str | PictureShown
"""A text, or a picture that stands at this place."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt."""

    role: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt that is ready to be sent and to be read.

    Attributes:
        benchmark: name of the benchmark.
        index: the sample's index.
        turns: what is said, in order, the model's system prompt included.
        request: what is sent.
        kept_bytes: base64 characters of the pictures and documents as the benchmark holds them.
        kept_files: how many files these are: a PDF is one, whatever pages it has.
    """

    benchmark: str
    index: str
    turns: tuple[Turn, ...]
    request: Request
    kept_bytes: int
    kept_files: int

    @property
    def sent_bytes(self) -> int:
        """Base64 characters of its pictures as they are sent."""
        return sum(picture.sent_bytes for picture in self.pictures)

    @property
    def pictures(self) -> tuple[PictureShown, ...]:
        """Its pictures, in order."""
        return tuple(part for turn in self.turns for part in turn.parts if isinstance(part, PictureShown))

    def as_dict(self) -> dict[str, Any]:
        """Returns it, ready for JSON: texts as they are, pictures as mappings."""
        return {
            "benchmark": self.benchmark,
            "index": self.index,
            "request_bytes": self.request.size,
            "messages": [
                {
                    "role": turn.role,
                    "parts": [{"text": part} if isinstance(part, str) else asdict(part) for part in turn.parts],
                }
                for turn in self.turns
            ],
        }


def prepare_prompt(
    benchmark: Benchmark, sample: Sample, model: Model, media: MediaSettings, documents: Documents
) -> Rendered:
    """Builds, prepares and encodes the prompt of one sample, as a run does. Blocking.

    Raises:
        MediaError: a picture or document cannot be read.
        DataError: the row lacks what the prompt needs.
    """
    messages = benchmark.prompt(sample)
    kept = [characters(image) for message in messages for part in message.parts for image in _files(part)]
    messages = documents.shown(messages)
    names = [part.name for message in messages for part in message.parts if isinstance(part, Image)]
    ready = prepare_messages(messages, media)
    request = model.encode(ready)
    turns = tuple(_sent(request, names) or _said(ready, names))
    return Rendered(benchmark.name, sample.index, turns, request, sum(kept), len(kept))


def _files(part: object) -> tuple[Image, ...]:
    """Returns the files that a part stands for."""
    match part:
        case Image():
            return (part,)
        case Document(pdf=Image() as pdf):
            return (pdf,)
        case Document(pages=pages):
            return pages
    return ()


def _sent(request: Request, names: Sequence[str]) -> list[Turn]:
    """Reads the turns out of a chat request: what is shown is what is sent."""
    try:
        body = orjson.loads(b"".join(request.chunks))
        messages = body["messages"]
        remaining = iter(names)
        return [Turn(message["role"], tuple(_parts(message["content"], remaining))) for message in messages]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []  # an adapter whose requests have another shape


def _parts(content: Any, names: Iterator[str]) -> Iterator[Part]:
    if isinstance(content, str):
        yield content
        return
    for part in content:
        kind = part["type"]
        if kind == "text":
            yield part["text"]
        else:
            yield _from_url(part[kind]["url"], kind, names)


def _from_url(url: str, kind: str, names: Iterator[str]) -> PictureShown:
    name = next(names, "") if kind == "image_url" else ""
    mime, middle, text = url.removeprefix(_DATA).partition(_MIDDLE)
    if not (url.startswith(_DATA) and middle):
        return PictureShown(name or url, kind.removesuffix("_url"), None, None, len(url))
    return _shown(name, mime, text.encode())


def _said(messages: Sequence[Message], names: Sequence[str]) -> list[Turn]:
    remaining = iter(names)
    turns = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            match part:
                case Text(text):
                    parts.append(text)
                case InlineMedia(kind, mime, text, _):
                    parts.append(_shown(next(remaining, "") if kind == "image" else "", mime, text))
                case Video(url):
                    parts.append(PictureShown(url, "video", None, None, len(url)))
        turns.append(Turn(message.role, tuple(parts)))
    return turns


def _shown(name: str, mime: str, text: bytes) -> PictureShown:
    if not mime.startswith("image/"):
        return PictureShown(name, mime, None, None, len(text))
    size = look(pybase64.b64decode(text)).size or load_image(Image(name, base64=text)).size
    return PictureShown(name, mime, size[0], size[1], len(text))
