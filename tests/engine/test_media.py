"""Pictures and videos on their way into a request."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyechart.engine.media import MediaSettings, load_image, media_digest, media_settings, prepare_messages
from eyechart.engine.media_files import content_key
from eyechart.engine.media_video import VideoSettings
from eyechart.engine.sniff import look, sound_base64
from eyechart.errors import MediaError
from eyechart.messages import Image, InlineMedia, Message, Text, Video
from eyechart.scoring.protocol import EYECHART, VLMEVAL

PLAIN = MediaSettings()
REFERENCE = media_settings(VLMEVAL)


def file_of(size: tuple[int, int] = (64, 48), mode: str = "RGB", kind: str = "PNG", **options: Any) -> bytes:
    """Returns a file with a picture that no encoder makes trivial."""
    width, height = size
    noise = PIL.Image.frombytes("L", size, random.Random(0).randbytes(width * height))
    picture = noise if mode == "L" else noise.convert("RGB").convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def shown(raw: bytes, using: MediaSettings = PLAIN, *, name: str = "7.png", **fields: Any) -> InlineMedia:
    """Returns what a model is shown of a picture's file."""
    image = Image(name, base64=base64.b64encode(raw), **fields)
    part = prepare_messages([Message("user", (Text("q"), image))], using)[0].parts[1]
    assert isinstance(part, InlineMedia)
    assert part.digest == media_digest(part.base64)
    return part


def opened(media: InlineMedia) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(media.base64, validate=True)))


