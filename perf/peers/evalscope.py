"""EvalScope's native backend, by its own command `evalscope eval`."""

from __future__ import annotations

import json

from .peer import Job, Peer
from .questions import questions


class EvalScope(Peer):
    """Its benchmark for questions of one's own with options, `general_vmcq`."""

    name = "EvalScope, native backend"
    distribution = "evalscope"
    requirements = ("evalscope==1.14.1",)
    share = 0.5
    goal = 7

    def prepare(self, job: Job) -> None:
        """JSON lines with the pictures as data URLs."""
        with (job.home / "pictures_val.jsonl").open("w") as file:
            for row in questions(job.data):
                record = {
                    "question": f"<image 1> {row.question}",
                    "options": row.options,
                    "answer": row.answer,
                    "image_1": row.data_url,
                }
                file.write(json.dumps(record) + "\n")

    def command(self, job: Job) -> list[str]:
        """Asks and scores."""
        benchmark = {"general_vmcq": {"local_path": str(job.home), "subset_list": ["pictures"]}}
        command = [str(job.python.parent / "evalscope"), "eval", "--model", "m", "--eval-type", "openai_api"]
        command += ["--api-url", job.base_url, "--api-key", "EMPTY", "--eval-batch-size", str(job.nproc)]
        command += ["--datasets", "general_vmcq", "--dataset-args", json.dumps(benchmark)]
        return [*command, "--work-dir", str(job.folder), "--no-timestamp"]

    def resume(self, job: Job) -> list[str]:
        """The same, told where the killed run left its answers."""
        return [*self.command(job), "--use-cache", str(job.folder)]

    def answers(self, job: Job) -> int:
        """Samples in the files of predictions."""
        found = set()
        for path in (job.folder / "predictions").rglob("*.jsonl"):
            # Line by line, for they hold the pictures: the peak memory of a child is at least ours when it begins.
            with path.open() as file:
                found |= {json.loads(line)["index"] for line in file}
        return len(found)
