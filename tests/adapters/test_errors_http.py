"""What unsuccessful responses mean, from the recorded replies of four real servers and from known shapes."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.errors_http import MAX_RETRY_AFTER_S, classify, clean, retry_after
from eyechart.errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EndpointError,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
)

REPLIES = Path(__file__).parent / "replies"
RECORDED = [
    (path.stem, record["question"], record["status"], record["reply"])
    for path in sorted(REPLIES.glob("*.json"))
    for record in json.loads(path.read_text())
    if record["status"] != 200
]
# Where the status alone would say something else.
BY_WORDS = {
    ("transformers", "unknown model"): NotFound,
    ("transformers", "model empty"): NotFound,
    ("swift", "unknown model"): NotFound,
    ("swift", "model empty"): NotFound,
    ("llamacpp", "context too long"): ContextOverflow,
    ("vllm", "context too long"): ContextOverflow,
    ("swift", "context too long"): ContextOverflow,
}
BY_STATUS = {400: BadRequest, 404: NotFound, 405: NotFound, 422: BadRequest, 500: ServerFault}


def body_of(reply: Any) -> bytes:
    """Returns the bytes that a recorded reply stands for."""
    if isinstance(reply, str):
        return reply.encode()
    if set(reply) == {"_text"}:
        return str(reply["_text"]).encode()
    return json.dumps(reply).encode()


@pytest.mark.parametrize(
    ("server", "question", "status", "reply"), RECORDED, ids=[f"{s}: {q}" for s, q, _, _ in RECORDED]
)
def test_recorded_errors(server: str, question: str, status: int, reply: Any) -> None:
    error = classify(status, {}, body_of(reply))
    assert type(error) is BY_WORDS.get((server, question), BY_STATUS[status])
    assert error.status == status
    assert str(error).startswith(f"HTTP {status} ")
    assert len(str(error)) <= 300


def test_every_exception_of_the_table_was_recorded() -> None:
    seen = {(server, question) for server, question, _, _ in RECORDED}
    assert set(BY_WORDS) - {("transformers", "model empty"), ("swift", "model empty")} <= seen


def test_a_reply_is_quoted() -> None:
    error = classify(400, {}, b'{"error":{"code":400,"message":"Failed to load image or audio file","type":"x"}}')
    assert str(error) == "HTTP 400 Bad Request: Failed to load image or audio file"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}', AuthError),
        (401, b'{"error":"Unauthorized"}', AuthError),
        (400, b'{"message":"API key error","object":"error"}', AuthError),
        (400, b'[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}]', AuthError),
        (400, b'{"error":{"code":"invalid_api_key","message":"no"}}', AuthError),
        (402, b'{"error":{"message":"Insufficient Balance"}}', AuthError),
        (403, b"", AuthError),
        (429, b'{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}', AuthError),
        (429, b'{"error":{"message":"Rate limit reached"}}', RateLimited),
        (404, b'{"error":{"message":"model \\"x\\" not found, try pulling it first"}}', NotFound),
        (400, b'{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}', NotFound),
        (405, b'{"detail":"Method Not Allowed"}', NotFound),
        (400, b'{"error":{"code":"context_length_exceeded","message":"too long"}}', ContextOverflow),
        (
            400,
            b'{"object":"error","message":"The input (5000 tokens) is longer than the model\'s context length"}',
            ContextOverflow,
        ),
        (
            400,
            b'{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096."}}',
            ContextOverflow,
        ),
        (
            422,
            b'{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"}',
            ContextOverflow,
        ),
        (
            400,
            (
                b'{"error":{"message":"max_tokens=16384 cannot be greater than max_model_len=4096. Please request fewer '
                b'output tokens. (parameter=max_tokens, value=16384)","param":"max_tokens"}}'
            ),
            BadRequest,
        ),
        (400, b'{"message":"","object":"error"}', BadRequest),
        (400, b'{"message":"404 Client Error: File not found for url: http://h/none.png"}', BadRequest),
        (408, b"", Timeout),
        (413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", BadRequest),
        (500, b"Internal Server Error", ServerFault),
        (502, b"<html>Bad Gateway</html>", ServerFault),
        (503, b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}', Overloaded),
        (504, b"", ServerFault),
        (524, b"", ServerFault),
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', Overloaded),
        (418, b"\xff\xfe\x00", BadRequest),
    ],
)
def test_known_shapes(status: int, body: bytes, kind: type[EndpointError]) -> None:
    error = classify(status, {}, body)
    assert type(error) is kind
    assert error.status == status


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"detail":[{"loc":["body","model"],"msg":"Field required"}]}', "body.model: Field required"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b"<!doctype html><html><title>Down for\n repair</title><p>x</p></html>", "Down for repair"),
        (b"a\x00b\x1b[31mc\xe2\x80\xaed", "a b [31mc d"),
    ],
)
def test_the_words_of_every_shape(body: bytes, words: str) -> None:
    assert str(classify(500, {}, body)) == f"HTTP 500 Internal Server Error: {words}"


def test_a_redirect_names_the_place() -> None:
    error = classify(307, {"location": "https://elsewhere/v1"}, b"", url="http://here/v1")
    assert type(error) is NotFound
    assert "https://elsewhere/v1" in str(error)
    assert "api_base" in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e300"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "inf"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": formatdate(1_000_090, usegmt=True)}, 90.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0.0),
        ({"retry-after": formatdate(996_430, usegmt=True), "date": formatdate(996_400, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(1_003_630, usegmt=True), "date": formatdate(1_003_600, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(1_000_090, usegmt=True), "date": "yesterday"}, 90.0),
        ({"retry-after": "Mon, 99 Foo 2026 99:99:99 GMT"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=1_000_000.0) == seconds
    assert classify(429, headers, b"", now=1_000_000.0).retry_after == seconds


@given(st.text(max_size=200))
def test_any_retry_after_is_bounded(value: str) -> None:
    seconds = retry_after({"retry-after": value, "retry-after-ms": value[::-1]}, now=0.0)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "detail", "type", "loc"]), inner)
    ),
)


@given(st.integers(100, 999), JSON.map(lambda v: json.dumps(v).encode()) | st.binary())
def test_any_response_is_an_endpoint_error(status: int, body: bytes) -> None:
    error = classify(status, {}, body)
    assert isinstance(error, EndpointError)
    assert len(str(error)) <= 300
    assert str(error).isprintable()


def test_deep_bodies_end() -> None:
    deep = b'{"error":' * 900 + b"1" + b"}" * 900
    assert type(classify(400, {}, deep)) is BadRequest
    assert type(classify(400, {}, b"[" * 1000 + b"]" * 1000)) is BadRequest
    assert type(classify(400, {}, b"[" * 60_000)) is BadRequest


@given(st.text(), st.integers(1, 50))
def test_clean_text_is_one_printable_line(text: str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert cleaned.isprintable()