def png_header(width: int, height: int) -> bytes:
    """Returns a PNG that claims a size and has hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "mode", "mime"),
    [
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("GIF", "P", "image/gif"),
        ("WEBP", "RGB", "image/webp"),
        ("WEBP", "RGBA", "image/webp"),
    ],
)
def test_bytes_go_out_as_they_came(kind: str, mode: str, mime: str) -> None:
    raw = file_of(mode=mode, kind=kind)
    text = base64.b64encode(raw)
    message = Message("user", (Image("a", base64=text),))
    part = prepare_messages([message], PLAIN)[0].parts[0]
    assert part == InlineMedia("image", mime, text, media_digest(text))
    assert isinstance(part, InlineMedia)
    assert part.base64 is text


@pytest.mark.parametrize(
    ("kind", "lossless"), [("WEBP", True), ("WEBP", False), ("JPEG", False), ("PNG", False), ("BMP", False)]
)
def test_the_header_gives_the_size(kind: str, lossless: bool) -> None:
    options: dict[str, Any] = {"lossless": True} if lossless else {}
    raw = file_of((321, 77), kind=kind, **options)
    assert look(raw).size == (321, 77)


def test_a_long_jpeg_header_is_walked() -> None:
    raw = file_of((321, 77), kind="JPEG", icc_profile=bytes(200_000), exif=bytes(60_000), progressive=True)
    seen = look(raw)
    assert seen.size == (321, 77)
    assert seen.complete


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM"])
def test_formats_that_servers_refuse_become_png_with_the_same_pixels(kind: str) -> None:
    raw = file_of(kind=kind)
    media = shown(raw)
    assert media.mime == "image/png"
    assert opened(media).tobytes() == PIL.Image.open(io.BytesIO(raw)).tobytes()


def test_base64_with_line_breaks_or_as_data_url_is_tidied() -> None:
    raw = file_of()
    text = base64.b64encode(raw)
    for written in (base64.encodebytes(raw), b"data:image/png;base64," + text, b" " + text + b"\r\n"):
        assert sound_base64(written) == (text, raw)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"QUJ", "cut short"),
        (b"QU!D", "'!'"),
        (b'QU"D', "'\"'"),
        ("QUé=".encode(), r"'\\xc3'"),
        (b"QQ==QUJD", "in the middle"),
        (b"A===", "in the middle"),
        (b"QUJDREVG", "no picture"),
        (base64.b64encode(b"<svg/>"), "no picture"),
        (base64.b64encode(b"\xff\xd8\xff"), "no picture|broken|truncated"),
    ],
)
@pytest.mark.parametrize("using", [PLAIN, REFERENCE])
def test_what_is_no_picture(text: bytes, reason: str, using: MediaSettings) -> None:
    with pytest.raises(MediaError, match=rf"picture 12\.png: .*({reason})"):
        prepare_messages([Message("user", (Image("12.png", base64=text),))], using)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("using", [PLAIN, REFERENCE])
def test_a_picture_that_is_cut_off(kind: str, using: MediaSettings) -> None:
    raw = file_of((200, 200), kind=kind)
    cut = len(raw) // 2 // 3 * 3
    with pytest.raises(MediaError, match=r"picture 7\.png: "):
        shown(raw[:cut], using)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_bytes_after_the_end_do_no_harm(kind: str) -> None:
    raw = file_of(kind=kind) + b"trailing " * 50
    assert shown(raw).base64 == base64.b64encode(raw)


@pytest.mark.parametrize("using", [PLAIN, REFERENCE, MediaSettings(img_size=10)])
def test_a_bomb_is_refused_before_its_pixels_exist(using: MediaSettings) -> None:
    with pytest.raises(MediaError, match=r"60000 x 60000|decompression bomb"):
        shown(png_header(60_000, 60_000), using)
    with pytest.raises(MediaError, match="640 x 480 pixels; more than 1000"):
        shown(file_of((640, 480)), MediaSettings(max_pixels=1000))


def test_scaling_a_thin_picture_up_cannot_make_a_bomb() -> None:
    raw = file_of((60_000, 1))
    with pytest.raises(MediaError, match="6000000 x 100"):
        shown(raw, REFERENCE)


@pytest.mark.parametrize(
    ("size", "using", "expected"),
    [
        ((64, 48), REFERENCE, (133, 100)),
        ((300, 200), media_settings(VLMEVAL, img_size=128), (150, 100)),
        ((300, 200), MediaSettings(img_size=128), (128, 85)),
        ((64, 48), MediaSettings(min_edge=96), (128, 96)),
        ((300, 200), MediaSettings(img_size=300), (300, 200)),
        ((300, 200), MediaSettings(total_img_size=100), (100, 67)),
        ((300, 200), media_settings(VLMEVAL, total_img_size=100), (300, 200)),
    ],
)
def test_sizes(size: tuple[int, int], using: MediaSettings, expected: tuple[int, int]) -> None:
    assert opened(shown(file_of(size), using)).size == expected


def test_a_picture_too_long_for_jpeg_is_refused() -> None:
    with pytest.raises(MediaError, match="JPEG ends at 65500"):
        shown(file_of((66_000, 100), "L", "BMP"), REFERENCE)


def test_pictures_of_one_message_share_the_total_size() -> None:
    image = Image("a", base64=base64.b64encode(file_of((400, 400))))
    message = Message("user", (image, Text("and"), image, image, image))
    for using, edge in (
        (MediaSettings(total_img_size=200), 100),
        (MediaSettings(total_img_size=600, img_size=250), 250),
        (MediaSettings(total_img_size=600, img_size=300, reencode=True), 150),
    ):
        parts = prepare_messages([message], using)[0].parts
        assert [opened(p).size for p in parts if isinstance(p, InlineMedia)] == [(edge, edge)] * 4
        assert parts[1] == Text("and")


def test_small_enough_pictures_keep_their_bytes_beside_img_size() -> None:
    raw = file_of((100, 50), mode="RGBA")
    assert shown(raw, MediaSettings(img_size=100, max_file_size=10**6)).base64 == base64.b64encode(raw)


@pytest.mark.parametrize("using", [MediaSettings(max_file_size=4000), MediaSettings(max_file_size=4000, reencode=True)])
def test_max_file_size_counts_base64_text(using: MediaSettings) -> None:
    media = shown(file_of((300, 300)), using)
    assert 1000 < len(media.base64) <= 4000
    assert media.mime == "image/jpeg"


def test_an_impossible_max_file_size_ends() -> None:
    with pytest.raises(MediaError, match="max_file_size"):
        shown(file_of(), MediaSettings(max_file_size=100))


@pytest.mark.parametrize(
    ("mode", "kept"), [("RGBA", "RGB"), ("P", "RGB"), ("LA", "RGB"), ("L", "L"), ("CMYK", "CMYK"), ("I;16", "RGB")]
)
def test_modes_of_reencoded_pictures(mode: str, kept: str) -> None:
    buffer = io.BytesIO()
    kind = "JPEG" if mode == "CMYK" else "PNG"
    PIL.Image.new(mode, (120, 120)).save(buffer, kind)
    picture = opened(shown(buffer.getvalue(), REFERENCE))
    assert (picture.mode, picture.format) == (kept, "JPEG")


def test_no_picture_starts_another_program() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    for using in (PLAIN, REFERENCE):
        with pytest.raises(MediaError, match="no picture that can be read"):
            shown(postscript, using)


def test_alpha_is_dropped_not_composited() -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGBA", (120, 120), (200, 10, 10, 0)).save(buffer, "PNG")
    for using in (REFERENCE, MediaSettings(img_size=60)):
        pixel = opened(shown(buffer.getvalue(), using)).getpixel((30, 30))
        assert isinstance(pixel, tuple)
        assert abs(pixel[0] - 200) < 6


def test_a_palette_with_transparency_gives_no_warning() -> None:
    buffer = io.BytesIO()
    picture = PIL.Image.frombytes("P", (120, 120), bytes(range(4)) * 3600)
    picture.putpalette([0, 0, 0, 90, 0, 0, 0, 90, 0, 0, 0, 90])
    picture.save(buffer, "PNG", transparency=bytes([0, 128, 7, 255]))
    assert opened(shown(buffer.getvalue(), REFERENCE)).mode == "RGB"


def test_the_references_cache() -> None:
    raw = file_of((120, 130))
    image = Image("1.jpg", base64=base64.b64encode(raw), stored_as="jpeg")
    original = PIL.Image.open(io.BytesIO(raw))
    buffer = io.BytesIO()
    original.save(buffer, "JPEG")
    once = PIL.Image.open(io.BytesIO(buffer.getvalue()))
    assert load_image(image).tobytes() == once.tobytes() != original.tobytes()
    assert shown(raw, REFERENCE, stored_as="png").base64 == shown(raw, REFERENCE).base64
    assert shown(raw, REFERENCE, stored_as="jpeg").base64 != shown(raw, REFERENCE).base64
    assert opened(shown(raw, stored_as="jpeg")).tobytes() == once.tobytes()
    alpha = file_of((120, 130), mode="RGBA")
    assert load_image(Image("1.png", base64=base64.b64encode(alpha), stored_as="png")).mode == "RGB"
    assert load_image(Image("1.png", base64=base64.b64encode(alpha))).mode == "RGBA"


def test_files(tmp_path: Path) -> None:
    raw = file_of()
    path = tmp_path / "a.png"
    path.write_bytes(raw)
    for using in (PLAIN, REFERENCE):
        part = prepare_messages([Message("user", (Image("a.png", path=path),))], using)[0].parts[0]
        assert part == shown(raw, using)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "big").write_bytes(bytes(11))
    for name, reason in (
        ("none", "does not exist"),
        ("empty", "empty"),
        ("big", "larger than 10 bytes"),
        (".", "not a file"),
    ):
        with pytest.raises(MediaError, match=f"picture p: .*{reason}"):
            prepare_messages([Message("user", (Image("p", path=tmp_path / name),))], MediaSettings(max_bytes=10))
    with pytest.raises(MediaError, match="not a file"):
        load_image(Image("p", path=Path("/dev/zero")))
    with pytest.raises(MediaError, match="larger than 10 bytes"):
        load_image(Image("p", base64=b"QUJD" * 5), max_bytes=10)


def test_videos(tmp_path: Path) -> None:
    path = tmp_path / "c d.MOV"
    path.write_bytes(b"movie")
    text = base64.b64encode(b"movie")
    inline = InlineMedia("video", "video/quicktime", text, media_digest(text))
    for url in (str(path), path.as_uri()):
        assert prepare_messages([Message("user", (Video(url),))], PLAIN)[0].parts == (inline,)
    for url in ("https://h/v.mp4", "data:video/mp4;base64,QUJD"):
        assert prepare_messages([Message("user", (Video(url),))], PLAIN)[0].parts == (Video(url),)
    kept = prepare_messages(
        [Message("user", (Video(str(path)),))], media_settings(EYECHART, videos=VideoSettings("path"))
    )
    assert kept[0].parts == (Video(str(path), digest=content_key(path, with_time=False)),)
    with pytest.raises(MediaError, match=r"video none\.mp4: .*does not exist"):
        prepare_messages([Message("user", (Video(str(tmp_path / "none.mp4")),))], PLAIN)


def test_worker_threads_agree() -> None:
    raw = file_of((300, 200), mode="RGBA")
    with ThreadPoolExecutor(4) as pool:
        texts = set(pool.map(lambda _: shown(raw, REFERENCE).base64, range(24)))
    assert len(texts) == 1


FILES = [
    file_of((20, 20), mode, kind)
    for kind, mode in (("PNG", "P"), ("JPEG", "RGB"), ("GIF", "P"), ("WEBP", "RGB"), ("TIFF", "RGB"), ("BMP", "RGB"))
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.data(), st.sampled_from([PLAIN, REFERENCE]))
def test_damaged_files_are_shown_or_refused(raw: bytes, data: st.DataObject, using: MediaSettings) -> None:
    damaged = bytearray(raw)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=6)):
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        media = shown(bytes(damaged[: data.draw(st.integers(0, len(raw)))]), using)
    except MediaError as error:
        assert str(error).startswith("picture 7.png: ")  # noqa: PT017
    else:
        assert media.base64


@given(st.binary(max_size=300))
def test_any_text_is_sound_or_refused(text: bytes) -> None:
    try:
        sound, raw = sound_base64(text)
    except ValueError:
        return
    assert base64.b64decode(sound, validate=True) == raw
    assert look(raw).mime is None or look(raw).mime.startswith("image/")
