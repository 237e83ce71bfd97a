"""What goes over the network: certificates are checked, redirects carry nothing away, bombs stay small."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from anyio import to_thread
from serving import serving
from tls import NEEDS_OPENSSL, certificate

from eyechart.adapters.openai_chat import Endpoint, OpenAIChat
from eyechart.adapters.openai_models import list_models
from eyechart.adapters.payload import ChatOptions
from eyechart.benchmarks.catalog import CatalogEntry
from eyechart.benchmarks.download import pull
from eyechart.errors import DataError, EyechartError, MalformedReply, Transport
from eyechart.messages import Message, Text

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
KEY = "canary-key-47d1b09c"
HELLO = [Message("user", (Text("Hello"),))]
ANSWER = {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]}


async def ask(address: str, **fields: Any) -> str:
    model = OpenAIChat(Endpoint(address, key=KEY, timeout=20, **fields), ChatOptions("m"))
    try:
        return (await model.ask(model.encode(HELLO))).text
    finally:
        await model.aclose()


async def answers(request: web.Request) -> web.Response:
    return web.json_response(ANSWER)


# -- certificates ------------------------------------------------------------------------------------------------------


@NEEDS_OPENSSL
async def test_a_key_is_not_sent_to_whom_nobody_vouches_for(tmp_path: Path) -> None:
    heard: list[web.Request] = []

    async def hears(request: web.Request) -> web.Response:
        heard.append(request)
        return await answers(request)

    async with serving(hears, certificate(tmp_path)[0]) as address:
        with pytest.raises(Transport, match="certificate verify failed"):
            await ask(address)
        with pytest.raises(Transport, match="certificate verify failed"):
            await list_models(Endpoint(address, key=KEY), f"{address}/v1/models")
        assert heard == []
        assert await ask(address, verify=False) == "A"


@NEEDS_OPENSSL
async def test_verify_false_is_told_by_every_run_and_stays_in_its_report(tmp_path: Path) -> None:
    (tmp_path / "Own.tsv").write_text("index\tquestion\tA\tB\tanswer\n1\tWhich?\tcat\tdog\tA\n")
    async with serving(answers, certificate(tmp_path)[0]) as address:
        model = {"name": "CustomAPIModel", "type": "m", "api_base": address, "verify": False}
        judge = {"model": "j", "api_base": address, "verify": False}
        config = {"model": [model], "data": [str(tmp_path / "Own.tsv")], "judge": judge}
        (tmp_path / "task.json").write_text(
            json.dumps({"work_dir": "run", "no_timestamp": True, "eval_config": config})
        )
        for _ in range(2):
            done = await to_thread.run_sync(lambda: command(tmp_path, "eval", "task.json"))
            assert done.returncode == 0
            assert "WARNING: m: verify is false" in done.stderr
            for name in ("report.md", "report.json", "logs/run.log"):
                text = (tmp_path / "run" / name).read_text()
                assert "m: verify is false" in text
                assert "j: verify is false" in text


def command(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "eyechart", *words],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


# -- redirects ---------------------------------------------------------------------------------------------------------


async def test_a_redirect_of_a_model_is_not_followed_and_its_key_not_carried_on() -> None:
    heard: list[web.Request] = []

    async def hears(request: web.Request) -> web.Response:
        heard.append(request)
        return await answers(request)

    async with serving(hears) as elsewhere:

        async def redirects(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": f"{elsewhere}/v1/chat/completions"})

        async with serving(redirects) as address:
            with pytest.raises(EyechartError, match="redirects are not followed"):
                await ask(address)
            assert (await list_models(Endpoint(address, key=KEY), f"{address}/v1/models")).status == 307
    assert heard == []


def texts_below(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def entry(url: str) -> CatalogEntry:
    return CatalogEntry("X", url, None, "image_mcq", "image", False, "never", "")


async def test_a_redirected_download_carries_no_login_to_another_host(tmp_path: Path) -> None:
    heard: list[tuple[str, bool]] = []

    async def gives(request: web.Request) -> web.Response:
        heard.append((request.path, "Authorization" in request.headers))
        return web.Response(body=b"index\tquestion\n1\tq\n")

    async with serving(gives) as elsewhere:

        async def redirects(request: web.Request) -> web.Response:
            heard.append((request.path, "Authorization" in request.headers))
            return web.Response(status=302, headers={"Location": f"{elsewhere}/other.tsv"})

        async with serving(redirects) as address:
            mirror = address.replace("http://", f"http://me:{KEY}@")
            (found,) = await pull(entry("http://h/X.tsv"), tmp_path, mirror=mirror, trust_env=False)
    assert heard == [("/X.tsv", True), ("/other.tsv", False)]
    assert KEY not in repr(found)
    assert KEY not in texts_below(tmp_path)


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/plain,x", "gopher://h/x"])
async def test_a_redirect_leads_to_the_web_or_nowhere(place: str, tmp_path: Path) -> None:
    async def redirects(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": place})

    async with serving(redirects) as address:
        with pytest.raises(DataError, match="cannot download X"):
            await pull(entry(f"{address}/X.tsv"), tmp_path, trust_env=False)
    assert not (tmp_path / "X.tsv").exists()


@NEEDS_OPENSSL
def test_what_is_asked_for_by_https_never_comes_in_the_clear(tmp_path: Path) -> None:
    _, trusted = certificate(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as secure:
        program = tmp_path / "redirects.py"
        program.write_text(_REDIRECTS)
        ports = [str(server.getsockname()[1]) for server in (plain, secure)]
        plain.close()
        secure.close()
        with subprocess.Popen([sys.executable, str(program), *ports, str(tmp_path)], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            mirror = f"https://127.0.0.1:{ports[1]}"
            words = ("data", "pull", "MMStar", "--data-root", str(tmp_path / "data"), "--mirror", mirror)
            done = command(tmp_path, *words, SSL_CERT_FILE=str(trusted))
            server.kill()
    assert done.returncode == 1
    assert "it redirects from https to http, which is not followed" in done.stderr
    assert [path.name for path in (tmp_path / "data").glob("*.tsv")] == []


_REDIRECTS = """
import ssl, sys
from aiohttp import web
plain, secure, folder = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")

