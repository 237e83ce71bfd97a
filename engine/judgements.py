"""The journal of judgements: what judges have said about the answers of one job, found again by fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from ..records import Judgement
from .journal import failure_field, json_line, lines_of, of_kind, read_failure, read_usage, usage_field

__all__ = ["JUDGEMENTS", "JudgeTally", "VerdictLedger", "encode_judgement", "read_judgements", "read_verdicts"]

JUDGEMENTS: Final = "judgements.jsonl"


@dataclass(slots=True)
class JudgeTally:
    """What one judge was asked and what that took.

    Attributes:
        replies: replies that it gave.
        refused: requests that it refused as they stood.
        requests: requests sent, those that were repeated included.
        prompt_tokens: as the server counted them; None when it never did.
        completion_tokens: likewise.
    """

    replies: int = 0
    refused: int = 0
    requests: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def add(self, judgement: Judgement) -> None:
        """Counts one line."""
        self.replies += judgement.reply is not None
        self.refused += judgement.reply is None
        self.requests += judgement.attempts
        usage = judgement.usage
        if usage is not None and usage.prompt_tokens is not None:
            self.prompt_tokens = (self.prompt_tokens or 0) + usage.prompt_tokens
        if usage is not None and usage.completion_tokens is not None:
            self.completion_tokens = (self.completion_tokens or 0) + usage.completion_tokens


@dataclass(slots=True)
class VerdictLedger:
    """Everything that the judges of a job have said.

    Attributes:
        replies: text of each reply by fingerprint.
        refusals: fingerprints of requests that a judge refused as they stood, and has not answered since.
        tallies: by result name of the judge.
        bad_lines: numbers of lines, from 1, that are not journal lines; they are asked again.
    """

    replies: dict[str, str] = field(default_factory=dict)
    refusals: set[str] = field(default_factory=set)
    tallies: dict[str, JudgeTally] = field(default_factory=dict)
    bad_lines: tuple[int, ...] = ()

    def add(self, judgement: Judgement) -> None:
        """Takes in a line; a reply that is there already stands."""
        self.tallies.setdefault(judgement.judge, JudgeTally()).add(judgement)
        if judgement.reply is not None:
            self.replies.setdefault(judgement.fingerprint, judgement.reply)
            self.refusals.discard(judgement.fingerprint)
        elif judgement.fingerprint not in self.replies:
            self.refusals.add(judgement.fingerprint)


def encode_judgement(judgement: Judgement) -> bytes:
    """Returns the journal line of a judgement, newline included; fields without a value are left out."""
    return json_line(
        {
            "fingerprint": judgement.fingerprint,
            "index": judgement.index,
            "judge": judgement.judge,
            "rubric": judgement.rubric,
            "attempt": judgement.attempt,
            "repeat": judgement.repeat,
            "reply": judgement.reply,
            "failure": failure_field(judgement.failure) if judgement.failure else None,
            "finish_reason": judgement.finish_reason,
            "usage": usage_field(judgement.usage) if judgement.usage else None,
            "latency_s": None if judgement.latency_s is None else round(judgement.latency_s, 4),
            "attempts": judgement.attempts,
            "at": judgement.at,
        }
    )


def _judgement(line: bytes) -> Judgement | None:
    """Reads one line; None when it is not a journal line. A foreign field costs no verdict."""
    try:
        record: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or not isinstance(record.get("fingerprint"), str):
        return None
    reply, failure, usage = record.get("reply"), record.get("failure"), record.get("usage")
    if not isinstance(reply, str) and not isinstance(failure, dict):
        return None
    return Judgement(
        fingerprint=record["fingerprint"],
        index=of_kind(str, record.get("index")) or "",
        judge=of_kind(str, record.get("judge")) or "",
        rubric=of_kind(str, record.get("rubric")) or "",
        attempt=of_kind(int, record.get("attempt")) or 0,
        repeat=of_kind(int, record.get("repeat")) or 0,
        reply=of_kind(str, reply),
        failure=read_failure(failure) if isinstance(failure, dict) and not isinstance(reply, str) else None,
        finish_reason=of_kind(str, record.get("finish_reason")),
        usage=read_usage(usage) if isinstance(usage, dict) else None,
        latency_s=of_kind((int, float), record.get("latency_s")),
        attempts=of_kind(int, record.get("attempts")) or 0,
        at=of_kind(str, record.get("at")) or "",
    )


def read_judgements(path: Path) -> Iterator[Judgement]:
    """Yields every readable line of a journal in the order it was written; a missing file has none.

    Raises:
        StorageError: the file cannot be read.
    """
    for _, line, finished in lines_of(path):
        judgement = _judgement(line) if finished else None
        if judgement is not None:
            yield judgement


def read_verdicts(path: Path) -> VerdictLedger:
    """Reads what has been said already; a missing file is an empty ledger.

    Raises:
        StorageError: the file cannot be read.
    """
    ledger = VerdictLedger()
    bad: list[int] = []
    for number, line, finished in lines_of(path):
        judgement = _judgement(line) if finished else None
        if judgement is not None:
            ledger.add(judgement)
        elif finished:
            bad.append(number)
    ledger.bad_lines = tuple(bad)
    return ledger
