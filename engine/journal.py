"""Journals: append-only files of one JSON object a line, the truth of a run; and the lines of that of predictions.

Written by one process at a time and only ever appended to. A process that dies in the middle of a line leaves a torn
tail; it is cut off when the journal is opened for writing again. Everything before it stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from ..errors import StorageError
from ..records import Failure, Prediction, Usage
from .chain import turn_before
from .files import cannot_write, sync

__all__ = [
    "Entry",
    "Journal",
    "Ledger",
    "encode_line",
    "failure_field",
    "json_line",
    "lines_of",
    "of_kind",
    "printable",
    "read_answer",
    "read_failure",
    "read_ledger",
    "read_predictions",
    "read_usage",
    "usage_field",
]

_READ_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What a resumed run must know of an answer it already has.

    Attributes:
        fingerprint: what determined the answer.
        setup: see `Prediction.setup`.
        ok: an answer; False for a recorded failure.
        offset: where its line begins in the file.
        turn: which turn of a dialogue it answers, from 0.
        before: the entry of the turn before.
    """

    fingerprint: str
    setup: str | None
    ok: bool
    offset: int = 0
    turn: int = 0
    before: Entry | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The latest entry of each sample in a journal, that of a dialogue's last turn.

    Attributes:
        entries: by sample index and repeat; a later line replaces an earlier one.
        lines: number of readable lines.
        bad_lines: numbers of lines, from 1, that are not journal lines; their samples are asked again.
        torn_bytes: length of an unfinished last line.
    """

    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    lines: int = 0
    bad_lines: tuple[int, ...] = ()
    torn_bytes: int = 0


def encode_line(prediction: Prediction) -> bytes:
    """Returns the journal line of a prediction, newline included; fields without a value are left out."""
    record = {
        "index": prediction.index,
        "repeat": prediction.repeat,
        "fingerprint": prediction.fingerprint,
        "setup": prediction.setup,
        "prediction": prediction.prediction,
        "failure": failure_field(prediction.failure) if prediction.failure else None,
        "reasoning": prediction.reasoning,
        "finish_reason": prediction.finish_reason,
        "usage": usage_field(prediction.usage) if prediction.usage else None,
        "latency_s": None if prediction.latency_s is None else round(prediction.latency_s, 4),
        "attempts": prediction.attempts,
        "at": prediction.at,
        "turn": prediction.turn or None,
        "left_out": prediction.left_out or None,
    }
    return json_line(record)


def json_line(record: Mapping[str, Any]) -> bytes:
    """Returns a record as a line of a journal, newline included; fields without a value are left out."""
    known = {name: value for name, value in record.items() if value is not None}
    try:
        return orjson.dumps(known, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # A lone surrogate: Python's json lets it through as \udXXX, UTF-8 cannot hold it.
        safe = {name: printable(value) if isinstance(value, str) else value for name, value in known.items()}
        return orjson.dumps(safe, option=orjson.OPT_APPEND_NEWLINE)


def failure_field(failure: Failure) -> dict[str, Any]:
    """Returns a failure as it stands in a journal."""
    return {
        "kind": failure.kind,
        "message": printable(failure.message),
        "stage": failure.stage,
        "status": failure.status,
    }


def usage_field(usage: Usage) -> dict[str, int | None]:
    """Returns token counts as they stand in a journal."""
    return {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}


def printable(text: str) -> str:
    """Returns a text as a journal can hold it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _record(line: bytes) -> dict[str, Any] | None:
    """Reads one line as far as everyone needs it; None when it is not a journal line."""
    try:
        record: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    if not (isinstance(record.get("index"), str) and isinstance(record.get("fingerprint"), str)):
        return None
    if not (isinstance(record.get("prediction"), str) or isinstance(record.get("failure"), dict)):
        return None
    numbers = (record.setdefault("repeat", 0), record.setdefault("turn", 0))
    return record if all(isinstance(number, int) for number in numbers) else None


def _prediction(record: dict[str, Any]) -> Prediction:
    """Reads a whole line. Whatever `_record` takes counts, so that no answer is known to one reader only."""
    failure, usage = record.get("failure"), record.get("usage")
    return Prediction(
        index=record["index"],
        repeat=record["repeat"],
        fingerprint=record["fingerprint"],
        prediction=None if isinstance(failure, dict) else record["prediction"],
        failure=read_failure(failure) if isinstance(failure, dict) else None,
        reasoning=of_kind(str, record.get("reasoning")),
        finish_reason=of_kind(str, record.get("finish_reason")),
        usage=read_usage(usage) if isinstance(usage, dict) else None,
        latency_s=of_kind((int, float), record.get("latency_s")),
        attempts=of_kind(int, record.get("attempts")) or 0,
        at=of_kind(str, record.get("at")) or "",
        setup=of_kind(str, record.get("setup")),
        turn=record["turn"],
        left_out=of_kind(int, record.get("left_out")) or 0,
    )


