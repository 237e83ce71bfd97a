"""Lets torchvision be imported where its compiled operators do not fit the torch that is installed.

A model's processor needs the transforms of torchvision that are written in Python. Its compiled part, linked against a
CUDA build, does not load beside a build of torch for CPUs, and then the import fails over the names of two operators
that no processor calls. They are given these names here, without anything behind them.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["import_torchvision"]

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def import_torchvision() -> Any:
    """Imports torchvision where it is installed and has not been imported yet.

    Returns:
        What has to be kept for as long as torchvision is used; None where nothing has.
    """
    import torch  # noqa: PLC0415

    if "torchvision" in sys.modules:
        return None
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    compiled = sorted(Path(spec.origin).parent.glob("_C*.so")) + sorted(Path(spec.origin).parent.glob("_C*.pyd"))
    try:
        for library in compiled:
            torch.ops.load_library(str(library))
    except OSError:
        names = torch.library.Library("torchvision", "DEF")
        for operator in _OPERATORS:
            names.define(operator + _SIGNATURE)
        return names
    return None
