"""What a 2xx body says."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.reply import parse_reply
from eyechart.errors import AuthError, EmptyAnswer, EndpointError, MalformedReply, RateLimited, ServerFault
from eyechart.records import Reply, Usage

REPLIES = Path(__file__).parent / "replies"
ANSWERED = [
    (path.stem, record["question"], record["reply"])
    for path in sorted(REPLIES.glob("*.json"))
    for record in json.loads(path.read_text())
    if record["status"] == 200
]


def body(message: Any, *, finish: Any = "stop", **fields: Any) -> bytes:
    """Returns a completion with one choice."""
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}], **fields}).encode()


@pytest.mark.parametrize(("server", "question", "reply"), ANSWERED, ids=[f"{s}: {q}" for s, q, _ in ANSWERED])
def test_recorded_answers(server: str, question: str, reply: Any) -> None:
    read = parse_reply(json.dumps(reply).encode())
    assert read.text == reply["choices"][0]["message"]["content"].strip()
    assert read.text
    assert read.reasoning is None
    assert read.finish_reason == reply["choices"][0]["finish_reason"]
    counts = reply["usage"]
    assert read.usage == Usage(counts["prompt_tokens"], counts["completion_tokens"])


def test_all_four_servers_answered() -> None:
    assert {server for server, _, _ in ANSWERED} == {"llamacpp", "vllm", "transformers", "swift"}


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "  B \n"}, "B", None),
        ({"content": [{"type": "text", "text": "A"}, {"type": "image"}, "B"]}, "AB", None),
        ({"content": "B", "reasoning": " because "}, "B", "because"),
        ({"content": "B", "reasoning_content": "because", "reasoning": None}, "B", "because"),
        ({"content": "<think>why</think> B"}, "<think>why</think> B", None),
        ({"content": None, "refusal": "I cannot"}, "I cannot", None),
    ],
)
def test_text_and_reasoning(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    assert parse_reply(body(message)) == Reply(text=text, reasoning=reasoning, finish_reason="stop")


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ("<think>why</think>\n B", "B", "why"),
        ("why</think>x</think>B", "B", "why</think>x"),
        ("<think>cut off", "<think>cut off", None),
        ("B", "B", None),
    ],
)
def test_split_think(content: str, text: str, reasoning: str | None) -> None:
    read = parse_reply(body({"content": content}), split_think=True)
    assert (read.text, read.reasoning) == (text, reasoning)


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_no_text_is_empty_unless_the_limit_was_reached(content: Any) -> None:
    message = {"content": content, "reasoning": "hm"}
    with pytest.raises(EmptyAnswer, match="only reasoning"):
        parse_reply(body(message))
    with pytest.raises(EmptyAnswer):
        parse_reply(body({}, finish=None))
    assert parse_reply(body(message, finish="length")) == Reply("", reasoning="hm", finish_reason="length")


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": 3}, Usage(3, None)),
        ({"prompt_tokens": 3.0, "completion_tokens": "4"}, Usage(3, 4)),
        ({"prompt_tokens": -1, "completion_tokens": True}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 2}, Usage(None, 2)),
        ({"prompt_tokens": "1e3", "completion_tokens": []}, Usage(1000, None)),
    ],
)
def test_usage_is_tolerated(usage: Any, read: Usage | None) -> None:
    assert parse_reply(body({"content": "A"}, usage=usage)).usage == read


def test_what_strict_json_forbids_is_put_up_with() -> None:
    raw = b'{"choices":[{"message":{"content":"A\\ud800"},"logprobs":NaN,"finish_reason":"stop"}]}'
    text = parse_reply(raw).text
    assert text.startswith("A")
    text.encode()


@pytest.mark.parametrize(
    ("raw", "kind", "words"),
    [
        (b"", MalformedReply, "is empty"),
        (b"<html>It works!</html>", MalformedReply, "It works!"),
        (b'{"choices":[{"mess', MalformedReply, "not JSON"),
        (b"[1]", MalformedReply, "no object"),
        (b'{"id":1}', MalformedReply, "no choices"),
        (b'{"choices":[]}', MalformedReply, "no choices"),
        (b'{"choices":[7]}', MalformedReply, "no message"),
        (b'{"choices":[{"text":"A"}]}', MalformedReply, "no message"),
        (b'{"choices":[{"message":{"content":{"a":1}}}]}', MalformedReply, "dict"),
        (b"[" * 200_000, MalformedReply, "not JSON"),
        (b'{"error":{"code":429,"message":"slow down"}}', RateLimited, "slow down"),
        (b'{"error":{"code":"401","message":"who?"}}', AuthError, "who?"),
        (b'{"object":"error","message":"boom"}', ServerFault, "boom"),
    ],
)
def test_what_is_no_completion(raw: bytes, kind: type[EndpointError], words: str) -> None:
    with pytest.raises(EndpointError, match=words) as caught:
        parse_reply(raw)
    assert type(caught.value) is kind
    assert len(str(caught.value)) <= 300


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "text",
                    "reasoning",
                    "refusal",
                    "usage",
                    "finish_reason",
                    "error",
                    "code",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(
    VALUES.map(lambda v: json.dumps(v).encode())
    | VALUES.map(lambda v: body(v, finish=v, usage=v))
    | VALUES.map(lambda v: body({"content": v, "reasoning": v}, usage={"prompt_tokens": v}))
    | st.binary(),
    st.booleans(),
)
def test_any_body_is_a_reply_or_an_endpoint_error(raw: bytes, split_think: bool) -> None:
    with contextlib.suppress(EndpointError):
        read = parse_reply(raw, split_think=split_think)
        assert isinstance(read.text, str)
        assert read.text == read.text.strip()
        read.text.encode()
