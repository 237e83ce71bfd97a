"""From a model's specification to what asks it: adapters, pictures, limits, replicas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..adapters.base import Model, RunsHere
from ..adapters.embedded import EMBEDDED
from ..adapters.local.settings import LocalSettings
from ..adapters.openai_chat import Endpoint, OpenAIChat
from ..adapters.payload import ChatOptions
from ..scoring.protocol import Protocol
from .auto_gate import AutoGate
from .config import ModelSpec
from .config_env import worker_environment
from .limits import Gate, Limits
from .media import MediaSettings, media_settings
from .media_video import VideoSettings
from .replicas import Fleet, Replica
from .shares import TimeShares

__all__ = ["asking_summary", "build_fleet", "build_model", "model_media", "plain_addresses"]


def build_model(
    spec: ModelSpec,
    *,
    split_think: bool = False,
    url: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Model:
    """Makes the adapter of a model; it connects, or loads its networks, when it is first asked.

    Args:
        spec: the model.
        split_think: take a ``<think>`` block out of answers.
        url: which of its addresses; the first by default.
        tell: is told in a sentence what happens to a model on this machine.

    Raises:
        ConfigError: a model on this machine needs a package that is not installed, or lacks files.
    """
    if spec.style == "embedded":
        return EMBEDDED[spec.model].build()
    if spec.local is not None:
        return _local(spec, spec.local, split_think=split_think, tell=tell)
    assert spec.style != "local"
    endpoint = Endpoint(
        url or spec.url,
        key=spec.key.get_secret_value(),
        timeout=spec.timeout_s,
        connect_timeout=spec.connect_timeout_s,
        verify=spec.verify,
        split_think=split_think,
    )
    options = ChatOptions(
        spec.model,
        style=spec.style,
        temperature=spec.temperature,
        max_tokens=spec.max_tokens,
        detail=spec.img_detail,
        system_prompt=spec.system_prompt,
        extra=spec.extra,
    )
    return OpenAIChat(endpoint, options)


def _local(spec: ModelSpec, settings: LocalSettings, *, split_think: bool, tell: Callable[[str], None]) -> Model:
    from ..adapters.local.model import LocalModel  # noqa: PLC0415  (only who asks for it needs it)

    return LocalModel(
        settings,
        name=spec.model,
        system_prompt=spec.system_prompt,
        split_think=split_think,
        environment=worker_environment(),
        tell=tell,
    )


def build_fleet(spec: ModelSpec, *, split_think: bool = False, tell: Callable[[str], None]) -> Fleet:
    """Makes all replicas of a model, each with limits of its own.

    Args:
        spec: the model.
        split_think: take a ``<think>`` block out of answers.
        tell: is told in a sentence when a replica is set aside.
    """

    def say(text: str) -> None:
        tell(f"{spec.name}: {text}")

    replicas = [
        Replica(build_model(spec, split_think=split_think, url=url, tell=say), _gate(spec), urlsplit(url).netloc)
        for url in spec.urls or (spec.url,)
    ]
    return Fleet(replicas, say)


def _gate(spec: ModelSpec) -> Gate:
    limits = Limits(spec.nproc, spec.rpm, spec.tpm)
    return AutoGate(limits, timeout_s=spec.timeout_s) if spec.nproc_auto else Gate(limits)


def plain_addresses(spec: ModelSpec) -> str | list[str]:
    """The addresses of a model without their queries, which may hold secrets; one address as it is."""
    plain = [urlunsplit(urlsplit(url)._replace(query="", fragment="")) for url in spec.urls or (spec.url,)]
    return plain if len(plain) > 1 else plain[0]


def model_media(spec: ModelSpec, protocol: Protocol, videos: VideoSettings | None = None) -> MediaSettings:
    """How a model is shown pictures and videos: what the protocol asks for, with the model's own sizes."""
    videos = videos or VideoSettings()
    if spec.local is not None:
        videos = replace(videos, transport="path")  # its workers see the same disk
    settings = media_settings(
        protocol,
        img_size=spec.img_size,
        total_img_size=spec.total_img_size,
        max_file_size=spec.max_file_size,
        videos=videos,
    )
    return replace(settings, min_edge=spec.min_image_edge)


def asking_summary(fleet: Fleet, shares: TimeShares) -> dict[str, Any]:
    """How a model was asked, as a report tells it: what limited it, what ``nproc`` was or came to, each replica."""
    replicas = []
    for replica in fleet.replicas:
        gate = replica.gate
        about: dict[str, Any] = {
            "address": replica.address,
            "answered": replica.answered,
            "failed": replica.failed,
            "set_aside": replica.set_aside,
            "nproc": gate.limits.nproc,
        }
        if isinstance(gate, AutoGate):
            about |= {"nproc": gate.climb.best, "nproc_max": gate.limits.nproc, "settled": gate.climb.settled}
        if isinstance(replica.model, RunsHere):
            about |= {"address": "this machine", **replica.model.about}
        replicas.append(about)
    auto = any(isinstance(replica.gate, AutoGate) for replica in fleet.replicas)
    return {
        "asking_s": round(shares.total_s, 3),
        "limited_by": shares.shares(),
        "nproc": "auto" if auto else "fixed",
        "replicas": replicas,
    }
