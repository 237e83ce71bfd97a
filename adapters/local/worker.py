"""The inside of a worker process: loads a model, then answers batch after batch.

Three threads: one reads batches from standard input, one prepares the next batch (decodes pictures, tokenizes, pads)
while the main one computes. The process ends with its standard input, that is with the run, whatever it is doing.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeAlias
from typing import Protocol as Interface

from .bodies import Refused, Turn, parse
from .settings import LocalSettings
from .wire import WireError, frame_bytes, read_frame

__all__ = ["MODEL_FAULTS", "Answer", "Answerer", "Batch", "Fatal", "Model", "OutOfMemory", "Worker", "main"]

Answer: TypeAlias = dict[str, Any]
"""What is said of one question: ``text``, ``finish`` and token counts, or ``failure`` and ``kind``."""

MODEL_FAULTS: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What model code is known to raise on a question that it cannot take. Anything else ends the process."""
_SHOWN: Final = 300


class Fatal(Exception):
    """The model cannot be loaded, or is of no use; the text says what to do."""


class OutOfMemory(Exception):
    """A batch needs more memory than there is."""


class Answerer(Interface):
    """A loaded model."""

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> Any:
        """Makes what `answer` takes; called beside it, in another thread.

        Raises:
            Refused: a question cannot be asked; any of `MODEL_FAULTS` where the model's own code says so.
        """

    def answer(self, prepared: Any) -> list[Answer]:
        """Answers all questions of a batch, in order.

        Raises:
            OutOfMemory: they are too many, or one is too large.
        """


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is ready.

    Attributes:
        answerer: what answers.
        device: where it computes.
        more_devices: further devices that could have a worker of their own.
        about: versions, numbers, for the report.
        notes: sentences for the user.
    """

    answerer: Answerer
    device: str
    more_devices: tuple[str, ...] = ()
    about: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Batch:
    """Questions that were given together.

    Attributes:
        number: what the pool calls it.
        questions: turns of each, or why it cannot be asked.
        prepared: what `Answerer.prepare` made of those that can be; None where it failed for them together.
        prepare_s: seconds that preparing took.
    """

    number: int
    questions: list[list[Turn] | Answer]
    prepared: Any = None
    prepare_s: float = 0.0


def failure(error: Exception) -> Answer:
    """Makes the answer of a question that cannot be answered."""
    text = " ".join(str(error).split())[:_SHOWN]
    if isinstance(error, Refused):
        return {"failure": text, "kind": error.kind}
    return {"failure": f"the model cannot take this question: {type(error).__name__}: {text}", "kind": "BadRequest"}


class Worker:
    """Answers batches with a loaded model.

    Args:
        answerer: the model.
    """

    def __init__(self, answerer: Answerer) -> None:
        self._model = answerer

    def prepare(self, number: int, bodies: Sequence[bytes]) -> Batch:
        """Reads the questions of a batch and prepares them together."""
        began = time.perf_counter()
        batch = Batch(number, [])
        for body in bodies:
            try:
                batch.questions.append(parse(body))
            except Refused as error:
                batch.questions.append(failure(error))
        good = [question for question in batch.questions if isinstance(question, list)]
        if good:
            try:
                batch.prepared = self._model.prepare(good)
            except (Refused, *MODEL_FAULTS):
                batch.prepared = None  # one of them: `answer` takes each by itself and finds out which
        batch.prepare_s = time.perf_counter() - began
        return batch

    def answer(self, batch: Batch) -> tuple[list[Answer], int]:
        """Answers a batch.

        Returns:
            An answer for each question, and how many of them fitted into memory at a time.
        """
        good = [question for question in batch.questions if isinstance(question, list)]
        fitted = len(batch.questions)
        answers: list[Answer] = []
        if good and batch.prepared is not None:
            try:
                answers = self._model.answer(batch.prepared)
            except OutOfMemory as error:
                answers, fitted = self._in_halves(good, error)
            except MODEL_FAULTS:
                answers = self._one_by_one(good)
        elif good:
            answers = self._one_by_one(good)
        left = iter(answers)
        return [next(left) if isinstance(question, list) else question for question in batch.questions], fitted

    def _in_halves(self, questions: list[list[Turn]], error: OutOfMemory) -> tuple[list[Answer], int]:
        if len(questions) == 1:
            return [{"failure": str(error), "kind": "BadRequest"}], 1
        half = len(questions) // 2
        answers: list[Answer] = []
        fitted = half
        for part in (questions[:half], questions[half:]):
            try:
                answers += self._model.answer(self._model.prepare(part))
            except OutOfMemory as again:
                more, less = self._in_halves(part, again)
                answers += more
                fitted = min(fitted, less)
            except (Refused, *MODEL_FAULTS):
                answers += self._one_by_one(part)
        return answers, fitted

    def _one_by_one(self, questions: Sequence[list[Turn]]) -> list[Answer]:
        answers: list[Answer] = []
        for question in questions:
            try:
                answers += self._model.answer(self._model.prepare([question]))
            except OutOfMemory as error:
                answers.append({"failure": str(error), "kind": "BadRequest"})
            except (Refused, *MODEL_FAULTS) as error:
                answers.append(failure(error))
        return answers


def load(settings: LocalSettings, device: str | None) -> Model:
    """Loads the model that settings name.

    Raises:
        Fatal: it cannot be loaded.
    """
    if settings.interface == "chat":
        from .chat_model import load_chat_model  # noqa: PLC0415  (imports torch)

        return load_chat_model(settings, device)
    from .transformers_model import load_transformers_model  # noqa: PLC0415  (imports torch)

    return load_transformers_model(settings, device)


def main(told: Mapping[str, Any], load: Callable[[LocalSettings, str | None], Model] = load) -> None:
    """Loads the model and answers until nobody asks any more.

    Args:
        told: the settings as JSON, and the device.
        load: makes the model; tests put another in its place.
    """
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # nothing that a library prints may get between the replies
        incoming: queue.SimpleQueue[tuple[int, list[bytes]]] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(incoming,), daemon=True).start()
        settings = LocalSettings.from_json(told["settings"])
        try:
            model = load(settings, told["device"])
        except Fatal as error:
            _send(replies, {"fatal": str(error)})
            return
        ready = {"device": model.device, "more_devices": model.more_devices, "notes": model.notes}
        _send(replies, {"ready": {**ready, "about": dict(model.about or {})}})
        _serve(Worker(model.answerer), incoming, replies)


def _serve(worker: Worker, incoming: queue.SimpleQueue[tuple[int, list[bytes]]], replies: BinaryIO) -> None:
    prepared: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
    threading.Thread(target=_prepare_all, args=(worker, incoming, prepared), daemon=True).start()
    idle_since = time.perf_counter()
    while True:
        batch = prepared.get()
        if isinstance(batch, BaseException):
            raise batch
        began = time.perf_counter()
        answers, fitted = worker.answer(batch)
        ended = time.perf_counter()
        seconds = {"waiting": began - idle_since, "preparing": batch.prepare_s, "computing": ended - began}
        idle_since = ended
        _send(replies, {"done": batch.number, "replies": answers, "fitted": fitted, "seconds": seconds})


def _prepare_all(
    worker: Worker,
    incoming: queue.SimpleQueue[tuple[int, list[bytes]]],
    prepared: queue.SimpleQueue[Batch | BaseException],
) -> None:
    while True:
        number, bodies = incoming.get()
        try:
            prepared.put(worker.prepare(number, bodies))
        except BaseException as error:  # noqa: BLE001  (raised again in the main thread, which ends the process)
            prepared.put(error)


def _listen(incoming: queue.SimpleQueue[tuple[int, list[bytes]]]) -> None:
    """Takes batches; without anybody who could send more the process ends, even in the middle of one."""
    try:
        with os.fdopen(os.dup(0), "rb") as stream:
            while True:
                head, pieces = read_frame(stream)
                left = iter(pieces)
                incoming.put((head["batch"], [b"".join(next(left) for _ in range(n)) for n in head["chunks"]]))
    except (EOFError, WireError, OSError):
        sys.stderr.flush()
        os._exit(0)


def _send(replies: BinaryIO, head: Mapping[str, Any]) -> None:
    try:
        replies.writelines(frame_bytes(head))
        replies.flush()
    except OSError:  # the run is gone
        os._exit(0)
