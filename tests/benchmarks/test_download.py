"""Downloads against a server that breaks off, knows no ranges, changes its file, refuses, or is not there."""

import hashlib
import logging
import os
from dataclasses import dataclass, field, replace

import anyio
import pytest
from aiohttp import web
from serving import serving

from eyechart.benchmarks import download, download_part
from eyechart.benchmarks.catalog import CatalogEntry, catalog
from eyechart.benchmarks.download import pull
from eyechart.errors import ConfigError, DataError, StorageError

pytestmark = pytest.mark.anyio
DATA = b"index\tquestion\timage\n" + b"".join(b"%d\tq\t%s\n" % (k, b"A" * 999) for k in range(2000))
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


@dataclass
class Site:
    """One file on a server, and how that server behaves."""

    data: bytes = DATA
    etag: str = '"one"'
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    statuses: list[int] = field(default_factory=list)  # errors that come first
    retry_after: str | None = None
    missing: set[str] = field(default_factory=set)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request):
        asked = request.headers.get("Range")
        condition = request.headers.get("If-Range")
        self.requests.append((request.path, asked, condition))
        if request.path in self.missing:
            return web.Response(status=404)
        if self.statuses:
            headers = {"Retry-After": self.retry_after} if self.retry_after else None
            return web.Response(status=self.statuses.pop(0), headers=headers)
        start = int(asked[6:-1]) if asked and self.ranges and condition in (None, self.etag) else 0
        if start >= len(self.data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(self.data)}"})
        body = self.data[start:]
        headers = {"ETag": self.etag, "Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if self.cuts:
            await response.write(body[: self.cuts.pop(0)])
            request.transport.close()
        else:
            await response.write(body)
        return response


@pytest.fixture
async def site(anyio_backend):
    site = Site()
    async with serving(site.answer) as site.url:
        yield site


@pytest.fixture
def naps():
    return []


@pytest.fixture
def fetch(site, tmp_path, naps):
    async def sleep(seconds):
        naps.append(seconds)

    async def fetch(md5=MD5, path="files/X.tsv", **options):
        entry = CatalogEntry("X", f"{site.url}/{path}", md5, "image_mcq", "image", False, "never", "")
        options = {"sleep": sleep, "trust_env": False, **options}
        (result,) = await pull(options.pop("entry", entry), tmp_path / "root", **options)
        return result

    return fetch


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "root").iterdir() if path.is_file())


async def test_a_file_arrives_under_its_name(site, fetch, tmp_path, naps):
    seen = []
    result = await fetch(progress=lambda *state: seen.append(state))
    assert result.status == "downloaded"
    assert (result.md5, result.path, result.url) == (MD5, tmp_path / "root" / "X.tsv", f"{site.url}/files/X.tsv")
    assert result.path.read_bytes() == DATA
    assert files(tmp_path) == ["X.tsv"]
    assert seen[0] == ("X", 0, len(DATA))
    assert seen[-1] == ("X", len(DATA), len(DATA))
    assert naps == []


async def test_a_broken_connection_is_resumed(site, fetch, naps):
    site.cuts = [300_000, 0, 1000]
    result = await fetch()
    assert result.path.read_bytes() == DATA
    starts = [asked and int(asked[6:-1]) for _, asked, _ in site.requests]
    assert starts[0] is None
    assert starts[1:] == sorted(starts[1:])
    assert 0 < starts[1] <= 300_000
    assert all(condition == '"one"' for _, _, condition in site.requests[1:])
    assert len(naps) == 3


async def test_a_later_process_goes_on_where_the_first_one_stopped(site, fetch, tmp_path):
    site.cuts = [300_000]
    with pytest.raises(DataError, match="broke off"):
        await fetch(tries=1)
    (part,) = [name for name in files(tmp_path) if name.endswith(".part")]
    size = (tmp_path / "root" / part).stat().st_size
    assert size > 0
    await fetch()
    assert site.requests[-1] == ("/files/X.tsv", f"bytes={size}-", '"one"')
    assert files(tmp_path) == ["X.tsv"]


async def test_a_server_without_ranges_sends_all_again(site, fetch):
    site.ranges, site.cuts = False, [300_000, 400_000]
    assert (await fetch()).path.read_bytes() == DATA
    assert len(site.requests) == 3


async def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(site, fetch):
    old = DATA.replace(b"A", b"B")
    site.data, site.etag, site.cuts = old, '"old"', [300_000]
    with pytest.raises(DataError):
        await fetch(tries=1)
    site.data, site.etag = DATA, '"new"'
    assert (await fetch()).path.read_bytes() == DATA


async def test_a_damaged_part_is_fetched_anew_once(site, fetch, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "X.tsv.part").write_bytes(b"damaged" * 1000)
    assert (await fetch()).path.read_bytes() == DATA
    assert [asked for _, asked, _ in site.requests] == ["bytes=7000-", None]


async def test_a_complete_part_needs_no_server(site, fetch, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "X.tsv.part").write_bytes(DATA)
    assert (await fetch()).path.read_bytes() == DATA
    assert site.requests == []


async def test_a_complete_part_without_known_md5_is_asked_for_no_more(site, fetch, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "X.tsv.part").write_bytes(DATA)
    assert (await fetch(md5=None)).path.read_bytes() == DATA
    assert len(site.requests) == 1


async def test_a_part_that_is_too_long_starts_again(site, fetch, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "X.tsv.part").write_bytes(DATA + b"more")
    assert (await fetch()).path.read_bytes() == DATA


