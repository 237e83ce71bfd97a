"""The command line against a mock server: a small benchmark, and a way to type a command."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import pytest
from anyio import to_thread
from PIL import Image

from eyechart.cli import main

VARIABLES = (
    "EYECHART_API_KEY",
    "EYECHART_JUDGE_KEY",
    "OPENAI_API_KEY",
    "OPENAI_API_BASE",
    "LOCAL_LLM",
    "LMDEPLOY_API_KEY",
    "MMEVAL_ROOT",
    "PRED_FORMAT",
    "EVAL_FORMAT",
    "FORCE_COLOR",
)


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Eyechart: TypeAlias = Callable[..., Awaitable[Done]]


def write_benchmark(path: Path, rows: int) -> None:
    """Writes multiple choice with a picture in every row; the right answer is A in every fourth row."""
    lines = ["index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage"]
    for n in range(rows):
        buffer = BytesIO()
        Image.new("RGB", (100 + n % 7, 90), (n % 256, 99, 0)).save(buffer, "PNG")
        picture = base64.b64encode(buffer.getvalue()).decode()
        lines.append(f"{n}\tWhat is in {path.stem} {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 3}\t{picture}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with two benchmarks of 12 questions in its data root, and a bare environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("Shapes", "Colours"):
        write_benchmark(data / f"{name}.tsv", 12)
    monkeypatch.setenv("LMUData", str(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def eyechart(home: Path, capfd: pytest.CaptureFixture[str], anyio_backend: object) -> Eyechart:
    """``await eyechart("eval", "task.yaml")``: a command typed in `home`, in this process, in a thread of its own."""

    async def type_in(*words: object) -> Done:
        capfd.readouterr()
        code = await to_thread.run_sync(main, [str(word) for word in words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        return Done(code, out, err)

    return type_in


@pytest.fixture
def process(home: Path) -> Callable[..., AbstractContextManager[subprocess.Popen[str]]]:
    """``with process("eval", …) as running``: the same as a process of its own, for signals; killed at the end."""

    @contextmanager
    def start(*words: object) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "eyechart", *map(str, words)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            try:
                yield running
            finally:
                running.kill()

    return start
