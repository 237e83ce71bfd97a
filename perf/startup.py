"""Seconds from the start of the process to the first request, and those of importing and of --help.

python perf/startup.py [--gb 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import web
from common import JPEG_BYTES, RUN, task, write_benchmark


async def first_request(data: Path, root: Path, **fields: object) -> float:
    """Starts a run against a server of our own and returns seconds until it hears from it."""
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def chat(_: web.Request) -> web.Response:
        if not heard.done():
            heard.set_result(time.perf_counter())
        return web.json_response({"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None  # noqa: SLF001 (the only way to the port)
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # noqa: SLF001
    config = task(f"http://127.0.0.1:{port}", data, root / "out", **fields)
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, config)
    try:
        return await asyncio.wait_for(heard, 60) - started
    finally:
        process.kill()
        await process.wait()
        await runner.cleanup()


def child_seconds(*command: str, rounds: int = 5) -> float:
    """Fastest wall seconds of a command."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=1.0)
    args = parser.parse_args()
    bare = child_seconds("-c", "pass")
    print(f"python itself         {bare:.2f} s")
    print(f"import eyechart       {child_seconds('-c', 'import eyechart'):.2f} s   (goal: 0.3)")
    print(f"eyechart --help       {child_seconds('-m', 'eyechart', '--help'):.2f} s   (goal: 0.3)")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = root / "Pictures.tsv"
        write_benchmark(data, int(args.gb * 1e9 / (JPEG_BYTES * 4 / 3)))
        for protocol in ("eyechart", "vlmeval"):
            seconds = asyncio.run(first_request(data, root / protocol, protocol=protocol))
            print(f"first request         {seconds:.2f} s   {args.gb} GB file, protocol {protocol}   (goal: 2)")


if __name__ == "__main__":
    main()
