"""What must never be shown: which fields hold secrets, and how a secret that a server echoes is taken out of a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus, urlsplit

__all__ = ["names_secret", "secrets_of_address", "secrets_within", "telling", "without"]

_WORDS: Final = (
    "key", "secret", "secrets", "password", "passwd", "passphrase", "authorization", "auth", "bearer", "cookie",
    "credential", "credentials", "token", "sig", "signature",
)  # fmt: skip
_NOT_SECRET: Final = ("tokens", "token_ids")
_NO_KEYS: Final = frozenset({"EMPTY"})
_SHORTEST: Final = 4
_LEAD: Final = 8
_TELLING: Final = 16


def names_secret(field: str) -> bool:
    """Whether what stands under this name is a secret: ``api_key``, ``X-Auth-Token``, but not ``max_tokens``."""
    bare = field.lower()
    return bare.endswith(_WORDS) and not bare.endswith(_NOT_SECRET)


def secrets_within(value: Any, *, named: bool = False) -> Iterator[str]:
    """Yields the texts in a JSON value that stand, at any depth, under a field that is named like a secret."""
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from secrets_within(item, named=named or names_secret(str(name)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_within(item, named=named)


def secrets_of_address(address: str) -> Iterator[str]:
    """Yields the secrets in an address's query, as they stand in it and as they are meant."""
    for name, text in parse_qsl(urlsplit(address).query.replace("%", "%25").replace("+", "%2B")):
        if names_secret(unquote_plus(name)):
            yield text
            yield unquote_plus(text)


def telling(secrets: Iterable[str]) -> tuple[str, ...]:
    """Returns the secrets that no answer holds by chance: not ``none`` or ``local``, but what was drawn at random."""
    return tuple(secret for secret in secrets if len(secret) >= _TELLING)


def without(secrets: Iterable[str], text: str) -> str:
    """Returns a text with ``[key]`` in the place of each secret, whole or cut off after its first characters."""
    for secret in sorted(set(secrets) - _NO_KEYS, key=len, reverse=True):
        lead = secret[:_LEAD]
        if len(lead) < _SHORTEST or lead not in text:
            continue
        text, *rest = text.split(lead)
        for piece in rest:
            text += "[key]" + piece[_common(piece, secret[_LEAD:]) :]
    return text


def _common(one: str, other: str) -> int:
    """Returns how many characters two texts share at their start."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
