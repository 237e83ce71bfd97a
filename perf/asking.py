"""CPU that one sample costs, beside a bare aiohttp client that posts the same bodies.

Both run on one core against the same server process; each is run with two numbers of samples, and the difference is
divided by theirs, so that start-up does not count. The engine reads a TSV, builds prompts, journals and scores; the
bare client has ready bodies in memory and throws the replies away. Beyond 10,000 samples the rows of the file share 500
pictures, each of which is read, checked and sent anew. With `--uvloop` eyechart runs by that event loop, too, which has
to be installed for it.

    python perf/asking.py [--samples 6000] [--small 2000] [--nproc 256] [--rounds 3]
    python perf/asking.py --samples 100000 --small 1000 --rounds 1
    python perf/asking.py --uvloop
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from common import RUN, run_child, server, task, write_benchmark
from scale import write_pictures

MOST_OWN = 10_000

BARE = """
import asyncio, base64, json, sys
import aiohttp

async def main(url, tsv, count, nproc):
    bodies = []
    with open(tsv, "rb") as file:
        next(file)
        for row in file:
            *_, image = row.rstrip(b"\\n").split(b"\\t")
            head = b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"'
            image = b"data:image/jpeg;base64," + image
            tail = b'"}},{"type":"text","text":"What is shown?"}]}],"model":"m","temperature":0,"max_tokens":2048}'
            bodies.append(head + image + tail)
            if len(bodies) == min(count, 500):
                break
    todo = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def worker():
            for n in todo:
                headers = {"Content-Type": "application/json"}
                async with session.post(url, data=bodies[n % len(bodies)], headers=headers) as response:
                    json.loads(await response.read())["choices"][0]["message"]["content"]
        await asyncio.gather(*(worker() for _ in range(nproc)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""

UVLOOP = """
import anyio
run = anyio.run
anyio.run = lambda main, *given: run(main, *given, backend_options={"use_uvloop": True})
"""


def marginal_ms(cpu_small: float, cpu_large: float, samples: int) -> float:
    """Milliseconds of CPU for one more sample."""
    return (cpu_large - cpu_small) / samples * 1000


def main() -> None:
    """Measures and prints one line for each client, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--nproc", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uvloop", action="store_true")
    args = parser.parse_args()
    small, large = args.small, args.samples
    programs = {"eyechart": RUN} | ({"eyechart, uvloop": UVLOOP + RUN} if args.uvloop else {})
    bare: list[float] = []
    engine: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as folder, server(mode="fixed") as url:
        root = Path(folder)
        data = root / "Pictures.tsv"
        (write_benchmark if large <= MOST_OWN else write_pictures)(data, large)
        for n in range(args.rounds):
            costs = [run_child(BARE, [url, str(data), str(count), str(args.nproc)]).cpu_s for count in (small, large)]
            bare.append(marginal_ms(costs[0], costs[1], large - small))
            for name, program in programs.items():
                costs = []
                for count in (small, large):
                    config = task(url, data, root / f"{name}-{n}-{count}", nproc=args.nproc, limit=count)
                    costs.append(run_child(program, [config]).cpu_s)
                engine[name].append(marginal_ms(costs[0], costs[1], large - small))
    middle = statistics.median(bare)
    print(f"bare aiohttp client   {middle:.3f} ms CPU per request   {[round(x, 3) for x in bare]}")
    for name, found in engine.items():
        ratio = statistics.median(found) / middle
        print(f"{name:<21} {statistics.median(found):.3f} ms CPU per sample    {[round(x, 3) for x in found]}")
        print(f"ratio                 {ratio:.2f}   (goal: at most 2.5)")


if __name__ == "__main__":
    main()
