"""A worker's program without torch: what it is asked says what it does.

A question's first word is a command: ``die`` and ``exit`` end the process, ``hang`` and ``busy`` never answer, ``wait
FILE`` answers when the file is there, ``refuse`` and ``fault`` fail, anything else is answered at once. A path that is
its third word is made when its turn comes. Settings of the processor say
how it starts and how much memory it has. Every answer tells who gave it, and how many were answered together.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eyechart.adapters.local import worker
from eyechart.adapters.local.answerer import Answer, Fatal, Model, OutOfMemory
from eyechart.adapters.local.bodies import Refused, Turn, Words
from eyechart.adapters.local.process import WorkerProcess
from eyechart.adapters.local.settings import LocalSettings

__all__ = ["FakeWorker", "main"]


class FakeWorker(WorkerProcess):
    """A process that runs this module."""

    module = __name__


def text_of(question: Sequence[Turn]) -> str:
    return "".join(part.text for part in question[-1].parts if isinstance(part, Words))


class FakeAnswerer:
    """Answers by command.

    Args:
        behaviour: ``memory``, how many questions fit together, and ``tight``, for how many calls (for ever).
        device: told in every answer.
    """

    def __init__(self, behaviour: Mapping[str, Any], device: str) -> None:
        self._memory = behaviour.get("memory", sys.maxsize)
        self._tight = behaviour.get("tight", sys.maxsize)
        self._device = device

    def prepare(self, questions: Sequence[Sequence[Turn]]) -> list[str]:
        texts = [text_of(question) for question in questions]
        for text in texts:
            if text.startswith("refuse"):
                raise Refused(f"refused: {text}", "ContextOverflow")
            if text.startswith("die early"):
                os.kill(os.getpid(), signal.SIGKILL)
        return texts

    def answer(self, prepared: list[str]) -> list[Answer]:
        self._tight -= 1
        if len(prepared) > self._memory and self._tight >= 0:
            raise OutOfMemory("there is not enough")
        for text in prepared:
            obey(text)
        return [self._answer(text, len(prepared)) for text in prepared]

    def _answer(self, text: str, together: int) -> Answer:
        said = {"text": text, "pid": os.getpid(), "together": together, "device": self._device}
        return {"text": json.dumps(said), "finish": "stop", "prompt_tokens": len(text), "completion_tokens": 1}


def obey(text: str) -> None:
    command, *rest = text.split()
    for word in rest[1:]:
        if word.startswith("/"):
            Path(word).touch()  # tells the test that it has begun
    match command:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            raise SystemExit("the device failed: its last words")
        case "hang":
            signal.pause()
        case "busy":
            while True:
                pass
        case "wait":
            while not Path(rest[0]).exists():
                time.sleep(0.002)
        case "fault":
            raise IndexError(f"no such thing: {text}")


def load(settings: LocalSettings, device: str | None) -> Model:
    """Starts as the processor's settings say: by default well, on as many devices as there are."""
    behaviour = settings.processor
    devices = [f"fake:{number}" for number in range(behaviour.get("devices", 1))]
    if "fatal" in behaviour:
        raise Fatal(behaviour["fatal"])
    if behaviour.get("dies_on", "none") in {device, "any"}:
        raise SystemExit("no such library: libfake.so")
    if "child" in behaviour:  # as the code of some models does; it keeps standard error open
        child = subprocess.Popen(["sleep", "1000"])
        Path(behaviour["child"]).write_text(str(child.pid))
    here = device or devices[0]
    return Model(FakeAnswerer(behaviour, here), here, tuple(devices[1:]), {"torch": "none"}, ("it is a fake",))


def main(told: Mapping[str, Any]) -> None:
    worker.main(told, load)
