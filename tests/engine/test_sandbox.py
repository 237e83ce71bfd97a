"""Tasks that hang, crash or grow cost themselves and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from eyechart.engine import sandbox as module
from eyechart.engine.sandbox import Sandbox, SandboxError

Run = Callable[..., list[bytes]]


@pytest.fixture
def sandboxes() -> Iterator[Callable[..., Sandbox]]:
    made: list[Sandbox] = []

    def make(task: str = "echo", *, processes: int = 2, memory: int = 1 << 31) -> Sandbox:
        made.append(Sandbox(f"sandbox_tasks:{task}", processes=processes, memory=memory))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


def run(sandbox: Sandbox, payload: bytes = b"", **fields: Any) -> list[bytes]:
    limits: dict[str, Any] = {"step_s": 20.0, "total_s": 40.0, "most_bytes": 1 << 23}
    limits |= {name: fields.pop(name) for name in list(fields) if name in limits}
    return sandbox.run(fields, payload, **limits)


def gone(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def test_what_goes_in_comes_out_whatever_a_library_prints(sandboxes: Callable[..., Sandbox]) -> None:
    sandbox = sandboxes()
    payload = bytes(range(256)) * 20_000
    assert run(sandbox, payload, times=1) == [payload]
    assert run(sandbox, b"", times=3) == [b"", b"", b""]
    assert run(sandbox, b"x", times=0) == []


def test_a_process_is_used_again_until_it_has_done_enough(
    sandboxes: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TASKS_PER_PROCESS", 3)
    sandbox = sandboxes("pid", processes=1)
    seen = [run(sandbox)[0] for _ in range(5)]
    assert seen == [*seen[:1] * 3, *seen[3:4] * 2]
    assert seen[0] != seen[3]
    assert gone(int(seen[0]))


def test_calls_at_the_same_time_have_a_process_each_up_to_the_bound(sandboxes: Callable[..., Sandbox]) -> None:
    sandbox = sandboxes("pid", processes=2)
    with ThreadPoolExecutor(6) as pool:
        seen = set(pool.map(lambda _: run(sandbox)[0], range(24)))
    assert 1 <= len(seen) <= 2


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("crash", r"it crashes what reads it \(SIGSEGV\)"),
        ("leave", r"it crashes what reads it \(exit code 3\)"),
        ("defect", r"it crashes what reads it \(exit code 1\)"),
        ("grow", "it needs more than 2,147 MB of memory"),
        ("refuse", "it is no good"),
        ("fault", "KeyError: 'missing'"),
        ("flood", "it comes to more than 8 MB"),
    ],
)
def test_a_task_without_a_result_says_why_and_the_next_is_none_the_worse(
    sandboxes: Callable[..., Sandbox], how: str, reason: str
) -> None:
    sandbox = sandboxes("misbehave", processes=1)
    with pytest.raises(SandboxError, match=f"^{reason}$"):
        run(sandbox, how=how)
    assert run(sandbox, how="well") == [b"begun"]


@pytest.mark.parametrize(
    ("how", "limits", "reason"),
    [
        ("hang", {"step_s": 0.3}, "it was given up after 0.3 s without any result"),
        ("spin", {"step_s": 0.3}, "it was given up after 0.3 s without any result"),
        ("dawdle", {"step_s": 20, "total_s": 1.5}, "it was given up after 1.5 s"),
    ],
)
def test_what_takes_too_long_is_ended(
    sandboxes: Callable[..., Sandbox], how: str, limits: dict[str, float], reason: str
) -> None:
    sandbox = sandboxes("misbehave", processes=1)
    run(sandbox, how="well")  # the process is there
    began = time.monotonic()
    with pytest.raises(SandboxError, match=f"^{reason}$"):
        run(sandbox, how=how, **limits)
    assert time.monotonic() - began < 10
    assert run(sandbox, how="well") == [b"begun"]


def test_a_process_that_somebody_ended_is_replaced(sandboxes: Callable[..., Sandbox]) -> None:
    sandbox = sandboxes("pid", processes=1)
    (first,) = run(sandbox)
    os.kill(int(first), signal.SIGKILL)
    time.sleep(0.1)
    assert run(sandbox)[0] != first


def test_closing_ends_what_is_being_done_and_lets_nothing_begin(sandboxes: Callable[..., Sandbox]) -> None:
    sandbox = sandboxes("misbehave", processes=1)
    failed: list[str] = []

    def hang() -> None:
        try:
            run(sandbox, how="hang", step_s=60.0, total_s=60.0)
        except SandboxError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=hang) for _ in range(3)]  # one hangs, two wait for their turn
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    sandbox.close()
    for thread in threads:
        thread.join(10)
    assert failed == ["the run is being stopped"] * 3
    with pytest.raises(SandboxError, match="the run is being stopped"):
        run(sandbox, how="well")
    sandbox.close()


def test_a_task_that_cannot_be_found_is_told(sandboxes: Callable[..., Sandbox]) -> None:
    with pytest.raises(SandboxError, match=r"exit code 1"):
        run(sandboxes("nothing_of_the_kind"))


def test_no_process_to_be_had_is_told(sandboxes: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(SandboxError, match=r"no process can be started for it: .*No such file"):
        run(sandboxes())


KILLED = """
import os, sys
from eyechart.engine.sandbox import Sandbox
sandbox = Sandbox("sandbox_tasks:pid", processes=1, memory=1 << 31)
print(sandbox.run({}, b"", step_s=20, total_s=20, most_bytes=99)[0].decode(), flush=True)
Sandbox("sandbox_tasks:misbehave", processes=1, memory=1 << 31).run(
    {"how": "hang"}, b"", step_s=600, total_s=600, most_bytes=99
)
"""


def test_nothing_outlives_a_run_that_is_killed() -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    idle = int(process.stdout.readline())
    children = [int(pid) for pid in _children(process.pid)]
    deadline = time.monotonic() + 20
    while len(children) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        children = [int(pid) for pid in _children(process.pid)]
    assert idle in children
    assert len(children) == 2
    time.sleep(0.5)  # the other one is hanging now
    process.kill()
    process.wait()
    process.stdout.close()
    while not all(map(_ended, children)) and time.monotonic() < deadline + 10:
        time.sleep(0.05)
    assert all(map(_ended, children))


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be taken note of by whoever has inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
