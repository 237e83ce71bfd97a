"""The frame sampler on real and made clips: the right frames, decoded once, whatever is wrong with a file."""

from __future__ import annotations

import base64
import io
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from clips import break_videos, picture, real_clips, turned, write_clip, write_uneven
from PIL import Image

from eyechart.benchmarks.sampling import VideoFacts, interior_points
from eyechart.engine.decoders import Decoders
from eyechart.engine.frames import FrameSampler
from eyechart.engine.media_files import content_key
from eyechart.errors import MediaError


@pytest.fixture
def sampler(tmp_path: Path) -> Iterator[FrameSampler]:
    with FrameSampler(Decoders(most=2), clips=tmp_path / "clips") as found:
        yield found


def opened(text: bytes) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def pixels(text: bytes) -> np.ndarray:
    return np.asarray(opened(text).convert("RGB"), dtype=int)


def shows(text: bytes, number: int, size: tuple[int, int] = (64, 48)) -> bool:
    """Whether a JPEG is the frame of this number, as near as two lossy formats come."""
    return bool(np.abs(pixels(text) - picture(number, *size)).mean() < 6)


def test_frames_are_those_that_were_asked_for(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4")
    assert sampler.facts(video) == VideoFacts(20, 10.0)
    found = sampler.frames(video, (17, 3, 3, 0))
    assert [shows(text, number) for text, number in zip(found, (17, 3, 3, 0), strict=True)] == [True] * 4
    assert found[1] is found[2]
    assert opened(found[0]).format == "JPEG"


def test_a_frame_is_the_jpeg_that_the_reference_would_keep(sampler: FrameSampler, tmp_path: Path) -> None:
    decord = pytest.importorskip("decord")
    video = write_clip(tmp_path / "a.mp4")
    buffer = io.BytesIO()
    Image.fromarray(decord.VideoReader(str(video))[7].asnumpy()).save(buffer, "JPEG")
    assert base64.b64decode(sampler.frames(video, (7,))[0]) == buffer.getvalue()


@pytest.mark.parametrize("video", real_clips(), ids=lambda path: path.stem)
def test_real_clips(video: Path, sampler: FrameSampler) -> None:
    facts = sampler.facts(video)
    assert facts.frames > 60
    assert 20 < facts.fps < 31
    found = sampler.frames(video, interior_points(facts, 8))
    assert len(set(found)) == 8
    assert all(len(text) > 2000 for text in found)


@pytest.mark.parametrize(
    ("name", "codec", "size"),
    [
        ("a.webm", "libvpx-vp9", (160, 120)),
        ("a.gif", "gif", (80, 60)),
        ("odd.mkv", "ffv1", (101, 77)),
        ("a.avi", "mpeg4", (64, 48)),
        ("a.mov", "libx264", (64, 48)),
        ("4k.mp4", "libx264", (3840, 2160)),
    ],
)
def test_formats_and_sizes(name: str, codec: str, size: tuple[int, int], sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / name, frames=6, size=size, codec=codec)
    assert sampler.facts(video).frames == 6
    first, last = sampler.frames(video, (0, 5))
    assert opened(first).size == opened(last).size == size
    assert first != last


def test_a_clip_of_one_frame(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "one.mp4", frames=1)
    facts = sampler.facts(video)
    found = sampler.frames(video, interior_points(facts, 8))
    assert (facts.frames, len(found), len(set(found))) == (1, 8, 1)


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("size", [(64, 48), (320, 240)])
def test_turned_videos_are_shown_upright(
    degrees: int, size: tuple[int, int], sampler: FrameSampler, tmp_path: Path
) -> None:
    video = turned(write_clip(tmp_path / "a.mp4", size=size), degrees)
    upright = np.rot90(picture(7, *size), -degrees // 90)
    assert np.abs(pixels(sampler.frames(video, (7,))[0]) - upright).mean() < 6


def test_frames_at_an_uneven_rate_are_counted_as_they_come(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_uneven(tmp_path / "vfr.mp4")
    facts = sampler.facts(video)
    assert facts.frames == 30
    assert 8 < facts.fps < 12
    assert [shows(text, number) for text, number in zip(sampler.frames(video, (2, 28)), (2, 28), strict=True)] == [
        True,
        True,
    ]


def test_large_frames_are_scaled_down(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", size=(320, 200))
    assert opened(sampler.frames(video, (0,), 16_000)[0]).size == (160, 100)
    assert opened(sampler.frames(video, (0,), 1)[0]).size == (1, 1)
    assert opened(sampler.frames(video, (0,), 64_000)[0]).size == (320, 200)


def test_questions_on_one_video_share_one_decoding(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: sampler.frames(video, (1, 5, 9)), range(20)))
    assert sampler.decoded == 1
    assert all(frames[0] is found[0][0] for frames in found)
    sampler.frames(video, (1, 5))
    assert sampler.decoded == 2


def test_a_file_that_is_written_anew_is_another_video(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", frames=4)
    assert sampler.facts(video).frames == 4
    write_clip(video, frames=9)
    assert sampler.facts(video).frames == 9


def test_memory_for_frames_is_bounded(tmp_path: Path) -> None:
    videos = [write_clip(tmp_path / f"{k}.mp4", size=(160, 120)) for k in range(4)]
    with FrameSampler(cache_bytes=20_000) as sampler:
        for video in videos * 2:
            sampler.frames(video, range(8))
        assert sampler._frames.held_bytes <= 20_000
        assert sampler.decoded == 8


def test_frames_are_kept_on_disk_where_asked(tmp_path: Path) -> None:
    video, store = write_clip(tmp_path / "a.mp4"), tmp_path / "store"
    with FrameSampler(store=store) as sampler:
        found = sampler.frames(video, (1, 5))
    (file,) = store.iterdir()
    with FrameSampler(store=store) as sampler:
        assert sampler.frames(video, (1, 5)) == found
        assert sampler._decoders.pids() == []
    file.write_bytes(file.read_bytes()[:-1])
    with FrameSampler(store=store) as sampler:
        assert sampler.frames(video, (1, 5)) == found
        assert sampler._decoders.pids() != []
    with FrameSampler() as sampler:
        sampler.frames(video, (2,))
    assert len(list(store.iterdir())) == 1


def _broken(tmp_path: Path) -> dict[str, Path]:
    """Ten kinds of videos that are broken, by name."""
    return {**break_videos(tmp_path), "device": Path("/dev/zero")}


def test_ten_kinds_of_broken_videos_are_told_by_name(sampler: FrameSampler, tmp_path: Path) -> None:
    for name, path in _broken(tmp_path).items():
        for _ in range(2):
            with pytest.raises(MediaError, match=f"^video {path.name}: ") as caught:
                sampler.frames(path, (0, 1))
        assert "/src/" not in str(caught.value), name
        with pytest.raises(MediaError, match=f"^video {path.name}: "):
            sampler.facts(path)
    assert sampler.facts(tmp_path / "whole.mp4").frames == 40


def test_a_frame_beyond_the_end_is_told(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", frames=4)
    with pytest.raises(MediaError, match=r"video a\.mp4: frame 4 is asked for, and it has 4"):
        sampler.frames(video, (0, 4))


STUB = """
import json, os, signal, struct, sys, time
for line in sys.stdin.buffer:
    video = json.loads(line)["video"]
    if "hang" in video:
        time.sleep(100)
    if "crash" in video:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "nonsense" in video:
        sys.stdout.buffer.write(b"x" + struct.pack(">Q", 1 << 60))
    elif "half" in video:
        sys.stdout.buffer.write(b"i" + struct.pack(">Q", 100) + b"{")
        sys.stdout.buffer.flush()
        sys.exit(3)
    else:
        body = json.dumps({"frames": 1, "fps": 1.0}).encode()
        sys.stdout.buffer.write(b"i" + struct.pack(">Q", len(body)) + body)
    sys.stdout.buffer.flush()
"""


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    path = tmp_path / "stub.py"
    path.write_text(STUB)
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hang", r"the decoder gave nothing for 1\.5 s and was stopped"),
        ("crash", r"the decoder crashed \(SIGSEGV\)"),
        ("nonsense", "the decoder replied nonsense"),
        ("half", r"the decoder crashed \(status 3\)"),
    ],
)
def test_a_decoder_that_goes_astray_costs_its_video_and_nothing_else(
    name: str, told: str, stub: Path, tmp_path: Path
) -> None:
    bad, good = tmp_path / f"{name}.mp4", tmp_path / "good.mp4"
    bad.write_bytes(b"x")
    good.write_bytes(b"y")
    with FrameSampler(Decoders(most=1, patience_s=1.5, program=stub)) as sampler:
        with pytest.raises(MediaError, match=rf"video {name}\.mp4: {told}"):
            sampler.facts(bad)
        assert sampler.facts(good) == VideoFacts(1, 1.0)
        with pytest.raises(MediaError, match=told):
            sampler.facts(bad)


def test_a_decoder_that_needs_too_much_memory_is_told(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "large.mp4", frames=4, size=(3840, 2160))
    with (
        FrameSampler(Decoders(most=1, memory_bytes=350 << 20)) as sampler,
        pytest.raises(MediaError, match=r"^video large\.mp4: "),
    ):
        sampler.frames(video, (0, 1, 2, 3))


def test_decoding_can_be_interrupted(stub: Path, tmp_path: Path) -> None:
    bad = tmp_path / "hang.mp4"
    bad.write_bytes(b"x")
    with FrameSampler(Decoders(most=1, patience_s=60, program=stub)) as sampler, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(sampler.facts, bad)]
        while not sampler._decoders.pids():
            time.sleep(0.01)
        (tmp_path / "hang2.mp4").write_bytes(b"z")
        asked.append(pool.submit(sampler.facts, tmp_path / "hang2.mp4"))
        time.sleep(0.1)
        sampler.interrupt()
        for future in asked:
            with pytest.raises(MediaError, match="the run was stopped"):
                future.result(10)


def test_decoders_end_with_the_sampler(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4")
    with FrameSampler(Decoders(most=2)) as sampler:
        sampler.facts(video)
        (pid,) = sampler._decoders.pids()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_part_of_a_video_is_cut_out_once(sampler: FrameSampler, tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4", frames=40)
    part = sampler.clip(video, (1.0, 2.0), None)
    assert part == sampler.clip(video, (1.0, 2.0), None)
    assert sampler.facts(part) == VideoFacts(10, 10.0)
    first, last = sampler.frames(part, (0, 9))
    assert (shows(first, 10), shows(last, 19)) == (True, True)
    assert sampler.clip(video, (0.0, 0.5), None) != part
    assert sampler.facts(sampler.clip(video, (3.0, 99.0), None)).frames == 10
    with pytest.raises(MediaError, match=r"video a\.mp4: it shows nothing between 9 and 10 s"):
        sampler.clip(video, (9.0, 10.0), None)
    assert all(path.suffix == ".mp4" for path in (tmp_path / "clips").iterdir())


def test_parts_of_odd_and_turned_videos(sampler: FrameSampler, tmp_path: Path) -> None:
    odd = sampler.clip(write_clip(tmp_path / "odd.mkv", size=(101, 77), codec="ffv1"), (0.0, 1.0), None)
    assert opened(sampler.frames(odd, (0,))[0]).size == (100, 76)
    upright = sampler.clip(turned(write_clip(tmp_path / "a.mp4"), 90), None, None)
    found = pixels(sampler.frames(upright, (7,))[0])
    assert np.abs(found - np.rot90(picture(7, 64, 48), -1)).mean() < 8


def test_pictures_of_a_folder_become_a_video(sampler: FrameSampler, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(9):
        Image.fromarray(picture(number, 64, 48)).save(folder / f"{number + 1:05d}.jpg", quality=95)
    whole = sampler.clip(folder, None, 3.0)
    assert sampler.facts(whole) == VideoFacts(9, 3.0)
    part = sampler.clip(folder, (1.0, 2.0), 3.0)
    assert [shows(text, number) for text, number in zip(sampler.frames(part, (0, 2)), (3, 5), strict=True)] == [
        True,
        True,
    ]


def test_files_that_cannot_be_cut_are_told(sampler: FrameSampler, tmp_path: Path) -> None:
    files = _broken(tmp_path)
    for name in ("text", "cut", "sound", "random"):
        with pytest.raises(MediaError, match=f"^video {name}.mp4: "):
            sampler.clip(files[name], (0.0, 1.0), None)
    assert list((tmp_path / "clips").glob("*")) == []


def test_content_keys(tmp_path: Path) -> None:
    video = write_clip(tmp_path / "a.mp4")
    copy = tmp_path / "b.mp4"
    copy.write_bytes(video.read_bytes())
    os.utime(copy, ns=(1, 1))
    assert content_key(video) != content_key(copy)
    assert content_key(video, with_time=False) == content_key(copy, with_time=False)
    copy.write_bytes(copy.read_bytes()[:-1] + b"?")
    assert content_key(video, with_time=False) != content_key(copy, with_time=False)
