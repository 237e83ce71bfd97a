"""Lets torchvision be imported beside a torch that has been built without CUDA.

The registry's torchvision finds no CUDA libraries there, loads none of its compiled operators, and fails as it imports,
for two of them are spoken of all the same. Peers import it and never use it: it is enough that the two have a name.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_NAMES = """

if not _has_ops():
    _named = torch.library.Library("torchvision", "DEF")
    for _operator in ("nms", "qnms"):
        _named.define(_operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def mend(python: Path) -> None:
    """Gives the two operators a name in the environment of this interpreter, if torchvision cannot be imported."""
    broken = subprocess.run([python, "-c", "import torchvision"], capture_output=True, check=False)
    if broken.returncode and b"torchvision::nms" in broken.stderr:
        (module,) = python.parent.parent.glob("lib/python*/site-packages/torchvision/extension.py")
        module.write_text(module.read_text() + _NAMES)
