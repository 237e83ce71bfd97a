"""The embedded model: what needs no network of it always, reading itself where the extra demo is installed."""

from __future__ import annotations

import base64
import io
import socket

import anyio
import pytest
from PIL import Image, ImageDraw, ImageFont

from eyechart.adapters import embedded
from eyechart.adapters.embedded import EMBEDDED, processors
from eyechart.adapters.ocr_reader import OcrReader
from eyechart.adapters.reading import UNREADABLE
from eyechart.errors import BadRequest, ConfigError
from eyechart.messages import Image as Reference
from eyechart.messages import InlineMedia, Message, Text, Video

needs_ocr = pytest.mark.skipif(EMBEDDED["EyechartReader"].problem is not None, reason="the extra demo is not installed")


def shown(picture: Image.Image) -> InlineMedia:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return InlineMedia("image", "image/png", base64.b64encode(file.getvalue()), "")


def drawn(*lines: str) -> InlineMedia:
    picture = Image.new("RGB", (320, 30 + 50 * len(lines)), "white")
    pen = ImageDraw.Draw(picture)
    for k, line in enumerate(lines):
        pen.text((20, 20 + 50 * k), line, font=ImageFont.load_default(28), fill="black")
    return shown(picture)


def asked(question: str, *media: InlineMedia | Video) -> list[Message]:
    return [Message("user", (*media, Text(question)))]


@pytest.fixture
def reader() -> OcrReader:
    return OcrReader(workers=2)


def test_a_request_holds_pictures_as_they_came(reader: OcrReader) -> None:
    picture = drawn("x")
    request = reader.encode(asked("What?", picture))
    assert picture.base64 in request.chunks
    assert request.size == sum(map(len, request.chunks))
    with pytest.raises(TypeError, match=r"a\.png is not ready"):
        reader.encode([Message("user", (Reference("a.png", base64=b"x"),))])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"?", "picture 1 cannot be decoded"),
        (base64.b64encode(b"no picture"), "picture 1 cannot be decoded"),
        (shown(Image.new("RGB", (200, 200))).base64[:120], "picture 1 cannot be decoded"),
    ],
)
async def test_a_broken_picture_is_a_bad_request(data: bytes, words: str, reader: OcrReader) -> None:
    request = reader.encode(asked("What?", InlineMedia("image", "image/png", data, "")))
    with pytest.raises(BadRequest, match=words):
        await reader.ask(request)


@pytest.mark.anyio
async def test_videos_and_huge_pictures_are_refused(reader: OcrReader) -> None:
    with pytest.raises(BadRequest, match="no videos"):
        await reader.ask(reader.encode(asked("What?", Video("a.mp4"))))
    with pytest.raises(BadRequest, match="9000 x 8000 pixels"):
        await reader.ask(reader.encode(asked("What?", shown(Image.new("1", (9000, 8000))))))


@pytest.mark.anyio
async def test_without_a_picture_there_is_nothing_to_read(reader: OcrReader) -> None:
    assert (await reader.ask(reader.encode(asked("What?")))).text == UNREADABLE


def test_what_is_missing_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs rapidocr and onnxruntime, .*pip install 'eyechart\[demo\]'"):
        EMBEDDED["EyechartReader"].build()


def test_as_many_at_a_time_as_there_are_processors_within_reason() -> None:
    assert 1 <= processors() <= 8


@needs_ocr
@pytest.mark.demo
@pytest.mark.anyio
async def test_it_reads_without_blocking_the_loop_and_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *given: pytest.fail("asked the network"))
    reader = EMBEDDED["EyechartReader"].build()
    questions = {
        "What is the total?": asked("What is the total?", drawn("Tea  4.20", "Total  9.75")),
        "options": asked("What is it?\nA. ZEBRA\nB. ZEBU", drawn("ZEBU")),
        "second picture": asked("What does the last line say?", drawn("first"), drawn("second")),
        "blank": asked("What does it say?", shown(Image.new("RGB", (200, 100), "white"))),
        "dot": asked("What does it say?", shown(Image.new("1", (1, 1)))),
        "thread": asked("What does it say?", shown(Image.new("L", (3000, 2)))),
    }
    found: dict[str, str] = {}

    async def ask(name: str, messages: list[Message]) -> None:
        found[name] = (await reader.ask(reader.encode(messages))).text

    ticks = 0
    async with anyio.create_task_group() as tasks:
        for name, messages in questions.items():
            tasks.start_soon(ask, name, messages)
        while len(found) < len(questions):
            ticks += 1
            await anyio.sleep(0.01)
    await reader.aclose()
    assert found == {
        "What is the total?": "9.75", "options": "B", "second picture": "second",
        "blank": UNREADABLE, "dot": UNREADABLE, "thread": UNREADABLE,
    }  # fmt: skip
    assert ticks > len(questions)
    assert reader.identity["rapidocr"] != "unknown"