async def answer(request):
    if request.secure:
        raise web.HTTPFound(f"http://127.0.0.1:{plain}{request.path}")
    return web.Response(body=b"index\\tquestion\\n")

async def main():
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(plain)).start()
    await web.TCPSite(runner, "127.0.0.1", int(secure), ssl_context=context).start()
    print("ready", flush=True)
    await asyncio.sleep(60)

import asyncio
asyncio.run(main())
"""

# -- bombs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_compressed_bomb_is_let_go_before_it_unfolds(coding: str, status: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    piece = b" " * (1 << 20)
    bomb = b"".join(packer.compress(piece) for _ in range(600)) + packer.flush()

    async def sends(_: web.Request) -> web.Response:
        return web.Response(status=status, body=bomb, headers={"Content-Encoding": coding})

    tracemalloc.start()
    try:
        async with serving(sends) as address:
            with pytest.raises(EyechartError) as caught:
                await ask(address, max_reply_bytes=1 << 20)
            assert (await list_models(Endpoint(address, key=KEY), f"{address}/v1/models")).names == ()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert status == 400 or isinstance(caught.value, MalformedReply)
    assert peak < 200 << 20


# -- listeners ---------------------------------------------------------------------------------------------------------


async def connects(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine")
@pytest.mark.parametrize("words", [["eyechart", "mock-server", "--port", "0"], ["eyechart.mockserver"]])
async def test_who_does_not_say_otherwise_listens_for_this_machine_alone(words: list[str]) -> None:
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE) as server:  # noqa: ASYNC220
        assert server.stdout is not None
        port = urlsplit(json.loads(await to_thread.run_sync(server.stdout.readline))["url"]).port
        assert port is not None
        try:
            assert await connects("127.0.0.1", port)
            assert not await connects("127.0.0.2", port)
        finally:
            server.kill()


def test_nothing_but_the_mock_server_listens() -> None:
    listens = re.compile(r"TCPSite|UnixSite|SockSite|start_server|start_unix_server|create_server|run_app|\.listen\(")
    rooms = (".", "adapters", "benchmarks", "engine", "mockserver", "scoring")
    found = {path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).glob("*.py")
             if listens.search(path.read_text())}  # fmt: skip
    assert found == {"mockserver/server.py"}
