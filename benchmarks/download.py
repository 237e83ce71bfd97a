"""Downloads of benchmark files: resumed, checked, and never over a file that is there."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import aiohttp
import anyio
from anyio import to_thread
from yarl import URL

from ..errors import ConfigError, DataError
from .catalog import CatalogEntry, find_entry
from .digest import verify, where
from .download_part import PartFile

__all__ = ["Progress", "PullResult", "addresses", "pull"]

log = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told a benchmark's name, the bytes that are there, and the bytes of the whole file where the server said so."""
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_BLOCK: Final = 1 << 20
_HUB: Final = "huggingface.co"
_HUB_MIRROR: Final = "hf-mirror.com"
_OK, _PARTIAL, _BAD_RANGE, _TOO_MANY, _FAULT = 200, 206, 416, 429, 500
_LONGEST_WAIT: Final = 60.0
_ENOUGH: Final = 1 << 18
"""A try that brought so many bytes was worth it; the count of failed tries starts again."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What became of one file.

    Attributes:
        name: the benchmark.
        path: its file.
        status: ``present`` when the file was there before; it is left as it is.
        md5: MD5 of the file; None for a present one that was not checked.
        url: where it was downloaded from, None for a present one.
        warning: what the user should be told of a present file that is not the one the catalogue knows.
    """

    name: str
    path: Path
    status: Literal["present", "downloaded"]
    md5: str | None = None
    url: str | None = None
    warning: str | None = None


