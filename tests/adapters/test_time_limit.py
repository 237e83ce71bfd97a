"""A time limit holds, but not against a process that was asleep."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from eyechart.adapters.openai_chat import Endpoint, OpenAIChat
from eyechart.adapters.payload import ChatOptions
from eyechart.adapters.time_limit import TimeLimit
from eyechart.messages import Message, Text
from eyechart.mockserver import MockServer, MockSettings

pytestmark = pytest.mark.anyio


@pytest.mark.virtual_time
async def test_it_ends_what_takes_longer() -> None:
    started = anyio.current_time()
    with pytest.raises(TimeoutError):
        async with TimeLimit(30.0):
            await anyio.sleep(60.0)
    assert anyio.current_time() - started == pytest.approx(30.0)


@pytest.mark.virtual_time
async def test_what_ends_in_time_is_not_ended_later() -> None:
    started = anyio.current_time()
    async with TimeLimit(30.0):
        await anyio.sleep(29.0)
    await anyio.sleep(60.0)
    assert anyio.current_time() - started == pytest.approx(89.0)


@pytest.mark.virtual_time
async def test_an_error_inside_stays_itself() -> None:
    with pytest.raises(ConnectionResetError):
        async with TimeLimit(30.0):
            raise ConnectionResetError


class SleepyLoop(asyncio.SelectorEventLoop):
    """An event loop whose process is suspended for `asleep` seconds: its clock goes on, and nothing runs."""

    asleep = 0.0

    def time(self) -> float:
        return super().time() + self.asleep


SLEEPY = ("asyncio", {"loop_factory": SleepyLoop})


@pytest.mark.parametrize("anyio_backend", [SLEEPY])
async def test_an_answer_that_came_while_the_process_was_suspended_is_taken(anyio_backend: object) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SleepyLoop)
    answer: asyncio.Future[str] = loop.create_future()
    async with TimeLimit(20.0):
        loop.asleep += 3600.0
        loop.call_later(0.05, answer.set_result, "A")  # it is read in one of the loop's next rounds
        assert await answer == "A"


@pytest.mark.parametrize("anyio_backend", [SLEEPY])
async def test_after_the_second_chance_it_ends(anyio_backend: object) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SleepyLoop)

    async def fall_asleep_for_good() -> None:
        async with TimeLimit(0.1):
            loop.asleep += 3600.0
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await fall_asleep_for_good()


@pytest.mark.parametrize("anyio_backend", [SLEEPY])
async def test_a_request_that_was_answered_during_a_suspension_is_not_paid_for_twice(anyio_backend: object) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SleepyLoop)
    async with MockServer(MockSettings(mode="fixed", text="A", latency=0.1)) as server:
        model = OpenAIChat(Endpoint(server.url, timeout=20.0), ChatOptions("m"))
        asking = asyncio.ensure_future(model.ask(model.encode([Message("user", (Text("hello"),))])))
        while not server.stats.in_flight:  # noqa: ASYNC110 (the server counts, it does not call)
            await anyio.sleep(0.001)
        loop.asleep += 3600.0
        assert (await asking).text == "A"
        await model.aclose()
