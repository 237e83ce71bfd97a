"""Keys are planted wherever a key can stand, and everything that a command wrote is searched for them."""

from __future__ import annotations

import json
import signal
from urllib.parse import quote

import anyio
import pytest
from aiohttp import web
from anyio import to_thread
from serving import serving

pytestmark = pytest.mark.anyio

CANARIES = {
    "model": "canary-m-5f2c9d1e77",
    "judge": "canary-j-81b04ad3c2",
    "query": "canary-q/+9e61f0aa",
    "field": "canary-f-3c7d2205be",
    "nested": "canary-n-d90e4417ab",
    "ambient": "canary-a-62ff0c98d3",
}
VARIABLES = ("EYECHART_API_KEY", "EYECHART_JUDGE_KEY", "OPENAI_API_KEY", "LMDEPLOY_API_KEY")
INPUTS = {"task.yaml", "task.json", "data"}


def task(model_url, judge_url, **fields):
    """A task with a canary in every place that a secret can have."""
    query = f"?api-key={quote(CANARIES['query'], safe='')}&v=1"
    hidden = {"access_token": CANARIES["field"], "extra_body": {"headers": {"Authorization": CANARIES["nested"]}}}
    model = {"name": "CustomAPIModel", "type": "m", "api_base": model_url + query, "key": CANARIES["model"], **hidden}
    judge = {"model": "j", "api_base": judge_url + query, "key": CANARIES["judge"], **hidden}
    plain = {"name": "CustomAPIModel", "type": "n", "api_base": model_url}
    evaluation = {"model": [model, plain], "data": ["Shapes"], "judge": judge, "nproc": 4, "retry": 2}
    return {"work_dir": "outputs", "eval_config": {**evaluation, "patience": 3, **fields}}


@pytest.fixture
def planted(home, monkeypatch):
    """``planted(model_url, judge_url)`` writes the task; every variable for keys holds a canary, too."""
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARIES["ambient"])

    def write(model_url, judge_url, **fields):
        (home / "task.json").write_text(json.dumps(task(model_url, judge_url, **fields)))

    return write


def leaks(home, *texts):
    """Names the canaries in texts and in all files but those that hold them from the start."""
    found = []
    files = [path for path in home.rglob("*") if path.is_file() and path.relative_to(home).parts[0] not in INPUTS]
    seen = {str(path): path.read_bytes() for path in files} | {f"output {n}": t.encode() for n, t in enumerate(texts)}
    for name, canary in CANARIES.items():
        forms = {canary, quote(canary, safe=""), json.dumps(canary)[1:-1]}
        found += [(name, place) for place, content in seen.items() if any(form.encode() in content for form in forms)]
    return found


async def echo(request):
    """All that a request says, its secrets first."""
    body = await request.text()
    sent = json.loads(body) if body else {}
    hidden = {name: sent[name] for name in ("access_token", "headers") if name in sent}
    return f"{request.headers.get('Authorization')} {request.path_qs} {request.query_string} {json.dumps(hidden)}"


async def refuses(request):
    return web.json_response({"error": {"message": await echo(request)}}, status=400)


async def fails(request):
    return web.Response(text=await echo(request), status=500)


async def denies(request):
    return web.json_response({"detail": await echo(request)}, status=401)


async def says_nonsense(request):
    return web.Response(text=await echo(request))


async def answers_with_it(request):
    said = await echo(request)
    message = {"role": "assistant", "content": said, "reasoning": said}
    return web.json_response({"choices": [{"message": message, "finish_reason": said[:64]}]})


async def redirects(request):
    return web.Response(status=308, headers={"Location": f"https://elsewhere.example{request.path_qs}"})


async def test_a_good_run_and_all_that_is_done_with_it(eyechart, mock_server, home, planted):
    server, judge = await mock_server(mode="fixed", text="Well."), await mock_server(mode="fixed", text="A")
    planted(server.url, judge.url)
    done = [await eyechart("eval", "task.json", "--verbose")]
    (manifest,) = home.glob("outputs/*/run.json")
    assert (done[0].code, judge.stats.requests > 0) == (0, True)
    assert server.stats.requests == 24
    run = manifest.parent.relative_to(home)
    done += [await eyechart(verb, run) for verb in ("resume", "score", "report", "judge-audit")]
    done += [await eyechart(verb, "task.json") for verb in ("doctor", "estimate")]
    done.append(await eyechart("eval", "task.json", "--json-progress", "-"))
    assert leaks(home, *(text for each in done for text in (each.out, each.err))) == []
    assert json.loads(manifest.read_text())["secrets"]


@pytest.mark.parametrize("handler", [refuses, fails, denies, says_nonsense, redirects])
async def test_servers_that_echo_all_they_were_sent(handler, eyechart, mock_server, home, planted):
    async with serving(handler) as address:
        url = f"{address}/v1/chat/completions"
        planted(url, url)
        done = [await eyechart("eval", "task.json", "--verbose")]
        server = await mock_server(mode="fixed", text="Well.")
        planted(server.url, url)
        done.append(await eyechart("eval", "task.json"))
        planted(url, url)
        done += [await eyechart("doctor", "task.json"), await eyechart("estimate", "task.json")]
    assert all(each.code for each in done[:2])
    assert leaks(home, *(text for each in done for text in (each.out, each.err))) == []


async def test_a_server_that_answers_with_all_it_was_sent(eyechart, home, planted):
    async with serving(answers_with_it) as address:
        url = f"{address}/v1/chat/completions"
        planted(url, url)
        done = [await eyechart("eval", "task.json", "--verbose")]
        done += [await eyechart("doctor", "task.json"), await eyechart("estimate", "task.json")]
    assert leaks(home, *(text for each in done for text in (each.out, each.err))) == []
    (journal,) = home.glob("outputs/*/m/Shapes/predictions.jsonl")
    assert "Bearer [key]" in journal.read_text()


async def test_an_interrupted_run(process, mock_server, home, planted):
    server = await mock_server(latency=0.4)
    planted(server.url, server.url)
    with process("eval", "task.json") as running:
        with anyio.fail_after(30):
            while server.stats.in_flight < 4:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = await to_thread.run_sync(running.communicate)
    assert running.returncode == 130
    assert leaks(home, out, err) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"nprocs": 1},
        {"nproc": "canary"},
        {"data": ["NoSuchBenchmark"]},
        {"judge_key": CANARIES["judge"]},
        {"limit": -1},
    ],
)
async def test_a_configuration_that_is_refused(fields, eyechart, home, planted):
    planted("http://127.0.0.1:9/v1/chat/completions", "http://127.0.0.1:9/v1", **fields)
    done = await eyechart("eval", "task.json")
    assert done.code == 1
    assert leaks(home, done.out, done.err) == []
