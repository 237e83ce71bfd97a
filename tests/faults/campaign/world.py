"""What every scenario works with: benchmark files whose answers are known, servers, runs of the engine, invariants."""

from __future__ import annotations

import asyncio
import base64
import csv
import json
import math
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import orjson
from PIL import Image

from eyechart.benchmarks.load import load_benchmark
from eyechart.engine.journal import read_predictions
from eyechart.messages import Text
from eyechart.mockserver import MockServer, MockSettings
from eyechart.mockserver.faults import RIGHT_ANSWER

__all__ = ["Broken", "Ended", "World", "check"]

CHILD = Path(__file__).with_name("child.py")
LONGEST_RUN_S = 240
MEMORY_BACK_MB = 60
"""What a run may leave resident: modules that are imported when they are first needed."""


class Broken(Exception):
    """An invariant does not hold; the text says which, and what is there instead."""


def check(holds: object, what: str) -> None:
    """Raises `Broken` where an invariant does not hold."""
    if not holds:
        raise Broken(what)


@dataclass(slots=True)
class Ended:
    """How a run of the engine ended.

    Attributes:
        code: exit code, negative for a signal.
        state: state of the report, or class of the error.
        error: what the user is told.
        about: what is told at its end (child.py); empty when it was killed.
        late: requests that arrived after it had returned.
        stderr: what stands on standard error.
    """

    code: int
    state: str = ""
    error: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    stderr: str = ""


