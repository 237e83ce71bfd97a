"""Refusals: key, model, pictures, context, in the words of the servers they copy."""

from __future__ import annotations

import orjson
import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        ("vllm", 401, {"error": "Unauthorized"}),
        ("llamacpp", 401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}),
        ("swift", 400, {"object": "error", "message": "API key error"}),
        ("transformers", 401, {"detail": "Not authenticated"}),
    ],
)
async def test_a_wrong_or_missing_key_is_refused(mock_server, ask, dialect, status, body):
    server = await mock_server(api_key="right", dialect=dialect)
    for key in ("wrong", "rightt", "", None):
        answer = await ask(server, key=key)
        assert (answer.status, answer.json) == (status, body)
    assert (await ask(server, key="right")).status == 200
    assert server.stats.refused == {"key": 4}


@pytest.mark.parametrize(("dialect", "shown"), [("vllm", 401), ("llamacpp", 401), ("swift", 200)])
async def test_the_list_of_models_asks_for_the_key_but_in_swift(mock_server, session, dialect, shown):
    server = await mock_server(api_key="right", dialect=dialect, model="m", models=("n",))
    async with session.get(server.base_url + "/models") as response:
        assert response.status == shown
    async with session.get(server.base_url + "/models", headers={"Authorization": "Bearer right"}) as response:
        assert [entry["id"] for entry in (await response.json())["data"]] == ["m", "n"]
    async with session.get(server.base_url.removesuffix("/v1") + "/health") as response:
        assert response.status == 200


async def test_transformers_lists_no_model(mock_server, session):
    server = await mock_server(dialect="transformers", model="m")
    async with session.get(server.base_url + "/models") as response:
        assert (await response.json())["data"] == []


@pytest.mark.parametrize(
    ("dialect", "status"), [("vllm", 404), ("swift", 400), ("transformers", 400), ("llamacpp", 200)]
)
async def test_an_unknown_model_is_refused_but_by_llamacpp(mock_server, ask, dialect, status):
    server = await mock_server(model="m", models=("n",), dialect=dialect)
    answer = await ask(server, model="x")
    assert answer.status == status
    assert status == 200 or "x" in answer.body.decode()
    assert (await ask(server, model="n")).status == 200


@pytest.mark.parametrize(
    ("dialect", "status"), [("vllm", 400), ("llamacpp", 400), ("swift", 400), ("transformers", 500)]
)
async def test_broken_pictures_are_refused_when_looked_at(mock_server, ask, pixel, dialect, status):
    server = await mock_server(check_images=True, dialect=dialect)
    assert (await ask(server, "Q", pixel, pixel)).status == 200
    answer = await ask(server, "Q", pixel, b"not a picture")
    assert answer.status == status
    if dialect == "transformers":
        assert answer.body == b"Internal Server Error"
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert server.stats.refused == {"media": 1}
    lax = await mock_server(dialect=dialect)
    assert (await ask(lax, "Q", b"not a picture")).status == 200


async def test_a_text_model_refuses_pictures(mock_server, ask, pixel):
    server = await mock_server(text_only=True)
    answer = await ask(server, "Q", pixel)
    assert answer.status == 400
    assert answer.json["error"]["message"] == "At most 0 image(s) may be provided in one prompt."
    assert (await ask(server, "Q")).status == 200


async def test_a_prompt_beyond_the_context_is_refused(mock_server, ask, pixel):
    server = await mock_server(max_context=300, dialect="llamacpp")
    assert (await ask(server, "Q", pixel)).status == 200
    error = (await ask(server, "Q" * 400, pixel)).json["error"]
    assert error["type"] == "exceed_context_size_error"
    assert (error["n_prompt_tokens"], error["n_ctx"]) == (357, 300)
    for dialect, words in (("vllm", "maximum context length is 300 tokens"), ("swift", "max_length(300)")):
        server = await mock_server(max_context=300, dialect=dialect)
        answer = await ask(server, "Q" * 400, pixel)
        assert answer.status == 400
        assert words in answer.body.decode()
    server = await mock_server(max_context=300, dialect="transformers")
    assert (await ask(server, "Q" * 400, pixel)).status == 200


@pytest.mark.parametrize(
    ("dialect", "status"), [("vllm", 400), ("llamacpp", 400), ("swift", 422), ("transformers", 422)]
)
async def test_a_body_that_is_no_request_is_refused(mock_server, ask, dialect, status):
    server = await mock_server(dialect=dialect)
    for body in (b"{no", b"{}"):
        assert (await ask(server, body=body)).status == status
    assert (await ask(server, stream=True)).status == status
    assert server.stats.refused == {"body": 3}


async def test_a_body_beyond_the_bound_is_refused(mock_server, ask):
    server = await mock_server(max_body_bytes=10_000)
    assert (await ask(server, "Q" * 20_000)).status == 413
    assert (await ask(server, "Q")).status == 200


async def test_other_paths_do_not_exist(mock_server, session):
    server = await mock_server()
    for path in ("/chat/completions", "/v1/chat/completion", "/"):
        async with session.post(server.base_url.removesuffix("/v1") + path, data=orjson.dumps({})) as response:
            assert response.status == 404
            assert await response.json() == {"detail": "Not Found"}
