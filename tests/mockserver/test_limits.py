"""Latency, queues, caps and dripping bodies, in virtual time."""

from __future__ import annotations

import anyio
import orjson
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.fixture
def timed(ask):
    """``await timed(server, 10)``: ten different questions at once; statuses and seconds, in order of the answers."""

    async def timed(server, number, **fields):
        answers = []

        async def one(text):
            answer = await ask(server, text, **fields)
            answers.append((answer.status, anyio.current_time() - started, answer))

        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for index in range(number):
                tasks.start_soon(one, f"question {index}")
        return answers

    return timed


async def test_latency_and_time_for_each_token(mock_server, timed):
    server = await mock_server(latency=100.0, token_seconds=2.0, mode="fixed", text="a b c")
    assert [seconds for _, seconds, _ in await timed(server, 3)] == pytest.approx([106.0] * 3)


async def test_jitter_varies_latency_and_is_repeatable(mock_server, timed):
    first = await mock_server(latency=100.0, jitter=50.0, seed=1)
    second = await mock_server(latency=100.0, jitter=50.0, seed=1)
    other = await mock_server(latency=100.0, jitter=50.0, seed=2)
    times = [[seconds for _, seconds, _ in await timed(server, 20)] for server in (first, second, other)]
    assert times[0] == pytest.approx(times[1])
    assert times[0] != pytest.approx(times[2])
    assert 50 < min(times[0]) < 75
    assert 125 < max(times[0]) < 150


async def test_slots_serve_a_few_at_a_time(mock_server, timed):
    server = await mock_server(latency=10.0, slots=2)
    times = [seconds for _, seconds, _ in await timed(server, 6)]
    assert times == pytest.approx([10, 10, 20, 20, 30, 30])
    assert server.stats.peak_in_flight == 6


async def test_the_cap_lets_exactly_so_many_in(mock_server, timed):
    server = await mock_server(latency=10.0, max_in_flight=4, retry_after=3.0)
    answers = await timed(server, 10)
    assert sorted(status for status, _, _ in answers) == [200] * 4 + [429] * 6
    for status, seconds, answer in answers:
        if status == 429:
            assert seconds == pytest.approx(0, abs=0.1)
            assert answer.headers["Retry-After"] == "3"
    assert server.stats.refused == {"in_flight": 6}
    assert [status for status, _, _ in await timed(server, 4)] == [200] * 4


async def test_latency_grows_beyond_the_knee(mock_server, timed):
    server = await mock_server(latency=10.0, knee=4)
    assert max(seconds for _, seconds, _ in await timed(server, 4)) == pytest.approx(10)
    assert max(seconds for _, seconds, _ in await timed(server, 8)) == pytest.approx(20)
    steep = await mock_server(latency=10.0, knee=4, knee_power=2.0)
    assert max(seconds for _, seconds, _ in await timed(steep, 8)) == pytest.approx(40)


async def test_no_minute_sees_more_requests_than_the_rate(mock_server, timed):
    server = await mock_server(rpm=10)
    assert [status for status, _, _ in await timed(server, 6)] == [200] * 6
    await anyio.sleep(40)
    answers = await timed(server, 6)
    assert sorted(status for status, _, _ in answers) == [200] * 4 + [429] * 2
    waits = {answer.headers["Retry-After"] for status, _, answer in answers if status == 429}
    assert waits == {"20"}
    await anyio.sleep(19)
    assert [status for status, _, _ in await timed(server, 1)] == [429]
    await anyio.sleep(1.01)
    assert [status for status, _, _ in await timed(server, 6)] == [200] * 6
    assert server.stats.refused == {"rpm": 3}


async def test_a_dripping_body_takes_its_time_and_holds_the_right_answer(mock_server, session):
    server = await mock_server(
        faults={"slow_body": 1.0}, slow_body_seconds=60.0, latency=10.0, mode="fixed", text="right"
    )
    started = anyio.current_time()
    async with session.post(server.url, data=b'{"messages":[{}]}') as response:
        assert anyio.current_time() - started == pytest.approx(10.0)
        pieces = [(anyio.current_time() - started, piece) async for piece in response.content.iter_any()]
    assert [at for at, _ in pieces] == pytest.approx([10.0 + 3.0 * (step + 1) for step in range(20)])
    assert orjson.loads(b"".join(piece for _, piece in pieces))["choices"][0]["message"]["content"] == "right"
    assert server.stats.answered == 1
