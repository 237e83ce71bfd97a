"""What is typed wrongly is answered with one plain sentence and the right exit code."""

from __future__ import annotations

import fcntl
import os

import pytest
from anyio import to_thread

pytestmark = pytest.mark.anyio

NOWHERE = ("--model", "m", "--api-base", "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evl"], "No such command 'evl'. Did you mean 'eval'?"),
        (["eval", "--limt", "3"], "No such option: --limt"),
        (["eval", "--limit", "many"], "Invalid value for '--limit'"),
        (["eval"], "--model and --data missing"),
        (["eval", *NOWHERE], "--data missing"),
        (["eval", "--data", "Shapes"], "--model missing"),
        (["eval", "--model", "m", "--data", "Shapes"], "--api-base: is missing"),
        (["eval", *NOWHERE, "--data", "Shapez"], "--data: unknown benchmark 'Shapez'"),
        (["eval", *NOWHERE, "--data", "SEEDBench_IMGG"], "did you mean SEEDBench_IMG?"),
        (["eval", *NOWHERE, "--data", "absent.tsv"], "--data: there is no file 'absent.tsv'"),
        (["eval", *NOWHERE, "--data", "Shapes", "--nproc", "0"], "--nproc: "),
        (["eval", *NOWHERE, "--data", "Shapes", "--protocol", "vlmevl"], "did you mean vlmeval?"),
        (["eval", *NOWHERE, "--data", "Shapes", "--mode", "some"], "--mode: "),
        (["eval", *NOWHERE, "--data", "Shapes", "--judge", "j"], "--judge: j has no address; set"),
        (
            ["eval", *NOWHERE, "--data", "Shapes", "--judge", "exact"],
            "--judge: given 'exact'; did you mean exact_matching?",
        ),
        (["eval", *NOWHERE, "--data", "Shapes", "--judge-api-base", "http://h"], "--judge: is missing"),
        (["eval", *NOWHERE, "--data", "Shapes", "--judge", "j", "--judge-api-base", "h"], "--judge-api-base: "),
        (["eval", *NOWHERE, "--data", "Shapes", "--judge", "j", "--judge-nproc", "0"], "--judge-nproc: given 0"),
        (["eval", *NOWHERE, "--data", "Shapes", "--set", "nproc"], "--set nproc: expected path=value"),
        (["eval", "absent.yaml"], "absent.yaml: there is no such file"),
        (["eval", "task.yaml", "--model", "m"], "--model and task.yaml both name models"),
        (["resume", "nowhere"], "there is no run in nowhere"),
        (["score", "."], "there is no run in ."),
        (["report", "nowhere"], "there is no run in nowhere"),
        (["report"], "Missing argument"),
        (["data", "where", "ChartQA_TESTT"], "did you mean 'ChartQA_TEST'"),
        (["data", "pull", "Nothing_Like_It_XYZ"], "unknown benchmark"),
        (["mock-server", "--set", "latencie=1"], "unknown setting 'latencie' (did you mean 'latency'?)"),
        (["mock-server", "--fault", "hangs=0.5"], "unknown fault 'hangs' (did you mean 'hang'?)"),
        (["mock-server", "--fail-always", "text"], "expected PATTERN=KIND"),
    ],
)
async def test_usage(eyechart, words, said):
    done = await eyechart(*words)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("eyechart: ")
    assert said in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eval_config: [", "line 1"),
        ("work_dir: a\nwork_dir: b\n", "line 2"),
        ("eval_config: {model: [{type: m, api_base: 'http://h', tempreature: 1}], data: [Shapes]}", "temperature"),
        ("eval_config: {model: [{type: m, api_base: 'http://h'}]}", "eval_config.data"),
        ("", "is empty"),
    ],
)
async def test_a_malformed_file_is_named_with_the_place(eyechart, home, text, said):
    (home / "task.yaml").write_text(text)
    done = await eyechart("eval", "task.yaml")
    assert done.code == 1
    assert done.err.startswith("eyechart: task.yaml")
    assert said in done.err


async def test_a_server_that_is_down(eyechart, home):
    done = await eyechart("eval", *NOWHERE, "--data", "Shapes", "--patience", "0.2")
    assert done.code == 3
    assert "127.0.0.1:9" in done.err
    assert "To go on: eyechart resume outputs/" in done.err


async def test_a_wrong_key(eyechart, mock_server):
    server = await mock_server(api_key="right")
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes", "--key", "wrong")
    assert done.code == 3
    assert "401" in done.err
    assert server.stats.requests < 12


async def test_an_unknown_model(eyechart, mock_server):
    server = await mock_server(model="known")
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes")
    assert done.code == 3
    assert "does not exist" in done.err


async def test_a_missing_column_is_named_with_the_file(eyechart, mock_server, home):
    server = await mock_server()
    (home / "data" / "Broken.tsv").write_text("question\timage\nWhat?\tAAAA\n")
    done = await eyechart("eval", "--model", "m", "--api-base", server.url, "--data", "Broken")
    assert done.code == 1
    assert "Broken.tsv has no column 'index'" in done.err


async def test_a_second_process_on_the_same_run(eyechart, mock_server, home):
    server = await mock_server()
    line = ("eval", "--model", "m", "--api-base", server.url, "--data", "Shapes", "--use-cache", "run")
    assert (await eyechart(*line)).code == 0
    lock = os.open(home / "run" / ".lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = await eyechart(*line)
    finally:
        os.close(lock)
    assert done.code == 1
    assert "is being written by another process" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
async def test_a_read_only_work_dir(eyechart, home):
    (home / "closed").mkdir(mode=0o500)
    done = await eyechart("eval", *NOWHERE, "--data", "Shapes", "--work-dir", "closed")
    assert done.code == 1
    assert "cannot make a run folder in closed" in done.err


async def test_a_work_dir_that_is_a_file(eyechart, home):
    (home / "taken").write_text("")
    done = await eyechart("eval", *NOWHERE, "--data", "Shapes", "--work-dir", "taken")
    assert done.code == 1
    assert "taken" in done.err


async def test_a_port_that_is_taken(process, mock_server):
    server = await mock_server()
    with process("mock-server", "--port", server.port) as running:
        out, err = await to_thread.run_sync(running.communicate)
    assert (running.returncode, out) == (1, "")
    assert err.startswith(f"eyechart: mock server: cannot listen on 127.0.0.1:{server.port}: ")
    assert "Traceback" not in err
