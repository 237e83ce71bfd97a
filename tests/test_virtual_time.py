"""The event loop whose clock jumps."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time

import aiohttp
import anyio
import pytest
from aiohttp import web
from anyio import to_thread

from eyechart.mockserver import MockServer, MockSettings

HALF_AN_HOUR = 1800.0

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def real_seconds():
    started = time.perf_counter()
    return lambda: time.perf_counter() - started


@pytest.mark.anyio
async def test_half_an_hour_of_backoff_takes_milliseconds(real_seconds):
    started = anyio.current_time()
    for seconds in (1.0, 59.0, 600.0, 1140.0):
        await anyio.sleep(seconds)
    assert anyio.current_time() - started == pytest.approx(HALF_AN_HOUR)
    assert real_seconds() < 0.2


@pytest.mark.anyio
async def test_sleepers_wake_in_the_order_of_their_times(real_seconds):
    woken = []

    async def sleeper(seconds):
        await asyncio.sleep(seconds)
        woken.append((seconds, anyio.current_time() - started))

    started = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for seconds in (300.0, 0.001, 7.0, 1e6, 7.0):
            tasks.start_soon(sleeper, seconds)
    assert [seconds for seconds, _ in woken] == [0.001, 7.0, 7.0, 300.0, 1e6]
    assert all(at == pytest.approx(seconds) for seconds, at in woken)
    assert real_seconds() < 0.5


@pytest.mark.anyio
async def test_time_limits_strike_at_their_time():
    started = anyio.current_time()
    with pytest.raises(TimeoutError), anyio.fail_after(3600):
        await anyio.sleep_forever()
    assert anyio.current_time() - started == pytest.approx(3600)
    with anyio.fail_after(3600):
        await anyio.sleep(3599)
    with anyio.move_on_after(5) as scope:
        await asyncio.sleep(6)
    assert scope.cancelled_caught


@pytest.mark.anyio
async def test_time_stands_still_while_code_runs():
    started = anyio.current_time()
    time.sleep(0.02)  # noqa: ASYNC251 - a computation that blocks the loop
    await anyio.lowlevel.checkpoint()
    assert anyio.current_time() == started


@pytest.mark.anyio
@pytest.mark.parametrize("in_thread", [to_thread.run_sync, asyncio.to_thread])
async def test_the_clock_does_not_jump_while_a_thread_works(in_thread):
    started = anyio.current_time()
    with anyio.fail_after(HALF_AN_HOUR):
        assert await in_thread(lambda: time.sleep(0.05) or "done") == "done"
    assert anyio.current_time() - started < 60
    await anyio.sleep(HALF_AN_HOUR)
    assert anyio.current_time() - started >= HALF_AN_HOUR


@pytest.mark.anyio
async def test_a_thread_may_wait_for_a_timer():
    """A clock that stopped while a thread works would hang here."""
    released = threading.Event()

    async def release():
        await anyio.sleep(0.05)
        released.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(release)
        assert await to_thread.run_sync(released.wait, 10)


@pytest.mark.anyio
async def test_a_stretch_of_real_time_can_be_asked_for():
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    with loop.real_time():
        await asyncio.sleep(0.03)
    assert time.perf_counter() - started >= 0.025


@pytest.mark.anyio
async def test_a_server_in_the_loop_answers_before_the_clients_time_limit(real_seconds):
    """Latency below the limit is never taken for a timeout, latency above it always is, for big bodies too."""
    settings = MockSettings(latency=1200.0, mode="fixed", text="x" * 1_000_000)
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 3_000_000}]}).encode()
    async with MockServer(settings) as server, aiohttp.ClientSession() as session:
        for limit, fine in ((1201.0, True), (1199.0, False), (1201.0, True)):
            started = anyio.current_time()
            timeout = aiohttp.ClientTimeout(total=limit)
            if fine:
                async with session.post(server.url, data=io.BytesIO(body), timeout=timeout) as response:
                    assert len(await response.read()) > 1_000_000
                assert anyio.current_time() - started == pytest.approx(1200.0)
            else:
                with pytest.raises(TimeoutError):
                    await session.post(server.url, data=io.BytesIO(body), timeout=timeout)
                assert anyio.current_time() - started == pytest.approx(limit, abs=1.0)
    assert real_seconds() < 5


@pytest.mark.anyio
async def test_many_connections_keep_the_virtual_pace():
    """32 at a time, 10 seconds each: 96 requests take 30 seconds, not one more."""
    bound = anyio.CapacityLimiter(32)

    async def ask(session, url, number):
        async with bound, session.post(url, json={"messages": [{"role": "user", "content": str(number)}]}) as response:
            assert response.status == 200
            await response.read()

    async with MockServer(MockSettings(latency=10.0)) as server, aiohttp.ClientSession() as session:
        started = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for number in range(96):
                tasks.start_soon(ask, session, server.url, number)
        assert anyio.current_time() - started == pytest.approx(30.0)
        assert server.stats.peak_in_flight == 32


@pytest.mark.anyio
async def test_a_peer_that_never_reads_does_not_stop_the_clock():
    """The body overfills the sockets' buffers; the client's time limit must strike all the same."""

    async def deaf(request):
        request.protocol.transport.pause_reading()
        await asyncio.sleep(1e9)

    app = web.Application()
    app.router.add_post("/", deaf)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(TimeoutError):
                await session.post(url, data=io.BytesIO(b"x" * 50_000_000), timeout=aiohttp.ClientTimeout(total=300))
    finally:
        await runner.cleanup()


@pytest.mark.anyio
async def test_bytes_on_their_way_hold_the_clock():
    """The other end takes its time: as long as bytes wait for it, no timer may overtake them."""

    def read_late(listener):
        connection, _ = listener.accept()
        with connection:
            time.sleep(0.05)
            while connection.recv(2**20):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = threading.Thread(target=read_late, args=(listener,))
        reader.start()
        try:
            with socket.create_connection(listener.getsockname()) as sender:
                sender.setblocking(False)
                with anyio.move_on_after(HALF_AN_HOUR) as patience:
                    await asyncio.get_running_loop().sock_sendall(sender, bytes(20_000_000))
            assert not patience.cancelled_caught
        finally:
            reader.join()
