"""eyechart itself, and the bare client that shows what HTTP alone costs."""

from __future__ import annotations

import json

from asking import BARE

from .peer import Job, Peer


class Bare(Peer):
    """aiohttp posting ready bodies and throwing the replies away (perf/asking.py)."""

    name = "bare aiohttp client"
    distribution = "aiohttp"
    resumes = False

    def command(self, job: Job) -> list[str]:
        """Posts a body for each question."""
        url = f"{job.base_url}/chat/completions"
        return [str(job.python), "-c", BARE, url, str(job.data), str(job.samples), str(job.nproc)]

    def answers(self, job: Job) -> int:  # noqa: ARG002 - it keeps none
        """None are kept."""
        return 0


class Eyechart(Peer):
    """eyechart's command line, whose same command continues."""

    name = "eyechart"
    distribution = "eyechart"

    def version(self, python: object) -> str:  # noqa: ARG002 - ours is imported, not installed
        """The version of this checkout."""
        from eyechart.version import VERSION  # noqa: PLC0415 - as the children find it

        return VERSION

    def command(self, job: Job) -> list[str]:
        """Asks and scores; the same command continues."""
        command = [str(job.python), "-m", "eyechart", "eval", "--model", "m", "--api-base", job.base_url]
        return [*command, "--data", str(job.data), "--nproc", str(job.nproc), "--work-dir", str(job.folder)]

    def answers(self, job: Job) -> int:
        """Questions with a prediction in the journal."""
        (journal,) = job.folder.rglob("predictions.jsonl")
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        return len({line["index"] for line in lines if line.get("prediction")})
