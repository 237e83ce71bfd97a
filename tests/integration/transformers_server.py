"""Starts ``transformers serve``: python transformers_server.py serve FOLDER --port … (run in the folder's parent).

Beside a build of torch for CPUs the compiled part of torchvision does not load, and that server reads pictures with it.
Here Pillow reads them, as it does for models on this machine; all else is the server's own.
"""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from eyechart.adapters.local.torchvision_operators import import_torchvision


def decode_image(data, mode="UNCHANGED", *, apply_exif_orientation=False):
    """As torchvision's: bytes of a file in a tensor to a tensor (channels, height, width)."""
    from torchvision.transforms.functional import pil_to_tensor

    del mode
    image = Image.open(io.BytesIO(data.numpy().tobytes()))
    return pil_to_tensor((ImageOps.exif_transpose(image) if apply_exif_orientation else image).convert("RGB"))


def main() -> None:
    if (operators := import_torchvision()) is not None:
        import torchvision.io

        torchvision.io.decode_image = decode_image
    from transformers.cli.transformers import main as serve

    serve()
    del operators


if __name__ == "__main__":
    main()
