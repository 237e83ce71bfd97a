"""The pool with real processes, whose program needs no torch: tests/local_workers.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_workers import FakeWorker

from eyechart.adapters.local.pool import Pool
from eyechart.adapters.local.process import WorkerProcess
from eyechart.adapters.local.settings import LocalSettings
from eyechart.adapters.payload import ChatOptions, encode_chat
from eyechart.errors import BadRequest, ContextOverflow, EndpointUnusable
from eyechart.messages import Message, Text
from eyechart.records import Reply

pytestmark = pytest.mark.anyio

OPTIONS = ChatOptions("m", temperature=None, max_tokens=None, detail=None)


@dataclass
class Asker:
    """Asks a pool, and keeps what it told."""

    pool: Pool
    told: list[str]
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def ask(self, text: str, tokens: int = 0, kind: str = "") -> dict[str, Any]:
        request = encode_chat([Message("user", (Text(text),))], OPTIONS)
        reply = await self.pool.ask(request.chunks, tokens=tokens, kind=kind)
        assert isinstance(reply, Reply)
        said: dict[str, Any] = json.loads(reply.text)
        return said

    def begin(self, *texts: str) -> list[asyncio.Task[dict[str, Any]]]:
        tasks = [asyncio.ensure_future(self.ask(text)) for text in texts]
        self.tasks += tasks
        return tasks

    async def warm(self, workers: int = 1) -> None:
        """Waits until so many workers have loaded their model."""
        await self.ask("warm")
        await until(lambda: [worker.ready for worker in self.pool._workers] == [True] * workers)

    async def ask_all(self, *texts: str) -> list[Any]:
        return await asyncio.gather(*self.begin(*texts), return_exceptions=True)


@contextlib.asynccontextmanager
async def pool_of(
    *,
    batch_size: int = 4,
    patience_s: float = 600,
    tell: Callable[[str], None] | None = None,
    start: Callable[[LocalSettings, str | None], WorkerProcess] = FakeWorker,
    **behaviour: Any,
) -> AsyncIterator[Asker]:
    told: list[str] = []
    settings = LocalSettings("fake", batch_size=batch_size, patience_s=patience_s, processor=behaviour)
    pool = Pool(settings, tell=tell or told.append, start=start)
    asker = Asker(pool, told)
    try:
        yield asker
    finally:
        await pool.aclose()
        await asyncio.gather(*asker.tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for what another process does."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "nothing happened"
        await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked after does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status != "Z"


def open_files() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


# -- dealing ---------------------------------------------------------------------------------------------------------


async def test_every_question_gets_its_own_answer() -> None:
    dice = random.Random(4)
    async with pool_of(batch_size=5, devices=2) as asker:
        await asker.warm(2)
        texts = [f"question {number} " + "x" * dice.randrange(5000) for number in range(150)]
        kinds = [dice.choice(["", "pictures", "videos"]) for _ in texts]
        asked = [asker.ask(text, len(text), kind) for text, kind in zip(texts, kinds, strict=True)]
        answers = await asyncio.gather(*asked)
    assert [answer["text"] for answer in answers] == texts
    assert max(answer["together"] for answer in answers) == 5
    assert {answer["device"] for answer in answers} == {"fake:0", "fake:1"}


async def test_a_reply_tells_tokens_and_how_it_ended() -> None:
    async with pool_of() as asker:
        request = encode_chat([Message("user", (Text("seven77"),))], OPTIONS)
        reply = await asker.pool.ask(request.chunks, tokens=1, kind="")
    assert reply.finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 1)


async def test_nothing_is_started_before_the_first_question() -> None:
    async with pool_of() as asker:
        await asyncio.sleep(0)
        assert asker.pool.about == {"seconds": {}}
    with pytest.raises(EndpointUnusable, match="stopped"):
        await asker.ask("late")


async def test_what_workers_tell_of_themselves() -> None:
    async with pool_of(devices=2) as asker:
        await asker.ask_all(*"abcdefgh")
        about = asker.pool.about
    assert (about["torch"], about["devices"]) == ("none", ["fake:0", "fake:1"])
    assert about["seconds"].keys() == {"waiting", "preparing", "computing"}
    assert asker.told == ["it is a fake"]  # once, not for every worker


async def test_several_workers_share_one_queue_and_none_idles_while_questions_wait(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with pool_of(batch_size=1, devices=3) as asker:
        waiting = asker.begin(*(f"wait {gate} {tmp_path / str(number)}" for number in range(9)))
        await until(lambda: len(list(tmp_path.iterdir())) == 3)  # each worker is at one of them
        gate.touch()
        answers = await asyncio.gather(*waiting)
    assert {answer["device"] for answer in answers} == {"fake:0", "fake:1", "fake:2"}


async def test_a_slow_question_holds_up_one_worker_only(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with pool_of(batch_size=1, devices=2) as asker:
        (slow,) = asker.begin(f"wait {gate} {tmp_path / 'begun'}")
        await until((tmp_path / "begun").exists)
        quick = asker.begin(*map(str, range(20)))
        # All but the one that the busy worker has taken in advance.
        await until(lambda: sum(task.done() for task in quick) >= 19)
        assert not slow.done()
        gate.touch()
        await asyncio.gather(slow, *quick)


async def test_a_question_that_nobody_waits_for_is_not_asked(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with pool_of(batch_size=1) as asker:
        held = asker.begin(f"wait {gate} {tmp_path / 'begun'}", f"wait {gate} {tmp_path / 'next'}")
        await until((tmp_path / "begun").exists)
        (left,) = asker.begin(f"touch x {tmp_path / 'asked'}")
        await asyncio.sleep(0)
        left.cancel()
        gate.touch()
        await asyncio.gather(*held)
        assert (await asker.ask("after"))["text"] == "after"
        assert left.cancelled()
        assert not (tmp_path / "asked").exists()


async def test_who_leaves_a_batch_takes_nobody_along(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with pool_of(batch_size=3) as asker:
        await asker.ask("warm")
        tasks = asker.begin(*(f"wait {gate} {tmp_path / name}" for name in "abc"))
        await until((tmp_path / "a").exists)
        tasks[0].cancel()
        tasks[2].cancel()
        gate.touch()
        assert (await tasks[1])["text"].endswith("/b")
        assert (await asker.ask("after"))["text"] == "after"


async def test_where_memory_runs_out_batches_get_smaller_and_then_larger_again() -> None:
    async with pool_of(batch_size=8, memory=2, tight=3) as asker:
        answers = await asker.ask_all(*map(str, range(200)))
    assert [answer["text"] for answer in answers] == list(map(str, range(200)))
    sizes = [answer["together"] for answer in answers]
    first, last = sizes.index(2), len(sizes) - sizes[::-1].index(8)
    assert first < 16  # the batches that were given out before it was known
    assert sizes[first + 20] in {2, 4}
    assert last == 200


async def test_a_refusal_is_the_question_s_own() -> None:
    async with pool_of() as asker:
        answers = await asker.ask_all("a", "refuse b", "c", "fault d", "e")
    assert [answers[0]["text"], answers[2]["text"], answers[4]["text"]] == ["a", "c", "e"]
    assert isinstance(answers[1], ContextOverflow)
    assert str(answers[1]) == "refused: refuse b"
    assert isinstance(answers[3], BadRequest)
    assert "IndexError: no such thing" in str(answers[3])


async def test_a_model_that_answers_nothing_for_one_reason_is_given_up() -> None:
    async with pool_of() as asker:
        answers = await asker.ask_all(*["fault x"] * 30)
        assert {type(answer) for answer in answers} == {BadRequest, EndpointUnusable}
        with pytest.raises(EndpointUnusable, match="answers nothing, each time for the same reason"):
            await asker.ask("a")


# -- deaths ----------------------------------------------------------------------------------------------------------


async def test_a_worker_that_is_killed_costs_no_question(tmp_path: Path) -> None:
    gate = tmp_path / "open"
    async with pool_of(batch_size=4) as asker:
        pid = (await asker.ask("who"))["pid"]
        tasks = asker.begin(*(f"wait {gate} {tmp_path / str(number)}" for number in range(10)))
        await until(lambda: len(list(tmp_path.iterdir())) > 0)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: len(asker.told) > 1)
        gate.touch()
        answers = await asyncio.gather(*tasks)
    assert [answer["text"].rpartition("/")[2] for answer in answers] == list(map(str, range(10)))
    assert pid not in {answer["pid"] for answer in answers}
    assert asker.told[1].startswith(
        "a worker was ended by SIGKILL (by the system, where memory ran out?); it is started"
    )
    together = [answer["together"] for answer in answers]
    assert together.count(1) >= 5  # what the dead worker had is asked alone,
    assert together.count(4) == 4  # the rest is not


@pytest.mark.parametrize("poison", ["die", "die early", "exit"])
@pytest.mark.parametrize("devices", [1, 2])
async def test_the_question_that_kills_is_found_and_all_others_are_answered(poison: str, devices: int) -> None:
    texts = [f"q{number}" for number in range(24)]
    texts[9] = poison
    async with pool_of(batch_size=4, devices=devices) as asker:
        answers = await asker.ask_all(*texts)
    assert isinstance(answers[9], BadRequest)
    assert "the model's process died over it twice" in str(answers[9])
    if poison == "exit":
        assert "its last words" in str(answers[9])
    others = [answer["text"] for answer in answers if isinstance(answer, dict)]
    assert others == [text for text in texts if text != poison]
    assert len([note for note in asker.told if note.startswith("a worker ")]) == 2


async def test_who_was_beside_the_poison_once_is_not_put_beside_it_again() -> None:
    async with pool_of(batch_size=1) as asker:
        poison, beside = await asker.ask_all("die", "beside")
        assert isinstance(poison, BadRequest)
        assert beside["text"] == "beside"


async def test_one_death_fails_no_question_of_its_batch_but_one() -> None:
    async with pool_of(batch_size=4) as asker:
        answers = await asker.ask_all("a", "die", "b", "c", "d", "e", "f", "die now", "g", "h")
    failed = [number for number, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert failed == [1, 7]
    assert {type(answers[number]) for number in failed} == {BadRequest}


async def test_a_worker_that_dies_at_its_start_ends_all_with_its_last_words() -> None:
    async with pool_of(dies_on="any") as asker:
        answers = await asker.ask_all("a", "b")
        with pytest.raises(EndpointUnusable, match="no such library"):
            await asker.ask("c")
    assert {type(answer) for answer in answers} == {EndpointUnusable}
    assert "the model's process ended with status 1; its last words: …" in str(answers[0])
    assert "no such library: libfake.so" in str(answers[0])


async def test_what_cannot_be_loaded_ends_all_with_what_to_do() -> None:
    async with pool_of(fatal="take another model") as asker:
        answers = await asker.ask_all("a", "b")
        assert [(type(answer), str(answer)) for answer in answers] == [(EndpointUnusable, "take another model")] * 2
        await until(lambda: not asker.pool._workers)


async def test_a_process_that_cannot_be_started_ends_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    async with pool_of() as asker:
        answers = await asyncio.wait_for(asker.ask_all("a", "b"), 20)
    assert {type(answer) for answer in answers} == {EndpointUnusable}
    assert "could not be started" in str(answers[0])


async def test_workers_that_die_over_everything_are_given_up() -> None:
    async with pool_of(batch_size=2) as asker:
        answers = await asker.ask_all(*["die"] * 12)
        assert {type(answer) for answer in answers} == {BadRequest, EndpointUnusable}
        with pytest.raises(EndpointUnusable, match="was ended by SIGKILL"):
            await asker.ask("a")


async def test_a_device_on_which_nothing_starts_is_left_to_itself() -> None:
    async with pool_of(devices=3, dies_on="fake:1", batch_size=1) as asker:
        for number in range(3):
            answers = await asker.ask_all(*(f"{number}" for _ in range(10)))
            assert {answer["device"] for answer in answers} <= {"fake:0", "fake:2"}
            await until(lambda: len(asker.told) > 1)
        assert len(asker.pool._workers) == 2
    assert len(asker.told) == 2
    assert "fake:1" in asker.told[1]
    assert "no such library" in asker.told[1]


class Talkative(FakeWorker):
    """Says something that no worker should."""

    async def listen(self, hear: Callable[[Mapping[str, Any]], None], **how: Any) -> str:
        def say(head: Mapping[str, Any]) -> None:
            hear({"done": 99, "replies": []} if "done" in head else head)

        return await super().listen(say, **how)


async def test_a_worker_that_talks_nonsense_leaves_nobody_waiting() -> None:
    async with pool_of(start=Talkative) as asker:
        answers = await asyncio.wait_for(asker.ask_all("a", "b"), 20)
    assert {type(answer) for answer in answers} == {EndpointUnusable}


@pytest.mark.virtual_time
async def test_a_worker_that_hangs_is_ended_after_patience_and_one_that_has_nothing_to_do_is_not(
    tmp_path: Path,
) -> None:
    loop: Any = asyncio.get_running_loop()
    real = contextlib.ExitStack()
    died = asyncio.Event()

    def tell(note: str) -> None:
        if note.startswith("a worker gave no sign of life"):
            died.set()
        real.enter_context(loop.real_time())  # while another process starts, the clock may not jump

    async with pool_of(patience_s=1800, batch_size=2, tell=tell) as asker:
        real.enter_context(loop.real_time())
        pid = (await asker.ask("warm"))["pid"]
        real.close()
        await asyncio.sleep(50_000)
        real.enter_context(loop.real_time())
        assert (await asker.ask("still there"))["pid"] == pid
        tasks = asker.begin("a", f"hang x {tmp_path / 'first'}", "b")
        await until((tmp_path / "first").exists)
        (tmp_path / "first").unlink()
        real.close()
        before = loop.time()
        await died.wait()
        assert loop.time() - before == pytest.approx(1800, abs=20)
        await until((tmp_path / "first").exists)
        real.close()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0]["text"], answers[2]["text"]] == ["a", "b"]
    assert isinstance(answers[1], BadRequest)
    assert str(answers[1]).endswith("died over it twice: it gave no sign of life for 1800 s and was ended")


# -- the end ---------------------------------------------------------------------------------------------------------


async def test_closing_in_the_middle_leaves_no_process_no_task_and_no_file(tmp_path: Path) -> None:
    files, tasks_before = open_files(), asyncio.all_tasks()
    async with pool_of(batch_size=2, devices=2) as asker:
        pids = {(await asker.ask("who"))["pid"]}
        tasks = asker.begin(*(f"busy x {tmp_path / str(number)}" for number in range(12)))
        await until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids |= {worker.process.pid for worker in asker.pool._workers}
        await asker.pool.aclose()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(answer) for answer in answers} == {EndpointUnusable}
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    assert asyncio.all_tasks() == tasks_before
    assert open_files() <= files


async def test_closing_while_workers_start() -> None:
    before = asyncio.all_tasks()
    for pauses in (0, 1, 2, 5, 20):
        async with pool_of() as asker:
            (task,) = asker.begin("a")
            for _ in range(pauses):
                await asyncio.sleep(0)
            await asker.pool.aclose()
            with pytest.raises(EndpointUnusable):
                await task
        assert asyncio.all_tasks() == before


async def test_closing_twice_and_unused_is_the_same_as_once() -> None:
    before = asyncio.all_tasks()
    async with pool_of() as asker:
        await asker.pool.aclose()
        await asker.pool.aclose()
        with pytest.raises(EndpointUnusable):
            await asker.ask("a")
    assert asker.pool._workers == []
    assert asyncio.all_tasks() == before


class LastWord(WorkerProcess):
    """A worker whose word that it is ready comes when it has been ended."""

    started: list[LastWord]

    def __init__(self, settings: LocalSettings, device: str | None) -> None:
        super().__init__(settings, device)
        self.ended = asyncio.Event()
        self.started.append(self)

    def kill(self) -> None:
        self.ended.set()

    async def listen(self, hear: Callable[[Mapping[str, Any]], None], **how: Any) -> str:
        await self.ended.wait()
        hear({"ready": {"device": "fake:0", "more_devices": ["fake:1"], "notes": ["late"], "about": {}}})
        return "ended"


async def test_closing_starts_no_further_worker() -> None:
    LastWord.started = []
    async with pool_of(start=LastWord) as asker:
        asker.begin("a")
        await asyncio.sleep(0)
    assert len(LastWord.started) == 1
    assert asker.told == []


async def test_what_a_model_started_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    async with pool_of(child=str(note)) as asker:
        await asker.ask("a")
        child = int(note.read_text())
        assert is_alive(child)
        await asyncio.wait_for(asker.pool.aclose(), 20)
    await until(lambda: not is_alive(child))


RUN = """
import asyncio, sys
from local_workers import FakeWorker
from eyechart.adapters.local.pool import Pool
from eyechart.adapters.local.settings import LocalSettings
from eyechart.adapters.payload import ChatOptions, encode_chat
from eyechart.messages import Message, Text

async def run():
    pool = Pool(LocalSettings("fake", processor={"devices": 2}, batch_size=1), tell=lambda note: None, start=FakeWorker)
    bodies = [encode_chat([Message("user", (Text(text),))], ChatOptions("m")).chunks for text in sys.argv[1:]]
    await asyncio.gather(*(pool.ask(body, tokens=1, kind="") for body in bodies))

asyncio.run(run())
"""


@pytest.mark.parametrize("command", ["busy", "wait", "hang"])
async def test_workers_end_with_the_run_even_while_they_compute(command: str, tmp_path: Path) -> None:
    """The run is killed: nobody is left who could end them."""
    texts = [f"{command} {tmp_path / 'never'} {tmp_path / str(number)}" for number in range(4)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, "-c", RUN, *texts], env=environment)  # noqa: ASYNC220
    try:
        await until(lambda: len(list(tmp_path.iterdir())) == 2)
        workers = children_of(run.pid)
        assert len(workers) == 2
    finally:
        run.kill()
        run.wait()
    await until(lambda: not any(map(is_alive, workers)))


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
