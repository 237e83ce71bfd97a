"""Answers to all questions on a video in one reply: taken apart by the number of the question (MMBench-Video, pack)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from .letters import FAILED_MARK

__all__ = ["Packed", "Status", "read_packed"]

Status: TypeAlias = Literal["GEN_FAIL", "PARSE_OK", "PARSE_FAIL"]

_MOST_TRIES: Final = 10_000
_MARKS: Final = ",\"'"


@dataclass(frozen=True, slots=True)
class Packed:
    """What a reply to several questions was read as.

    Attributes:
        status: ``GEN_FAIL`` for a failed request, ``PARSE_FAIL`` where nothing could be read, else ``PARSE_OK``.
        answers: answers by the index of the question; others may stand among them.
    """

    status: Status
    answers: Mapping[str, Any]


def read_packed(reply: str, *, literal: bool) -> Packed:
    """Takes a reply apart: the one JSON object in it, else ``key: value`` lines behind its one brace.

    Bounded: at most ten thousand braces are tried.

    Args:
        reply: the answers to all questions on a video.
        literal: read lines as the reference does: keys keep the spaces before them, so that no indented line answers
            anything, and a value ends at the next colon with a space.
    """
    text = reply.strip()
    if FAILED_MARK in text:
        return Packed("GEN_FAIL", {})
    objects = []
    for found in _objects(text):
        objects.append(found)
        if len(objects) > 1:
            break
    if len(objects) == 1:
        return Packed("PARSE_OK", objects[0])
    if text.count("{") == 1:
        return Packed("PARSE_OK", _lines(text.partition("{")[2], literal=literal))
    return Packed("PARSE_FAIL", {})


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            return
        try:
            found, after = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            after = at + 1
        else:
            yield found
        at = text.find("{", after)


def _lines(text: str, *, literal: bool) -> dict[str, Any]:
    answers = {}
    for line in text.split("\n"):
        parts = line.split(": ") if literal else line.split(": ", 1)
        if len(parts) > 1:
            key, value = (_bare(part, literal=literal) for part in parts[:2])
            if key and value:
                answers[key] = value
    return answers


def _bare(text: str, *, literal: bool) -> str:
    """Takes commas and quotes off both ends."""
    return text.strip(_MARKS) if literal else text.strip().strip(_MARKS).strip()
