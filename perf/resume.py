"""Seconds that a run with 100,000 answers in its journal takes to come back: nothing to ask, everything scored again.

python perf/resume.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import RUN, run_child, server, task

TIMED = """
import json, sys, time
import eyechart
started = time.perf_counter()
report = eyechart.run_task(json.loads(sys.argv[1]))
print(report.state, f"{time.perf_counter() - started:.2f}")
"""


def write_texts(path: Path, rows: int) -> None:
    """Writes a multiple-choice TSV whose rows share one small picture."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    with path.open("w") as file:
        file.write("index\tquestion\tA\tB\tC\tD\tanswer\tcategory\timage\n")
        for n in range(rows):
            image = pixel if n == 0 else "0"
            file.write(f"{n}\tWhat is shown in {n}?\tcat\tdog\tboat\tlamp\t{'ABCD'[n % 4]}\tc{n % 7}\t{image}\n")


def main() -> None:
    """Fills a journal through a real run, resumes it, and prints the seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        root = Path(folder)
        data = root / "Texts.tsv"
        write_texts(data, args.answers)
        config = task(url, data, root / "out", nproc=256, reuse=True)
        first = run_child(RUN, [config])
        each = first.cpu_s / args.answers * 1000
        print(f"asked   {args.answers} samples in {first.wall_s:.1f} s, {each:.3f} ms CPU each")
        again = run_child(TIMED, [config])
        print(f"resumed {again.output.strip()} s, peak {again.peak_bytes >> 20} MB   (goal: 3 s)")


if __name__ == "__main__":
    main()
