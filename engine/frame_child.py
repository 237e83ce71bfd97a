"""A process that decodes videos for `engine.decoders`.

It is run as a file of its own and imports nothing of eyechart, so that it starts fast and a decoder that crashes, hangs
or grows beyond its memory takes nothing with it but this process.

A request is a line of JSON on standard input; its ``op`` says what to do:

``facts``
    one reply ``i``: JSON with ``frames`` and ``fps``
``frames``
    a reply ``f`` for each distinct index, the lowest first: its number in 8 bytes and base64 text of a JPEG; then ``d``
``cut``
    writes a part of a video, or the pictures of a folder, to an mp4 file; then ``d``

Anything may end with ``e`` and a sentence instead. A reply is its letter, the length of what follows in 8 bytes, and
that. At the end of its input the process ends, whatever it is doing.
"""

from __future__ import annotations

import binascii
import io
import json
import os
import queue
import re
import resource
import struct
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

__all__ = ["main"]

_PLACE: Final = re.compile(r"^(\[[0-9:]+\] )?(\S+:\d+: )?(\[.*?\] )?")
_CHECK: Final = re.compile(r"^Check failed: .*\([^()]* vs\. [^()]*\) ?(ERROR )?")
_QUALITY: Final = 75
_RGB: Final = 3
_PADDED: Final = 4
_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Replies:
    """Writes replies, and nothing else ever does: what libraries print goes nowhere."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def send(self, kind: bytes, body: bytes = b"") -> None:
        self._out.write(kind + struct.pack(">Q", len(body)) + body)
        self._out.flush()


class _Decoder:
    """Opens videos with decord, and keeps the last one open: facts are asked for before frames."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._encoder = ThreadPoolExecutor(1)
        self._key: tuple[object, ...] = ()
        self._reader: Any = None

    def _open(self, video: str) -> Any:
        import decord  # noqa: PLC0415  (a request to cut needs another library)

        status = Path(video).stat()
        key = (video, status.st_ino, status.st_size, status.st_mtime_ns)
        if key != self._key:
            self._reader, self._key = None, ()
            try:
                self._reader = decord.VideoReader(video, ctx=decord.cpu(0), num_threads=self._threads)
            except (decord.DECORDError, RuntimeError) as error:
                raise ValueError(_plain(str(error))) from None
            self._key = key
        return self._reader

    def facts(self, request: dict[str, Any], replies: _Replies) -> None:
        reader = self._open(request["video"])
        facts = {"frames": len(reader), "fps": float(reader.get_avg_fps())}
        replies.send(b"i", json.dumps(facts).encode())

    def frames(self, request: dict[str, Any], replies: _Replies) -> None:
        import decord  # noqa: PLC0415

        reader, left = self._open(request["video"]), request["max_bytes"]
        count = len(reader)
        coding: tuple[int, Future[bytes]] | None = None
        try:
            for index in sorted(set(request["indices"])):
                if not 0 <= index < count:
                    raise ValueError(f"frame {index} is asked for, and it has {count}")
                pixels = _rgb(reader[index].asnumpy())
                # One frame is encoded while the next one is decoded.
                left -= _send(coding, replies)
                if left < 0:
                    raise ValueError(f"its frames take more than {request['max_bytes'] >> 20} MiB")
                coding = index, self._encoder.submit(_jpeg, pixels, request["max_pixels"])
        except decord.DECORDError as error:
            raise ValueError(_plain(str(error))) from None
        _send(coding, replies)
        replies.send(b"d")


def _send(coding: tuple[int, Future[bytes]] | None, replies: _Replies) -> int:
    if coding is None:
        return 0
    text = coding[1].result()
    replies.send(b"f", struct.pack(">Q", coding[0]) + text)
    return len(text)


def _plain(error: str) -> str:
    """Takes a decoder's message without the place in its source, its stack and the file's path."""
    line = error.strip().partition("\n")[0]
    if line.startswith("Error reading"):
        return "it is no video that can be opened"
    line = _PLACE.sub("", line)
    return _CHECK.sub("", line).strip() or "it cannot be decoded"


