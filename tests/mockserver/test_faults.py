"""Every fault, as a client sees it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import aiohttp
import anyio
import orjson
import pytest

from eyechart.mockserver import FAULTS, REFUSALS

pytestmark = pytest.mark.anyio


@pytest.fixture
def faulty(mock_server):
    """A server at which every request meets this fault."""

    async def faulty(kind, **fields):
        return await mock_server(faults={kind: 1.0}, **fields)

    return faulty


async def test_429_with_retry_after_in_seconds(faulty, ask):
    answer = await ask(await faulty("rate_limit", retry_after=2.5))
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "2.5"


async def test_429_with_retry_after_as_a_date(faulty, ask):
    before = time.time()
    answer = await ask(await faulty("rate_limit_date", retry_after=30.0))
    assert answer.status == 429
    when = parsedate_to_datetime(answer.headers["Retry-After"])
    assert when.tzinfo is not None
    assert before + 30 <= when.timestamp() <= time.time() + 31


@pytest.mark.parametrize("kind", ["rate_limit", "rate_limit_date", "unavailable"])
async def test_retry_after_can_be_left_out(faulty, ask, kind):
    assert "Retry-After" not in (await ask(await faulty(kind, retry_after=None))).headers


async def test_errors_of_the_server(faulty, ask):
    answer = await ask(await faulty("server_error"))
    assert answer.status == 500
    assert answer.json["error"]["code"] == 500
    answer = await ask(await faulty("server_error_text"))
    assert (answer.status, answer.body) == (500, b"Internal Server Error")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert (await ask(await faulty("unavailable"))).status == 503


async def test_a_reset_before_any_header(faulty, ask, settled):
    server = await faulty("reset")
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await ask(server)
    await settled(server)
    assert server.stats.left == 0


@pytest.mark.parametrize("kind", ["reset_body", "early_end"])
async def test_an_end_in_the_middle_of_the_body(faulty, session, kind, caplog, settled):
    server = await faulty(kind, mode="fixed", text="x" * 5000)
    async with session.post(server.url, json={"messages": [{"role": "user", "content": "Q"}]}) as response:
        assert response.status == 200
        assert response.content_length > 5000
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await response.read()
    await settled(server)
    assert server.stats.left == 0
    assert not caplog.records


async def test_a_hang_ends_when_the_client_leaves(faulty, session, settled):
    server = await faulty("hang")
    with pytest.raises(TimeoutError):
        await session.post(server.url, data=b'{"messages":[{}]}', timeout=aiohttp.ClientTimeout(total=0.1))
    await settled(server)
    assert server.stats.left == 1
    assert server.stats.faults == {"hang": 1}


async def test_json_cut_short_has_a_matching_length(faulty, ask):
    answer = await ask(await faulty("truncated_json"))
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.body.startswith(b'{"id"')
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.body)


async def test_malformed_json_is_of_full_length(faulty, ask, mock_server):
    answer = await ask(await faulty("malformed_json"))
    assert len(answer.body) == len((await ask(await mock_server())).body)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.body)


async def test_empty_and_missing_answers(faulty, ask):
    assert (await ask(await faulty("empty"))).text == ""
    assert (await ask(await faulty("null_content"))).text is None


async def test_a_huge_body_holds_the_right_answer(faulty, ask):
    server = await faulty("huge_body", huge_bytes=3_000_001, mode="fixed", text="right")
    answer = await ask(server)
    assert len(answer.body) > 3_000_001
    assert answer.text == "right"


async def test_a_client_may_leave_a_huge_body(faulty, session, settled):
    server = await faulty("huge_body", huge_bytes=10**12)
    async with session.post(server.url, data=b'{"messages":[{}]}') as response:
        await response.content.read(100_000)
        response.close()
    await settled(server)
    assert server.stats.left == 1


async def test_wrong_content_types(faulty, ask):
    answer = await ask(await faulty("content_type", mode="fixed", text="right"))
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text == "right"
    answer = await ask(await faulty("html_page"))
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.body.startswith(b"<html>")


async def test_200_with_an_error_object(faulty, ask):
    answer = await ask(await faulty("error_object"))
    assert answer.status == 200
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "swift", "transformers"])
@pytest.mark.parametrize("kind", [*REFUSALS, "server_error", "unavailable", "rate_limit"])
async def test_refusals_can_be_faults_in_every_dialect(faulty, ask, kind, dialect):
    server = await faulty(kind, dialect=dialect)
    answer = await ask(server)
    assert 400 <= answer.status < 600
    assert server.stats.faults == {kind: 1}
    assert server.stats.answered == 0


async def test_faults_do_not_depend_on_the_order_of_arrival(mock_server, ask):
    kinds = ("rate_limit", "server_error", "unavailable", "empty", "error_object", "truncated_json")
    settings = {"fault_rate": 0.6, "fault_kinds": kinds, "seed": 3}

    async def run(questions, tries):
        server = await mock_server(**settings)
        return {(q, n): (await ask(server, q)).body for n in range(tries) for q in questions}

    names = [f"question {number}" for number in range(40)]
    forward, backward = await run(names, 3), await run(names[::-1], 3)
    assert forward == backward
    settings["seed"] = 4
    assert await run(names, 3) != forward


async def test_the_rate_is_kept(mock_server, ask):
    server = await mock_server(faults={"empty": 0.25})
    for number in range(400):
        await ask(server, str(number))
    assert 70 <= server.stats.faults["empty"] <= 130


async def test_no_request_meets_more_faults_than_the_bound(mock_server, ask):
    server = await mock_server(faults={"server_error": 1.0}, max_faults_per_request=2)
    for text in ("a", "b"):
        assert [(await ask(server, text)).status for _ in range(4)] == [500, 500, 200, 200]


async def test_some_questions_always_fail(mock_server, ask):
    server = await mock_server(
        fail_always={"cursed": "server_error_text", "re:^bad": "bad_request"}, max_faults_per_request=1
    )
    assert [(await ask(server, "a cursed one")).status for _ in range(3)] == [500] * 3
    assert (await ask(server, "bad one")).status == 400
    assert (await ask(server, "no bad one")).status == 200


async def test_one_rate_reaches_every_kind(mock_server, session, caplog, settled):
    """Every kind is met in the long run, every request ends, and nothing is left behind."""
    server = await mock_server(fault_rate=1.0, slow_body_seconds=0.01, huge_bytes=200_000, retry_after=0.0)
    limit = anyio.CapacityLimiter(20)

    async def one(number):
        body = {"messages": [{"role": "user", "content": str(number)}]}
        async with limit:
            try:
                async with session.post(server.url, json=body, timeout=aiohttp.ClientTimeout(total=0.3)) as response:
                    await response.read()
            except (aiohttp.ClientError, TimeoutError):
                pass

    async with anyio.create_task_group() as tasks:
        for number in range(250):
            tasks.start_soon(one, number)
    await settled(server)
    assert set(server.stats.faults) == set(FAULTS)
    assert sum(server.stats.faults.values()) == server.stats.requests == 250
    assert server.stats.left >= server.stats.faults["hang"]
    assert not caplog.records