def read_failure(failure: Mapping[str, Any]) -> Failure:
    """Reads a failure as it stands in a journal."""
    stage = failure.get("stage")
    return Failure(
        of_kind(str, failure.get("kind")) or "unknown",
        of_kind(str, failure.get("message")) or "",
        stage if stage in ("prepare", "ask", "judge") else "ask",
        of_kind(int, failure.get("status")),
    )


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Reads token counts as they stand in a journal."""
    return Usage(of_kind(int, usage.get("prompt_tokens")), of_kind(int, usage.get("completion_tokens")))


def of_kind(kind: type | tuple[type, ...], value: Any) -> Any:
    """Returns a value of the kind it should be, None for any other: a foreign field costs no answer."""
    return value if isinstance(value, kind) else None


def lines_of(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Yields number, from 1, and content of each line of a journal, and whether it is finished.

    Raises:
        StorageError: the file cannot be read.
    """
    try:
        with path.open("rb", buffering=_READ_CHUNK) as file:
            for number, line in enumerate(file, 1):
                yield number, line, line.endswith(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def read_predictions(path: Path) -> Iterator[Prediction]:
    """Yields every readable line of a journal in the order it was written; a missing file has none.

    Raises:
        StorageError: the file cannot be read.
    """
    for _, line, finished in lines_of(path):
        record = _record(line) if finished else None
        if record is not None:
            yield _prediction(record)


def read_answer(file: BinaryIO, entry: Entry) -> Prediction | None:
    """Reads one line of an open journal again; None when it is no journal line any more.

    Raises:
        OSError: the file cannot be read.
    """
    file.seek(entry.offset)
    record = _record(file.readline())
    return None if record is None else _prediction(record)


def read_ledger(path: Path) -> Ledger:
    """Reads what is already answered; a missing file is an empty ledger.

    Raises:
        StorageError: the file cannot be read.
    """
    entries: dict[tuple[str, int], Entry] = {}
    setups: dict[str, str] = {}  # hardly more than one; kept once, not once a line
    bad: list[int] = []
    lines = torn = end = 0
    for number, line, finished in lines_of(path):
        offset, end = end, end + len(line)
        if not finished:
            torn = len(line)
            break
        record = _record(line)
        if record is None:
            bad.append(number)
            continue
        lines += 1
        key, turn = (record["index"], record["repeat"]), record["turn"]
        before = turn_before(entries.get(key), turn) if turn else None
        if turn and before is None:
            continue  # the answers that it was said upon are lost
        setup = record.get("setup")
        entries[key] = Entry(
            record["fingerprint"],
            setups.setdefault(setup, setup) if isinstance(setup, str) else None,
            not isinstance(record.get("failure"), dict),
            offset,
            turn,
            before,
        )
    return Ledger(entries, lines, tuple(bad), torn)


class Journal:
    """A journal that is open for writing. Blocking; call it from a worker thread."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the file and cuts off a torn tail.

        Raises:
            StorageError: the file cannot be opened or repaired.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            self._size = self._cut_torn_tail()
        except OSError as error:
            os.close(self._fd)
            raise StorageError(f"cannot repair {path}: {error.strerror}") from error

    def _cut_torn_tail(self) -> int:
        size = os.fstat(self._fd).st_size
        end = size
        while end > 0:
            start = max(0, end - _READ_CHUNK)
            newline = os.pread(self._fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._fd, end)
        return end

    def append(self, lines: Sequence[bytes]) -> None:
        """Writes finished lines; when it returns they survive the death of this process.

        Raises:
            StorageError: the disk is full or gone; nothing of this batch is left behind as a torn line.
        """
        data = b"".join(lines)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, memoryview(data)[written:])
        except OSError as error:
            self._undo()
            raise cannot_write(self.path, error) from error
        self._size += len(data)

    def _undo(self) -> None:
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            # The torn line stays; it is cut off when the journal is opened again.
            return

    def sync(self) -> None:
        """Forces what was written to the disk, so that it survives a power failure.

        Raises:
            StorageError: the disk reports an error.
        """
        try:
            sync(self._fd)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Closes the file; further calls of any method are errors."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
