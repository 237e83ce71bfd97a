"""Seconds that it takes to score stored multiple-choice answers again, on one core, beside the least that it could be.

The answers are letters, sentences around a letter, option texts, refusals and long reasoning that no rule reads. The
baseline parses the same journal and looks for a lone letter with one regular expression, without a table.

python perf/scoring.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from common import run_child

STYLES = (
    "{letter}",
    "({letter})",
    "The answer is {letter}.",
    "I think that it is a {text}",
    "**{letter}**",
    "It is hard to say; the picture is dark. " * 6,
    "Let me look at it step by step. There is something on the left and something on the right. So: {letter}",
    "I'm sorry, but without the image provided I cannot answer.",
)
OPTIONS = {"A": "cat", "B": "dog", "C": "wooden boat", "D": "lamp"}

SCORE = """
import sys
from pathlib import Path
from eyechart.benchmarks.load import load_benchmark
from eyechart.engine.evaluate import evaluate, save_scores
folder, protocol = Path(sys.argv[1]), sys.argv[2]
entry = evaluate("m", load_benchmark(str(folder / "Texts.tsv"), protocol=protocol), folder / "m" / "Texts", limit=None)
save_scores(entry, folder / "m" / "Texts")
print(entry.score.table[0]["Overall"], dict(entry.score.rules))
"""
BASELINE = """
import re, sys
from pathlib import Path
import orjson
letter = re.compile(r"\\\\b([A-D])\\\\b")
found = 0
for line in (Path(sys.argv[1]) / "m" / "Texts" / "predictions.jsonl").open("rb"):
    found += letter.search(orjson.loads(line)["prediction"]) is not None
print(found)
"""


def write_run(folder: Path, answers: int) -> None:
    """Writes a benchmark of texts and the journal of a run over it."""
    draw = random.Random(0)
    job = folder / "m" / "Texts"
    job.mkdir(parents=True)
    with (folder / "Texts.tsv").open("w") as data, (job / "predictions.jsonl").open("w") as journal:
        data.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\tl2-category\tsplit\n")
        for n in range(answers):
            options = "\t".join(OPTIONS.values())
            right, chosen = draw.choice("ABCD"), draw.choice("ABCD")
            data.write(f"{n}\tWhat is shown in {n}?\t{options}\t{right}\tc{n % 40}\tl{n % 6}\tval\n")
            said = draw.choice(STYLES).format(letter=chosen, text=OPTIONS[chosen])
            line = {"index": str(n), "repeat": 0, "fingerprint": f"{n:032x}", "prediction": said, "attempts": 1}
            journal.write(json.dumps(line | {"at": "2026-01-31T12:00:00.000+00:00"}) + "\n")


def main() -> None:
    """Scores under both protocols and prints CPU seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder, args.answers)
        least = run_child(BASELINE, [str(folder)])
        print(f"baseline  {least.cpu_s:.2f} s CPU for {args.answers} answers")
        for protocol in ("eyechart", "vlmeval"):
            cost = run_child(SCORE, [str(folder), protocol])
            ratio = cost.cpu_s / least.cpu_s
            print(
                f"{protocol:<9} {cost.cpu_s:.2f} s CPU, {cost.wall_s:.2f} s in all, {ratio:.1f} x the baseline, "
                f"peak {cost.peak_bytes >> 20} MB   (goal: 10 s for 100,000)"
            )
            print(f"          {cost.output.strip()}")


if __name__ == "__main__":
    main()
