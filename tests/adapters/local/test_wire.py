"""Frames between the pool and its workers."""

from __future__ import annotations

import asyncio
import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.adapters.local.wire import Frame, WireError, frame_bytes, read_frame, read_frame_async

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
HEADS = st.dictionaries(st.text().filter(lambda name: name != "pieces"), JSON, max_size=4)
PIECES = st.lists(st.binary(max_size=200), max_size=4)


def encoded(head: dict[str, Any], pieces: list[bytes]) -> bytes:
    return b"".join(frame_bytes(head, pieces))


def raw(head: bytes) -> bytes:
    return struct.pack(">Q", len(head)) + head


def read_both_ways(data: bytes) -> Frame:
    """Reads a frame in both ways, which have to agree, also about what is wrong."""

    async def read() -> Frame:
        stream = asyncio.StreamReader()
        stream.feed_data(data)
        stream.feed_eof()
        return await read_frame_async(stream)

    try:
        frame = read_frame(io.BytesIO(data))
    except (EOFError, WireError) as error:
        with pytest.raises(type(error)):
            asyncio.run(read())
        raise
    assert asyncio.run(read()) == frame
    return frame


@given(HEADS, PIECES)
def test_a_frame_arrives_as_it_was_sent(head: dict[str, Any], pieces: list[bytes]) -> None:
    assert read_both_ways(encoded(head, pieces)) == ({**head, "pieces": list(map(len, pieces))}, pieces)


def test_frames_follow_each_other() -> None:
    stream = io.BytesIO(encoded({"a": 1}, [b"x", b""]) + encoded({"b": 2}, []))
    assert read_frame(stream) == ({"a": 1, "pieces": [1, 0]}, [b"x", b""])
    assert read_frame(stream) == ({"b": 2, "pieces": []}, [])
    with pytest.raises(EOFError):
        read_frame(stream)


@given(HEADS, PIECES, st.data())
def test_a_frame_that_is_cut_anywhere_is_the_end(
    head: dict[str, Any], pieces: list[bytes], data: st.DataObject
) -> None:
    whole = encoded(head, pieces)
    with pytest.raises(EOFError):
        read_both_ways(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense",
        b"",
        b"[]",
        b"3",
        b"{}",
        b'{"pieces":3}',
        b'{"pieces":["a"]}',
        b'{"pieces":[-1]}',
        b'{"pieces":[1.5]}',
        b'{"pieces":[null]}',
        b'{"pieces":[18446744073709551615]}',
        b'{"pieces":[',
        b"\xff\xfe",
    ],
)
def test_nonsense_is_told_from_an_end(head: bytes) -> None:
    with pytest.raises(WireError):
        read_both_ways(raw(head) + b"more")


def test_a_huge_head_is_refused_before_it_is_read() -> None:
    """As when a library's text got between the frames."""
    with pytest.raises(WireError, match="a head of"):
        read_both_ways(b"Loading checkpoint shards: 100%")


@given(st.binary(max_size=64))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        head, pieces = read_both_ways(data)
    except (EOFError, WireError):
        return
    assert list(map(len, pieces)) == head["pieces"]
