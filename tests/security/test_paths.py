"""A benchmark's file names pictures and videos below its folders; nothing else is opened, and nobody is called up."""

from __future__ import annotations

import os
import socket
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clips import write_clip
from PIL import Image

from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.sampling import VideoFacts
from eyechart.benchmarks.unpack import unpack_zip, unpack_zips_flat
from eyechart.benchmarks.video import VideoBenchmark, VideoOptions
from eyechart.engine.media import MediaSettings, prepare_messages
from eyechart.errors import DataError, EyechartError, MediaError
from eyechart.messages import InlineMedia, Message, Video


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture that lies beside the data root, and one that a link inside leads to."""
    (tmp_path / "root" / "images").mkdir(parents=True)
    path = tmp_path / "secret.png"
    Image.new("RGB", (9, 9), (1, 2, 3)).save(path)
    (tmp_path / "root" / "link.png").symlink_to(path)
    (tmp_path / "root" / "way").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "root" / "pipe.png")
    return path


@pytest.fixture
def web() -> Iterator[tuple[int, list[object]]]:
    """A port, and who has called there."""
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, caller = server.accept()
                    callers.append(caller)
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)


PLACES = [
    "../secret.png", "images/../../secret.png", "{secret}", "//{secret}", "link.png", "way/secret.png", "pipe.png",
    "file://{secret}", "FILE://{secret}", "file:../secret.png", "http://127.0.0.1:{port}/a.png", "ftp://127.0.0.1:{port}/a.png",
    "https://127.0.0.1:{port}/a.png", "\\\\127.0.0.1\\share\\a.png", "..\\secret.png", "~/secret.png", "$HOME/secret.png",
    "/dev/zero", "/proc/self/environ", "/etc/passwd", ".", "", "a\0b.png", "x" * 5000, "data:image/png;base64,AAAA",
]  # fmt: skip


@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
@pytest.mark.parametrize("place", PLACES)
def test_pictures_lie_below_the_data_root(
    place: str, protocol: str, secret: Path, web: tuple[int, list[object]], tmp_path: Path
) -> None:
    port, callers = web
    shown = place.replace("{secret}", str(secret)).replace("{port}", str(port))
    for column in ("image_path", "image"):
        table = tmp_path / "root" / "Own.tsv"
        table.write_text(f"index\tquestion\tA\tB\tanswer\t{column}\n1\tWhich?\tcat\tdog\tA\t{shown}\n")
        held: list[object] = []
        with suppress(EyechartError):
            bench = load_benchmark("Own", tmp_path / "root", protocol)
            for sample in bench.samples():
                messages = prepare_messages(bench.prompt(sample), MediaSettings())
                held += [part for message in messages for part in message.parts if isinstance(part, InlineMedia)]
        assert held == []
    assert callers == []


VIDEOS = ["../v", "/etc/passwd", "{secret}", "a/../../v", "a\0b", "file:///etc/passwd", "http://127.0.0.1:{port}/v"]


@pytest.mark.parametrize("column", ["video", "subtitle_path", "video_path"])
@pytest.mark.parametrize("place", VIDEOS)
def test_videos_and_subtitles_lie_below_their_benchmark(
    place: str, column: str, secret: Path, web: tuple[int, list[object]], tmp_path: Path
) -> None:
    port, callers = web
    folder = tmp_path / "root" / "Video-MME"
    write_clip(folder / "video" / "v.mp4", frames=3)
    write_clip(tmp_path / "root" / "v.mp4", frames=3)
    (tmp_path / "root" / "v").write_text("1\n00:00:00,000 --> 00:10:00,000\nsecret words\n")
    cells = {"video": "v", "subtitle_path": "s.srt", "video_path": ""}
    cells[column] = place.replace("{secret}", str(secret)).replace("{port}", str(port))
    rest = {"question": "Which?", "candidates": "['A. a', 'B. b']", "answer": "A", "duration": "short"}
    row = {"index": "1", **cells, **rest}
    (folder / "Video-MME.tsv").write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n")
    bench = load_benchmark("Video-MME", tmp_path / "root", videos=VideoOptions(use_subtitle=True))
    assert isinstance(bench, VideoBenchmark)
    probed: list[Path] = []

    def probe(path: Path) -> VideoFacts:
        probed.append(path)
        return VideoFacts(3, 10.0)

    bench.probe = probe
    for sample in bench.samples():
        with suppress(MediaError, DataError):
            assert "secret words" not in str(bench.prompt(sample))
    assert all(path.is_relative_to(folder) and ".." not in path.parts for path in probed)
    assert callers == []


@pytest.mark.parametrize("place", ["ftp://h/v.mp4", "gopher://h/v", "smb://h/v", "javascript://h/v"])
def test_a_model_is_sent_to_the_web_for_a_video_and_nowhere_else(place: str) -> None:
    with pytest.raises(MediaError, match="no address of a video"):
        prepare_messages([Message("user", (Video(place),))], MediaSettings())


def zipped(path: Path, name: str, kind: int = stat.S_IFREG, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        entry = zipfile.ZipInfo("a")
        entry.filename = name
        entry.external_attr = (kind | 0o777) << 16
        file.writestr(entry, content)
    return path


KINDS = [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK]
NAMES = ["../a", "a/../../a", "/a", "//a", "..\\a", "C:\\a", "C:a", "a/..", "\\\\host\\share\\a", "a\0/../../b"]


def climbed(tmp_path: Path) -> list[str]:
    return [path.name for path in tmp_path.iterdir() if path.name not in ("in", "in.unpacking", "a.zip")]


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_cannot_climb(name: str, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", name)
    with suppress(DataError):
        unpack_zip(archive, tmp_path / "in" / "deep")
    with suppress(DataError):
        unpack_zips_flat([archive], tmp_path / "in" / "flat")
    assert climbed(tmp_path) == []
    assert {path.name for path in (tmp_path / "in").rglob("*")} <= {"deep", "flat", "flat.unpacking", "a", "b", "C:a"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_brings_files_and_nothing_else(kind: int, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", "a", kind, b"/etc/passwd")
    with pytest.raises(DataError, match="links are not extracted"):
        unpack_zip(archive, tmp_path / "in")
    with pytest.raises(DataError, match="links are not extracted"):
        unpack_zips_flat([archive], tmp_path / "in")
    assert climbed(tmp_path) == []


@pytest.mark.parametrize("ending", ["", "AAAA", "=" * 3])
def test_what_is_no_picture_is_never_sent(ending: str, tmp_path: Path) -> None:
    (tmp_path / "keys.png").write_text(f"OPENAI_API_KEY=sk-1{ending}")
    (tmp_path / "Own.tsv").write_text("index\tquestion\tanswer\timage_path\n1\tWhich?\tA\tkeys.png\n")
    bench = load_benchmark("Own", tmp_path)
    (sample,) = bench.samples()
    with pytest.raises(MediaError):
        prepare_messages(bench.prompt(sample), MediaSettings())
