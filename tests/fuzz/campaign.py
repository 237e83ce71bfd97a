"""The fuzz campaign: every target, as long as it is told, each in a process of its own.

``PYTHONPATH=tests python -m fuzz.campaign --seconds 30`` (``make fuzz``). An input that makes a target crash, hang or
grow is made small and put into ``tests/fuzz/corpus/<target>``, where the tests try it from then on. With ``--engine
atheris`` coverage guides the search, where atheris is installed.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import importlib.util
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fuzz.inputs import inputs
from hypothesis import HealthCheck, Phase, given, seed, settings

if TYPE_CHECKING:
    from fuzz.targets import Check, Target

__all__ = ["main"]

CORPUS: Final = Path(__file__).with_name("corpus")
_LONGEST_CASE_S: Final = 20.0
_MEMORY: Final = 6 << 30
_EXAMPLES: Final = 500
_TOLD_EVERY: Final = 20


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class _Watched:
    """A check that leaves each input behind before it is tried, counts, and ends the process when one hangs."""

    def __init__(self, check: Check, scratch: Path, deadline: float) -> None:
        self._check = check
        self._last, self._figures = scratch / "last", scratch / "figures"
        self._deadline = deadline
        self.cases = 0
        self.slowest_s = 0.0

    def __call__(self, data: bytes) -> None:
        self._last.write_bytes(data)
        faulthandler.dump_traceback_later(_LONGEST_CASE_S, exit=True)
        began = time.monotonic()
        self._check(data)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        faulthandler.cancel_dump_traceback_later()
        self.cases += 1
        if self.cases % _TOLD_EVERY == 0 or self.over:  # atheris leaves the process by itself, there is no later
            self._tell()

    def _tell(self) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        figures = {"cases": self.cases, "slowest_s": round(self.slowest_s, 2), "peak_mb": peak}
        self._figures.write_text(json.dumps(figures))

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() > self._deadline


def _by_hypothesis(watched: _Watched, seeds: list[bytes], words: tuple[bytes, ...], first: int) -> None:
    number = first
    while not watched.over:
        number += 1

        @seed(number)
        @settings(
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(inputs(seeds, words))
        def case(data: bytes) -> None:
            if not watched.over:
                watched(data)

        case()


def _by_atheris(watched: _Watched, seeds: list[bytes], words: tuple[bytes, ...], first: int, scratch: Path) -> None:
    import atheris  # few have it

    corpus, dictionary = scratch / "seeds", scratch / "words"
    corpus.mkdir()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content)
    escaped = ("".join(map("\\x{:02x}".format, word)) for word in words)
    dictionary.write_text("".join(f'"{word}"\n' for word in escaped))
    left = max(1, int(watched._deadline - time.monotonic()))
    arguments = [sys.argv[0], f"-max_total_time={left}", f"-seed={first + 1}", f"-dict={dictionary}", "-verbosity=0"]
    atheris.Setup([*arguments, f"-artifact_prefix={scratch}/", str(corpus)], watched)
    atheris.Fuzz()


def _target(name: str, *, guided: bool) -> Target:
    """Imports the targets; where coverage guides the search, as code that tells what is covered."""
    if guided:
        import atheris

        with atheris.instrument_imports(include=["eyechart"]):
            from fuzz.targets import TARGETS
    else:
        from fuzz.targets import TARGETS
    return TARGETS[name]


def _one(name: str, seconds: float, first: int, engine: str, scratch: Path) -> None:
    """Fuzzes one target in this process; ends it with a traceback where something is found."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    target = _target(name, guided=engine == "atheris")
    for folder in ("made", "work"):
        (scratch / folder).mkdir()
    seeds = list(target.seeds(scratch / "made"))
    random.Random(first).shuffle(seeds)
    with target.open(scratch / "work") as check:
        watched = _Watched(check, scratch, time.monotonic() + seconds)
        for known in [*seeds, *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]:
            watched(known)
        if engine == "atheris":
            _by_atheris(watched, seeds, target.words, first, scratch)
        else:
            _by_hypothesis(watched, seeds, target.words, first)


def _campaign(name: str, arguments: argparse.Namespace) -> bool:
    """Fuzzes one target in a process of its own; keeps what is found."""
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        scratch = Path(folder)
        command = [sys.executable, "-m", "fuzz.campaign", "--one", name, "--scratch", folder]
        command += ["--seconds", str(arguments.seconds), "--seed", str(arguments.seed), "--engine", arguments.engine]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        seconds = time.monotonic() - began
        if done.returncode == 0:
            figures: dict[str, Any] = json.loads((scratch / "figures").read_text())
            _say(
                f"{name:12} {figures['cases']:>8,} cases {seconds:6.1f} s   slowest {figures['slowest_s']:5.2f} s   "
                f"peak {figures['peak_mb']:,} MB"
            )
            return True
        tail = "\n".join(done.stderr.splitlines()[-40:])
        if not (scratch / "last").exists():
            _say(f"{name:12} cannot be fuzzed\n{tail}")
            return False
        data = (scratch / "last").read_bytes()
        kept = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(data)
        _say(f"{name:12} FOUND after {seconds:.1f} s (status {done.returncode}), kept as {kept}\n{tail}")
        return False


def main() -> int:
    """Runs the campaign; the exit status is 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--seconds", type=float, default=30, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="another number, another search")
    parser.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine == "atheris" and importlib.util.find_spec("atheris") is None:
        _say("atheris is not installed: pip install atheris; or leave --engine out")
        return 0
    if arguments.one:
        _one(arguments.one, arguments.seconds, arguments.seed, arguments.engine, arguments.scratch)
        return 0
    from fuzz.targets import TARGETS

    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"unknown target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    sound = [_campaign(name, arguments) for name in arguments.targets or TARGETS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    sys.exit(main())
