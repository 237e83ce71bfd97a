"""The version, in one place: the package's metadata and every run's manifest take it from here."""

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
