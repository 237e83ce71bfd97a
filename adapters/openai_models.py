"""Asks an OpenAI-style server which models it serves: ``GET …/models``, where a server has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson
from yarl import URL

from .errors_transport import TRANSPORT_ERRORS, explain
from .openai_chat import Endpoint, completions_url
from .secrets import secrets_of_address, without

__all__ = ["ModelList", "list_models", "models_url"]

_PATH: Final = "/chat/completions"
_MOST_BYTES: Final = 4 * 2**20
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class ModelList:
    """What a server says of its models.

    Attributes:
        status: HTTP status of the reply.
        names: names of the served models; empty when the reply holds no such list.
        contexts: longest prompt and answer together in tokens, by name, where the server says so (vLLM does).
        date: the server's clock in seconds since 1970; None when it gives none.
    """

    status: int
    names: tuple[str, ...] = ()
    contexts: Mapping[str, int] = field(default_factory=dict)
    date: float | None = None


def models_url(api_base: str) -> str | None:
    """Returns the address of the models list beside that of chat completions; None for a path of another shape.

    Raises:
        ConfigError: it is no http(s) address.
    """
    parts = urlsplit(completions_url(api_base))
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        return None
    return urlunsplit(parts._replace(path=path.removesuffix(_PATH) + "/models"))


async def list_models(endpoint: Endpoint, url: str) -> ModelList:
    """Asks for the models list once; a reply of any status is an answer.

    Args:
        endpoint: key and time limits; `Endpoint.api_base` names the server in errors.
        url: address of the list (`models_url`).

    Raises:
        EyechartError: no reply came; the text says why and never holds the key.
    """
    parts = urlsplit(url)
    headers = {"Accept": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    limits = aiohttp.ClientTimeout(total=endpoint.timeout, connect=endpoint.connect_timeout)
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=bool(endpoint.verify))
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, headers=headers, timeout=limits, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.get(URL(url, encoded=True), allow_redirects=False, proxy=endpoint.proxy) as response,
        ):
            body = await _read(response) if response.status == _OK else b""
            return ModelList(response.status, *_models(body), _date(response.headers.get("Date", "")))
    except TRANSPORT_ERRORS as error:
        at = f"{parts.scheme}://{parts.netloc}"
        plain = explain(error, at, total_s=endpoint.timeout, connect_s=endpoint.connect_timeout)
    # Not chained: aiohttp's errors hold the request's headers, and with them the key.
    raise type(plain)(without({endpoint.key, *secrets_of_address(url)}, str(plain)))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > _MOST_BYTES:
            return b""
    return body


def _models(body: bytes) -> tuple[tuple[str, ...], dict[str, int]]:
    try:
        reply = orjson.loads(body)
    except orjson.JSONDecodeError:
        return (), {}
    listed = reply.get("data") if isinstance(reply, dict) else None
    entries: list[dict[str, Any]] = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    names: dict[str, None] = {}
    contexts: dict[str, int] = {}
    for entry in entries:
        aliases = entry.get("aliases")
        for name in (entry.get("id"), *(aliases if isinstance(aliases, list) else ())):
            if isinstance(name, str) and name:
                names[name] = None
                if type(entry.get("max_model_len")) is int:
                    contexts[name] = entry["max_model_len"]
    return tuple(names), contexts


def _date(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
