"""Folders of tiny random models, for tests that do not import torch themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NEEDED = ("torch", "transformers", "torchvision", "accelerate")
"""What a model on this machine needs, and what `write_beside` needs."""

_WRITE = """
import sys
from pathlib import Path
from tiny_models import WRITERS, Size
WRITERS[sys.argv[2]](Path(sys.argv[1]), size=Size(context=4096))
"""


def write_beside(folder: Path, architecture: str = "qwen2_5_vl") -> Path:
    """Writes a model's folder in a process of its own and returns it."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", _WRITE, str(folder), architecture]
    subprocess.run(command, check=True, env=environ, timeout=200)
    return folder
