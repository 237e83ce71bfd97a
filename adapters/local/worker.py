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
from importlib.metadata import version
from typing import Any, BinaryIO, Final

from .answerer import MODEL_FAULTS, Answer, Answerer, Fatal, Model, OutOfMemory
from .bodies import Refused, Turn, parse
from .settings import LocalSettings
from .wire import WireError, frame_bytes, read_frame

__all__ = ["Batch", "Worker", "main"]

_SHOWN: Final = 300


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
        answers, fitted = self._answer(good, batch.prepared) if good else ([], 0)
        left = iter(answers)
        told = [next(left) if isinstance(question, list) else question for question in batch.questions]
        return told, len(told) if fitted == len(good) else fitted

    def _answer(self, questions: Sequence[list[Turn]], prepared: Any = None) -> tuple[list[Answer], int]:
        """Answers questions together; in halves where memory runs out, one by one where one of them is at fault."""
        size = len(questions)
        try:
            return self._model.answer(self._model.prepare(questions) if prepared is None else prepared), size
        except OutOfMemory as error:
            fault, step, fits = {"failure": str(error), "kind": "BadRequest"}, (size + 1) // 2, False
        except (Refused, *MODEL_FAULTS) as error:
            fault, step, fits = failure(error), 1, True
        # Not in the handlers: the error's frames hold the tensors for which there was no room.
        if size == 1:
            return [fault], 1
        parts = [self._answer(questions[at : at + step]) for at in range(0, size, step)]
        return [answer for answers, _ in parts for answer in answers], size if fits else min(n for _, n in parts)


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
            if told["only_look"]:
                _send(replies, {"seen": _seen(settings)})
                return
            model = load(settings, told["device"])
        except Fatal as error:
            _send(replies, {"fatal": str(error)})
            return
        ready = {"device": model.device, "more_devices": model.more_devices, "notes": model.notes}
        _send(replies, {"ready": {**ready, "about": dict(model.about or {})}})
        _serve(Worker(model.answerer), incoming, replies)


def _seen(settings: LocalSettings) -> dict[str, Any]:
    from .devices import place_of  # noqa: PLC0415  (imports torch)

    place = place_of(settings, None)
    return {"devices": [place.device, *place.more], "torch": version("torch")}


def _serve(worker: Worker, incoming: queue.SimpleQueue[tuple[int, list[bytes]]], replies: BinaryIO) -> None:
    prepared: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
    preparing = threading.Thread(target=_prepare_all, args=(worker, incoming, prepared), daemon=True)
    preparing.start()
    idle_since = time.perf_counter()
    while (batch := prepared.get()) is not None:
        began = time.perf_counter()
        answers, fitted = worker.answer(batch)
        ended = time.perf_counter()
        seconds = {"waiting": began - idle_since, "preparing": batch.prepare_s, "computing": ended - began}
        idle_since = ended
        _send(replies, {"done": batch.number, "replies": answers, "fitted": fitted, "seconds": seconds})
    preparing.join()  # so that what it says of its end is the process's last word
    sys.exit(1)


def _prepare_all(
    worker: Worker,
    incoming: queue.SimpleQueue[tuple[int, list[bytes]]],
    prepared: queue.SimpleQueue[Batch | None],
) -> None:
    """Prepares batches for ever; what ends that, a defect in a model's code, ends the process."""
    try:
        while True:
            prepared.put(worker.prepare(*incoming.get()))
    finally:
        prepared.put(None)


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
