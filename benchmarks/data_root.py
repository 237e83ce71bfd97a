"""Where benchmark files live."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_data_root"]


def default_data_root(environ: Mapping[str, str] | None = None) -> Path:
    """Returns the folder named by ``LMUData``, else ``~/LMUData``.

    The reference passes over a named folder that does not exist yet; here it is the place that files are fetched to.

    Args:
        environ: environment variables; those of the process by default.
    """
    environ = os.environ if environ is None else environ
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  (Path.home() raises without a home)
    named = environ.get("LMUData")
    if not named:
        return Path(home, "LMUData")
    return Path(home, named[2:]) if named.startswith("~/") else Path(named)