class _AgainError(Exception):
    """This try failed and another may succeed."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class _RefusedError(Exception):
    """This address will not give the file."""


async def pull(
    entry: CatalogEntry,
    data_root: Path,
    *,
    mirror: str | None = None,
    progress: Progress | None = None,
    check: bool = False,
    tries: int = 4,
    trust_env: bool = True,
    sleep: Sleep = anyio.sleep,
) -> tuple[PullResult, ...]:
    """Downloads the file of a benchmark, or those of its parts, unless they are there.

    A broken download goes on where it stopped, also in a later process; two processes that want the same file take
    turns. What arrives is compared with the catalogue's MD5 before it gets its name.

    Args:
        entry: the benchmark.
        data_root: folder of the files; made if it is missing.
        mirror: base URL of a mirror; the file is then ``<mirror>/<file name>`` and no other address is asked.
        progress: called as bytes arrive.
        check: compare a present file with the catalogue as well, and log a warning if it is another one (reads the
            whole file unless its MD5 is known from before).
        tries: how often an address is tried that fails without giving anything new.
        trust_env: use the proxies that the environment names.
        sleep: waits between tries, in seconds.

    Raises:
        DataError: the file cannot be had, is another one than the catalogue knows, or has no single URL.
        ConfigError: the mirror is no http or https address.
        StorageError: the file cannot be written.
    """
    if entry.parts:
        results: list[PullResult] = []
        for part in entry.parts:
            results += await pull(
                find_entry(part),
                data_root,
                mirror=mirror,
                progress=progress,
                check=check,
                tries=tries,
                trust_env=trust_env,
                sleep=sleep,
            )
        return tuple(results)
    present = await to_thread.run_sync(where, entry.name, data_root)
    if present is not None:
        return (await _present(entry, data_root, present, check=check),)
    urls = addresses(entry, mirror)
    target = data_root / f"{entry.name}.tsv"
    part_file = await PartFile.open(target, sleep)
    if part_file is None:  # another process was faster
        return (await _present(entry, data_root, target, check=check),)
    try:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, trust_env=trust_env, auto_decompress=False
        ) as session:
            url = await _Download(entry, part_file, session, progress=progress, tries=tries, sleep=sleep).run(urls)
    finally:
        part_file.close()
    return (PullResult(entry.name, target, "downloaded", part_file.md5, url),)


async def _present(entry: CatalogEntry, data_root: Path, path: Path, *, check: bool) -> PullResult:
    if not check:
        return PullResult(entry.name, path, "present")
    verdict = await to_thread.run_sync(verify, entry.name, data_root)
    if verdict.warning:
        log.warning("%s", verdict.warning)
    return PullResult(entry.name, path, "present", md5=verdict.md5, warning=verdict.warning)


def addresses(entry: CatalogEntry, mirror: str | None) -> tuple[str, ...]:
    """Returns the URLs to try, in order.

    Raises:
        DataError: the benchmark has no single file to download.
        ConfigError: the mirror is no http or https address.
    """
    if entry.file_name is None or entry.url is None:
        raise DataError(
            f"{entry.name} has no single file to download: {entry.notes or 'it is made from a hub repository'}"
            + (f" ({entry.url})" if entry.url else "")
            + f"; to fetch and unpack it: eyechart data pull {entry.name}"
        )
    if mirror is not None:
        base = _checked_mirror(mirror)
        return tuple(str(base / name) for name in dict.fromkeys((entry.file_name, f"{entry.name}.tsv")))
    url = URL(entry.url)
    if url.host == _HUB:
        return str(url), str(url.with_host(_HUB_MIRROR))
    return (str(url),)


def _checked_mirror(mirror: str) -> URL:
    try:
        base = URL(mirror.rstrip("/"))
    except ValueError:
        base = URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise ConfigError("the mirror for benchmark files must be an http or https address, e.g. https://host/folder")
    return base


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    return str(URL(url).with_user(None).with_password(None).with_query(None))


class _Download:
    """One file on its way into its `PartFile`."""

    def __init__(
        self,
        entry: CatalogEntry,
        part: PartFile,
        session: aiohttp.ClientSession,
        *,
        progress: Progress | None,
        tries: int,
        sleep: Sleep,
    ) -> None:
        self._entry = entry
        self._part = part
        self._session = session
        self._progress = progress
        self._tries = tries
        self._sleep = sleep
        self._resumed = part.size > 0

    async def run(self, urls: tuple[str, ...]) -> str:
        """Fetches the file from the first address that gives it, and puts it in place; returns that address."""
        problems: list[str] = []
        if self._part.size and self._part.md5 == self._entry.md5:  # stopped between the last byte and the new name
            await to_thread.run_sync(self._part.finish)
            return _shown(urls[0])
        for url in urls:
            try:
                await self._fetch_checked(url)
            except _RefusedError as err:
                problems.append(f"{_shown(url)}: {err}")
            else:
                await to_thread.run_sync(self._part.finish)
                return _shown(url)
        known = f" with MD5 {self._entry.md5}" if self._entry.md5 else ""
        raise DataError(
            f"cannot download {self._entry.name} ({'; '.join(problems)}). Without access to the network put the file"
            f"{known} by hand to {self._part.target}, or name a mirror that holds {self._entry.file_name}"
        )

    async def _fetch_checked(self, url: str) -> None:
        """Fetches the file and compares its MD5; a resumed one that is wrong is fetched anew, once."""
        await self._fetch(url)
        if self._entry.md5 in (None, self._part.md5):
            return
        if self._resumed:
            log.warning("%s: the resumed download is damaged and starts again", self._entry.name)
            await to_thread.run_sync(self._part.restart)
            self._resumed = False
            await self._fetch(url)
            if self._part.md5 == self._entry.md5:
                return
        found, size = self._part.md5, self._part.size
        aside = await to_thread.run_sync(self._part.put_aside)
        raise DataError(
            f"{_shown(url)} gave another file than the catalogue knows for {self._entry.name}: {size} bytes with MD5 "
            f"{found}, expected {self._entry.md5}. It is kept as {aside}; to use it as it is, rename it to "
            f"{self._part.target.name}"
        )

    async def _fetch(self, url: str) -> None:
        """Tries an address until the file is complete."""
        failures = 0
        while True:
            before = self._part.size
            try:
                return await self._try(url)
            except _AgainError as err:
                reason, wait = str(err), err.wait
            except aiohttp.ClientConnectorCertificateError as err:
                raise _RefusedError(f"its certificate does not check out: {err.certificate_error}") from err
            except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as err:
                raise _RefusedError(f"{type(err).__name__}") from err
            except (aiohttp.ClientError, TimeoutError) as err:
                reason, wait = _reason(err), None
            failures = 1 if self._part.size - before >= _ENOUGH else failures + 1
            if failures >= self._tries:
                raise _RefusedError(f"{reason} ({failures} tries)")
            log.info("%s: %s; trying again", self._entry.name, reason)
            await self._sleep(min(2.0 ** (failures - 1) if wait is None else wait, _LONGEST_WAIT))

    @staticmethod
    def _check_way(response: aiohttp.ClientResponse) -> None:
        """Refuses what came in the clear though it was asked for by https: anybody between could have written it."""
        way = [hop.url for hop in (*response.history, response)]
        if way[0].scheme == "https" and any(url.scheme != "https" for url in way):
            raise _RefusedError("it redirects from https to http, which is not followed")

    async def _try(self, url: str) -> None:
        """Sends one request and takes what comes."""
        part = self._part
        headers = {"Accept-Encoding": "identity"}
        if part.size:
            self._resumed = True
            headers["Range"] = f"bytes={part.size}-"
            if part.validator(url):
                headers["If-Range"] = part.validator(url)
        async with self._session.get(url, headers=headers) as response:
            self._check_way(response)
            if response.status == _BAD_RANGE:
                if _total(response) == part.size:
                    return
                await to_thread.run_sync(part.restart)
                raise _AgainError("the server has a file of another size")
            self._check_status(response)
            if response.status == _OK or _start(response) != part.size:
                # Not in a thread: aiohttp drops what it holds if the connection breaks before it is read.
                part.restart()
                if response.status == _PARTIAL and _start(response) != 0:
                    raise _AgainError("the server sent another part than it was asked for")
            await self._take(url, response)

    @staticmethod
    def _check_status(response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in (_OK, _PARTIAL):
            return
        reason = f"HTTP {status} {response.reason or ''}".strip()
        if status == _TOO_MANY or status >= _FAULT:
            wait = response.headers.get("Retry-After", "")
            raise _AgainError(reason, float(wait) if wait.isdigit() else None)
        raise _RefusedError(reason)

    async def _take(self, url: str, response: aiohttp.ClientResponse) -> None:
        """Writes the body as it arrives."""
        part = self._part
        total = _total(response)
        part.remember(url, response.headers.get("ETag"), response.headers.get("Last-Modified"))
        self._report(total)
        block = bytearray()
        try:
            async for data in response.content.iter_any():
                block += data
                if len(block) >= _BLOCK:
                    full, block = block, bytearray()
                    await to_thread.run_sync(part.write, full)
                    self._report(total)
        finally:
            # Also what came before a broken connection counts; no await here, as this may be a cancellation.
            part.write(block)
            self._report(total)
        if total is not None and part.size < total:
            raise _AgainError(f"the connection ended after {part.size} of {total} bytes")

    def _report(self, total: int | None) -> None:
        if self._progress is not None:
            self._progress(self._entry.name, self._part.size, total)


def _reason(err: Exception) -> str:
    if isinstance(err, TimeoutError):
        return "no answer in time"
    if isinstance(err, aiohttp.ClientConnectorDNSError):
        return "the name of the server cannot be resolved"
    if isinstance(err, aiohttp.ClientConnectorError):
        return f"cannot connect: {err.os_error.strerror or 'refused'}"
    return f"the connection broke off ({type(err).__name__})"


def _start(response: aiohttp.ClientResponse) -> int:
    """The first byte that the body holds."""
    if response.status == _OK:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0].strip()
    return int(first) if first.isdigit() else -1


def _total(response: aiohttp.ClientResponse) -> int | None:
    """The bytes of the whole file, None when the server does not say."""
    if response.status == _OK:
        return response.content_length
    last = response.headers.get("Content-Range", "").rpartition("/")[2].strip()
    return int(last) if last.isdigit() else None
