"""The server itself: counting, recording, starting, stopping."""

from __future__ import annotations

import asyncio

import aiohttp
import anyio
import orjson
import pytest

from eyechart.mockserver import MockServer, MockSettings, serve

pytestmark = pytest.mark.anyio


async def test_it_listens_on_this_machine_alone(mock_server):
    server = await mock_server()
    assert server.url == f"http://127.0.0.1:{server.port}/v1/chat/completions"
    assert server.base_url == f"http://127.0.0.1:{server.port}/v1"


async def test_counters(mock_server, ask, session):
    server = await mock_server(faults={"empty": 1.0}, max_faults_per_request=1)
    root = server.base_url.removesuffix("/v1")
    sizes = 0
    for text in ("a", "a", "a", "b"):
        sizes += len(orjson.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}))
        await ask(server, text)
    async with session.get(root + "/stats", params={"questions": "1"}) as response:
        counts = await response.json()
    assert sorted(counts.pop("questions").values()) == [1, 3]
    assert counts == {
        "requests": 4,
        "answered": 2,
        "refused": {},
        "faults": {"empty": 2},
        "left": 0,
        "in_flight": 0,
        "peak_in_flight": 1,
        "bytes_in": sizes,
        "distinct": 2,
        "answered_twice": 1,
    }
    async with session.post(root + "/reset") as response:
        assert (await response.json())["requests"] == 0
    async with session.get(root + "/stats") as response:
        assert (await response.json())["distinct"] == 0


async def test_bodies_are_kept_without_their_pictures_when_asked_for(mock_server, ask, session, pixel):
    server = await mock_server(record=True)
    await ask(server, "Q", pixel * 10, seed=5)
    async with session.get(server.base_url.removesuffix("/v1") + "/requests") as response:
        kept = await response.json()
    assert kept == server.stats.recorded
    assert kept[0]["seed"] == 5
    assert kept[0]["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,sha256:")
    silent = await mock_server()
    await ask(silent, "Q")
    assert silent.stats.recorded == []


async def test_settings_can_change_while_it_runs(mock_server, ask):
    server = await mock_server(mode="fixed", text="before")
    assert (await ask(server)).text == "before"
    server.settings = MockSettings(mode="fixed", text="after")
    assert (await ask(server)).text == "after"


async def test_stopping_ends_hanging_answers_at_once_and_leaves_no_task(session, settled):
    before = asyncio.all_tasks()
    server = MockServer(MockSettings(faults={"hang": 1.0}))
    await server.start()

    async def hang():
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await session.post(server.url, data=b'{"messages":[{}]}')

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(hang)
        await settled(server, 20)
        started = anyio.current_time()
        await server.stop()
        assert anyio.current_time() - started < 1.0
    await anyio.wait_all_tasks_blocked()
    assert server.stats.in_flight == 0
    assert server.stats.left == 20
    assert asyncio.all_tasks() == before
    await server.stop()


async def test_a_stopped_server_refuses_and_a_restarted_one_keeps_its_port_and_counts(ask):
    server = MockServer()
    async with server:
        url = server.url
        await ask(server)
    with pytest.raises(aiohttp.ClientConnectionError):  # refused, or the kept connection is found closed
        await ask(server)
    async with server:
        assert server.url == url
        assert (await ask(server)).status == 200
    assert server.stats.requests == 2


async def test_a_taken_port_is_an_error(mock_server):
    server = await mock_server()
    with pytest.raises(OSError, match="address already in use"):
        async with MockServer(port=server.port):
            pass


async def test_serve_runs_until_cancelled(ask):
    ready = asyncio.get_running_loop().create_future()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, MockSettings(mode="echo"), "127.0.0.1", 0, ready.set_result)
        server = await ready
        assert (await ask(server, "hello")).text == "hello"
        tasks.cancel_scope.cancel()
    with pytest.raises(aiohttp.ClientOSError):
        await ask(server)


async def test_a_client_that_leaves_while_its_answer_is_written_is_counted_and_no_error(
    mock_server, ask, monkeypatch, caplog
):
    server = await mock_server()

    async def broken(self, *_):
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(MockServer, "_answer", broken)
    await ask(server)
    assert server.stats.left == 1
    assert caplog.records == []