@dataclass
class World:
    """One scenario's surroundings.

    Attributes:
        folder: everything is in there.
        seed: of everything that is drawn.
        scale: numbers of samples are multiplied by it.
        samples: questions that the scenario had answered.
        requests: requests that arrived.
        faults: faults that were met.
        note: a figure worth telling beside the verdict.
    """

    folder: Path
    shared: Path
    seed: int
    scale: float
    samples: int = 0
    requests: int = 0
    faults: int = 0
    note: str = ""
    servers: list[MockServer] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self.servers:
            self.requests += server.stats.requests
            self.faults += server.stats.faults.total() + server.stats.refused.total()
        await self.stack.aclose()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def draw(self) -> random.Random:
        """Draws that are the same for the same seed."""
        return random.Random(f"{self.seed} {self.folder.name}")

    # -- questions and answers ---------------------------------------------------------------------------------------

    def questions(self, rows: int) -> Path:
        """Returns a benchmark file of about that many rows times `scale`, and counts them."""
        rows = max(48, math.ceil(rows * self.scale))
        self.samples += rows
        path = self.shared / str(rows) / "Tiny.tsv"
        if not path.exists():
            path.parent.mkdir(parents=True)
            _write_benchmark(path, rows)
            (path.parent / "answers.json").write_bytes(orjson.dumps(_answers(path)))
        return path

    async def server(self, data: Path, **settings: Any) -> MockServer:
        """Starts a server that knows the answers; a wrong one would show whose it is."""
        about: dict[str, Any] = {
            "mode": "scripted",
            "text": "LOST",
            "script_file": data.parent / "answers.json",
            "seed": self.seed,
        }
        server = MockServer(MockSettings(**about | settings))
        await self.stack.enter_async_context(server)
        self.servers.append(server)
        return server

    # -- runs --------------------------------------------------------------------------------------------------------

    def task(self, data: Path, url: str | list[str], *, work: str = "work", nproc: int = 16, **fields: Any) -> Any:
        """A task; `model` has fields of its model's entry."""
        about = {"type": "m", "name": "CustomAPIModel", "api_base": url, "key": "EMPTY", "wait": 0.05}
        model = about | fields.pop("model", {})
        config = {"model": [model], "data": [str(data)], "nproc": nproc, "quiet": True, "timeout": 15, **fields}
        return {"work_dir": str(self.folder / work), "eval_config": config}

    async def run(
        self,
        task: Mapping[str, Any],
        harm: Mapping[str, Any] | None = None,
        during: Callable[[asyncio.subprocess.Process], Awaitable[None]] | None = None,
        runs: int = 1,
        *,
        alone: bool = True,
    ) -> Ended:
        """Runs a task in a process of its own.

        Args:
            task: the configuration.
            harm: what is done to it from inside (harm.py).
            during: what is done to it from outside, while it runs.
            runs: how often it is run in the same process, each time in another folder.
            alone: whether all requests are its own.
        """
        spec = json.dumps({"task": task, "harm": harm or {}, "runs": runs})
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, str(CHILD), spec, stdout=pipe, stderr=pipe)
        outside = asyncio.ensure_future(during(process)) if during else None
        try:
            async with asyncio.timeout(LONGEST_RUN_S):
                ended = await self._listen(process)
        except TimeoutError:
            raise Broken(f"the run hangs: it has not ended after {LONGEST_RUN_S} s") from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            if outside is not None:
                outside.cancel()
                await asyncio.gather(outside, return_exceptions=True)
        if outside is not None and not outside.cancelled():
            outside.result()
        if ended.code >= 0:
            check(not alone or ended.late == 0, f"{ended.late} requests arrived after the run had returned")
            self._check_nothing_is_left(ended)
        return ended

    async def _listen(self, process: asyncio.subprocess.Process) -> Ended:
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.ensure_future(process.stderr.read())
        heard: dict[str, Any] = {}
        at_return: int | None = None
        async for line in process.stdout:
            said = json.loads(line)
            if said["event"] == "returned":
                at_return = self._arrived()
            else:
                heard = said
        code = await process.wait()
        stderr = (await errors).decode("utf-8", "replace")
        if code >= 0 and not heard:
            raise Broken(f"the process ended with {code}: {stderr[-1500:]}")
        late = 0 if at_return is None else self._arrived() - at_return
        return Ended(code, heard.get("state", ""), heard.get("error", ""), heard, late, stderr)

    def _arrived(self) -> int:
        return sum(server.stats.requests for server in self.servers)

    @staticmethod
    def _check_nothing_is_left(ended: Ended) -> None:
        about = ended.about
        check(not about["tasks"], f"tasks are left: {about['tasks'][:3]}")
        check(not about["threads"], f"threads are left: {about['threads'][:3]}")
        check(not about["files"], f"files or sockets are left open: {about['files'][:3]}")
        check("Traceback" not in ended.stderr, f"a traceback was printed: {ended.stderr[-1500:]}")
        grown = about["memory"][-1] - about["memory"][0]
        check(len(about["memory"]) > 2 or grown < MEMORY_BACK_MB, f"{grown:.0f} MB of memory are not given back")

    # -- invariants --------------------------------------------------------------------------------------------------

    async def calm(self, data: Path) -> dict[str, Any]:
        """The outcome of an undisturbed run over the same questions."""
        known = data.parent / "calm.json"
        if not known.exists():
            async with World(self.folder / "calm", self.shared, self.seed, self.scale) as world:
                server = await world.server(data)
                ended = await world.run(world.task(data, server.url))
                check((ended.code, ended.state) == (0, "finished"), f"the calm run ended as {ended}")
                world.check_answers(data)
                known.write_text(json.dumps(world.outcome()))
        outcome: dict[str, Any] = json.loads(known.read_text())
        return outcome

    def outcome(self, work: str = "work") -> dict[str, Any]:
        """What must be equal: everything about scores, nothing about times."""
        run = self.run_dir(work)
        check((run / "m" / "Tiny" / "scores.json").exists(), "there are no scores")
        scores = json.loads((run / "m" / "Tiny" / "scores.json").read_text())
        counts = {name: scores["counts"][name] for name in ("total", "ok", "failed", "missing", "unparsed")}
        table = (run / "m" / "m_Tiny_acc.csv").read_text()
        return {key: scores[key] for key in ("table", "metrics", "per_sample")} | {"counts": counts, "csv": table}

    def run_dir(self, work: str = "work") -> Path:
        """The folder of the one run."""
        found = [path.parent for path in (self.folder / work).glob("*/run.json")]
        check(len(found) == 1, f"there are {len(found)} run folders in place of one")
        return found[0]

    def journal(self, work: str = "work") -> Path:
        """The journal of the one run."""
        return self.run_dir(work) / "m" / "Tiny" / "predictions.jsonl"

    def answered(self, work: str = "work") -> Counter[str]:
        """How often each sample has an answer in the journal; a torn last line is none."""
        paths = (self.folder / work).glob("*/m/Tiny/predictions.jsonl")
        return Counter(line.index for path in paths for line in read_predictions(path) if line.failure is None)

    def check_answers(self, data: Path, work: str = "work") -> None:
        """Every answer is there, once, and is that of its own sample."""
        expected = dict(enumerate(orjson.loads((data.parent / "answers.json").read_bytes()).values()))
        seen: Counter[str] = Counter()
        for line in read_predictions(self.journal(work)):
            if line.failure is not None:
                continue
            seen[line.index] += 1
            right = expected[int(line.index)]
            check(line.prediction == right, f"sample {line.index} has {line.prediction!r} in place of {right!r}")
        doubled = [index for index, times in seen.items() if times > 1]
        check(not doubled, f"{len(doubled)} answers stand twice in the journal, first that of {doubled[:1]}")
        lost = len(expected) - len(seen)
        check(not lost, f"{lost} answers are lost")

    async def check_end(self, data: Path, ended: Ended, work: str = "work") -> None:
        """The run has finished as if nothing had happened."""
        check((ended.code, ended.state) == (0, "finished"), f"it ended as {ended.state} ({ended.code}): {ended.error}")
        self.check_answers(data, work)
        check(self.outcome(work) == await self.calm(data), "the table differs from that of an undisturbed run")
        await self.check_quiet()

    async def check_quiet(self) -> None:
        """No request is in any server any more."""
        for server in self.servers:
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    while server.stats.in_flight:  # noqa: ASYNC110 (the server counts, it does not call)
                        await asyncio.sleep(0.01)
            check(not server.stats.in_flight, f"{server.stats.in_flight} requests are left in the server")

    def check_paid(self, extra: int) -> None:
        """No more than so many answers were made a second time, all servers together."""
        answers: Counter[bytes] = Counter()
        for server in self.servers:
            answers.update(server.stats.answers)
        twice = sum(times - 1 for times in answers.values())
        if extra:
            self.note = f"{twice} answers asked for again, at most {extra}"
        check(twice <= extra, f"{twice} answers were asked for a second time; at most {extra} could be lost")

    def check_requests(self, server: MockServer, rows: int, *, hangs: bool = False) -> int:
        """As many requests as questions and failed tries: none is lost, none is sent for nothing.

        Returns:
            With `hangs`, how many more arrived: where the time limit is short, a busy machine may reach it by itself.
        """
        stats = server.stats
        failed = sum(n for kind, n in stats.faults.items() if kind not in RIGHT_ANSWER)
        gone = stats.left - stats.faults["hang"]  # the client's own time limit, on a slow machine
        expected = rows + failed + stats.refused.total() + max(0, gone)
        more = stats.requests - expected
        check(more >= 0 if hangs else more == 0, f"{stats.requests} requests arrived in place of {expected}")
        return more

    def check_attempts(self, server: MockServer) -> None:
        """The journal knows of every request that arrived."""
        known = sum(line.attempts for line in read_predictions(self.journal()))
        arrived = server.stats.requests
        check(known == arrived, f"{arrived} requests arrived, and the journal knows of {known}")


