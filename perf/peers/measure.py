"""What a peer costs, as its process and the server tell it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from common import Cost, pinned, run_command

from .peer import Job, Peer

_LOOK_S = 0.05
_REPLY_S = 30.0
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run from its start to its end.

    Attributes:
        cost: what the process cost.
        rate: requests a second while it asked: the middle eight tenths of the answers, so that neither start nor end
            counts.
        body_bytes: mean size of a request's body.
    """

    cost: Cost
    rate: float
    body_bytes: float


@dataclass(frozen=True, slots=True)
class Killed:
    """A run that was killed in the middle, and continued.

    Attributes:
        in_vain: requests of both runs together beyond the answers that are in the files at the end. What was in flight
            at the kill no client can spare.
        found: answers in the files at the end.
    """

    in_vain: int
    found: int


def run(peer: Peer, job: Job) -> Run:
    """Runs a job in a new folder, held to one core.

    Raises:
        RuntimeError: the peer failed, or left questions unasked.
    """
    _begin(peer, job)
    with _watch(job) as seen:
        cost = run_command(peer.command(job), environ=peer.environ(job), cwd=job.home)
    stats = _stats(job)
    if stats["answered"] < job.samples:
        raise RuntimeError(f"{stats['answered']} answers of {job.samples}:\n{cost.output[-3000:]}")
    return Run(cost, _rate(seen, job.samples), stats["bytes_in"] / stats["requests"])


def kill(peer: Peer, job: Job) -> Killed:
    """Kills a run with SIGKILL when half of the answers have left the server, and continues it to its end.

    Raises:
        RuntimeError: the run ended before it could be killed, or what continues it failed.
    """
    _begin(peer, job)
    with (job.folder.parent / f"{job.folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            pinned(0, peer.command(job)),
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **peer.environ(job)},
            cwd=job.home,
            start_new_session=True,
        )
        _wait_for(process, job, job.samples // 2)
        # The whole group: a command may have processes of its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run_command(peer.resume(job), environ=peer.environ(job), cwd=job.home)
    found = peer.answers(job)
    return Killed(_stats(job)["requests"] - found, found)


def _begin(peer: Peer, job: Job) -> None:
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True)
    peer.before(job)
    _ask(job, "POST", "/reset")


def _stats(job: Job) -> dict[str, Any]:
    stats: dict[str, Any] = json.loads(_ask(job, "GET", "/stats"))
    return stats


def _ask(job: Job, method: str, page: str) -> bytes:
    with closing(http.client.HTTPConnection(urlsplit(job.base_url).netloc, timeout=_REPLY_S)) as connection:
        connection.request(method, page)
        return connection.getresponse().read()


@contextmanager
def _watch(job: Job) -> Iterator[list[tuple[float, int]]]:
    """Collects times and numbers of answers, some twenty a second."""
    seen: list[tuple[float, int]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            seen.append((time.monotonic(), _stats(job)["answered"]))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _rate(seen: list[tuple[float, int]], samples: int) -> float:
    middle = [(at, count) for at, count in seen if samples * 0.1 <= count <= samples * 0.9]
    if len(middle) < 2:
        return float("nan")
    (first_at, first), (last_at, last) = middle[0], middle[-1]
    return (last - first) / (last_at - first_at)


def _wait_for(process: subprocess.Popen[bytes], job: Job, answers: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while _stats(job)["answered"] < answers:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"ended with {process.returncode} before half of the answers: {job.folder}.log")
        time.sleep(_LOOK_S)
