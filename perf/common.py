"""What the measurements share: made-up benchmarks of any size, a server of its own, and children on one core."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

JPEG_BYTES = 86_000


@dataclass(frozen=True)
class Cost:
    """What a child process cost: CPU and wall seconds, peak resident memory in bytes, and what it printed."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    output: str


def jpegs(count: int, size: int = JPEG_BYTES) -> Iterator[bytes]:
    """Yields valid JPEG files of exactly `size` bytes, each different: a small picture and a comment of noise."""
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(buffer, "JPEG")
    start, rest = buffer.getvalue()[:2], buffer.getvalue()[2:]
    noise = random.Random(0).randbytes(size)
    for n in range(count):
        padding = size - len(start) - len(rest)
        segments = bytearray()
        while padding > 0:
            length = min(padding, 60_000)
            if 0 < padding - length < 16:
                length -= 16
            body = n.to_bytes(8, "big") + noise[: length - 12]
            segments += b"\xff\xfe" + (length - 2).to_bytes(2, "big") + body[: length - 4]
            padding -= length
        yield start + bytes(segments) + rest


def write_benchmark(path: Path, rows: int, *, pictures: Iterable[bytes] | None = None) -> None:
    """Writes a multiple-choice TSV with a picture of its own in every row: one of `pictures`, or else of `jpegs`."""
    with path.open("wb") as file:
        file.write(b"index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        for n, picture in enumerate(pictures or jpegs(rows)):
            text = f"{n}\tWhat is shown in picture {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 7}\t"
            file.write(text.encode() + base64.b64encode(picture) + b"\n")


@contextmanager
def server(*, core: int = 1, **settings: Any) -> Iterator[str]:
    """Runs a mock server on a core of its own; yields the address of chat completions."""
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "eyechart.mockserver", "--stop-with-stdin", *options]
    with subprocess.Popen(pinned(core, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.stdin.close()
            process.wait(10)


def run_child(
    code: str,
    arguments: Sequence[str],
    *,
    core: int | None = 0,
    environ: Mapping[str, str] | None = None,
) -> Cost:
    """Runs Python code in a child, and tells what it cost; raises as `run_command` does."""
    return run_command([sys.executable, "-c", code, *arguments], core=core, environ=environ)


def run_command(
    command: Sequence[str],
    *,
    core: int | None = 0,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Cost:
    """Runs a command that is held to one core, or to none, and tells what it and the children that it waited for cost.

    Raises:
        RuntimeError: the command failed; its output is in the message.
    """
    with tempfile.TemporaryFile() as output:
        started = os.times().elapsed
        process = subprocess.Popen(
            list(command) if core is None else pinned(core, command),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})},
            cwd=cwd,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = os.times().elapsed - started
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise RuntimeError(f"child ended with {process.returncode}:\n{text[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, text)


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command held to one core, counted among those that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core % len(cores)]), *command]


def task(url: str, data: Path, work_dir: Path, **fields: object) -> str:
    """A task's configuration as JSON text."""
    model = {"type": "m", "name": "CustomAPIModel", "api_base": url, "key": "EMPTY"}
    config = {"model": [model], "data": [str(data)], "quiet": True, **fields}
    return json.dumps({"work_dir": str(work_dir), "eval_config": config})


RUN = "import json, sys; from eyechart import run_task; print(run_task(json.loads(sys.argv[1])).state)"
"""Code of a child that runs the task it gets as its argument."""
