"""What a run would ask, send, take and cost, from one pass over its files and a few questions asked for real.

Tokens are the server's own count (``usage``) of a few probes spread evenly over each benchmark, times the number of
requests. Time has two bounds, because how a server takes `nproc` requests at once shows only in a run: the shorter one
holds if it answers `nproc` requests at a time as fast as it answered the probes, the longer one if it answers no more
at a time than the probes did. ``rpm`` and ``tpm`` lengthen both. Retries are not counted. Probes are not kept: a run
asks their questions again.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, Final

import anyio
from anyio import CapacityLimiter, to_thread

from ..adapters.base import Model
from ..benchmarks.base import Benchmark
from ..benchmarks.load import load_benchmark
from ..errors import ConfigError, DataError, EyechartError, MediaError
from ..records import Sample
from .config_plan import ModelSpec, RunPlan
from .documents import Documents, page_settings_of
from .frames import FrameSampler
from .media import MediaSettings
from .models import build_model, model_media
from .rendered import Rendered, prepare_prompt
from .survey import Survey, spread, survey
from .videos import looking_through, open_sampler, shown_to, video_settings

__all__ = ["Estimate", "JobEstimate", "ModelEstimate", "Probes", "Range", "estimate"]

_PROMPTS_SHOWN: Final = 3
_PER_MILLION: Final = 1_000_000
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Range:
    """A lower and an upper bound."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Probes:
    """What the probes of one benchmark at one model came to.

    Attributes:
        asked: requests that were sent.
        failures: why some of them have no answer.
        at_once: how many were in flight at a time.
        latency_s: median of seconds to an answer; None without answers.
        prompt_tokens: the server's counts, one for each answer that had one.
        completion_tokens: likewise.
    """

    asked: int
    failures: tuple[str, ...]
    at_once: int
    latency_s: float | None
    prompt_tokens: tuple[int, ...]
    completion_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobEstimate:
    """One benchmark at one model.

    Attributes:
        benchmark: its name.
        requests: questions that are asked; retries would come on top.
        pictures: pictures that they show, scaled by the probes where a document is many.
        picture_bytes: bytes of pictures in the requests (base64), scaled by the probes where pictures are shrunk.
        probes: what probes came to; None when nothing was sent.
        prompt_tokens: of all requests; None where the server did not count.
        completion_tokens: of all answers.
        seconds: shorter and longer bound; None without answers to probes.
    """

    benchmark: str
    requests: int
    pictures: int
    picture_bytes: int
    probes: Probes | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: Range | None = None


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """One model over all benchmarks of a run.

    Attributes:
        spec: the model.
        jobs: its benchmarks, in order; they are asked one after the other.
    """

    spec: ModelSpec
    jobs: tuple[JobEstimate, ...]

    @property
    def at_once(self) -> int:
        """Most requests in flight: ``nproc`` at each address of the model."""
        return self.spec.nproc * max(1, len(self.spec.urls))

    @property
    def prompt_tokens(self) -> int | None:
        """Tokens of all prompts; None where one is not known."""
        return _sum([job.prompt_tokens for job in self.jobs])

    @property
    def completion_tokens(self) -> int | None:
        """Tokens of all answers; None where one is not known."""
        return _sum([job.completion_tokens for job in self.jobs])

    @property
    def seconds(self) -> Range | None:
        """Bounds of the time for all benchmarks."""
        known = [job.seconds for job in self.jobs if job.seconds is not None]
        if len(known) < len(self.jobs):
            return None
        return Range(sum(r.low for r in known), sum(r.high for r in known))

    @property
    def cost(self) -> float | None:
        """Price of all tokens in the currency of `ModelSpec.price`; None without a price or counts."""
        price, prompt, completion = self.spec.price, self.prompt_tokens, self.completion_tokens
        if price is None or prompt is None or completion is None:
            return None
        total = prompt * price.prompt_per_million + completion * price.completion_per_million
        return total / _PER_MILLION

    def as_dict(self) -> dict[str, Any]:
        """Returns it, ready for JSON, without the key."""
        price, seconds = self.spec.price, self.seconds
        return {
            "model": self.spec.name,
            "at_once": self.at_once,
            "max_tokens": self.spec.max_tokens,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": seconds and [seconds.low, seconds.high],
            "cost": self.cost,
            "currency": price and price.currency,
            "benchmarks": [_job_dict(job) for job in self.jobs],
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole run.

    Attributes:
        models: estimates by model; all models are asked at the same time.
        prompts: a few prompts as they are sent, of the first model.
        problems: samples that were looked at and cannot be prepared.
        judges: names of judges; what they are asked is not estimated, as only answers show what needs a judge.
    """

    models: tuple[ModelEstimate, ...]
    prompts: tuple[Rendered, ...]
    problems: tuple[str, ...]
    judges: tuple[str, ...] = ()

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Models that were asked and gave no answer at all, with the first reason."""
        found = []
        for model in self.models:
            probes = [job.probes for job in model.jobs if job.probes is not None and job.probes.asked]
            if probes and all(probe.latency_s is None for probe in probes):
                found.append(f"{model.spec.name}: no probe was answered: {probes[0].failures[0]}")
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """Returns it, ready for JSON."""
        return {
            "models": [model.as_dict() for model in self.models],
            "prompts": [prompt.as_dict() for prompt in self.prompts],
            "problems": [*self.problems, *self.unanswered],
            "judges_not_counted": [*self.judges],
        }


async def estimate(plan: RunPlan, *, probes: int = 4) -> Estimate:
    """Estimates a run.

    Args:
        plan: the run.
        probes: questions of each benchmark that each model is asked for real, ``max_tokens`` as configured; 0 sends
            nothing.

    Raises:
        ConfigError: the run asks nothing, or an embedded model needs what is not installed.
        DataError: a benchmark's file is missing or malformed.
    """
    if plan.mode == "eval":
        raise ConfigError("mode: eval asks nothing, so there is nothing to estimate")
    with open_sampler(plan) as sampler:
        return await _estimate(plan, probes, sampler)


async def _estimate(plan: RunPlan, probes: int, sampler: FrameSampler) -> Estimate:
    count = max(probes, _PROMPTS_SHOWN)
    looked: dict[tuple[str, bool], tuple[Benchmark, Survey]] = {}
    for name, whole in product(plan.data, dict.fromkeys(spec.video_llm for spec in plan.models)):
        looked[name, whole] = await to_thread.run_sync(_look, name, plan, count, sampler, whole)
    problems: list[str] = []
    shown: list[list[Rendered]] = []
    models: list[ModelEstimate] = []
    with Documents(page_settings_of(plan)) as documents:
        for spec in plan.models:
            model = build_model(spec, split_think=plan.split_think)
            jobs = []
            try:
                media = model_media(spec, plan.protocol, video_settings(plan, sampler))
                for benchmark, found in [looked[name, spec.video_llm] for name in plan.data]:
                    prepare = partial(_prepare, benchmark, found.samples, model, media, documents)
                    prepared, faults = await to_thread.run_sync(prepare)
                    problems += faults
                    if not models:
                        shown.append(prepared)
                    result = await _probe(spec, model, prepared[:probes]) if probes and prepared else None
                    jobs.append(_job(spec, benchmark.name, found, prepared, result))
            finally:
                await model.aclose()
            models.append(ModelEstimate(spec, tuple(jobs)))
    judges = tuple(judge.asked.name for judge in plan.judges)
    return Estimate(tuple(models), tuple(_chosen(shown)), tuple(dict.fromkeys(problems)), judges)


def _look(name: str, plan: RunPlan, count: int, sampler: FrameSampler, whole: bool) -> tuple[Benchmark, Survey]:
    benchmark = load_benchmark(name, data_root=plan.data_root, protocol=plan.protocol, videos=plan.videos.options)
    benchmark = shown_to(looking_through(benchmark, sampler), video_llm=whole)
    return benchmark, survey(benchmark, plan.limit, lambda rows: spread(rows, count))


def _prepare(
    benchmark: Benchmark, samples: Sequence[Sample], model: Model, media: MediaSettings, documents: Documents
) -> tuple[list[Rendered], list[str]]:
    """Prepares samples; returns the prompts, and why some have none."""
    prepared: list[Rendered] = []
    problems: list[str] = []
    for sample in samples:
        try:
            prepared.append(prepare_prompt(benchmark, sample, model, media, documents))
        except (MediaError, DataError) as error:
            problems.append(f"{benchmark.name}, row {sample.index}: {error}")
    return prepared, problems


def _chosen(shown: Sequence[Sequence[Rendered]]) -> list[Rendered]:
    """Takes prompts of as many benchmarks as possible."""
    rounds = [prompts[k] for k in range(_PROMPTS_SHOWN) for prompts in shown if k < len(prompts)]
    return rounds[:_PROMPTS_SHOWN]


def _job(
    spec: ModelSpec, benchmark: str, found: Survey, prepared: Sequence[Rendered], probes: Probes | None
) -> JobEstimate:
    kept, sent = sum(prompt.kept_bytes for prompt in prepared), sum(prompt.sent_bytes for prompt in prepared)
    size = round(found.picture_bytes * sent / kept) if kept else found.picture_bytes
    files, shown = sum(prompt.kept_files for prompt in prepared), sum(len(prompt.pictures) for prompt in prepared)
    pictures = round(found.pictures * shown / files) if files else found.pictures
    if prepared and not found.pictures:  # frames and videos are known only where they were prepared
        share = found.rows / len(prepared)
        pictures, size = round(share * shown), round(share * sent)
    job = JobEstimate(benchmark, found.rows, pictures, size)
    if probes is None:
        return job
    prompt, completion = _scaled(probes.prompt_tokens, found.rows), _scaled(probes.completion_tokens, found.rows)
    seconds = None if probes.latency_s is None else _seconds(spec, found.rows, probes, prompt, completion)
    return replace(job, probes=probes, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)


async def _probe(spec: ModelSpec, model: Model, prompts: Sequence[Rendered]) -> Probes:
    """Asks a few questions, as many at a time as the run would."""
    at_once = min(spec.nproc, len(prompts))
    slots = CapacityLimiter(at_once)
    latencies: list[float] = []
    failures: list[str] = []
    prompt: list[int] = []
    completion: list[int] = []

    async def ask(rendered: Rendered) -> None:
        async with slots:
            started = time.perf_counter()
            try:
                reply = await model.ask(rendered.request)
            except EyechartError as error:
                failures.append(f"row {rendered.index}: {type(error).__name__}: {error}")
                return
            latencies.append(time.perf_counter() - started)
        if reply.usage is not None and reply.usage.prompt_tokens is not None:
            prompt.append(reply.usage.prompt_tokens)
        if reply.usage is not None and reply.usage.completion_tokens is not None:
            completion.append(reply.usage.completion_tokens)

    async with anyio.create_task_group() as tasks:
        for rendered in prompts:
            tasks.start_soon(ask, rendered)
    latency = statistics.median(latencies) if latencies else None
    return Probes(len(prompts), tuple(failures), at_once, latency, tuple(prompt), tuple(completion))


def _scaled(counts: Sequence[int], requests: int) -> int | None:
    return round(requests * statistics.fmean(counts)) if counts else None


def _seconds(spec: ModelSpec, requests: int, probes: Probes, prompt: int | None, completion: int | None) -> Range:
    latency, replicas = probes.latency_s or 0.0, max(1, len(spec.urls))
    least = 0.0
    if spec.rpm is not None:
        least = requests * _MINUTE_S / (spec.rpm * replicas)
    if spec.tpm is not None and prompt is not None:
        least = max(least, (prompt + (completion or 0)) * _MINUTE_S / (spec.tpm * replicas))
    low = math.ceil(requests / (spec.nproc * replicas)) * latency
    high = math.ceil(requests / probes.at_once) * latency
    return Range(max(low, least), max(high, least))


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _job_dict(job: JobEstimate) -> dict[str, Any]:
    probes, seconds = job.probes, job.seconds
    return {
        "benchmark": job.benchmark,
        "requests": job.requests,
        "pictures": job.pictures,
        "picture_bytes": job.picture_bytes,
        "prompt_tokens": job.prompt_tokens,
        "completion_tokens": job.completion_tokens,
        "seconds": seconds and [seconds.low, seconds.high],
        "probes": probes
        and {
            "asked": probes.asked,
            "failures": list(probes.failures),
            "at_once": probes.at_once,
            "latency_s": probes.latency_s,
            "prompt_tokens": list(probes.prompt_tokens),
            "completion_tokens": list(probes.completion_tokens),
        },
    }
