"""Small files that unfold into large ones cost no more than what they are worth."""

from __future__ import annotations

import base64
import io
import resource
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

import PIL.Image
import pytest
from pdf_files import stream, written

from eyechart.engine.documents import Documents, PageSettings
from eyechart.engine.media import MediaSettings, prepare_messages
from eyechart.errors import MediaError
from eyechart.messages import Document, Image, Message


def grown_mb(since: int) -> int:
    return (peak() - since) >> 10


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def packed(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that unfold to a gigabyte or more where nobody stops them."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    bomb = packed(400)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(8 * 25))) + chunk(b"IEND", b"")
    yield "iTXt", head + chunk(b"iTXt", b"a\0\1\0\0\0" + bomb) + pixels
    yield "zTXt", head + chunk(b"zTXt", b"a\0\0" + bomb) + pixels
    yield "iCCP", head + chunk(b"iCCP", b"a\0\0" + bomb) + pixels
    yield "IDAT", head + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")
    buffer = io.BytesIO()
    frame = PIL.Image.new("P", (4000, 4000))
    frame.save(buffer, "GIF", save_all=True, append_images=[frame] * 20)
    yield "GIF", buffer.getvalue()


BOMBS = list(bombs())


@pytest.mark.parametrize(("name", "raw"), BOMBS, ids=[name for name, _ in BOMBS])
@pytest.mark.parametrize("settings", [MediaSettings(), MediaSettings(reencode=True, min_edge=100)])
def test_small_pictures_stay_small(name: str, raw: bytes, settings: MediaSettings) -> None:
    before = peak()
    with suppress(MediaError):
        prepare_messages([Message("user", (Image(name, base64=base64.b64encode(raw)),))], settings)
    assert grown_mb(before) < 250


@pytest.mark.parametrize("size", [(60_000, 60_000), (20_000, 20_000)])
def test_a_small_document_costs_this_process_nothing(size: tuple[int, int]) -> None:
    shape = b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8" % size
    objects = {
        1: b"<</Type /Catalog /Pages 2 0 R>>",
        2: b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        3: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 50 70] /Contents 4 0 R /Resources <</XObject <</F 5 0 R>>>>>>",
        4: stream(b"50 0 0 70 0 0 cm /F Do"),
        5: stream(packed(400), shape + b" /Filter /FlateDecode"),
    }
    pdf = Image("a.pdf", base64=base64.b64encode(written(objects)))
    before = peak()
    with Documents(PageSettings(), page_s=20, document_s=20) as documents, suppress(MediaError):
        documents.shown([Message("user", (Document("a.pdf", pdf=pdf),))])
    assert grown_mb(before) < 100