def _write_benchmark(path: Path, rows: int) -> None:
    pictures = []
    for n in range(50):
        buffer = BytesIO()
        Image.new("RGB", (120, 110), (n * 5, 99, 0)).save(buffer, "PNG")
        pictures.append(base64.b64encode(buffer.getvalue()).decode())
    part = path.with_suffix(f".{os.getpid()}")
    with part.open("w", newline="") as file:
        table = csv.writer(file, "excel-tab", lineterminator="\n")
        table.writerow(["index", "question", "A", "B", "C", "D", "answer", "category", "image"])
        for n in range(rows):
            row = [n, f"What is in {n}?", "cat", "dog", "boat", "lamp", "ABCD"[n % 4], f"c{n % 3}", pictures[n % 50]]
            table.writerow(row)
    part.replace(path)


def _answers(path: Path) -> dict[str, str]:
    """The answer to each prompt: a letter, and whose it is. Two of three are right."""
    answers = {}
    benchmark = load_benchmark(str(path))
    for n, sample in enumerate(benchmark.samples()):
        prompt = "\n".join(p.text for said in benchmark.prompt(sample) for p in said.parts if isinstance(p, Text))
        answers[prompt] = f"{'ABCD'[(n + (n % 3 == 0)) % 4]}. This is sample {n}."
    return answers
