"""Ctrl-C once and twice, on a real process."""

from __future__ import annotations

import signal

import anyio
import pytest
from anyio import to_thread

pytestmark = pytest.mark.anyio


async def in_flight(server, number, answered=0):
    """Waits until so many requests are in the server, and at least so many were answered."""
    with anyio.fail_after(30):
        while server.stats.in_flight < number or server.stats.requests - server.stats.in_flight < answered:  # noqa: ASYNC110
            await anyio.sleep(0.01)


def line(server, *words):
    return (
        "eval",
        "--model",
        "m",
        "--api-base",
        server.url,
        "--data",
        "Shapes",
        "--nproc",
        4,
        "--use-cache",
        "run",
        *words,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_once_waits_for_what_is_in_flight(process, eyechart, mock_server, home, number):
    server = await mock_server(latency=0.5)
    with process(*line(server)) as running:
        await in_flight(server, 4, answered=4)
        running.send_signal(number)
        out, err = await to_thread.run_sync(running.communicate)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "stopping: waiting for 4 requests in flight, Ctrl-C again stops at once" in err
    assert "eyechart: interrupted. To go on: eyechart resume run\n" in err
    assert "8/12" in out
    assert server.stats.requests == 8
    assert (await eyechart("resume", "run")).code == 0
    assert server.stats.requests == 12


async def test_twice_stops_at_once_and_loses_nothing_written(process, eyechart, mock_server, home):
    server = await mock_server(latency=0.2, script={"Shapes": ["A"]}, mode="scripted", faults={})
    with process(*line(server)) as running:
        await in_flight(server, 4, answered=4)
        server.settings = type(server.settings)(latency=60)
        await in_flight(server, 4, answered=8)
        running.send_signal(signal.SIGINT)
        assert "stopping" in await to_thread.run_sync(read_until, running.stderr, "stopping")
        running.send_signal(signal.SIGINT)
        with anyio.fail_after(10):
            _, err = await to_thread.run_sync(running.communicate)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "eyechart: stopped at once; what was answered is safe. To go on: eyechart resume run\n" in err
    server.settings = type(server.settings)()
    asked = server.stats.requests
    assert (await eyechart("resume", "run")).code == 0
    assert server.stats.requests - asked == 4


def read_until(stream, word):
    for text in stream:
        if word in text:
            return text
    return ""


async def test_the_mock_server_ends_with_ctrl_c(process, home):
    with process("mock-server", "--port", 0, "--text", "[none]", "--fault", "hang=0.0") as running:
        said = await to_thread.run_sync(running.stdout.readline)
        assert '"url":"http://127.0.0.1:' in said
        running.send_signal(signal.SIGINT)
        _, err = await to_thread.run_sync(running.communicate)
    assert (running.returncode, err) == (0, "")


async def test_during_a_download_it_stops_at_once(process, home):
    """A mirror that takes the request and says nothing: there is nothing to wait for."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610
    asked = anyio.Event()

    async def take(stream):
        async with stream:
            await stream.receive()
            asked.set()
            await anyio.sleep_forever()

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take)
        words = ("--model", "m", "--api-base", "http://127.0.0.1:9", "--data", "MMStar")
        with process("eval", *words, "--mirror", f"http://127.0.0.1:{port}") as running, anyio.fail_after(30):
            await asked.wait()
            running.send_signal(signal.SIGINT)
            out, err = await to_thread.run_sync(running.communicate)
        tasks.cancel_scope.cancel()
    assert (running.returncode, out) == (130, "")
    assert "eyechart: stopped at once\n" in err
    assert "Traceback" not in err
