"""Seconds that a run with 100,000 answers in its journal takes to ask on, and to score all of them again.

The last rows have no answer yet, so that the whole journal and the whole file lie before the first request.

python perf/resume.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import datetime
from itertools import islice
from pathlib import Path

from common import RUN, run_child, server, task


def write_texts(path: Path, rows: int) -> None:
    """Writes a multiple-choice TSV whose rows share one small picture."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with path.open("w") as file:
        file.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        for n in range(rows):
            image = pixel if n == 0 else "0"
            file.write(f"{n}\tWhat is shown in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 7}\t{image}\n")


def main() -> None:
    """Fills a journal through a real run, resumes it with a hundred rows to go, and prints the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        root = Path(folder)
        data = root / "Texts.tsv"
        write_texts(data, args.answers + 100)
        first = run_child(RUN, [task(url, data, root / "out", nproc=256, limit=args.answers)])
        each = first.cpu_s / args.answers * 1000
        print(f"asked    {args.answers} samples in {first.wall_s:.1f} s, {each:.3f} ms CPU each")
        (run_dir,) = (root / "out").iterdir()
        config = {**json.loads(task(url, data, root, nproc=256)), "use_cache": str(run_dir)}
        started = time.time()
        again = run_child(RUN, [json.dumps(config)])
        line = _line_after(run_dir / "m" / "Texts" / "predictions.jsonl", args.answers)
        waited = datetime.fromisoformat(line["at"]).timestamp() - started
        print(f"resumed  asking on after {waited:.1f} s   (goal: 3)")
        print(f"         all scored and reported after {again.wall_s:.1f} s, peak {again.peak_bytes >> 20} MB")


def _line_after(journal: Path, lines: int) -> dict[str, str]:
    with journal.open() as file:
        line: dict[str, str] = json.loads(next(islice(file, lines, None)))
        return line


if __name__ == "__main__":
    main()
