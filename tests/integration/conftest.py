"""A real llama.cpp server with a tiny random vision-language model, for as long as the tests of this room run."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MODEL_NAME = "tiny-vlm"
STOP_SECONDS = 20


@dataclass(frozen=True)
class ModelServer:
    """A server that answers.

    Attributes:
        url: its address, without a path.
        model: name of the model.
        pid: its process.
    """

    url: str
    model: str
    pid: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def llamacpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """Starts llama.cpp's server in a process of its own and ends it, and it alone, afterwards."""
    for package in ("gguf", "xllamacpp"):
        pytest.importorskip(package, reason=f"needs {package}: pip install 'eyechart[integration]'")
    from integration.tiny_gguf import write_tiny_model

    folder = tmp_path_factory.mktemp("llamacpp")
    model = write_tiny_model(folder)
    program = Path(__file__).with_name("llamacpp_process.py")
    command = [sys.executable, str(program), str(model.text), str(model.eye), str(free_port()), MODEL_NAME]
    log = folder / "server.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            word, _, url = process.stdout.readline().strip().partition(" ")
            assert word == "READY", f"llama.cpp did not start:\n{log.read_text(errors='replace')[-2000:]}"
            yield ModelServer(url, MODEL_NAME, process.pid)
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
