"""Disks: full, read-only or failing at every write, and slow."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from scenario import Scenario, Skipped
from scenarios_network import has_answered
from world import World, check

WRITES: Final[dict[str, dict[str, Any]]] = {
    "the work folder": {"on": "mkdir", "path": "work/2", "act": "EROFS"},
    "the lock": {"on": "open", "path": ".lock", "act": "EROFS"},
    "the log": {"on": "open", "path": "run.log", "act": "EROFS"},
    "run.json": {"on": "open", "path": "run.json", "act": "EROFS"},
    "run.json (renaming)": {"on": "rename", "path": "run.json", "act": "ENOSPC"},
    "run.json (at the end)": {"on": "sync", "path": "run.json", "act": "EIO", "skip": 1},
    "the journal (opening)": {"on": "open", "path": "predictions.jsonl", "act": "EROFS"},
    "the journal (writing)": {"on": "write", "path": "predictions.jsonl", "act": "ENOSPC", "skip": 5},
    "the journal (half a line)": {"on": "write", "path": "predictions.jsonl", "act": "ENOSPC half", "skip": 5},
    "the journal (quota)": {"on": "write", "path": "predictions.jsonl", "act": "EDQUOT", "skip": 1},
    "the journal (broken disk)": {"on": "write", "path": "predictions.jsonl", "act": "EIO", "skip": 3},
    "the journal (syncing)": {"on": "sync", "path": "predictions.jsonl", "act": "EIO"},
    "scores.json": {"on": "open", "path": "scores.json", "act": "EROFS"},
    "scores.json (syncing)": {"on": "sync", "path": "scores.json", "act": "ENOSPC"},
    "the table": {"on": "open", "path": "_acc.csv", "act": "ENOSPC"},
    "report.json": {"on": "rename", "path": "report.json", "act": "EROFS"},
    "report.md": {"on": "open", "path": "report.md", "act": "ENOSPC"},
}
"""What cannot be written, and why."""
NPROC: Final = 32


async def unwritable(world: World, what: str) -> None:
    """A write fails: the run ends with the reason; the same command goes on once it can be written."""
    data = world.questions(600)
    server = await world.server(data, latency=0.02)
    task = world.task(data, server.url, nproc=NPROC)
    trap = WRITES[what]
    ended = await world.run(task, {"traps": [trap]})
    check((ended.code, ended.state) == (1, "StorageError"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
    number = {"ENOSPC": "disk is full", "EDQUOT": "disk is full", "EROFS": "Read-only", "EIO": "Input/output error"}
    check(number[trap["act"].split()[0]] in ended.error, f"the error does not say why: {ended.error}")
    kept = world.answered()
    await world.check_quiet()
    await world.check_end(data, await world.run(task))
    check(all(world.answered()[index] == 1 for index in kept), "answers that were on disk were asked for again")
    world.faults += 1
    world.check_paid(NPROC if "journal" in what else 0)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Makes the folder a disk of its own, of that size."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        raise Skipped("a small disk of its own needs the rights to mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    """Changes a small disk."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


async def full_disk(world: World) -> None:
    """A real disk that fills up, again and again, each time at a later write; in between it gets a little larger."""
    data = world.questions(1000)
    server = await world.server(data, latency=0.02)
    work = world.folder / "work"
    task, full = world.task(data, server.url, nproc=NPROC), 0
    with small_disk(work, 4):
        for kilobytes in range(16, 4000, 64):
            remount(work, f"size={kilobytes}k")
            ended = await world.run(task)
            await world.check_quiet()
            if ended.state != "StorageError":
                break
            full += 1
            check(ended.code == 1, f"it ended with {ended.code}")
            check(
                "disk is full" in ended.error or "No space left" in ended.error, f"it does not say why: {ended.error}"
            )
        await world.check_end(data, ended)
        world.faults += full
        check(full > 3, f"the disk was full {full} times only")
        world.check_paid(full * NPROC)


async def read_only_disk(world: World) -> None:
    """A real disk that is read-only when the run starts, and can be written later."""
    data = world.questions(300)
    server = await world.server(data)
    work = world.folder / "work"
    task = world.task(data, server.url)
    with small_disk(work, 8000):
        remount(work, "ro")
        ended = await world.run(task)
        check((ended.code, ended.state) == (1, "StorageError"), f"it ended as {ended.state}: {ended.error}")
        check(server.stats.requests == 0, "something was asked although nothing can be written")
        remount(work, "rw")
        await world.check_end(data, await world.run(task))
        world.check_paid(0)


async def slow_disk(world: World, nproc: int) -> None:
    """Every write takes 50 ms, every sync half a second: answers are written many at a time."""
    data = world.questions(2000 if nproc > 16 else 500)
    server = await world.server(data)
    traps = [
        {"on": "write", "path": "predictions.jsonl", "act": "sleep 0.05"},
        {"on": "sync", "act": "sleep 0.5"},
    ]
    ended = await world.run(world.task(data, server.url, nproc=nproc), {"traps": traps})
    await world.check_end(data, ended)
    world.check_requests(server, world.samples)
    world.check_paid(0)


async def hanging_disk(world: World) -> None:
    """The disk hangs for five seconds in the middle: no more than nproc answers wait for it."""
    data = world.questions(1000)
    server = await world.server(data)
    nproc = 64
    seen: list[int] = []

    async def watch(_: object) -> None:
        await has_answered(server, 0)
        while True:
            before = server.stats.answered
            await has_answered(server, before)
            seen.append(server.stats.answered - world.answered().total())

    traps = [{"on": "write", "path": "predictions.jsonl", "act": "sleep 5", "skip": 10, "times": 1}]
    ended = await world.run(world.task(data, server.url, nproc=nproc), {"traps": traps}, watch)
    await world.check_end(data, ended)
    world.check_paid(0)
    check(max(seen) <= nproc, f"{max(seen)} answers were not on disk at a time")


def _unwritable(what: str) -> Scenario:
    async def play(world: World) -> None:
        await unwritable(world, what)

    short = what in ("the journal (half a line)", "the journal (syncing)", "the table")
    return Scenario(f"cannot write {what}", unwritable.__doc__ or "", play, short)


def _slow(nproc: int) -> Scenario:
    async def play(world: World) -> None:
        await slow_disk(world, nproc)

    return Scenario(f"slow disk, nproc {nproc}", slow_disk.__doc__ or "", play, short=nproc == 256)


SCENARIOS = (
    *map(_unwritable, WRITES),
    Scenario("full disk", full_disk.__doc__ or "", full_disk),
    Scenario("read-only disk", read_only_disk.__doc__ or "", read_only_disk),
    *map(_slow, (16, 256, 2000)),
    Scenario("disk that hangs", hanging_disk.__doc__ or "", hanging_disk),
)
