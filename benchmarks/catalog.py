"""The benchmarks that eyechart knows by name: where their files come from and how they are scored."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

from ..errors import ConfigError

__all__ = ["CatalogEntry", "catalog", "find_entry", "nearest"]

_LANGUAGES: Final = ("ar", "cn", "en", "pt", "ru", "tr")
_PARTS: Final = MappingProxyType(
    {
        "MMMB": tuple(f"MMMB_{language}" for language in _LANGUAGES),
        "MTL_MMBench_DEV": tuple(f"MMBench_dev_{language}" for language in _LANGUAGES),
    }
)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What is known of one benchmark.

    Attributes:
        name: its name, also of its file ``<name>.tsv``.
        url: where its file is, or the hub repository it is made from; None for one that is made of others or comes
            with eyechart.
        md5: MD5 of the file as 32 hex digits, None where there is no file.
        family: which rules build its prompts and score its answers, e.g. ``image_mcq``.
        modality: what is shown: ``image``, ``video``, …
        hidden_answers: its answers are not public, so it can be asked and not scored.
        judge: ``never``, ``optional`` or ``required``.
        notes: what else a reader should know.
    """

    name: str
    url: str | None
    md5: str | None
    family: str
    modality: str
    hidden_answers: bool
    judge: str
    notes: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the benchmarks that this one joins, in order; empty for all others."""
        return _PARTS.get(self.name, ())

    @property
    def shipped(self) -> Path | None:
        """Its file inside the package where it comes with eyechart, else None."""
        return Path(__file__).with_name(f"{self.name}.tsv") if self.url is None and self.md5 is not None else None

    @property
    def file_name(self) -> str | None:
        """Base name of the file in its URL; None where the URL names no TSV."""
        name = unquote(urlsplit(self.url or "").path.rsplit("/", 1)[-1])
        return name if name.endswith(".tsv") else None


@cache
def catalog() -> Mapping[str, CatalogEntry]:
    """Returns all benchmarks by name, in alphabetical order."""
    text = files(__package__).joinpath("catalog.json").read_text(encoding="utf-8")
    entries = (CatalogEntry(**record) for record in json.loads(text))
    return MappingProxyType({e.name: e for e in sorted(entries, key=lambda e: e.name.lower())})


def nearest(name: str) -> str | None:
    """Returns the benchmark whose name is most like the given one, None when none is like it."""
    lower = {known.lower(): known for known in catalog()}
    found = difflib.get_close_matches(name.lower(), lower, n=1)
    return lower[found[0]] if found else None


def find_entry(name: str) -> CatalogEntry:
    """Returns the benchmark of that name.

    Raises:
        ConfigError: there is none; the text suggests the nearest.
    """
    known = catalog().get(name)
    if known is None:
        near = nearest(name)
        hint = f"did you mean {near!r}?" if near else "`eyechart list benchmarks` shows them all"
        raise ConfigError(f"unknown benchmark {name!r}; {hint}")
    return known
