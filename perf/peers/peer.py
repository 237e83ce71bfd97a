"""What the comparison needs to know of a peer, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import venv
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import torchvision_cpu


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a peer.

    Attributes:
        python: interpreter of the peer's environment.
        base_url: address of the server's API, up to ``/v1``.
        data: the questions as a TSV of pictures in base64, as eyechart and ms-vlmeval read it.
        samples: how many there are.
        home: the folder where commands run, and what the peer's `prepare` made of the questions.
        folder: where the run writes; a job with the folder of one that was killed continues it.
        nproc: requests in flight.
    """

    python: Path
    base_url: str
    data: Path
    samples: int
    home: Path
    folder: Path
    nproc: int


class PeerUnusable(Exception):
    """A peer cannot be measured here; the text says why."""


class Peer(ABC):
    """An evaluator.

    Attributes:
        name: what the table calls it, and its environment's folder.
        requirements: what pip installs; empty for what runs in our own environment.
        distribution: whose version the table gives.
        resumes: whether it claims to continue a run that was killed.
        share: part of the questions that it gets, so that slow peers do not hold up the others.
        goal: how many times its CPU for a request is to be eyechart's, at least; None sets no goal.
    """

    name: str
    requirements: Sequence[str] = ()
    distribution: str = ""
    resumes: bool = True
    share: float = 1.0
    goal: float | None = None

    def install(self, envs: Path) -> Path:
        """Makes the peer's environment unless it is there, and returns its interpreter.

        Raises:
            PeerUnusable: pip failed.
        """
        if not self.requirements:
            return Path(sys.executable)
        folder = envs / self.distribution
        python = folder / "bin" / "python"
        done = folder / "installed"
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            _pip(python, self.requirements)
            torchvision_cpu.mend(python)
            done.touch()
        return python

    def version(self, python: Path) -> str:
        """The installed version."""
        code = f"import importlib.metadata as m; print(m.version({self.distribution!r}))"
        return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    def prepare(self, job: Job) -> None:  # noqa: B027 - the TSV suits some as it is
        """Puts the questions of `job.data` into `job.home`, in the peer's own format."""

    def before(self, job: Job) -> None:  # noqa: B027 - most need nothing
        """Sets the scene of a measured run, unmeasured."""

    @abstractmethod
    def command(self, job: Job) -> list[str]:
        """The command that asks and scores all questions."""

    def resume(self, job: Job) -> list[str]:
        """The command that continues a run that was killed."""
        return self.command(job)

    def environ(self, job: Job) -> Mapping[str, str]:  # noqa: ARG002 - most need none
        """Variables of the environment that the command needs."""
        return {}

    @abstractmethod
    def answers(self, job: Job) -> int:
        """How many questions have an answer in the files of a finished run."""


def _pip(python: Path, requirements: Sequence[str]) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise PeerUnusable(f"pip install {' '.join(requirements)} failed: {lines[-1] if lines else done.returncode}")
