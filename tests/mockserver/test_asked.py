"""Reading requests: cutting the media out changes nothing of what is read."""

from __future__ import annotations

import base64
import hashlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.mockserver.asked import UnreadableRequest, read_asked

texts = st.text(max_size=400).map(lambda text: text.encode("utf-8", "ignore").decode())
tricky = st.sampled_from([";base64,", 'a";base64,"', "data:image/png;base64,", ";base64,\\", ";base64," + "A" * 300])
parts = st.one_of(
    st.one_of(texts, tricky).map(lambda text: {"type": "text", "text": text}),
    st.binary(max_size=600).map(
        lambda raw: {
            "type": "image_url",
            "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(raw).decode(), "detail": "high"},
        }
    ),
)


def as_body(content, **fields):
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields})


@given(st.lists(parts, max_size=5))
def test_texts_and_media_come_out_as_they_went_in(content):
    asked = read_asked(as_body(content))
    pictures = [part["image_url"]["url"].partition(";base64,")[2] for part in content if part["type"] == "image_url"]
    assert [medium.data.decode() for medium in asked.media] == pictures
    given_texts = [part["text"] for part in content if part["type"] == "text"]
    if not any(";base64," in text for text in given_texts):
        assert list(asked.texts) == given_texts


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw):
    for body in (raw, b'{"messages":' + raw + b"}", as_body("x")[:-2] + raw):
        try:
            digest = read_asked(body).digest
        except UnreadableRequest:
            continue
        assert len(digest) == 16


def test_a_big_picture_leaves_its_digest():
    data = base64.b64encode(bytes(range(256)) * 8)
    asked = read_asked(as_body([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data.decode()}"}}]))
    name = "sha256:" + hashlib.sha256(data).hexdigest()
    assert asked.media[0].url == "data:image/png;base64," + name
    assert asked.media[0].data == data
    assert name in orjson.dumps(asked.body).decode()


def test_the_question_is_roles_texts_and_media_and_nothing_else():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400}}
    other = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 396 + "BBBB"}}
    text = {"type": "text", "text": "Q"}
    plain = read_asked(as_body([picture, text]))
    assert plain.question == read_asked(as_body([picture, text], temperature=0.5, max_tokens=9)).question
    assert plain.question == read_asked(as_body([picture, text], model="n")).question
    assert plain.digest != read_asked(as_body([picture, text], model="n")).digest
    others = [[other, text], [text, picture], [text], [picture, {"type": "text", "text": "R"}]]
    assert len({plain.question, *(read_asked(as_body(content)).question for content in others)}) == 5
    assert (
        read_asked(as_body("ab")).question
        != read_asked(as_body([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).question
    )


def test_the_last_message_and_all_texts_are_told_apart():
    body = {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
        ]
    }
    asked = read_asked(orjson.dumps(body))
    assert asked.text == "Be short.\nOne\nTwo"
    assert asked.last == "One\nTwo"
    assert asked.model is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"messages": []}',
        b'{"messages": [1]}',
        as_body(7),
        as_body([{"type": "audio"}]),
        as_body([3]),
    ],
)
def test_what_is_no_chat_request_is_refused(body):
    with pytest.raises(UnreadableRequest):
        read_asked(body)


def test_pictures_are_checked_as_a_reader_would(pixel):
    def fault(url):
        return read_asked(as_body([{"type": "image_url", "image_url": {"url": url}}])).media[0].fault()

    good = base64.b64encode(pixel).decode()
    assert fault("data:image/png;base64," + good) is None
    assert fault("http://example.org/a.png") is None
    assert "base64" in fault("data:image/png;base64,!!!!")
    assert "identify" in fault("data:image/png;base64," + base64.b64encode(b"no picture").decode())
    assert "URL" in fault("/etc/passwd")
