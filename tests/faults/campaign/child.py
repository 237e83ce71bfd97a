"""The engine as a process of its own: runs a task under harm, and tells what it left behind.

    python child.py '{"task": {...}, "harm": {...}, "runs": 1}'

Prints one JSON object a line: ``returned`` when the run has returned, with the tasks that are still there; ``ended``
when its event loop is closed, with threads, files and memory.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import harm

LINGER_S = 0.15
"""How long a request that should not leave any more could."""

END_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux: a campaign that is interrupted leaves nothing running."""
THREADS_END_S = 2.0
"""How long a thread may take to end that was told to."""


def say(event: str, **about: Any) -> None:
    """Prints a line for the campaign."""
    sys.stdout.write(json.dumps({"event": event, **about}) + "\n")
    sys.stdout.flush()


def open_files() -> list[str]:
    """What is open: sockets, files, pipes; not what only this look at it opens."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue  # the folder that was being read
    return found


def memory_mb() -> float:
    """Resident memory, after what is free was given back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def threads_left() -> list[str]:
    """Names of the threads that have not ended, some time after they were told to."""
    give_up = time.monotonic() + THREADS_END_S
    while (others := [t.name for t in threading.enumerate() if t is not threading.main_thread()]) and (
        time.monotonic() < give_up
    ):
        time.sleep(0.01)
    return others


async def run(task: dict[str, Any], told: dict[str, Any]) -> None:
    """Runs a task as the command line does; what comes of it stands in `told` in the end."""
    from eyechart.engine.config import load_tasks, read_environment, resolve_all
    from eyechart.engine.run import run_plans
    from eyechart.errors import EyechartError

    try:
        (report,) = await run_plans(resolve_all(load_tasks(task), read_environment({})))
        told |= {"code": report.exit_code, "state": report.state, "error": "; ".join(report.problems)}
    except EyechartError as error:
        told |= {"code": error.exit_code, "state": type(error).__name__, "error": str(error)}
    except KeyboardInterrupt as error:
        told |= {"code": 130, "state": "KeyboardInterrupt", "error": str(error)}
    told["tasks"] = [repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
    say("returned")
    await asyncio.sleep(LINGER_S)
    told["tasks"] += [repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]


def main() -> None:
    """Reads what to do from the first argument, does it, and tells about it."""
    ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    spec = json.loads(sys.argv[1])
    harms = spec["harm"]
    if "clock" in harms:
        harm.jump_clocks(harms["clock"])
    import anyio

    import eyechart.engine.run  # noqa: F401

    harm.change_modules()
    if "proxy" in harms:
        harm.use_proxy(harms["proxy"])
    if "names" in harms:
        harm.lose_names(*harms["names"])
    if "traps" in harms:
        harm.set_traps([harm.Trap(**trap) for trap in harms["traps"]])
    if "files" in harms:
        harm.limit_files(harms["files"])
    told: dict[str, Any] = {}
    files, memory = sorted(open_files()), [memory_mb()]
    for number in range(spec["runs"]):
        work_dir = spec["task"]["work_dir"] if spec["runs"] == 1 else f"{spec['task']['work_dir']}{number}"
        anyio.run(run, spec["task"] | {"work_dir": work_dir}, told)
        memory.append(memory_mb())
    threads = threads_left()
    left = sorted(open_files())
    for known in files:
        if known in left:
            left.remove(known)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say("ended", **told, threads=threads, files=left, memory=memory, peak=peak)
    sys.stdout.flush()
    os._exit(told["code"])  # what threads are left must not hide in the interpreter's end


if __name__ == "__main__":
    main()