def _rgb(pixels: Any) -> Any:
    """Returns height x width x 3.

    Of narrow videos that are turned by their metadata decord hands out rows with what pads them, as if there were a
    fourth channel: the pixels of a row stand at its start.
    """
    height, width, channels = pixels.shape
    if channels != _PADDED:
        return pixels
    return pixels.reshape(height, width * _PADDED)[:, : width * _RGB].reshape(height, width, _RGB)


def _jpeg(pixels: Any, max_pixels: int | None) -> bytes:
    from PIL import Image  # noqa: PLC0415

    picture = Image.fromarray(pixels)
    width, height = picture.size
    if max_pixels is not None and width * height > max_pixels:
        factor = (max_pixels / (width * height)) ** 0.5
        picture = picture.resize((max(1, int(width * factor)), max(1, int(height * factor))), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return binascii.b2a_base64(buffer.getvalue(), newline=False)


def _cut(request: dict[str, Any], replies: _Replies) -> None:
    """Writes frames of a span to an H.264 file without sound, from time 0 on."""
    import av  # noqa: PLC0415

    start, end = request["span"] or (0.0, float("inf"))
    video, rate = request["video"], request["rate"]
    try:
        written = _write(
            request["out"], _within(video, start, end) if rate is None else _pictures(video, start, end, rate)
        )
    except av.error.FFmpegError as error:
        raise ValueError(error.strerror or str(error)) from None
    if not written:
        raise ValueError(f"it shows nothing between {start:g} and {end:g} s")
    replies.send(b"d")


def _write(out: str, frames: Any) -> int:
    import av  # noqa: PLC0415

    written = 0
    with av.open(out, "w", format="mp4", options={"movflags": "faststart"}) as target:
        stream: Any = None
        for frame, time, rate in frames:
            if stream is None:
                stream = target.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
                stream.width, stream.height = frame.width & ~1 or 2, frame.height & ~1 or 2
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, 90_000)
            shown = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
            shown.pts, shown.time_base = round(time * 90_000), Fraction(1, 90_000)
            target.mux(stream.encode(shown))
            written += 1
        if stream is not None:
            target.mux(stream.encode())
    return written


def _within(video: str, start: float, end: float) -> Any:
    """Yields the frames of a span, turned as they are to be shown, with their times in it and the rate of all."""
    import av  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    turns = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
    from_image: Any = av.VideoFrame.from_image
    with av.open(video) as opened:
        source: Any = opened
        if not source.streams.video:
            raise ValueError("it has no video stream")
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        zero = float((stream.start_time or 0) * stream.time_base)
        if start > 0:
            source.seek(int((start + zero) / stream.time_base), stream=stream)
        for frame in source.decode(stream):
            time = frame.time - zero
            if time >= end:
                break
            if time < start:
                continue
            turn = turns[round(frame.rotation / 90) % 4]
            shown = frame if turn is None else from_image(frame.to_image().transpose(turn))
            yield shown, time - start, stream.average_rate or 25


def _pictures(folder: str, start: float, end: float, rate: float) -> Any:
    """Yields the pictures of a folder as frames, in the order of their names."""
    import av  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    from_image: Any = av.VideoFrame.from_image
    for number, path in enumerate(sorted(Path(folder).glob("*.jpg"))):
        time = number / rate
        if start <= time < end:
            with Image.open(path, formats=["JPEG"]) as picture:
                yield from_image(picture.convert("RGB")), time - start, Fraction(rate).limit_denominator()


def _serve(lines: queue.SimpleQueue[bytes], replies: _Replies, decoder: _Decoder) -> None:
    works = {"facts": decoder.facts, "frames": decoder.frames, "cut": _cut}
    while True:
        request = json.loads(lines.get())
        try:
            works[request["op"]](request, replies)
        except _FAULTS as error:
            text = "it does not fit into memory" if isinstance(error, MemoryError) else str(error)
            replies.send(b"e", (" ".join(text.split()) or type(error).__name__).encode("utf-8", "replace"))


def _listen(lines: queue.SimpleQueue[bytes]) -> None:
    """Takes requests; without anybody who could send more the process ends, even where a decoder hangs."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def main() -> None:
    """Serves requests until its input ends. Arguments: bytes of memory, threads of the decoder."""
    memory, threads = int(sys.argv[1]), int(sys.argv[2])
    with suppress(ValueError, OSError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    _serve(lines, _Replies(out), _Decoder(threads))


if __name__ == "__main__":
    main()
