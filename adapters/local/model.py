"""A model on this machine, as the engine asks it."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from PIL import Image as Pillow

from ...messages import InlineMedia, Message, Text
from ...records import Reply
from ..base import Request
from ..payload import ChatOptions, encode_chat
from ..reply import without_think
from .checkpoint import is_folder, read_checkpoint
from .pool import Pool
from .process import WorkerProcess
from .settings import LocalSettings

__all__ = ["LocalModel", "LocalRequest"]

_HEAD_OF_A_PICTURE: Final = 65_536
_PIXELS_A_TOKEN: Final = 28 * 28
"""Of Qwen2-VL and its like; others differ, but longer is longer with all of them."""
_LETTERS_A_TOKEN: Final = 4
_TOKENS_OF_A_VIDEO: Final = 4096


@dataclass(frozen=True, slots=True)
class LocalRequest(Request):
    """A request with what decides which others it is asked together with.

    Attributes:
        tokens: about how many tokens its prompt has.
        kind: which media it shows.
    """

    tokens: int = 0
    kind: str = ""


class LocalModel:
    """A model whose workers load it when it is first asked (`Model`).

    Args:
        settings: how it is loaded and asked.
        name: what it is called in requests.
        system_prompt: what it is told first.
        split_think: take what stands before the last ``</think>`` of an answer as reasoning.
        environment: variables of its workers; None for those of this process.
        tell: is told in a sentence what its user should know: that it runs on the processor, that a worker died.

    Raises:
        ConfigError: its folder lacks files, or one of them is cut short.
    """

    def __init__(
        self,
        settings: LocalSettings,
        *,
        name: str,
        system_prompt: str | None = None,
        split_think: bool = False,
        environment: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._split_think = split_think
        self._options = ChatOptions(name, temperature=None, max_tokens=None, detail=None, system_prompt=system_prompt)
        self._settings = settings
        files = settings.model_path
        if is_folder(settings.model_path):
            allow = settings.trust_remote_code
            files = read_checkpoint(settings.model_path, allow_pickled=allow).digest
        self._identity = {
            "style": "local",
            "system_prompt": system_prompt or None,
            "files": files,
            "split_think": split_think,
            **settings.determines(),
        }
        self._pool = Pool(settings, tell=tell, start=partial(WorkerProcess, environment=environment))

    @property
    def identity(self) -> Mapping[str, Any]:
        """The model's files and how answers are drawn; not where, nor how many at a time."""
        return self._identity

    @property
    def about(self) -> Mapping[str, Any]:
        """What the workers told of themselves: devices, versions, and where their time went."""
        return self._pool.about

    @property
    def is_loading(self) -> bool:
        """Whether no worker has loaded it so far."""
        return self._pool.is_loading

    def encode(self, messages: Sequence[Message]) -> LocalRequest:
        """Makes the body that a server would get; pure and thread-safe."""
        request = encode_chat(messages, self._options)
        parts = [part for message in messages for part in message.parts]
        media = {_medium(part) for part in parts if not isinstance(part, Text)}
        return LocalRequest(request.chunks, request.size, sum(map(_tokens, parts)), "+".join(sorted(media)))

    async def ask(self, request: Request) -> Reply:
        """Has a worker answer.

        Raises:
            BadRequest: the model cannot be asked this: a picture that cannot be decoded, a prompt that does not fit,
                more memory than there is; a worker died over it twice.
            EndpointUnusable: the model cannot be loaded, or workers die one after the other.
        """
        tokens, kind = (request.tokens, request.kind) if isinstance(request, LocalRequest) else (0, "")
        reply = await self._pool.ask(request.chunks, tokens=tokens, kind=kind)
        if not self._split_think:
            return reply
        text, reasoning = without_think(reply.text)
        return replace(reply, text=text, reasoning=reasoning)

    async def aclose(self) -> None:
        """Ends the workers."""
        await self._pool.aclose()


def _medium(part: object) -> str:
    return part.kind if isinstance(part, InlineMedia) else "video"


def _tokens(part: object) -> int:
    match part:
        case Text(text):
            return 1 + len(text) // _LETTERS_A_TOKEN
        case InlineMedia("image", _, text):
            return _pixels(text) // _PIXELS_A_TOKEN
        case _:
            return _TOKENS_OF_A_VIDEO


def _pixels(text: bytes) -> int:
    """Reads a picture's size from the start of its file; 0 where that does not tell."""
    try:
        with Pillow.open(io.BytesIO(base64.b64decode(text[:_HEAD_OF_A_PICTURE]))) as picture:
            return picture.width * picture.height
    except (binascii.Error, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError):
        return 0