async def test_another_file_than_the_catalogue_knows_is_put_aside(site, fetch, tmp_path):
    with pytest.raises(DataError) as caught:
        await fetch(md5="0" * 32)
    for word in (MD5, "0" * 32, "X.tsv.mismatch", "rename it to X.tsv"):
        assert word in str(caught.value)
    assert files(tmp_path) == ["X.tsv.mismatch"]
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_refusal_is_not_repeated(site, fetch, naps, status):
    site.statuses = [status] * 9
    with pytest.raises(DataError, match=f"HTTP {status}") as caught:
        await fetch()
    assert f"{site.url}/files/X.tsv" in str(caught.value)
    assert MD5 in str(caught.value)
    assert "root/X.tsv" in str(caught.value)
    assert len(site.requests) == 1
    assert naps == []


async def test_a_busy_server_is_asked_again_when_it_says(site, fetch, naps):
    site.statuses, site.retry_after = [503, 429], "7"
    await fetch()
    assert naps == [7.0, 7.0]


async def test_tries_end(site, fetch, naps):
    site.statuses = [500] * 9
    with pytest.raises(DataError, match=r"HTTP 500 .*4 tries"):
        await fetch()
    assert naps == [1.0, 2.0, 4.0]


async def test_without_a_server_the_message_says_what_to_do(fetch, tmp_path, unused_port):
    entry = CatalogEntry("X", f"http://127.0.0.1:{unused_port}/X.tsv", MD5, "", "image", False, "never", "")
    with pytest.raises(DataError) as caught:
        await fetch(entry=entry, tries=2)
    for word in ("cannot connect", f"127.0.0.1:{unused_port}/X.tsv", "by hand to", str(tmp_path / "root" / "X.tsv")):
        assert word in str(caught.value)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def test_a_mirror_replaces_all_but_the_file_name(site, fetch):
    entry = CatalogEntry("X", "https://huggingface.co/a/b/x-file.tsv?a=1", MD5, "", "image", False, "never", "")
    site.missing = {"/deep/mirror/x-file.tsv"}
    mirror = site.url.replace("http://", "http://me:secret@") + "/deep/mirror/"
    result = await fetch(entry=entry, mirror=mirror)
    assert [path for path, _, _ in site.requests] == ["/deep/mirror/x-file.tsv", "/deep/mirror/X.tsv"]
    assert "secret" not in result.url
    assert result.path.name == "X.tsv"


async def test_the_hub_is_asked_through_its_mirror_next(site, fetch, monkeypatch):
    asked = []

    async def refuse(self, url):
        asked.append(url)
        raise download._RefusedError("no")

    monkeypatch.setattr(download._Download, "_fetch_checked", refuse)
    entry = catalog()["SEEDBench2"]
    with pytest.raises(DataError, match=r"huggingface\.co.*hf-mirror\.com"):
        await fetch(entry=entry)
    assert asked == [entry.url, entry.url.replace("huggingface.co", "hf-mirror.com")]


@pytest.mark.parametrize("mirror", ["ftp://host/x", "file:///etc", "host/x", "http://", "http://[", ""])
async def test_only_web_addresses_are_mirrors(fetch, mirror):
    with pytest.raises(ConfigError, match="http or https"):
        await fetch(mirror=mirror)


async def test_a_present_file_is_never_overwritten(site, fetch, tmp_path, caplog):
    (tmp_path / "root").mkdir()
    own = tmp_path / "root" / "X.tsv"
    own.write_bytes(b"mine")
    entry = replace(catalog()["MMStar"], url=f"{site.url}/MMStar.tsv")
    result = await fetch()
    assert (result.status, result.warning) == ("present", None)
    own.rename(tmp_path / "root" / "MMStar.tsv")
    with caplog.at_level(logging.WARNING):
        result = await fetch(entry=entry, check=True)
    assert result.status == "present"
    assert result.path.read_bytes() == b"mine"
    assert "is used as it is" in caplog.text
    assert "is used as it is" in result.warning
    assert site.requests == []


async def test_two_processes_take_turns(site, tmp_path, fetch, caplog):
    other = await download_part.PartFile.open(tmp_path / "root" / "X.tsv", anyio.sleep)
    naps = []

    async def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            other.write(DATA)
            other.finish()
            other.close()

    result = await fetch(sleep=sleep)
    assert result.status == "present"
    assert result.path.read_bytes() == DATA
    assert site.requests == []
    assert caplog.text.count("another process is downloading X.tsv") == 1


async def test_one_process_takes_over_from_another_that_gave_up(site, tmp_path, fetch):
    other = await download_part.PartFile.open(tmp_path / "root" / "X.tsv", anyio.sleep)
    other.write(DATA[:1000])

    async def sleep(seconds):
        other.close()

    assert (await fetch(sleep=sleep)).path.read_bytes() == DATA
    assert site.requests[0][1] == "bytes=1000-"


async def test_a_full_disk_is_told_and_keeps_the_part(fetch, tmp_path, monkeypatch):
    def full(fd, data, offset):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(download_part.os, "pwrite", full)
    with pytest.raises(StorageError, match="the disk is full"):
        await fetch()
    assert "X.tsv" not in files(tmp_path)


async def test_a_data_root_that_cannot_be_written(fetch, tmp_path):
    (tmp_path / "root").write_text("a file, not a folder")
    with pytest.raises(StorageError, match="cannot write"):
        await fetch()


async def test_parts_are_pulled_one_by_one(tmp_path):
    for name in catalog()["MMMB"].parts:
        (tmp_path / f"{name}.tsv").touch()
    results = await pull(catalog()["MMMB"], tmp_path)
    assert [r.name for r in results] == [f"MMMB_{x}" for x in ("ar", "cn", "en", "pt", "ru", "tr")]
    assert {r.status for r in results} == {"present"}


async def test_a_hub_repository_is_refused_with_the_reason(tmp_path):
    with pytest.raises(DataError, match=r"MVBench has no single file to download: repo OpenGVLab/MVBench"):
        await pull(catalog()["MVBench"], tmp_path)
