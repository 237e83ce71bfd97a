"""Inspect, by its own commands `inspect eval` and `inspect eval-retry`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping

from .peer import Job, Peer
from .questions import questions

_TASK = """
import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice


@task
def pictures():
    samples = []
    with Path(__file__).with_name("pictures.jsonl").open() as file:
        for line in file:
            row = json.loads(line)
            content = [ContentImage(image=row["image"]), ContentText(text=row["question"])]
            message = ChatMessageUser(content=content)
            samples.append(Sample(id=row["index"], input=[message], choices=row["options"], target=row["answer"]))
    return Task(dataset=MemoryDataset(samples), solver=multiple_choice(), scorer=choice())
"""


class InspectAi(Peer):
    """A task of our own on its own parts for questions with options."""

    name = "Inspect"
    distribution = "inspect-ai"
    requirements = ("inspect-ai==0.3.285", "openai")
    share = 0.2
    goal = 40

    def prepare(self, job: Job) -> None:
        """The task and its questions, pictures as data URLs."""
        (job.home / "pictures.py").write_text(_TASK)
        with (job.home / "pictures.jsonl").open("w") as file:
            for row in questions(job.data):
                record = {"index": row.index, "question": row.question, "options": row.options}
                file.write(json.dumps({**record, "answer": row.answer, "image": row.data_url}) + "\n")

    def command(self, job: Job) -> list[str]:
        """Asks and scores; run in `job.home`, for it takes the names of files there only."""
        inspect = str(job.python.parent / "inspect")
        command = [inspect, "eval", "pictures.py", "--model", "openai-api/mock/m", "--display", "none"]
        return [*command, "--max-connections", str(job.nproc), "--log-dir", str(job.folder)]

    def resume(self, job: Job) -> list[str]:
        """Retries the log that the killed run left."""
        inspect = str(job.python.parent / "inspect")
        logs = sorted(str(path) for path in job.folder.glob("*.eval"))
        command = [inspect, "eval-retry", *logs, "--display", "none"]
        return [*command, "--max-connections", str(job.nproc), "--log-dir", str(job.folder)]

    def environ(self, job: Job) -> Mapping[str, str]:
        """Address and key of the service that the model's name speaks of; its data stay in our folder."""
        data = str(job.home / "data")
        return {"MOCK_BASE_URL": job.base_url, "MOCK_API_KEY": "EMPTY", "XDG_DATA_HOME": data, "NO_COLOR": "1"}

    def answers(self, job: Job) -> int:
        """Samples in the last log."""
        last = max(job.folder.glob("*.eval"))
        with zipfile.ZipFile(last) as log:
            return len({name for name in log.namelist() if name.startswith("samples/")})
