"""An OpenAI-style server that behaves as badly as it is told to: for tests, and for trying a run without a model."""

from __future__ import annotations

from .server import MockServer, serve
from .settings import FAULTS, REFUSALS, MockSettings, parse_settings
from .stats import MockStats

__all__ = ["FAULTS", "REFUSALS", "MockServer", "MockSettings", "MockStats", "parse_settings", "serve"]
