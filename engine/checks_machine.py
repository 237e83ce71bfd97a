"""What a run needs of this machine: a folder to write to, room on the disk, enough open files, a right clock."""

from __future__ import annotations

import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .check import Check, failure, ok, warning
from .config_plan import RunPlan
from .plain_text import data_size

__all__ = ["Machine", "check_clock", "check_disk", "check_folder", "check_open_files", "journal_bytes"]

_LINE_BYTES: Final = 700
"""A journal line and a sample's score without the answer's text; 400 to 600 were measured."""
_BYTES_PER_TOKEN: Final = 4
_USUAL_TOKENS: Final = 300
_UNBOUNDED_TOKENS: Final = 8192
_REPORTS: Final = 1_000_000
_OWN_FILES: Final = 64
_MOST_OFF_S: Final = 30.0
_DAY_S: Final = 86_400


def _open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _try_write(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"eyechart")
        file.flush()


@dataclass(frozen=True, slots=True)
class Machine:
    """How this machine is asked; tests put others in place.

    Attributes:
        free_bytes: bytes that may still be written in a folder.
        try_write: writes a file that vanishes at once; raises OSError where nothing can be written.
        open_files: most files and connections that this process may hold open.
        now: the clock, in seconds since 1970.
    """

    free_bytes: Callable[[Path], int] = _free_bytes
    try_write: Callable[[Path], None] = _try_write
    open_files: Callable[[], int] = _open_files
    now: Callable[[], float] = time.time


def journal_bytes(plan: RunPlan, rows: int) -> tuple[int, int]:
    """Guesses what a run writes: with answers of usual length, and with every answer as long as ``max_tokens`` lets it.

    Args:
        plan: the run.
        rows: samples that each model is asked.
    """
    usual = most = _REPORTS
    for spec in plan.models:
        longest = spec.max_tokens or _UNBOUNDED_TOKENS
        usual += rows * (_LINE_BYTES + _BYTES_PER_TOKEN * min(longest, _USUAL_TOKENS))
        most += rows * (_LINE_BYTES + _BYTES_PER_TOKEN * longest)
    return usual, most


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    for folder in (path.absolute(), *path.absolute().parents):
        if folder.exists():
            return folder
    return Path("/")


def _run_folder(plan: RunPlan) -> Path:
    return plan.use_cache or plan.work_dir


def check_folder(plan: RunPlan, machine: Machine) -> Check:
    """Looks whether results can be written. Blocking."""
    path = _run_folder(plan)
    there = _existing(path)
    elsewhere = "give a folder that you may write to: work_dir in the file, or --work-dir DIR"
    if not there.is_dir():
        return failure("disk", str(path), f"no folder for results: {there} is a file", elsewhere)
    try:
        machine.try_write(there)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return failure("disk", str(path), f"results cannot be written: {reason} ({there})", elsewhere)
    made = "" if there == path.absolute() else ", which will be made"
    return ok("disk", str(path), f"results can be written to {path}{made}")


def check_disk(plan: RunPlan, rows: int, download_bytes: int, machine: Machine) -> list[Check]:
    """Compares room on the disk with what the run writes, and with what it downloads. Blocking.

    Args:
        plan: the run.
        rows: samples that each model is asked.
        download_bytes: size of benchmark files that are still to be fetched.
        machine: where to look.
    """
    usual, most = journal_bytes(plan, rows)
    results, root = _existing(_run_folder(plan)), _existing(plan.data_root)
    shared = results.stat().st_dev == root.stat().st_dev
    if shared:
        usual, most = usual + download_bytes, most + download_bytes
    checks = [_room(str(_run_folder(plan)), usual, most, machine.free_bytes(results))]
    if download_bytes and not shared:
        checks.append(_room(str(plan.data_root), download_bytes, download_bytes, machine.free_bytes(root)))
    return checks


def _room(subject: str, usual: int, most: int, free: int) -> Check:
    need = f"the run writes about {data_size(usual)}, at most {data_size(most)}; {data_size(free)} are free"
    remedy = "free space, or give work_dir on another disk; a run that meets a full disk stops and can be resumed"
    if free < usual:
        return failure("disk", subject, f"the disk is too full: {need}", remedy)
    if free < most:
        return warning("disk", subject, f"the disk may become full: {need}", remedy)
    return ok("disk", subject, need)


def check_open_files(plan: RunPlan, machine: Machine) -> Check:
    """Compares the limit of open files with the connections and journals that a run holds."""
    allowed = machine.open_files()
    specs = (*plan.models, *(judge.asked for judge in plan.judges))
    connections = sum(spec.nproc * max(1, len(spec.urls)) for spec in specs)
    needed = _OWN_FILES + connections + 2 * len(plan.models) * len(plan.data)
    if allowed >= needed:
        return ok("system", "open files", f"{allowed} may be open, {needed} are needed at most")
    fits = max(1, allowed - (needed - connections))
    return failure(
        "system",
        "open files",
        f"{connections} requests in flight need {needed} open files, and only {allowed} may be open",
        f"in the shell that starts the run: ulimit -n {needed}; or an nproc that adds up to {fits} at most",
    )


def check_clock(server: str, date: float | None, now: float) -> Check:
    """Compares this machine's clock with a server's.

    Args:
        server: the server's name, for people.
        date: its clock when it answered, in seconds since 1970; None when it did not tell.
        now: ours at that time.
    """
    if date is None:
        return ok("system", "clock", f"{server} does not tell its time, so ours is not compared with it")
    off = now - date
    if abs(off) <= _MOST_OFF_S:
        return ok("system", "clock", f"agrees with that of {server}")
    amount = f"{abs(off):.0f} s" if abs(off) < _DAY_S else f"{abs(off) / _DAY_S:.1f} days"
    return warning(
        "system",
        "clock",
        f"is {amount} {'ahead of' if off > 0 else 'behind'} that of {server}",
        "set this machine's clock (or the server's) by NTP: certificates, pauses that a server asks for by date, and "
        "the times in results depend on it",
    )
