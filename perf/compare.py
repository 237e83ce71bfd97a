"""eyechart beside other evaluators: CPU for each request, requests a second, memory, and what a kill costs.

Every peer is installed from the registry into an environment of its own, is given the same questions with the same
JPEG files of 86,000 bytes, and is run by its own command, held to one core, against the same server on another core
that answers after 0.2 s. CPU is that of one more question: two numbers of questions are run, and the difference is
divided by theirs, so that start-up does not count. A peer that cannot be installed or run is skipped, and the reason
printed.

    python perf/compare.py [--envs DIR] [--only NAME ...] [--samples 1500] [--rounds 3] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from common import server, write_benchmark
from peers.evalscope import EvalScope
from peers.inspect_ai import InspectAi
from peers.lmms_eval import LmmsEval
from peers.measure import kill, run
from peers.ours import Bare, Eyechart
from peers.peer import Job, Peer, PeerUnusable
from peers.photos import photos
from peers.table import HEADS, Row, as_markdown, as_text, cells
from peers.vlmeval import VlmEval

LATENCY_S = 0.2
FEW, MANY = 64, 256
PEERS: tuple[Peer, ...] = (
    Bare(),
    Eyechart(),
    EvalScope(),
    InspectAi(),
    VlmEval(unpacked=True),
    VlmEval(unpacked=False),
    LmmsEval(),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        small: questions of the smaller run.
        large: questions of the larger run.
        killed: questions of the run that is killed.
        rounds: how often all is measured.
        files: the questions by their number.
    """

    small: int
    large: int
    killed: int
    rounds: int
    files: Mapping[int, Path]


def main() -> None:
    """Measures the peers one after the other and prints the table."""
    args = _arguments()
    chosen = [peer for peer in PEERS if not args.only or any(word in peer.name.lower() for word in args.only)]
    rows: list[Row] = []
    heads = [head.format(few=FEW, many=MANY) for head in HEADS]
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed", text="A", latency=LATENCY_S) as url:
        root = Path(folder)
        small, large = args.samples // 3, args.samples
        plan = Plan(small, large, args.killed, args.rounds, _write_files(root, {small, large, args.killed}))
        for number, peer in enumerate(chosen):
            row = _measure(peer, plan, args.envs, root / str(number), url.removesuffix("/chat/completions"))
            rows.append(row)
            print(as_text(heads, cells(rows, killed=plan.killed)[-1:]), end="\n\n", flush=True)
    table = as_markdown(heads, cells(rows, killed=args.killed))
    print(table)
    if args.markdown:
        args.markdown.write_text(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    envs = Path(tempfile.gettempdir()) / "eyechart-peers"
    parser.add_argument("--envs", type=Path, default=envs, help="folder of the peers' environments, kept")
    parser.add_argument("--only", nargs="*", type=str.lower, help="peers whose name has one of these words")
    parser.add_argument(
        "--samples", type=int, default=1500, help="questions of the larger run; the smaller has a third"
    )
    parser.add_argument("--killed", type=int, default=600, help="questions of the run that is killed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args()


def _write_files(root: Path, counts: set[int]) -> dict[int, Path]:
    files = {count: root / f"Pictures{count}.tsv" for count in counts}
    for count, path in files.items():
        write_benchmark(path, count, pictures=photos(count))
    return files


def _measure(peer: Peer, plan: Plan, envs: Path, home: Path, base_url: str) -> Row:
    """All rounds of a peer; what fails ends its measurement, not the others'."""
    row = Row(peer.name, goal=peer.goal)
    try:
        python = peer.install(envs)
        row = replace(row, version=peer.version(python))
        jobs = {
            count: Job(python, base_url, file, count, home / str(count), home / "run", FEW)
            for count, file in plan.files.items()
        }
        for job in jobs.values():
            job.home.mkdir(parents=True)
            peer.prepare(job)
        for _ in range(plan.rounds):
            row = _round(peer, row, jobs, plan)
        killed = [kill(peer, jobs[plan.killed]) for _ in range(plan.rounds)] if peer.resumes else []
        return replace(row, killed=killed)
    except (PeerUnusable, RuntimeError) as error:
        print(f"{peer.name}: {error}")
        return replace(row, skipped=str(error).splitlines()[0])


def _round(peer: Peer, row: Row, jobs: Mapping[int, Job], plan: Plan) -> Row:
    small, large = run(peer, jobs[plan.small]), run(peer, jobs[plan.large])
    many = run(peer, replace(jobs[plan.large], nproc=MANY))
    marginal = (large.cost.cpu_s - small.cost.cpu_s) / (plan.large - plan.small) * 1000
    return replace(
        row,
        cpu_ms=[*row.cpu_ms, marginal],
        few_rate=[*row.few_rate, large.rate],
        many_rate=[*row.many_rate, many.rate],
        peak_bytes=[*row.peak_bytes, many.cost.peak_bytes],
        body_bytes=large.body_bytes,
    )


if __name__ == "__main__":
    main()
