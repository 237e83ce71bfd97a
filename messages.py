"""What is said to a model: messages made of text, pictures, documents and videos.

A benchmark builds messages whose media are references (`Image`, `Document`, `Video`): nothing is decoded and hardly
anything is held in memory. The engine turns them into `InlineMedia`, ready to be sent, when the sample's turn comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["Document", "Frame", "Image", "InlineMedia", "Message", "Part", "Role", "Text", "Video"]

Role: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a video, told together with the others that the same prompt shows: they are decoded at once.

    Attributes:
        video: file of the video.
        indices: numbers of all frames that the prompt shows, from 0 and in the order in which they are shown.
        position: which of `indices` this one is.
    """

    video: Path
    indices: tuple[int, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Image:
    """A still picture, by its base64 text, its file or the video that it is a frame of; exactly one of them is set.

    Attributes:
        name: file name under which the reference would cache the picture, e.g. ``12.png``; names it in logs.
        base64: base64 text of the picture's file as the benchmark holds it, neither decoded nor checked.
        path: file of the picture.
        stored_as: None shows the model the original bytes. ``png`` and ``jpeg`` show what the reference's image cache
            would hold (protocol vlmeval): alpha and palette dropped to RGB, and for ``jpeg`` re-encoded at quality 75.
        frame: the frame of a video that is shown, as a JPEG of quality 75.
    """

    name: str
    base64: bytes | None = None
    path: Path | None = None
    stored_as: Literal["png", "jpeg"] | None = None
    frame: Frame | None = None

    def __post_init__(self) -> None:
        if (self.base64 is None) + (self.path is None) + (self.frame is None) != 2:  # noqa: PLR2004 (of three)
            raise ValueError("an Image has either base64 text, a path or a frame")


@dataclass(frozen=True, slots=True)
class Document:
    """A document, shown by pictures of its pages; exactly one of `pdf` and `pages` is given.

    Attributes:
        name: how errors call it.
        pdf: its PDF file, by base64 text or path, neither decoded nor checked.
        pages: pictures of its pages, in order, where there is no PDF.
        page_names: what the pages of a PDF are called, in order; further pages are named after the PDF.
        first_strip_only: of pages that are put together in several long strips, only the first strip is shown, as the
            reference does in some benchmarks.
    """

    name: str
    pdf: Image | None = None
    pages: tuple[Image, ...] = ()
    page_names: tuple[str, ...] = ()
    first_strip_only: bool = False

    def __post_init__(self) -> None:
        if (self.pdf is None) == (not self.pages):
            raise ValueError("a Document has either a PDF or pictures of pages")


@dataclass(frozen=True, slots=True)
class Video:
    """A video by its address: a file's path or a URL.

    Attributes:
        url: the address. A folder stands for a video whose frames are its pictures, in the order of their names.
        span: first and last second to show; None shows all of it.
        rate: pictures a second of a folder.
        as_mp4: a file of another format is converted.
        digest: hash of what is shown, once that is known and the address alone is sent.
    """

    url: str
    span: tuple[float, float] | None = None
    rate: float | None = None
    as_mp4: bool = False
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class InlineMedia:
    """A picture or video that is ready to be put into a request.

    Attributes:
        kind: what the bytes show.
        mime: media type, e.g. ``image/jpeg``.
        base64: base64 text of the file's bytes.
        digest: hash of that text (`eyechart.engine.media.media_digest`), part of every fingerprint.
    """

    kind: Literal["image", "video"]
    mime: str
    base64: bytes
    digest: str


Part: TypeAlias = Text | Image | Document | Video | InlineMedia


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks, and what is said and shown, in order."""

    role: Role
    parts: tuple[Part, ...]
