"""What a local model reads out of a request's body."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eyechart.adapters.local.bodies import Clip, Picture, Refused, Turn, Words, kind_of, parse
from eyechart.adapters.payload import ChatOptions, encode_chat
from eyechart.messages import InlineMedia, Message, Part, Text, Video

TURNED_RIGHT = 6
"""The orientation in EXIF of a picture that has to be turned by 90 degrees clockwise."""


def shown(picture: Image.Image, form: str = "PNG", **how: object) -> InlineMedia:
    file = io.BytesIO()
    picture.save(file, form, **how)
    return sent(file.getvalue())


def sent(data: bytes, kind: str = "image") -> InlineMedia:
    mime = "video/mp4" if kind == "video" else "image/png"
    return InlineMedia("video" if kind == "video" else "image", mime, base64.b64encode(data), "")


def plain(colour: str, width: int = 4, height: int = 3) -> InlineMedia:
    return shown(Image.new("RGB", (width, height), colour))


def body(*messages: Message, system: str | None = None) -> bytes:
    options = ChatOptions("m", temperature=None, max_tokens=None, detail=None, system_prompt=system)
    return b"".join(encode_chat(messages, options).chunks)


def read(*messages: Message, system: str | None = None) -> list[Turn]:
    return parse(body(*messages, system=system))


def user(*parts: Part) -> Message:
    return Message("user", parts)


def colours(turns: list[Turn]) -> list[tuple[int, ...]]:
    """The first pixel of every picture, in order."""
    found = [part.image.getpixel((0, 0)) for turn in turns for part in turn.parts if isinstance(part, Picture)]
    assert all(isinstance(colour, tuple) for colour in found)
    return [tuple(colour) for colour in found if isinstance(colour, tuple)]


def refusal(*parts: Part) -> Refused:
    with pytest.raises(Refused) as caught:
        read(user(*parts))
    assert caught.value.kind == "BadRequest"
    return caught.value


# -- texts and turns -------------------------------------------------------------------------------------------------


def test_texts_are_joined_as_a_server_gets_them() -> None:
    assert read(user(Text("a"), Text("b"))) == [Turn("user", (Words("a\nb"),))]


def test_a_system_prompt_and_several_turns() -> None:
    talk = [
        Message("system", (Text("kindly"),)),
        user(Text("q1")),
        Message("assistant", (Text("a1"),)),
        user(Text("q2")),
    ]
    assert read(*talk, system="brief") == [
        Turn("system", (Words("brief\nkindly\n"),)),
        Turn("user", (Words("q1"),)),
        Turn("assistant", (Words("a1"),)),
        Turn("user", (Words("q2"),)),
    ]


def test_pictures_stand_where_they_stood_in_the_text() -> None:
    turns = read(
        user(Text("one"), plain("red"), Text("two"), plain("lime"), plain("blue"), Text("three")),
        Message("assistant", (Text("said"),)),
        user(plain("white"), Text("four")),
    )
    shapes = [[part.text if isinstance(part, Words) else "*" for part in turn.parts] for turn in turns]
    assert shapes == [["one", "*", "two", "*", "*", "three"], ["said"], ["*", "four"]]
    assert colours(turns) == [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert kind_of(turns) == "pictures"


@pytest.mark.parametrize("text", ["", "\ud800", "a\udfffb", '"\\\n\x00\u2028', "𝄞", "{% raise %} <image> <|im_end|>"])
def test_any_text_arrives_as_it_was(text: str) -> None:
    assert read(user(plain("red"), Text("x" + text)))[0].parts[1] == Words("x" + text)


@given(st.text(st.characters()))
def test_any_random_text_arrives_as_it_was(text: str) -> None:
    assert read(user(Text(text))) == [Turn("user", (Words(text),))]


# -- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_is_turned_as_its_file_says() -> None:
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (0, 0, 20, 20))  # the left half; turned clockwise it is on top
    exif = Image.Exif()
    exif[0x0112] = TURNED_RIGHT
    part = read(user(shown(picture, exif=exif)))[0].parts[0]
    assert isinstance(part, Picture)
    assert part.image.size == (20, 40)
    assert part.image.getpixel((10, 5)) == (0, 0, 255)
    assert part.image.getpixel((10, 35)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_every_picture_becomes_rgb(mode: str) -> None:
    part = read(user(shown(Image.new(mode, (4, 3)), "TIFF")))[0].parts[0]
    assert isinstance(part, Picture)
    assert (part.image.mode, part.image.size) == ("RGB", (4, 3))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_no_picture(data: bytes) -> None:
    assert str(refusal(plain("red"), sent(data))).startswith("picture 2 cannot be decoded: ")


def test_a_picture_that_was_cut_short() -> None:
    whole = base64.b64decode(shown(Image.effect_noise((64, 64), 50)).base64)
    assert "picture 1 cannot be decoded" in str(refusal(sent(whole[: len(whole) // 2])))


def test_broken_base64() -> None:
    part = InlineMedia("image", "image/png", b"QUJD*", "")
    assert "picture 1 cannot be decoded" in str(refusal(part))


def test_a_picture_of_a_kind_that_pillow_does_not_know() -> None:
    """Pillow says so by NotImplementedError, not by an error of reading."""
    data = bytearray(base64.b64decode(shown(Image.new("RGB", (8, 8)), "DDS").base64))
    data[80:84] = b"\0\0\0\x80"  # flags of the pixels' format
    assert "picture 1 cannot be decoded: Unknown pixel format flags" in str(refusal(sent(bytes(data))))


def test_a_picture_of_too_many_pixels() -> None:
    """A small file; its pixels would fill half a gigabyte."""
    assert "picture 1 cannot be decoded: Image size (180000000 pixels)" in str(
        refusal(shown(Image.new("1", (18_000, 10_000))))
    )


@pytest.mark.filterwarnings("ignore:::PIL")  # of damaged EXIF data and the like
@settings(max_examples=300)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "DDS"]), st.integers(0, 2**32), st.integers(1, 12))
def test_damaged_pictures_are_refused_or_read_and_nothing_else(form: str, seed: int, flips: int) -> None:
    dice = random.Random(seed)
    exif = Image.Exif()
    exif[0x0112] = TURNED_RIGHT
    data = bytearray(base64.b64decode(shown(Image.effect_noise((24, 16), 80).convert("RGB"), form, exif=exif).base64))
    for _ in range(flips):
        data[dice.randrange(len(data))] = dice.randrange(256)
    if dice.random() < 0.3:
        del data[dice.randrange(len(data)) :]
    try:
        (turn,) = read(user(sent(bytes(data))))
    except Refused:
        return
    assert isinstance(turn.parts[0], Picture)


# -- videos ----------------------------------------------------------------------------------------------------------


def test_a_video_in_the_request() -> None:
    turns = read(user(sent(b"moving", "video"), Text("what?")))
    assert turns == [Turn("user", (Clip(b"moving"), Words("what?")))]
    assert kind_of(turns) == "videos"


@pytest.mark.parametrize("url", ["/data/a b%20[1]#é.mp4", "relative/a.mp4", "a.mp4"])
def test_a_video_by_its_path(url: str) -> None:
    assert read(user(Video(url)))[0].parts == (Clip(Path(url)),)


def test_a_video_by_its_file_address(tmp_path: Path) -> None:
    file = tmp_path / "a b#1%é.mp4"
    assert read(user(Video(file.as_uri())))[0].parts == (Clip(file),)


@pytest.mark.parametrize("url", ["http://example.org/a.mp4", "https://example.org/a.mp4", "HTTPS://example.org/a.mp4"])
def test_a_video_on_the_web_is_refused(url: str) -> None:
    assert "a video on the web" in str(refusal(Video(url)))


def test_a_video_that_is_no_base64() -> None:
    assert "a video cannot be decoded" in str(refusal(InlineMedia("video", "video/mp4", b"QUJDQ", "")))


def test_pictures_and_videos_are_a_kind_of_their_own() -> None:
    assert kind_of(read(user(plain("red"), Video("a.mp4")))) == "pictures+videos"
    assert kind_of(read(user(Text("a")))) == ""
