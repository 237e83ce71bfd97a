"""ms-vlmeval, the reference, by its own command `python -m vlmeval.run`."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping

from common import run_command

from .peer import Job, Peer

_UNPACK = """
import sys
from vlmeval.dataset import build_dataset
dataset = build_dataset(sys.argv[1])
for row in range(len(dataset.data)):
    dataset.dump_image(dataset.data.iloc[row])
"""


class VlmEval(Peer):
    """It unpacks the pictures of a benchmark to files once, and packs each anew for its request.

    Args:
        unpacked: measure with the files there already; else every run begins without them.
    """

    distribution = "ms-vlmeval"
    requirements = ("torch==2.13.0", "ms-vlmeval==0.0.20")

    def __init__(self, *, unpacked: bool) -> None:
        self.name = f"ms-vlmeval, images {'unpacked' if unpacked else 'not unpacked'}"
        self.share = 0.2 if unpacked else 0.1
        self.goal = 25 if unpacked else None
        self._unpacked = unpacked

    def prepare(self, job: Job) -> None:
        """The same TSV, in the folder where it looks for benchmarks that it does not know."""
        (job.home / job.data.name).hardlink_to(job.data)
        if self._unpacked:
            command = [str(job.python), "-c", _UNPACK, job.data.stem]
            run_command(command, environ=self.environ(job), cwd=job.home)

    def before(self, job: Job) -> None:
        """Removes the unpacked pictures unless they are to be there."""
        if not self._unpacked:
            shutil.rmtree(job.home / "images", ignore_errors=True)

    def command(self, job: Job) -> list[str]:
        """Options are judged by matching, so no judge is asked; the same command with the same folder continues."""
        command = [str(job.python), "-m", "vlmeval.run", "--model", "m", "--base-url", job.base_url, "--key", "EMPTY"]
        command += ["--data", job.data.stem, "--judge", "exact_matching", "--reuse"]
        return [*command, "--api-nproc", str(job.nproc), "--work-dir", str(job.folder)]

    def environ(self, job: Job) -> Mapping[str, str]:
        """Where benchmarks lie, and results as text."""
        return {"LMUData": str(job.home), "PRED_FORMAT": "tsv"}

    def answers(self, job: Job) -> int:
        """Rows of the result file that hold an answer and not its message of failure; none without the file."""
        result = job.folder / "m" / f"m_{job.data.stem}.tsv"
        if not result.exists():
            return 0
        with result.open(newline="") as file:
            said = [row["prediction"] for row in csv.DictReader(file, delimiter="\t")]
        return sum(bool(text) and "Failed to obtain answer" not in text for text in said)
