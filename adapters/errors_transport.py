"""Says in plain words why a request got no response, or only a part of one."""

from __future__ import annotations

import asyncio
import errno
import ssl
from typing import Final

import aiohttp

from ..errors import ConfigError, EyechartError, MalformedReply, Timeout, Transport
from .errors_http import clean

__all__ = ["TRANSPORT_ERRORS", "explain"]

TRANSPORT_ERRORS: Final = (aiohttp.ClientError, asyncio.TimeoutError, OSError, ssl.SSLError)
"""What aiohttp raises when a request fails below HTTP."""

_BY_ERRNO: Final = {
    errno.ECONNREFUSED: "connection refused at {at}: is the server running?",
    errno.ECONNRESET: "the connection to {at} was reset by the server",
    errno.EPIPE: "the connection to {at} was closed by the server while the request was sent",
    errno.EHOSTUNREACH: "no route to {at}",
    errno.ENETUNREACH: "the network of {at} cannot be reached",
    errno.EMFILE: "no more connections to {at}: too many open files; raise the limit (ulimit -n) or lower nproc",
    errno.EADDRNOTAVAIL: "no more connections to {at}: no free local port; lower nproc",
}
_MAX_REASON: Final = 160


def explain(error: BaseException, at: str, *, total_s: float, connect_s: float) -> EyechartError:
    """Returns the error to raise for one of `TRANSPORT_ERRORS`.

    Args:
        error: what aiohttp raised.
        at: the server's address for people, without path, query and credentials.
        total_s: limit for the whole request in seconds.
        connect_s: limit for the connection in seconds.

    Returns:
        A ConfigError for an address that can never work, else a Timeout, Transport or MalformedReply.
    """
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return ConfigError(f"api_base {at} is not an address that can be asked")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Timeout(f"no connection to {at} within {connect_s:g} s (connect)")
    if isinstance(error, asyncio.TimeoutError):
        return Timeout(f"no complete answer from {at} within {total_s:g} s (total)")
    if isinstance(error, aiohttp.ClientResponseError):
        return MalformedReply(f"{at} does not answer as an HTTP server should: {_reason(error.message)}")
    return Transport(_words(error, at))


def _words(error: BaseException, at: str) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name in {at} cannot be resolved: {_reason(error.os_error)}"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | aiohttp.ServerFingerprintMismatch):
        cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
        return f"TLS with {at} failed: {_reason(cause)}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return f"{at} closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer from {at} broke off or is damaged: {_reason(error)}"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = getattr(cause, "errno", None)
    if number is None and isinstance(cause, ConnectionResetError):
        number = errno.ECONNRESET
    if number in _BY_ERRNO:
        return _BY_ERRNO[number].format(at=at)
    return f"the request to {at} failed: {_reason(cause)}"


def _reason(cause: object) -> str:
    return clean(str(cause), _MAX_REASON) or type(cause).__name__
