"""lmms-eval, by its own command `python -m lmms_eval`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .peer import Job, Peer
from .questions import questions

_TASK = """
task: pictures
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: generate_until
doc_to_visual: !function parts.doc_to_visual
doc_to_text: !function parts.doc_to_text
doc_to_target: answer
generation_kwargs:
  max_new_tokens: 2048
  temperature: 0
  do_sample: false
process_results: !function parts.process_results
metric_list:
  - metric: accuracy
    aggregation: mean
    higher_is_better: true
"""

_PARTS = """
import base64
import io

from PIL import Image


def doc_to_visual(doc):
    return [Image.open(io.BytesIO(base64.b64decode(doc["image"]))).convert("RGB")]


def doc_to_text(doc, lmms_eval_specific_kwargs=None):
    options = "\\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", doc["options"]))
    return f"{doc['question']}\\n{options}\\nAnswer with the option's letter from the given choices directly."


def process_results(doc, results):
    return {"accuracy": float(results[0].strip() == doc["answer"])}
"""


class LmmsEval(Peer):
    """A task of our own, its model `openai`, and its cache of responses."""

    name = "lmms-eval"
    distribution = "lmms-eval"
    # Later versions of filelock have moved what it imports.
    requirements = ("torch==2.13.0", "lmms-eval==0.7.3", "filelock<3.20")
    share = 0.1

    def prepare(self, job: Job) -> None:
        """The task and its questions; the picture is opened by the task, as its own tasks do."""
        file = job.home / "pictures.jsonl"
        (job.home / "pictures.yaml").write_text(_TASK.format(file=file))
        (job.home / "parts.py").write_text(_PARTS)
        with file.open("w") as lines:
            for row in questions(job.data):
                record = {"index": row.index, "question": row.question, "options": row.options}
                lines.write(json.dumps({**record, "answer": row.answer, "image": row.image}) + "\n")

    def command(self, job: Job) -> list[str]:
        """Asks and scores; the same command finds what the cache of responses holds."""
        model = f"model_version=m,base_url={job.base_url},api_key=EMPTY,num_concurrent={job.nproc}"
        command = [str(job.python), "-m", "lmms_eval", "--model", "openai", "--model_args", model]
        command += ["--tasks", "pictures", "--include_path", str(job.home), "--batch_size", str(job.nproc)]
        command += ["--use_cache", str(job.folder / "cache"), "--log_samples"]
        return [*command, "--output_path", str(job.folder / "out")]

    def environ(self, job: Job) -> Mapping[str, str]:
        """No hub is asked, and what it stores stays in our folder."""
        return {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(job.home / "hub")}

    def answers(self, job: Job) -> int:
        """Samples in the last log; none without a log."""
        logs = sorted((job.folder / "out").rglob("*samples_pictures.jsonl"))
        return len({json.loads(line)["doc_id"] for line in logs[-1].read_text().splitlines()}) if logs else 0
