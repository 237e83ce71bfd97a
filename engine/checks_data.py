"""Whether a benchmark's file is there, is the published one, reads to its end, and builds prompts with pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import aiohttp
from anyio import to_thread
from yarl import URL

from ..benchmarks.base import Benchmark
from ..benchmarks.catalog import CatalogEntry, catalog
from ..benchmarks.digest import verify_file, where
from ..benchmarks.download import addresses
from ..benchmarks.load import load_benchmark
from ..benchmarks.video import VideoBenchmark
from ..errors import ConfigError, DataError, MediaError
from ..records import Sample
from .check import Check, failure, ok, warning
from .config_data import file_name, folder, is_path
from .config_plan import RunPlan
from .documents import Documents, page_settings_of
from .frames import FrameSampler
from .models import build_model, model_media
from .plain_text import data_size
from .rendered import Rendered, prepare_prompt
from .survey import Survey, survey
from .videos import looking_through, open_sampler, shown_to, video_settings

__all__ = ["DataFound", "check_benchmark"]

_FIRST_ROWS: Final = 3
_COLUMNS_SHOWN: Final = 12
_OK, _PARTIAL = 200, 206


@dataclass(frozen=True, slots=True)
class DataFound:
    """What was found of one benchmark.

    Attributes:
        checks: the findings.
        rows: samples that a run would ask; 0 where the file cannot be read.
        shows_pictures: whether prompts show pictures; taken for granted where the file cannot be read.
        download_bytes: size of the file that is still to be fetched, 0 where none is or its size is unknown.
    """

    checks: tuple[Check, ...]
    rows: int = 0
    shows_pictures: bool = True
    download_bytes: int = 0


async def check_benchmark(name: str, plan: RunPlan, *, timeout_s: float) -> DataFound:
    """Looks at the file of one benchmark, from its digest to the pictures of its first rows.

    Args:
        name: name or path, as the plan gives it.
        plan: the run.
        timeout_s: seconds for asking whether a missing file can be fetched.
    """
    known = catalog().get(name)
    if known is not None and known.parts:
        found = [await check_benchmark(part, plan, timeout_s=timeout_s) for part in known.parts]
        checks = tuple(check for part in found for check in part.checks)
        shows = any(part.shows_pictures for part in found)
        return DataFound(checks, sum(p.rows for p in found), shows, sum(p.download_bytes for p in found))
    path = folder(name) if is_path(name) else await to_thread.run_sync(where, name, plan.data_root)
    if path is not None:
        return await to_thread.run_sync(_look, file_name(name), path, plan)
    entry = catalog().get(name)
    if entry is not None and plan.mode != "eval":
        return await _missing(entry, plan, timeout_s)
    return DataFound((failure("data", name, f"the file {plan.data_root / name}.tsv is missing", "put it there"),))


async def _missing(entry: CatalogEntry, plan: RunPlan, timeout_s: float) -> DataFound:
    """A run fetches the file; whether it will succeed shows in asking for one byte of it."""
    head = f"the file {plan.data_root / entry.name}.tsv is missing"
    by_hand = f"eyechart data pull {entry.name} (on a machine with access to the network), or name a mirror"
    try:
        urls = addresses(entry, plan.mirror)
    except (ConfigError, DataError) as error:
        return DataFound((failure("data", entry.name, f"{head}: {error}", "put it there by hand"),))
    problem = ""
    for url in urls:
        try:
            size = await _size_of(url, timeout_s)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = str(error) or "no answer in time"
            continue
        told = f", {data_size(size)}" if size else ""
        found = f"{head}; the run downloads it first ({URL(url).host}{told})"
        return DataFound((warning("data", entry.name, found, by_hand),), download_bytes=size)
    found = f"{head}, and {URL(urls[-1]).host} does not give it: {problem}"
    return DataFound((failure("data", entry.name, found, by_hand),))


async def _size_of(url: str, timeout_s: float) -> int:
    """Returns the size of a file on the web, 0 where the server does not say it."""
    limits = aiohttp.ClientTimeout(total=timeout_s)
    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(timeout=limits, headers=headers, trust_env=True) as session,
        session.get(url) as response,
    ):
        if response.status not in (_OK, _PARTIAL):
            raise aiohttp.ClientError(f"HTTP {response.status} {response.reason or ''}".strip())
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if total.isdigit() else response.content_length or 0


def _look(name: str, path: Path, plan: RunPlan) -> DataFound:
    with open_sampler(plan) as sampler:
        return _look_through(name, path, plan, sampler)


def _look_through(name: str, path: Path, plan: RunPlan, sampler: FrameSampler) -> DataFound:
    checks: list[Check] = []
    try:
        checks.append(_digest(name, path, plan.data_root))
        benchmark = load_benchmark(
            name, data_root=plan.data_root, protocol=plan.protocol, path=path, videos=plan.videos.options
        )
        benchmark = shown_to(looking_through(benchmark, sampler), video_llm=plan.models[0].video_llm)
        checks += _columns(benchmark, plan)
        found = survey(benchmark, plan.limit, lambda rows: range(min(_FIRST_ROWS, rows)))
    except (DataError, ConfigError) as error:
        remedy = f"correct the file, or move it away and run: eyechart data pull {name}"
        checks.append(failure("data", name, str(error), remedy if name in catalog() else "correct the file"))
        return DataFound(tuple(checks))
    checks += [_rows(name, benchmark, found), _prompts(benchmark, found, plan, sampler)]
    shows = found.pictures + found.unreadable > 0 or isinstance(benchmark, VideoBenchmark)
    return DataFound(tuple(checks), found.rows, shows)


def _digest(name: str, path: Path, root: Path) -> Check:
    verdict = verify_file(name, path, root)
    size = data_size(path.stat().st_size)
    if verdict.status == "other":
        found = f"{path} ({size}) is not the published file: its MD5 is {verdict.md5}, expected {verdict.expected}"
        remedy = f"it is used as it is; to get the published one, move it away and run: eyechart data pull {name}"
        return warning("data", name, found, remedy)
    told = "MD5 as published" if verdict.status == "ok" else f"MD5 {verdict.md5}, none published to compare with"
    return ok("data", name, f"{path}, {size}, {told}")


def _columns(benchmark: Benchmark, plan: RunPlan) -> Iterator[Check]:
    if "answer" in benchmark.source.columns or plan.mode == "infer":
        return
    if (why := benchmark.withheld(())) is not None:
        yield ok("data", benchmark.name, f"{why}; the run writes the file for the server that has them")
        return
    remedy = "give the answers in a column of this name, or set mode: infer to ask without scoring"
    yield failure(
        "data", benchmark.name, f"{benchmark.source.path} has no column 'answer': nothing can be scored", remedy
    )


def _rows(name: str, benchmark: Benchmark, found: Survey) -> Check:
    columns = benchmark.source.columns
    shown = ", ".join(columns[:_COLUMNS_SHOWN]) + (", …" if len(columns) > _COLUMNS_SHOWN else "")
    rows = f"{found.rows} rows to ask, columns {shown}"
    if not found.unreadable:
        return ok("data", name, rows)
    what, where = "picture", "the folder that image_path leads to"
    if isinstance(benchmark, VideoBenchmark):
        what, where = "video", f"put the files below {benchmark.source.path.parent}"
    text = f"{found.unreadable} of {found.rows} rows have no readable {what}; they will fail, the others not"
    if found.unreadable == found.rows:
        return failure("data", name, f"none of the {found.rows} rows has a readable {what}", "see what the next says")
    return warning("data", name, text, f"correct these rows, or {where}")


def _prompts(benchmark: Benchmark, found: Survey, plan: RunPlan, sampler: FrameSampler) -> Check:
    """Builds the prompts of the first rows and of the last one, and decodes their pictures."""
    built: list[Rendered] = []
    problems: list[str] = []
    with Documents(page_settings_of(plan)) as documents:
        for sample in found.samples:
            try:
                built.append(_built(benchmark, sample, plan, sampler, documents))
            except (DataError, MediaError) as error:
                problems.append(f"row {sample.index}: {error}")
    name = benchmark.name
    if problems:
        text = f"{len(problems)} of the {len(found.samples)} rows looked at cannot be asked: {problems[0]}"
        remedy = "correct the file; a row that cannot be prepared fails by itself, the others are asked"
        return warning("data", name, text, remedy) if built else failure("data", name, text, remedy)
    pictures = built[0].pictures
    if not pictures:
        return ok("data", name, f"the prompts of {len(built)} rows build; they show no picture")
    first = pictures[0]
    pixels = "" if first.width is None else f"{first.width} x {first.height} pixels, "
    size = f"{pixels}{data_size(first.sent_bytes)} in the request"
    shown = f"the first shows {first.name} ({first.format}, {size})"
    return ok("data", name, f"the prompts of {len(built)} rows build and their pictures decode; {shown}")


def _built(
    benchmark: Benchmark, sample: Sample, plan: RunPlan, sampler: FrameSampler, documents: Documents
) -> Rendered:
    spec = plan.models[0]
    media = model_media(spec, plan.protocol, video_settings(plan, sampler))
    # Nothing is asked here, and an embedded model may lack its packages: that is another check's finding.
    model = build_model(replace(spec, style="openai", url=spec.url or "http://localhost"))
    # A picture that goes out as it is is not decoded on its way: that shows only what a decoder says of it.
    prepare_prompt(benchmark, sample, model, replace(media, reencode=True), documents)
    return prepare_prompt(benchmark, sample, model, media, documents)
