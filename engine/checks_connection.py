"""The way to a server, step by step, so that a failure is told by the step that failed: name, connection, TLS."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import anyio

from .check import Check, failure, ok, warning

__all__ = ["Connection", "connect"]

_SOON_S: Final = 7 * 86_400
_DAY_S: Final = 86_400
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Connection:
    """What was found on the way to a server.

    Attributes:
        checks: the findings.
        reached: whether requests can be sent.
    """

    checks: tuple[Check, ...]
    reached: bool


@dataclass(frozen=True, slots=True)
class _Server:
    subject: str
    scheme: str
    host: str
    port: int
    timeout_s: float
    verify: bool


async def connect(url: str, subject: str, *, timeout_s: float, now: float, verify: bool = True) -> Connection:
    """Resolves the name of a server, connects to it, and agrees on TLS where the address says https.

    Args:
        url: an address that was checked already (`completions_url`).
        subject: whose server it is, for people.
        timeout_s: seconds for each step.
        now: the clock in seconds since 1970, for the certificate's last day.
        verify: check the certificate; where it is not, that is a warning.
    """
    parts = urlsplit(url)
    scheme = parts.scheme
    server = _Server(subject, scheme, parts.hostname or "", parts.port or _PORTS[scheme], timeout_s, verify)
    addresses = await _resolve(server)
    if isinstance(addresses, Check):
        return Connection((addresses,), reached=False)
    started = time.perf_counter()
    ip = await _open(server, addresses)
    if isinstance(ip, Check):
        return Connection((ip,), reached=False)
    took = 1000 * (time.perf_counter() - started)
    shown = server.host if server.host == ip else f"{server.host} ({ip})"
    reached = ok("endpoint", subject, f"{shown} takes connections at port {server.port} ({took:.1f} ms)")
    if scheme == "http":
        return Connection((reached,), reached=True)
    secure = await _agree(server, ip, now)
    return Connection((reached, secure), reached=secure.status != "failure")


async def _resolve(server: _Server) -> list[str] | Check:
    try:
        with anyio.fail_after(server.timeout_s):
            found = await anyio.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        reason = f"no answer within {server.timeout_s:g} s"
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    else:
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
    text = f"the name {server.host} cannot be resolved (DNS): {reason}"
    remedy = "check the spelling in api_base; is this machine in the right network (VPN, container)?"
    return failure("endpoint", server.subject, text, remedy)


async def _open(server: _Server, addresses: Sequence[str]) -> str | Check:
    """Returns the first address that takes a connection."""
    problem: OSError = TimeoutError()
    for ip in addresses:
        try:
            with anyio.fail_after(server.timeout_s):
                _, writer = await asyncio.open_connection(ip, server.port)
        except OSError as error:
            problem = error
            continue
        writer.close()
        return ip
    at = f"{server.host} port {server.port}"
    if isinstance(problem, TimeoutError):
        remedy = "is the address right, and does a firewall let this machine through? (--check-timeout waits longer)"
        return failure("endpoint", server.subject, f"no connection to {at} within {server.timeout_s:g} s", remedy)
    if problem.errno == errno.ECONNREFUSED:
        remedy = "start the server, or correct host and port in api_base; a container needs its port published"
        return failure("endpoint", server.subject, f"connection refused at {at}: nothing listens there", remedy)
    remedy = "check host and port in api_base, and the network between"
    return failure("endpoint", server.subject, f"no connection to {at}: {problem.strerror or problem}", remedy)


async def _agree(server: _Server, ip: str, now: float) -> Check:
    context = ssl.create_default_context()
    if not server.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with anyio.fail_after(server.timeout_s):
            _, writer = await asyncio.open_connection(ip, server.port, ssl=context, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        text = f"the certificate of {server.host} is not accepted (TLS): {error.verify_message}"
        remedy = (
            "have the server use a certificate for this name from an authority that this machine trusts, or add its "
            "authority and name it in SSL_CERT_FILE"
        )
        return failure("endpoint", server.subject, text, remedy)
    except ssl.SSLError as error:
        plain = "WRONG_VERSION" in (error.reason or "") or "RECORD_LAYER" in (error.reason or "")
        reason = "the server speaks plain HTTP" if plain else error.reason or str(error)
        remedy = "begin api_base with http://" if plain else "check the server's TLS settings"
        return failure("endpoint", server.subject, f"TLS with {server.host} failed: {reason}", remedy)
    except OSError as error:
        reason = error.strerror or "no answer in time"
        remedy = "does the server speak https at all? If not, begin api_base with http://"
        return failure("endpoint", server.subject, f"TLS with {server.host} failed: {reason}", remedy)
    secure = writer.get_extra_info("ssl_object")
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    if not server.verify:
        told = f"TLS agreed ({secure.version()}) with whoever answers: verify is false"
        return warning("endpoint", server.subject, told, "leave verify out, so that the certificate is checked")
    left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - now if "notAfter" in certificate else _SOON_S
    told = f"TLS agreed ({secure.version()}), the certificate is good for {left / _DAY_S:.0f} days"
    if left < _SOON_S:
        return warning("endpoint", server.subject, told, "have it renewed before a long run")
    return ok("endpoint", server.subject, told)
