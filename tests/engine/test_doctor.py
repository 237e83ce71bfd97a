"""The doctor names what is wrong, each fault by its own sentence, and says what to do."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_benchmarks import write_tiny
from tls import NEEDS_OPENSSL, certificate

import eyechart.adapters.embedded
import eyechart.benchmarks.digest
from eyechart.benchmarks.catalog import catalog, find_entry
from eyechart.engine.check import Check, exit_code, failure, ok, warning
from eyechart.engine.checks_machine import Machine, check_clock, journal_bytes
from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.doctor import configuration_failures, examine
from eyechart.errors import ConfigError

pytestmark = pytest.mark.anyio

MACHINE = Machine(free_bytes=lambda path: 10**12, open_files=lambda: 1024)
SECRET = "sk-very-secret-0123456789"  # noqa: S105


def picture(n: int = 0) -> str:
    buffer = BytesIO()
    Image.new("RGB", (40, 30), (n % 256, 80, 160)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(path: Path, rows: int = 6, *, images: dict[int, str] | None = None, drop: str | None = None) -> Path:
    columns = [c for c in ("index", "question", "A", "B", "answer", "image") if c != drop]
    lines = ["\t".join(columns)]
    for n in range(rows):
        cells = {"index": n, "question": f"What is in {n}?", "A": "cat", "B": "dog", "answer": "A"}
        cells["image"] = (images or {}).get(n, picture(n))
        lines.append("\t".join(str(cells[c]) for c in columns))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Any]:
    """Resolves a task over a small file in `tmp_path`; keywords are fields of eval_config, `model` those of the model."""

    def build(address: str, *, model: dict[str, Any] | None = None, **fields: Any) -> Any:
        fields.setdefault("data", [str(write(tmp_path / "Shapes.tsv"))])
        entry = {"type": "mock", "name": "CustomAPIModel", "api_base": address, **(model or {})}
        entry = {name: value for name, value in entry.items() if value is not None}
        config = {"model": [entry], "data_root": str(tmp_path), **fields}
        (task,) = load_tasks({"work_dir": str(tmp_path / "outputs"), "eval_config": config})
        return resolve(task, read_environment({}))

    return build


async def look(plan: Any, machine: Machine = MACHINE, timeout_s: float = 5.0) -> tuple[Check, ...]:
    return await examine([plan], machine=machine, timeout_s=timeout_s)


def failures(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.status == "failure"]


def bad(checks: tuple[Check, ...]) -> list[Check]:
    return [check for check in checks if check.status != "ok"]


def the_one(checks: list[Check]) -> Check:
    assert len(checks) == 1, checks
    return checks[0]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


# -- all is well -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "transformers", "swift"])
async def test_nothing_is_wrong(mock_server, plan, tmp_path, dialect) -> None:
    server = await mock_server(dialect=dialect)
    checks = await look(plan(server.base_url))
    assert bad(checks) == []
    assert exit_code(checks) == 0
    assert {check.area for check in checks} == {"configuration", "judge", "data", "disk", "system", "endpoint"}
    assert server.stats.requests == 2
    assert not (tmp_path / "outputs").exists(), "nothing stays behind"
    said = " ".join(check.found for check in checks)
    for fact in ("6 rows to ask", "40 x 30 pixels", "takes pictures", "of them the picture", "agrees with"):
        assert fact in said


async def test_every_finding_is_told_as_it_is_made(mock_server, plan) -> None:
    server = await mock_server()
    told: list[Check] = []
    checks = await examine([plan(server.base_url)] * 2, machine=MACHINE, tell=told.append)
    assert tuple(told) == checks
    assert server.stats.requests == 2, "tasks that share a model share its checks"


async def test_a_run_that_only_scores_asks_nobody(plan) -> None:
    checks = await look(plan("http://127.0.0.1:9", mode="eval"))
    assert bad(checks) == []
    assert "endpoint" not in {check.area for check in checks}


# -- endpoints ---------------------------------------------------------------------------------------------------------


async def test_server_down(plan) -> None:
    port = free_port()
    found = the_one(bad(await look(plan(f"http://127.0.0.1:{port}/v1"))))
    assert (found.area, found.status, exit_code([found])) == ("endpoint", "failure", 3)
    assert found.found == f"connection refused at 127.0.0.1 port {port}: nothing listens there"
    assert found.remedy.startswith("start the server, or correct host and port in api_base")


async def test_a_name_that_does_not_resolve(plan) -> None:
    found = the_one(bad(await look(plan("http://no-such-host.invalid/v1"))))
    assert found.found.startswith("the name no-such-host.invalid cannot be resolved (DNS)")
    assert exit_code([found]) == 3


async def test_tls_with_a_server_without_it(mock_server, plan) -> None:
    server = await mock_server()
    found = the_one(bad(await look(plan(server.base_url.replace("http:", "https:")))))
    assert "TLS with 127.0.0.1 failed: the server speaks plain HTTP" in found.found
    assert found.remedy == "begin api_base with http://"


@pytest.fixture
async def tls_server(tmp_path, anyio_backend) -> AsyncIterator[Callable[..., Any]]:
    """``port, certificate = await tls_server(days)``: a server that agrees on TLS and says nothing."""
    async with AsyncExitStack() as stack:

        async def start(days: int) -> tuple[int, Path]:
            context, signed = certificate(tmp_path, days)
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
            await stack.enter_async_context(server)
            return server.sockets[0].getsockname()[1], signed

        yield start


@NEEDS_OPENSSL
async def test_a_certificate_that_nobody_signed(plan, tls_server) -> None:
    port, _ = await tls_server(30)
    found = the_one(bad(await look(plan(f"https://127.0.0.1:{port}/v1"))))
    assert found.found.startswith("the certificate of 127.0.0.1 is not accepted (TLS): self")
    assert "SSL_CERT_FILE" in found.remedy


@NEEDS_OPENSSL
async def test_a_certificate_that_nobody_checks(plan, tls_server) -> None:
    port, _ = await tls_server(30)
    checks = await look(plan(f"https://127.0.0.1:{port}/v1", model={"verify": False}))
    (found,) = [check for check in checks if "TLS agreed" in check.found]
    assert (found.status, found.found.partition(") ")[2]) == ("warning", "with whoever answers: verify is false")


@NEEDS_OPENSSL
@pytest.mark.parametrize(("days", "status"), [(30, "ok"), (3, "warning")])
async def test_a_certificate_that_runs_out(plan, tls_server, monkeypatch, days, status) -> None:
    port, certificate = await tls_server(days)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    checks = await look(plan(f"https://127.0.0.1:{port}/v1"))
    (found,) = [check for check in checks if "TLS agreed" in check.found]
    assert found.status == status
    assert f"good for {days} days" in found.found


async def test_wrong_path(mock_server, plan) -> None:
    server = await mock_server()
    base = server.base_url.removesuffix("/v1")
    found = the_one(bad(await look(plan(f"{base}/openai/v2"))))
    assert found.found.startswith(
        "the path /openai/v2/chat/completions is wrong, the server has nothing there: HTTP 404"
    )
    assert found.remedy == f"the API is at {base}/v1: set api_base to it"
    assert exit_code([found]) == 3


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "swift"])
@pytest.mark.parametrize("given", [SECRET, None])
async def test_wrong_key(mock_server, plan, dialect, given) -> None:
    server = await mock_server(api_key="right", dialect=dialect)
    checks = await look(plan(server.base_url, model={"key": given} if given else {}))
    found = the_one(bad(checks))
    assert found.found.startswith("the key is refused: HTTP 40")
    assert found.remedy.startswith("another key is needed" if given else "no key was given")
    assert "EYECHART_API_KEY" in found.remedy
    assert exit_code(checks) == 3
    assert SECRET[:8] not in repr(checks)


@pytest.mark.parametrize("dialect", ["vllm", "transformers", "swift"])
async def test_unknown_model(mock_server, plan, dialect) -> None:
    server = await mock_server(model="qwen-vl", dialect=dialect)
    checks = await look(plan(server.base_url, model={"type": "qwen-lv"}))
    found = the_one(bad(checks))
    assert found.found.startswith("the server knows no model 'qwen-lv': HTTP 40")
    names = "" if dialect == "transformers" else "one of: 'qwen-vl'"
    assert found.remedy.startswith(f"set type (--model) to {names}")
    assert exit_code(checks) == 3


async def test_a_server_that_answers_under_any_name(mock_server, plan) -> None:
    server = await mock_server(model="qwen-vl", dialect="llamacpp")
    found = the_one(bad(await look(plan(server.base_url))))
    assert found.status == "warning"
    assert found.found.startswith("the server lists 'qwen-vl', not 'mock'")


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "transformers", "swift"])
async def test_text_only_model(mock_server, plan, dialect) -> None:
    server = await mock_server(text_only=True, dialect=dialect)
    checks = await look(plan(server.base_url))
    found = the_one(bad(checks))
    assert found.found.startswith("answers text and refuses a picture: HTTP ")
    assert "It is a text-only model" in found.found
    assert found.remedy.startswith("serve a vision-language model")
    assert exit_code(checks) == 3


async def test_text_only_model_is_enough_where_nothing_is_shown(mock_server, plan, tmp_path) -> None:
    server = await mock_server(text_only=True)
    found = the_one(bad(await look(plan(server.base_url, data=[str(write(tmp_path / "Words.tsv", drop="image"))]))))
    assert found.status == "warning"


async def test_a_server_that_drops_pictures_without_a_word(plan, serve_replies) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 1}
    url = await serve_replies(200, {"choices": [{"message": {"content": "Blue"}}], "usage": usage})
    found = the_one(bad(await look(plan(url))))
    assert found.status == "warning"
    assert found.found.startswith("the picture seems to be left out: the prompt counts 12 tokens with it and 12")


async def test_no_usage(plan, serve_replies) -> None:
    url = await serve_replies(200, {"choices": [{"message": {"content": "Red"}}]})
    found = the_one(bad(await look(plan(url))))
    assert found.found.startswith("replies hold no token counts")


async def test_a_web_page_is_no_endpoint(mock_server, plan) -> None:
    server = await mock_server(faults={"html_page": 1.0})
    found = the_one(bad(await look(plan(server.base_url))))
    assert found.found.startswith("what answers is no chat completions endpoint")


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("hang", "failure", "no answer in time"),
        ("unavailable", "warning", "takes no request just now"),
        ("rate_limit", "warning", "takes no request just now"),
        ("empty", "failure", "answers without any text"),
        ("server_error", "failure", "fails, with and without a picture"),
        ("reset", "failure", "the connection works, a request does not"),
    ],
)
async def test_a_server_in_trouble(mock_server, plan, fault, status, said) -> None:
    server = await mock_server(faults={fault: 1.0})
    checks = await look(plan(server.base_url), timeout_s=0.3)
    found = [check for check in bad(checks) if said in check.found]
    assert [check.status for check in found] == [status]
    assert server.stats.requests <= 2


async def test_thinking_that_leaves_no_room_for_an_answer(plan, serve_replies) -> None:
    usage = {"prompt_tokens": 300}
    choice = {"message": {"content": None, "reasoning": "Hm"}, "finish_reason": "length"}
    url = await serve_replies(200, {"choices": [choice], "usage": usage})
    said = [check.found for check in bad(await look(plan(url)))]
    assert said[0].startswith("no answer text within 64 tokens")


async def test_max_tokens_beyond_the_context(mock_server, plan) -> None:
    server = await mock_server(max_context=2048)
    found = the_one(bad(await look(plan(server.base_url))))
    assert found.found == "max_tokens 2048 leaves no room for a prompt in the model's context of 2048 tokens"


def with_urls(plan: Any, *urls: str) -> Any:
    return replace(plan, models=(replace(plan.models[0], url=urls[0], urls=urls),))


async def test_each_replica_is_looked_at_and_a_dead_one_is_a_warning(mock_server, plan) -> None:
    server = await mock_server()
    dead = f"http://127.0.0.1:{free_port()}/v1"
    checks = await look(with_urls(plan(server.url), server.url, f"{dead}/chat/completions"))
    found = the_one(bad(checks))
    assert found.status == "warning"
    assert found.subject == f"mock at {dead.removeprefix('http://').removesuffix('/v1')}"
    assert found.found.startswith("connection refused")
    urls = [f"{dead}/chat/completions", f"{dead}/chat/completions".replace("127.0.0.1", "localhost")]
    both = await look(with_urls(plan(dead), *urls))
    assert [check.status for check in bad(both)] == ["failure", "failure"]
    assert exit_code(both) == 3


async def test_an_embedded_model(plan, monkeypatch) -> None:
    made = plan("http://h", model={"name": "EyechartReader", "type": "EyechartReader", "api_base": None})
    monkeypatch.setattr(eyechart.adapters.embedded, "find_spec", lambda name: None)
    found = the_one(bad(await look(made)))
    assert "not installed here: pip install 'eyechart[demo]'" in found.found
    assert exit_code([found]) == 3
    monkeypatch.setattr(eyechart.adapters.embedded, "find_spec", lambda name: name)
    assert bad(await look(made)) == []


# -- data --------------------------------------------------------------------------------------------------------------


async def test_missing_file_that_cannot_be_fetched(mock_server, plan) -> None:
    server = await mock_server()
    mirror = f"http://127.0.0.1:{free_port()}/files"
    checks = await look(plan(server.base_url, data=["MMStar"], mirror=mirror))
    found = the_one(bad(checks))
    assert (found.area, found.subject, found.status) == ("data", "MMStar", "failure")
    assert "MMStar.tsv is missing, and 127.0.0.1 does not give it" in found.found
    assert found.remedy.startswith("eyechart data pull MMStar")
    assert exit_code(checks) == 1


async def test_missing_file_that_the_run_fetches(mock_server, plan, serve_replies) -> None:
    server = await mock_server()
    mirror = await serve_replies(200, {"any": "body"})
    found = the_one(bad(await look(plan(server.base_url, data=["MMStar"], mirror=mirror))))
    assert found.status == "warning"
    assert "MMStar.tsv is missing; the run downloads it first (127.0.0.1, 15 B)" in found.found


async def test_a_file_that_vanished_after_the_configuration_was_read(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    made = plan(server.base_url)
    (tmp_path / "Shapes.tsv").unlink()
    found = the_one(bad(await look(made)))
    assert "Shapes.tsv" in found.found
    assert exit_code([found]) == 1


async def test_wrong_md5(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    path = write(tmp_path / "MMStar.tsv")
    found = the_one(bad(await look(plan(server.base_url, data=["MMStar"]))))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    assert found.status == "warning"
    assert found.found.endswith(f"is not the published file: its MD5 is {md5}, expected {find_entry('MMStar').md5}")
    assert "eyechart data pull MMStar" in found.remedy


async def test_right_md5(mock_server, plan, tmp_path, monkeypatch) -> None:
    server = await mock_server()
    path = write(tmp_path / "MMStar.tsv")
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    known = {**catalog(), "MMStar": replace(find_entry("MMStar"), md5=md5)}
    monkeypatch.setattr(eyechart.benchmarks.digest, "catalog", lambda: known)
    checks = await look(plan(server.base_url, data=["MMStar"]))
    assert bad(checks) == []
    assert "MD5 as published" in " ".join(check.found for check in checks)


@pytest.mark.parametrize("column", ["index", "question"])
async def test_missing_column(mock_server, plan, tmp_path, column) -> None:
    server = await mock_server()
    path = write(tmp_path / "Broken.tsv", drop=column)
    checks = await look(plan(server.base_url, data=[str(path)]))
    found = the_one(bad(checks))
    assert found.found.startswith(f"{path} has no column {column!r}")
    assert exit_code(checks) == 1


async def test_no_answers_to_score_with(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    data = [str(write(tmp_path / "Broken.tsv", drop="answer"))]
    found = the_one(bad(await look(plan(server.base_url, data=data))))
    assert "has no column 'answer': nothing can be scored" in found.found
    assert bad(await look(plan(server.base_url, data=data, mode="infer"))) == []


async def test_answers_that_are_not_public(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    write_tiny("MMMU_TEST", tmp_path)
    checks = await look(plan(server.base_url, data=["MMMU_TEST"]))
    assert failures(checks) == []
    assert "are not public: nothing can be scored here; the run writes the file" in " ".join(c.found for c in checks)


async def test_every_part_of_a_joined_benchmark_is_looked_at(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    write_tiny("MMMB", tmp_path)
    (tmp_path / "MMMB_tr.tsv").unlink()
    made = plan(server.base_url, data=["MMMB"], mirror="http://127.0.0.1:1")
    found = [check for check in await look(made) if check.area == "data" and check.status != "ok"]
    assert [check.status for check in found] == ["warning"] * 5 + ["failure"], "five other files, and one missing"
    assert "MMMB_tr.tsv is missing" in found[-1].found


async def test_a_row_that_breaks_off_in_the_middle(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    path = write(tmp_path / "Broken.tsv")
    with path.open("a") as file:
        file.write(f"5\tAgain?\tcat\tdog\tA\t{picture()}\n")
    found = the_one(bad(await look(plan(server.base_url, data=[str(path)]))))
    assert "has the index '5' of data row 6 again" in found.found


CUT_SHORT = base64.b64encode(base64.b64decode(picture())[:60]).decode()


@pytest.mark.parametrize(
    "content", ["not base64 at all, but long enough to be taken for a picture's text, is it not?", CUT_SHORT]
)
async def test_corrupt_first_picture(mock_server, plan, tmp_path, content) -> None:
    server = await mock_server()
    path = write(tmp_path / "Broken.tsv", images={0: content})
    found = the_one(bad(await look(plan(server.base_url, data=[str(path)]))))
    assert found.status == "warning", "the other samples are none the worse for it"
    assert found.found.startswith("1 of the 4 rows looked at cannot be asked: row 0: picture 0.png: ")


async def test_a_picture_whose_end_is_there_and_whose_middle_is_not(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    raw = bytearray(base64.b64decode(picture()))
    middle = raw.index(b"IDAT") + 6
    raw[middle : middle + 8] = bytes(8)
    path = write(tmp_path / "Broken.tsv", images={0: base64.b64encode(raw).decode()})
    found = the_one(bad(await look(plan(server.base_url, data=[str(path)]))))
    assert "row 0: picture 0.png: " in found.found


async def test_pages_of_documents_are_rendered(mock_server, plan, tmp_path) -> None:
    write_tiny("DUDE", tmp_path)
    server = await mock_server()
    checks = await look(plan(server.base_url, data=["DUDE"], mode="infer"))
    said = " ".join(check.found for check in checks if check.area == "data")
    assert "the first shows doc1_0.jpg (image/png, 120 x 80 pixels" in said
    table = (tmp_path / "DUDE.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "DUDE.tsv").write_text("".join([*table[:2], table[2].replace("JVBERi0xLjQ", "JVBERi0x"), *table[3:]]))
    checks = await look(plan(server.base_url, data=["DUDE"], mode="infer"))
    said = " ".join(check.found for check in bad(checks))
    assert "row 1: document doc2 (DUDE.tsv, row 1): its base64 text is cut short" in said


async def test_no_picture_can_be_read(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    path = write(tmp_path / "Broken.tsv", rows=3, images=dict.fromkeys(range(3), CUT_SHORT))
    checks = await look(plan(server.base_url, data=[str(path)]))
    assert the_one(failures(checks)).found.startswith("3 of the 3 rows looked at cannot be asked")
    assert exit_code(checks) == 1


# -- this machine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("free", "status"), [(900_000, "failure"), (1_020_000, "warning"), (10**9, "ok")])
async def test_full_disk(mock_server, plan, free, status) -> None:
    server = await mock_server()
    checks = await look(plan(server.base_url), replace(MACHINE, free_bytes=lambda path: free))
    found = next(check for check in checks if "the run writes about" in check.found)
    assert found.status == status
    assert exit_code(checks) == (1 if status == "failure" else 0)


async def test_the_guess_grows_with_rows_models_and_answers(plan) -> None:
    short, long = (plan("http://h", model={"max_tokens": n}) for n in (16, 4096))
    assert journal_bytes(short, 100)[0] < journal_bytes(short, 10_000)[0]
    assert journal_bytes(short, 100)[1] < journal_bytes(long, 100)[1]


async def test_a_file_in_the_place_of_work_dir(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    made = plan(server.base_url)
    (tmp_path / "outputs").write_text("")
    checks = await look(made)
    assert the_one(failures(checks)).found.endswith("outputs is a file")
    assert exit_code(checks) == 1


async def test_read_only_work_dir(mock_server, plan, tmp_path) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(folder))

    server = await mock_server()
    checks = await look(plan(server.base_url), replace(MACHINE, try_write=refuse))
    found = the_one(failures(checks))
    assert found.found == f"results cannot be written: Read-only file system ({tmp_path})"
    assert "--work-dir" in found.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
async def test_closed_work_dir(mock_server, plan, tmp_path) -> None:
    server = await mock_server()
    (tmp_path / "outputs").mkdir(mode=0o500)
    assert "results cannot be written" in the_one(failures(await look(plan(server.base_url)))).found


async def test_too_few_open_files(mock_server, plan) -> None:
    server = await mock_server()
    made = plan(server.base_url, nproc=1000)
    checks = await look(made)
    found = the_one(failures(checks))
    assert found.found == "1000 requests in flight need 1066 open files, and only 1024 may be open"
    assert found.remedy == "in the shell that starts the run: ulimit -n 1066; or an nproc that adds up to 958 at most"
    fits = await look(plan(server.base_url, nproc=958))
    assert bad(fits) == []


def test_clock() -> None:
    assert check_clock("host", 1000.0, 1010.0).status == "ok"
    late, early = check_clock("host", 1000.0, 700.0), check_clock("host", 1000.0, 200_000.0)
    assert (late.status, late.found) == ("warning", "is 300 s behind that of host")
    assert early.found == "is 2.3 days ahead of that of host"
    assert check_clock("host", None, 0.0).status == "ok"


async def test_a_clock_that_is_off(mock_server, plan) -> None:
    server = await mock_server()
    found = the_one(bad(await look(plan(server.base_url), replace(MACHINE, now=lambda: 1_000_000_000.0))))
    assert (found.subject, found.status) == ("clock", "warning")
    assert "behind that of 127.0.0.1" in found.found


# -- judges ------------------------------------------------------------------------------------------------------------


async def look_at_judge(plan, address: str, **judge: Any) -> list[Check]:
    """What is found of the judge alone: a run that only scores asks no model."""
    fields = {"name": "j", "model": "mock", "api_base": address, **judge}
    checks = await look(plan("http://127.0.0.1:9/v1", mode="eval", judge=fields))
    assert {check.subject for check in checks if check.area == "judge"} == {"j"}
    assert "endpoint" not in {check.area for check in checks}
    return [check for check in checks if check.area == "judge"]


async def test_nothing_is_wrong_with_the_judge(mock_server, plan) -> None:
    server = await mock_server(record=True)
    checks = await look_at_judge(plan, server.base_url, seed=7)
    assert [check.status for check in checks] == ["ok", "ok", "ok"]
    assert checks[-1].found.startswith("answers: said '")
    (request,) = server.stats.recorded
    assert request["seed"] == 7
    assert request["max_tokens"] == 64
    (message,) = request["messages"]
    assert isinstance(message["content"], str), "a judge is shown no picture"


async def test_a_judge_that_is_down(plan) -> None:
    port = free_port()
    found = the_one(await look_at_judge(plan, f"http://127.0.0.1:{port}/v1"))
    assert (found.subject, found.status, exit_code([found])) == ("j", "failure", 3)
    assert found.found.startswith("connection refused")


async def test_remedies_name_the_fields_of_the_judge(mock_server, plan) -> None:
    server = await mock_server(api_key="right")
    found = the_one([c for c in await look_at_judge(plan, server.base_url, key="sk-wrong") if c.status != "ok"])
    assert found.found.startswith("the key is refused")
    assert found.remedy == (
        "another key is needed: put it into the environment variable EYECHART_JUDGE_KEY, or into the judge's field key"
    )
    assert "sk-wrong" not in str(found)
    assert bad(tuple(await look_at_judge(plan, server.base_url, key="right"))) == []
    server = await mock_server(model="known")
    found = the_one([c for c in await look_at_judge(plan, server.base_url) if c.status != "ok"])
    assert found.remedy == "set the judge's model (--judge) to one of: 'known'"
    wrong = server.base_url.replace("/v1", "/api/v1")
    found = the_one([c for c in await look_at_judge(plan, wrong) if c.status != "ok"])
    assert "set the judge's address (--judge-api-base) to it" in found.remedy


async def test_a_judge_that_counts_no_tokens_but_has_to_keep_tpm(plan, serve_replies) -> None:
    url = await serve_replies(200, {"choices": [{"message": {"content": "Yes"}}]})
    assert bad(tuple(await look_at_judge(plan, url))) == []
    found = the_one(bad(tuple(await look_at_judge(plan, url, tpm=1000))))
    assert (found.status, found.found) == ("warning", "replies hold no token counts (usage): tpm cannot be kept")


async def test_a_judge_that_thinks_first(plan, serve_replies) -> None:
    choice = {"message": {"content": "", "reasoning_content": "Well, "}, "finish_reason": "length"}
    url = await serve_replies(200, {"choices": [choice]})
    found = the_one(bad(tuple(await look_at_judge(plan, url))))
    assert (found.area, found.status) == ("judge", "warning")
    assert found.found == "no answer text within 64 tokens; the model may think first"


async def test_a_model_that_judges_is_looked_at_in_both_roles(mock_server, plan) -> None:
    server = await mock_server()
    judges = [
        {"model": "mock", "api_base": server.base_url},
        {"name": "b", "model": "mock", "api_base": server.base_url},
    ]
    checks = await examine([plan(server.base_url, judge=judges)] * 2, machine=MACHINE)
    assert bad(checks) == []
    assert server.stats.requests == 4, "two of the model, one of each judge; the second task shares them"
    subjects = {area: {check.subject for check in checks if check.area == area} for area in ("endpoint", "judge")}
    assert subjects == {"endpoint": {"mock"}, "judge": {"mock", "b"}}
    assert checks[0].found.endswith("; judges: mock, b")
    assert not [check for check in checks if "scored by exact rules" in check.found]


async def test_open_files_count_the_judge(plan) -> None:
    few = replace(MACHINE, open_files=lambda: 100)
    judge = {"model": "j", "api_base": "http://127.0.0.1:9", "nproc": 200}
    found = the_one(
        [c for c in await look(plan("http://h", mode="eval", judge=judge), few) if c.subject == "open files"]
    )
    assert found.status == "failure"
    assert found.found.startswith("204 requests in flight")


# -- configuration, exit codes -----------------------------------------------------------------------------------------


def test_all_problems_of_a_configuration_at_once() -> None:
    text = "a.yaml: 2 problems in the configuration:\n  eval_config.x: one\n  eval_config.y: two"
    found = configuration_failures(ConfigError(text))
    assert [(check.subject, check.found) for check in found] == [
        ("a.yaml", "eval_config.x: one"),
        ("a.yaml", "eval_config.y: two"),
    ]
    (alone,) = configuration_failures(ConfigError("a.yaml: there is no such file"))
    assert alone.found == "a.yaml: there is no such file"


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([], 0),
        ([ok("data", "", ""), warning("endpoint", "", "")], 0),
        ([failure("data", "", "")], 1),
        ([failure("configuration", "", "")], 1),
        ([failure("disk", "", "")], 1),
        ([failure("system", "", "")], 1),
        ([failure("endpoint", "", "")], 3),
        ([failure("judge", "", "")], 3),
        ([failure("endpoint", "", ""), failure("data", "", "")], 3),
    ],
)
def test_exit_codes(checks, code) -> None:
    assert exit_code(checks) == code
