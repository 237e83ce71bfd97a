"""Peak memory of a run over a small and a large benchmark file: it must not grow with the file.

python perf/memory.py [--small-gb 0.2] [--large-gb 2.0]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import JPEG_BYTES, RUN, run_child, server, task, write_benchmark

MB = 1 << 20


def main() -> None:
    """Measures both sizes and prints their difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small-gb", type=float, default=0.2)
    parser.add_argument("--large-gb", type=float, default=2.0)
    parser.add_argument("--nproc", type=int, default=64)
    args = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        for size in (args.small_gb, args.large_gb):
            root = Path(folder) / str(size)
            root.mkdir()
            data = root / "Pictures.tsv"
            rows = int(size * 1e9 / (JPEG_BYTES * 4 / 3))
            write_benchmark(data, rows)
            cost = run_child(RUN, [task(url, data, root / "out", nproc=args.nproc)])
            peaks.append(cost.peak_bytes)
            print(f"{size:5.1f} GB, {rows:6d} rows   peak {cost.peak_bytes / MB:6.0f} MB   {cost.wall_s:6.1f} s")
            data.unlink()
    print(f"growth {(peaks[1] - peaks[0]) / MB:.0f} MB   (goal: less than 100)")


if __name__ == "__main__":
    main()
