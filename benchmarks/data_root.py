"""Where benchmark files live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_data_root"]


def default_data_root(environ: Mapping[str, str]) -> Path:
    """Returns the folder named by ``LMUData`` if it exists, else ``~/LMUData``, as the reference does.

    Args:
        environ: the environment, usually ``os.environ``.
    """
    named = environ.get("LMUData")
    if named and (root := Path(named).expanduser()).is_dir():
        return root
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / "LMUData"
