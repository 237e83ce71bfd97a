"""Says what an unsuccessful HTTP response means, whatever shape its body has.

Servers agree on little: llama.cpp, vLLM and OpenAI send ``{"error": {"message", "type", "code"}}``, vLLM sends
``{"error": "Unauthorized"}`` for a wrong key, FastAPI servers ``{"detail": ...}`` with a text or a list, ms-swift
``{"object": "error", "message"}``, proxies HTML, others plain text or nothing. A wrong key is 401 at most and 400 at
ms-swift; an unknown model is 404 at vLLM and 400 at transformers and ms-swift; a prompt over the context is a 400 that
only its words tell apart.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import orjson

from ..errors import (
    AuthError,
    BadRequest,
    ContextOverflow,
    EndpointError,
    NotFound,
    Overloaded,
    RateLimited,
    ServerFault,
    Timeout,
)

__all__ = ["MAX_RETRY_AFTER_S", "classify", "clean", "retry_after"]

MAX_RETRY_AFTER_S: Final = 3600.0
"""Longest wait that a server can ask for; a longer one is cut to this."""
_MAX_MESSAGE: Final = 300
_MAX_BODY: Final = 65_536
_MAX_DEPTH: Final = 8

_BY_STATUS: Final[Mapping[int, type[EndpointError]]] = {
    401: AuthError,
    402: AuthError,  # the account has no credit: nothing will be answered either
    403: AuthError,
    404: NotFound,
    405: NotFound,  # what a web page at a wrong address says to a POST
    407: AuthError,
    408: Timeout,
    410: NotFound,
    425: Overloaded,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}
_OVERFLOW: Final = re.compile(
    r"exceed_context_size|context_length_exceeded|string_above_max_length"
    r"|maximum context length|maximum (?:model|sequence|input) length|model'?s context length"
    r"|context (?:size|window|length)\b.{0,80}\bexceed|exceeds?\b.{0,80}\bcontext (?:size|window|length)"
    r"|larger than the max_length|longer than the model|prompt is too long|input is too long"
    r"|input[ _]length\b.{0,60}\bexceed|range of input length|inputs?\b.{0,10}\btokens\b.{0,40}\bmust be <=",
    re.IGNORECASE,
)
_OUTPUT_LIMIT: Final = re.compile(
    r"max_(?:completion_)?tokens\W?.{0,40}cannot be greater than|fewer output tokens", re.IGNORECASE
)
_KEY: Final = re.compile(
    r"api[ _-]?key (?:error|is missing|not valid)|(?:invalid|incorrect|wrong|missing)[ _]+api[ _-]?key"
    r"|authentication_error|invalid_authentication",
    re.IGNORECASE,
)
_MODEL: Final = re.compile(
    r"model_not_found|server is pinned to .{0,200}requested|is not in the model_list"
    r"|\bmodel:? (?:[`'\"]?[\w./:@+-]{1,120}[`'\"]? )?(?:does not exist|(?:is )?not found|not exist)",
    re.IGNORECASE,
)
_CREDIT: Final = re.compile(r"insufficient_quota|billing_(?:hard_limit|not_active)|insufficient balance", re.IGNORECASE)


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: float = 0.0, url: str = "") -> EndpointError:
    """Returns the error that a response outside 2xx stands for.

    Args:
        status: HTTP status.
        headers: response headers, looked up in lower case (or by a case-insensitive mapping).
        body: response body, of which the first 64 KB are read.
        now: wall clock in seconds since 1970, against which a date in Retry-After counts.
        url: address that was asked, without secrets, for the message of a redirect.

    Returns:
        An error whose text has at most 300 characters, quotes the server and holds no control characters.
    """
    wait = retry_after(headers, now)
    if 300 <= status < 400:  # noqa: PLR2004 (the redirects)
        place = clean(headers.get("location", "") or "an address that it does not name", 150)
        text = (
            f"HTTP {status}: {url or 'the server'} redirects to {place}; redirects are not followed, set api_base to it"
        )
        return NotFound(clean(text, _MAX_MESSAGE), status=status, retry_after=wait)
    said, marks = _said(body)
    kind = _kind(status, f"{said} {marks}")
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    head = f"HTTP {status}{phrase}"
    text = clean(f"{head}: {said}" if said else head, _MAX_MESSAGE)
    return kind(text, status=status, retry_after=wait)


def _kind(status: int, words: str) -> type[EndpointError]:
    by_status = _BY_STATUS.get(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS and _CREDIT.search(words):
        return AuthError
    if by_status is not None:
        return by_status
    if status == HTTPStatus.BAD_REQUEST:
        if _KEY.search(words):
            return AuthError
        if _MODEL.search(words):
            return NotFound
    if _OVERFLOW.search(words) and not _OUTPUT_LIMIT.search(words):
        return ContextOverflow
    return BadRequest if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR else ServerFault


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Reads how many seconds a server asks to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as a date.

    A date counts from the server's own ``Date``, so that clocks that differ, or jump, prolong no wait.

    Args:
        headers: of the response, names in lower case or a mapping that does not care.
        now: seconds since 1970, which a date counts from where the server does not tell its time.

    Returns:
        Seconds from 0 to `MAX_RETRY_AFTER_S`, None when nothing readable is there.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return min(max(milliseconds / 1000, 0.0), MAX_RETRY_AFTER_S)
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is None and (when := _date(value)) is not None:
        told = _date(headers.get("date", ""))
        seconds = when - (now if told is None else told)
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _date(value: str) -> float | None:
    """Reads a date as seconds since 1970, None when it is none."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def clean(text: str, limit: int) -> str:
    """Returns text on one line, without control and other invisible characters, cut to `limit` characters."""
    visible = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * limit])
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _said(body: bytes) -> tuple[str, str]:
    """Returns the server's own words, and the marks beside them (type, code, param)."""
    head = body[:_MAX_BODY]
    try:
        data = orjson.loads(head)
    except orjson.JSONDecodeError:
        return _plain(head.decode("utf-8", "replace")), ""
    error = data.get("error", data) if isinstance(data, dict) else data
    marks = " ".join(_marks(error))
    return _words(error), marks


def _marks(error: object) -> list[str]:
    if not isinstance(error, dict):
        return []
    return [
        str(error[name])[:_MAX_MESSAGE] for name in ("type", "code", "param") if isinstance(error.get(name), str | int)
    ]


def _words(error: object, depth: int = 0) -> str:
    if isinstance(error, str):
        return _plain(error)
    if depth > _MAX_DEPTH:
        return ""
    if isinstance(error, dict):
        for name in ("message", "detail", "msg", "error", "error_msg", "title"):
            if name in error and (said := _words(error[name], depth + 1)):
                where = ".".join(map(str, place)) if isinstance(place := error.get("loc"), list) else ""
                return f"{where}: {said}" if where else said
        return ""
    if isinstance(error, list):
        return "; ".join(filter(None, (_words(item, depth + 1) for item in error[:3])))
    return ""


def _plain(text: str) -> str:
    """Makes an HTML page a line of text: its title, or what is left without tags."""
    if not re.match(r"\s*<(?:!doctype|html|head|body|h\d|p|\?xml)\b", text, re.IGNORECASE):
        return text
    title = re.search(r"<title[^<>]*>([^<]{1,200})", text, re.IGNORECASE)
    return title.group(1) if title else re.sub(r"<[^<>]{0,500}>", " ", text)
