"""eyechart beside other evaluators: CPU for each request, requests a second, memory, and what a kill costs.

Every peer is installed from the registry into an environment of its own, is given the same questions with the same
JPEG files of 86,000 bytes, and is run by its own command, held to one core, against the same server on another core
that answers after 0.2 s (`--latency`). CPU is that of one more question: two numbers of questions are run, and the
difference is divided by theirs, so that start-up does not count. The peers take turns, so that what else the machine
does meets all of them. A peer that cannot be installed or run is skipped, and the reason printed.

    python perf/compare.py [--envs DIR] [--only WORD ...] [--samples 3000] [--rounds 3] [--markdown FILE]
"""

from __future__ import annotations

import argparse
import os
import tempfile
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
class Jobs:
    """What a peer has to do in a round: two numbers of questions, and one more to be killed in the middle of it."""

    small: Job
    large: Job
    killed: Job


def main() -> None:
    """Measures the peers in turn, and prints what is known of each."""
    args = _arguments()
    chosen = [peer for peer in PEERS if not args.only or any(word in peer.name.lower() for word in args.only)]
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed", text="A", latency=args.latency) as url:
        rows: dict[Peer, Row] = {}
        jobs: dict[Peer, Jobs] = {}
        for number, peer in enumerate(chosen):
            home = Path(folder) / str(number)
            rows[peer] = Row(peer.name, goal=peer.goal)
            try:
                rows[peer], jobs[peer] = _ready(peer, rows[peer], args, home, url.removesuffix("/chat/completions"))
            except (PeerUnusable, RuntimeError) as error:
                rows[peer] = _skipped(rows[peer], error)
        for peer in [peer for _ in range(args.rounds) for peer in jobs]:
            if rows[peer].skipped:
                continue
            try:
                rows[peer] = _round(peer, rows[peer], jobs[peer])
            except RuntimeError as error:
                rows[peer] = _skipped(rows[peer], error)
            _show(peer, list(rows.values()), args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    envs = Path(tempfile.gettempdir()) / "eyechart-peers"
    parser.add_argument("--envs", type=Path, default=envs, help="folder of the peers' environments, kept")
    parser.add_argument("--only", nargs="*", type=str.lower, help="peers whose name has one of these words")
    parser.add_argument("--samples", type=int, default=3000, help="questions for the fastest; slow peers get a share")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds that the server takes for an answer")
    parser.add_argument("--killed", type=int, default=300, help="questions of the run that is killed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args()


def _ready(peer: Peer, row: Row, args: argparse.Namespace, home: Path, base_url: str) -> tuple[Row, Jobs]:
    """Installs a peer and gives it its questions."""
    print(f"{peer.name}: getting ready", flush=True)
    python = peer.install(args.envs)
    large = int(args.samples * peer.share)

    def job(kind: str, count: int) -> Job:
        folder = home / kind
        folder.mkdir(parents=True)
        data = home / f"Pictures_{kind}.tsv"
        write_benchmark(data, count, pictures=photos(count))
        made = Job(python, base_url, data, count, folder, home / "run", FEW)
        peer.prepare(made)
        return made

    jobs = Jobs(job("small", large // 3), job("large", large), job("killed", args.killed))
    return replace(row, version=peer.version(python), questions=large), jobs


def _round(peer: Peer, row: Row, jobs: Jobs) -> Row:
    print(f"{peer.name}: running, load average {os.getloadavg()[0]:.1f}", flush=True)
    more = jobs.large.samples - jobs.small.samples
    for nproc in (FEW, MANY):
        small, large = (run(peer, replace(job, nproc=nproc)) for job in (jobs.small, jobs.large))
        cpu_ms = (large.cost.cpu_s - small.cost.cpu_s) / more * 1000
        row = row.with_run(nproc, cpu_ms, large.rate)
        row = replace(row, peak_bytes=[*row.peak_bytes, large.cost.peak_bytes], body_bytes=large.body_bytes)
    return replace(row, killed=[*row.killed, kill(peer, jobs.killed)]) if peer.resumes else row


def _skipped(row: Row, error: Exception) -> Row:
    print(f"{row.name}: {error}", flush=True)
    return replace(row, skipped=str(error).splitlines()[0])


def _show(peer: Peer, rows: list[Row], args: argparse.Namespace) -> None:
    """Prints what is known of a peer by now, and writes the table: a comparison that is stopped leaves what it has."""
    heads = [head.format(few=FEW, many=MANY) for head in HEADS]
    body = cells(rows, FEW, MANY, killed=args.killed)
    print(as_text(heads, [line for line in body if line[0] == peer.name]), end="\n\n", flush=True)
    if args.markdown:
        args.markdown.write_text(as_markdown(heads, body))


if __name__ == "__main__":
    main()
