"""Made-up photographs: JPEG files that cost a decoder and an encoder what real ones cost.

The pictures of `common.jpegs` are a plain surface and a comment, which is right for a client that sends a file as it
is. A peer that opens a picture and packs it again would get off too lightly with them.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

from PIL import Image

BYTES = 86_000
_SIZE = (640, 480)
_CELLS = (5, 10, 20, 40, 80, 160, 320, 640)
_SHARES = (1.0, 0.38, 0.38, 0.38, 0.2, 0.2, 0.1, 0.1)
_DIFFERENT = 16
"""Scenes that are drawn; a comment makes each file another one."""


def photos(count: int) -> Iterator[bytes]:
    """Yields JPEG files of exactly `BYTES` bytes, 640 x 480, each different, always the same ones."""
    scenes = [_jpeg(seed) for seed in range(min(count, _DIFFERENT))]
    for n in range(count):
        scene = scenes[n % len(scenes)]
        comment = (b"%08d" % n).ljust(BYTES - len(scene) - 4, b".")
        yield scene[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + scene[2:]


def _jpeg(seed: int) -> bytes:
    """Noise of all scales, coarse ones strongest as in photographs, packed as finely as fits."""
    dice = random.Random(seed)
    scene = Image.new("RGB", _SIZE)
    for cells, share in zip(_CELLS, _SHARES, strict=True):
        size = (cells, cells * 3 // 4)
        layer = Image.frombytes("RGB", size, dice.randbytes(size[0] * size[1] * 3))
        scene = Image.blend(scene, layer.resize(_SIZE, Image.Resampling.BICUBIC), share)
    for quality in range(90, 0, -1):
        file = io.BytesIO()
        scene.save(file, "JPEG", quality=quality)
        if len(file.getvalue()) < BYTES - 16:
            return file.getvalue()
    raise AssertionError("a picture of this size always fits at the lowest quality")
