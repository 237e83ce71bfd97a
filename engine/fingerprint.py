"""Fingerprints: what determines an answer, as a hash, so that a stored answer is reused only where it still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..messages import InlineMedia, Message, Text, Video

__all__ = ["Fingerprinter", "VerdictFingerprinter", "setup_digest"]

_VERSION = 1
_DIGEST_SIZE = 16


class Fingerprinter:
    """Hashes prompts for one model under one protocol.

    The hash covers the model's identity (name, generation parameters), the protocol's name, and every message: roles,
    texts, and the digests of pictures as they are sent. It does not cover where the model is served, nor limits such
    as ``nproc``: they do not change an answer.
    """

    def __init__(self, identity: Mapping[str, Any], protocol: str) -> None:
        head = {"version": _VERSION, "identity": identity, "protocol": protocol}
        self._head = hashlib.blake2b(orjson.dumps(head, option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST_SIZE)

    def of(self, messages: Sequence[Message]) -> str:
        """Returns the fingerprint of a prompt as 32 hex digits.

        Raises:
            TypeError: a picture has not been prepared for sending yet, so its bytes are not known.
        """
        digest = self._head.copy()
        content = [[message.role, [_part(part) for part in message.parts]] for message in messages]
        digest.update(orjson.dumps(content))
        return digest.hexdigest()


def _part(part: object) -> list[str]:
    match part:
        case Text(text):
            return ["text", text]
        case InlineMedia(kind, mime, _, digest):
            return [kind, mime, digest]
        case Video(url, digest=digest):
            return ["video_url", digest or url]
        case _:
            raise TypeError(f"{type(part).__name__} has no digest before it is prepared")


class VerdictFingerprinter:
    """Hashes what one judge is asked.

    The hash covers the judge's identity, with the temperature and the system text that a request has, and the request:
    name and version of the rubric, the whole text, which try of the rubric it is, and which of several verdicts on the
    same answer. It does not cover where the judge is served, nor its limits.
    """

    def __init__(self, identity: Mapping[str, Any]) -> None:
        head = {"version": _VERSION, "judge": identity}
        self._head = hashlib.blake2b(orjson.dumps(head, option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST_SIZE)

    def of(self, *, rubric: str, prompt: str, attempt: int, repeat: int) -> str:
        """Returns the fingerprint of one request as 32 hex digits."""
        content = [rubric, prompt, attempt, repeat]
        digest = self._head.copy()
        try:
            digest.update(orjson.dumps(content))
        except orjson.JSONEncodeError:  # a lone surrogate in an answer, which UTF-8 cannot hold and \u escapes can
            digest.update(json.dumps(content).encode())
        return digest.hexdigest()


def setup_digest(identity: Mapping[str, Any], **facts: Any) -> str:
    """Hashes everything from which prompts are made, as 16 hex digits.

    Where it equals the one in a journal line, that line's fingerprint would come out the same, so a resumed run need
    not read and hash every picture of the answers it already has.
    """
    content = orjson.dumps({"version": _VERSION, "identity": identity, **facts}, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=8).hexdigest()
