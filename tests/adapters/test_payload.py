"""Request bodies; that they equal the reference's is tests/test_golden_api.py."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.payload import ChatOptions, carried_system, encode_chat
from eyechart.errors import ConfigError
from eyechart.messages import Image, InlineMedia, Message, Part, Role, Text, Video

PICTURE = InlineMedia("image", "image/png", b"QUJD" * 5000, "0" * 64)
CLIP = InlineMedia("video", "video/mp4", b"QUJD", "1" * 64)


def payload(messages: list[Message], options: ChatOptions | None = None) -> Any:
    """Returns the JSON that a server reads."""
    request = encode_chat(messages, options or ChatOptions("m"))
    body = b"".join(request.chunks)
    assert request.size == len(body)
    return json.loads(body)


def user(*parts: Part) -> Message:
    return Message("user", parts)


def test_a_large_picture_is_a_piece_of_its_own_and_not_copied() -> None:
    request = encode_chat([user(Text("a"), PICTURE, Text("b"))], ChatOptions("m"))
    assert len(request.chunks) == 3
    assert request.chunks[1] is PICTURE.base64


def test_fields() -> None:
    options = ChatOptions(
        "m",
        temperature=None,
        max_tokens=9,
        token_field="max_completion_tokens",  # noqa: S106
        extra={"a": {"b": [1]}, "seed": None},
    )
    sent = payload([user(Text("q"))], options)
    assert sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "q"}],
        "max_completion_tokens": 9,
        "a": {"b": [1]},
    }


@pytest.mark.parametrize("name", ["messages", "model", "temperature", "max_tokens", "max_completion_tokens"])
def test_extra_fields_never_replace_others(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        ChatOptions("m", extra={name: 1})


@pytest.mark.parametrize("extra", [{"stream": True}, {"a": float("nan")}, {"a": {1, 2}}])
def test_extra_fields_that_cannot_be_sent(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ChatOptions("m", extra=extra)


def test_detail_belongs_to_pictures_of_style_openai() -> None:
    messages = [user(PICTURE, CLIP)]
    picture, clip = payload(messages, ChatOptions("m", detail="low"))["messages"][0]["content"]
    assert picture["image_url"]["detail"] == "low"
    assert picture["image_url"]["url"].startswith("data:image/png;base64,QUJD")
    assert clip == {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,QUJD"}}
    assert "detail" not in payload(messages, ChatOptions("m", detail=None))["messages"][0]["content"][0]["image_url"]
    assert (
        "detail" not in payload(messages, ChatOptions("m", style="lmdeploy"))["messages"][0]["content"][0]["image_url"]
    )


def test_empty_texts_beside_media() -> None:
    messages = [user(Text(""), PICTURE, Text(""))]
    assert len(payload(messages)["messages"][0]["content"]) == 1
    assert len(payload(messages, ChatOptions("m", style="lmdeploy"))["messages"][0]["content"]) == 3


def test_an_address_goes_as_it_is() -> None:
    content = payload([user(Video('http://h/a "b".mp4'))])["messages"][0]["content"]
    assert content == [{"type": "video_url", "video_url": {"url": 'http://h/a "b".mp4'}}]


def test_a_picture_that_is_not_ready_is_refused() -> None:
    with pytest.raises(TypeError, match=r"12\.png"):
        payload([user(Image("12.png", path=Path("12.png")))])


def test_roles_take_turns() -> None:
    turns: list[tuple[Role, str]] = [
        ("user", "a"),
        ("user", "b"),
        ("assistant", "c"),
        ("user", "d"),
        ("assistant", "e"),
    ]
    sent = payload([Message(role, (Text(text),)) for role, text in turns])["messages"]
    assert [(m["role"], m["content"]) for m in sent] == [("user", "a\nb"), ("assistant", "c"), ("user", "d\ne")]


def test_a_conversation_in_style_lmdeploy() -> None:
    messages = [user(Text("a")), Message("assistant", (Text("b"),)), user(PICTURE)]
    sent = payload(messages, ChatOptions("m", style="lmdeploy", system_prompt="S"))["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert sent[0]["content"] == "S"
    assert sent[2]["content"] == [{"type": "text", "text": "b"}]


def test_the_same_system_message_is_said_once() -> None:
    told = Message("system", (Text("one"), Text("two")))
    sent = payload([told, told, user(Text("q"))], ChatOptions("m", system_prompt="S"))["messages"]
    assert sent[0] == {"role": "system", "content": "S\none\ntwo\n"}


def test_carried_system_messages() -> None:
    first, second = (Message("system", (Text(t),)) for t in "ab")
    carried = carried_system((), [first, user(Text("q"))])
    assert carried == (first,)
    assert carried_system(carried, [second, first]) == (first, second)


def test_a_lone_surrogate_is_still_json() -> None:
    assert payload([user(Text("a\ud800"))])["messages"][0]["content"] == "a\ud800"


ROLES: st.SearchStrategy[Role] = st.sampled_from(["system", "user", "assistant"])
PARTS: st.SearchStrategy[Part] = st.text().map(Text) | st.just(PICTURE) | st.just(CLIP) | st.text().map(Video)
MESSAGES = st.lists(st.builds(Message, ROLES, st.lists(PARTS, max_size=3).map(tuple)), max_size=5)


@given(MESSAGES, st.sampled_from(["openai", "lmdeploy"]), st.text(max_size=5))
def test_any_messages_are_json_in_order(messages: list[Message], style: Any, system: str) -> None:
    sent = payload(messages, ChatOptions("m", style=style, system_prompt=system))
    roles = [m["role"] for m in sent["messages"]]
    assert all(a != b for a, b in itertools.pairwise(roles))
    assert roles[:1] != ["assistant"] or len(roles) > 1
    media = [p for m in messages if m.role != "system" for p in m.parts if not isinstance(p, Text)]
    shown = [p for m in sent["messages"] if isinstance(m["content"], list) for p in m["content"] if p["type"] != "text"]
    assert len(shown) == len(media)
