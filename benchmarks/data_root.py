"""Where benchmark files live."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_data_root"]


def default_data_root(environ: Mapping[str, str] | None = None) -> Path:
    """Returns the folder named by ``LMUData`` if it exists, else ``~/LMUData``, as the reference does.

    Args:
        environ: environment variables; those of the process by default.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("LMUData")
    if named and (root := Path(named).expanduser()).is_dir():
        return root
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / "LMUData"
