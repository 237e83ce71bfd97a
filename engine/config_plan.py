"""What the engine consumes: a task with its environment, every default filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import SecretStr

from ..adapters.local.settings import LocalSettings
from ..benchmarks.video import DEFAULT_OPTIONS, VideoOptions
from ..scoring.protocol import Protocol
from .config_data import is_path
from .config_model import Price
from .media_video import Transport

__all__ = ["MAX_PAGES", "JudgeSpec", "ModelSpec", "RunPlan", "VideoPlan"]

MAX_PAGES: Final = 120
"""Pages of a document that the reference shows at most."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model and how it is asked.

    Attributes:
        name: name that its results are filed under.
        model: the model's name at the server.
        style: ``openai``: text-only content is one string, pictures carry `img_detail`. ``lmdeploy``: content is
            always a list of parts, pictures carry no detail, ``n: 1`` is sent. ``embedded``: the model of this name
            in `adapters.embedded`, which runs in this process; fields of requests mean nothing to it. ``local``: a
            model on this machine, as `local` says.
        url: complete address of chat completions; empty for a model on this machine.
        key: API key; empty for none. Its text is had by ``get_secret_value()`` only.
        temperature: sampling temperature, None leaves the field out.
        max_tokens: longest answer in tokens, None leaves the field out.
        extra: further request fields, sent as they are, after and over the others.
        system_prompt: sent before every question.
        img_size: longest edge of pictures in pixels, -1 as they are.
        total_img_size: when positive, `img_size` is divided by the square root of the number of pictures.
        max_file_size: longest base64 text of one picture in characters.
        min_image_edge: shortest edge in pixels that pictures are scaled up to; 0 never.
        img_detail: ``detail`` of every picture.
        timeout_s: seconds for one complete answer.
        connect_timeout_s: seconds to connect.
        verify: TLS certificates are checked.
        retry: most tries per question.
        wait_s: scale in seconds of the first wait before another try.
        nproc: most requests in flight to one address.
        rpm: most requests a minute, None unbounded.
        tpm: most tokens a minute, None unbounded.
        urls: all addresses that serve the model, `url` being the first; each has `nproc`, `rpm` and `tpm` for itself.
        nproc_auto: find the best number of requests in flight, up to `nproc`.
        price: what tokens cost, None where nobody said; for estimates only.
        video_llm: whole videos are shown instead of frames.
        local: how a model of style ``local`` is loaded and asked, None for any other.
    """

    name: str
    model: str
    style: Literal["openai", "lmdeploy", "embedded", "local"]
    url: str
    key: SecretStr
    temperature: float | None
    max_tokens: int | None
    extra: Mapping[str, Any]
    system_prompt: str | None
    img_size: int
    total_img_size: int
    max_file_size: int
    min_image_edge: int
    img_detail: Literal["low", "high", "auto"]
    timeout_s: float
    connect_timeout_s: float
    retry: int
    wait_s: float
    nproc: int
    rpm: float | None
    tpm: float | None
    verify: bool = True
    price: Price | None = None
    urls: tuple[str, ...] = ()
    nproc_auto: bool = False
    video_llm: bool = False
    local: LocalSettings | None = None

    def determines(self) -> dict[str, Any]:
        """What of it determines answers: not where, how fast, or with which key it is asked."""
        names = (
            "model", "style", "temperature", "max_tokens", "system_prompt", "img_size", "total_img_size",
            "max_file_size", "min_image_edge", "img_detail",
        )  # fmt: skip
        shown: dict[str, Any] = {"video_llm": True} if self.video_llm else {}
        if self.local is not None:
            shown["local"] = {"model_path": self.local.model_path, **self.local.determines()}
        return {name: getattr(self, name) for name in names} | {"extra": dict(self.extra)} | shown


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A model that reads answers which exact rules cannot read, or grades those that have no exact rule.

    Attributes:
        asked: how it is asked: its address, limits, tries and parameters. `ModelSpec.name` is how reports call it.
        repeats: verdicts per answer; the majority decides.
        rubric: text that takes the place of the benchmark's own rubric, None where the benchmark's own is used.
    """

    asked: ModelSpec
    repeats: int = 1
    rubric: str | None = None


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """How videos are shown.

    Attributes:
        options: which frames, and what beside them.
        transport: how a whole video reaches the server.
        base_url: address of the data root for the server, with transport ``http``.
        total_pixels: pixels that all frames of one question share, None for no bound.
        keeps_frames: keep decoded frames on disk.
        patience_s: seconds without a further frame after which a decoder counts as hung.
    """

    options: VideoOptions = DEFAULT_OPTIONS
    transport: Transport = "data"
    base_url: str | None = None
    total_pixels: int | None = None
    keeps_frames: bool = False
    patience_s: float = 120.0

    def determines(self) -> dict[str, Any]:
        """What of it determines answers, where it is not what it is by default."""
        found = {"total_pixels": self.total_pixels, **asdict(self.options)}
        usual = {"total_pixels": None, **asdict(DEFAULT_OPTIONS)}
        return {name: value for name, value in found.items() if value != usual[name]}


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A task, resolved.

    Attributes:
        models: the models, in order.
        data: benchmarks by name or by path of a TSV, in order.
        mode: what is done.
        limit: first rows of every benchmark to take, None all.
        repeats: answers per question.
        protocol: the switches of prompts and scores.
        reuse: continue the newest run of the same digest even when it is finished.
        use_cache: run folder to continue.
        work_dir: folder that run folders are made in.
        no_timestamp: `work_dir` itself is the run folder.
        data_root: folder of benchmark files.
        mirror: address to download benchmark files from.
        nproc: most requests in flight to each model.
        rpm: most requests a minute to each model.
        tpm: most tokens a minute to each model.
        retry: most tries per question.
        grace_s: seconds that requests in flight are given after an interrupt.
        patience_s: seconds without any answer after which a model counts as unusable.
        keep_failed: take recorded failures as final.
        quiet: show no progress.
        split_think: score only what follows the last ``</think>`` of an answer.
        notes: sentences for the user about fields and variables without effect.
        public: the configuration as given, without secrets, for the manifest.
        secrets: paths of the fields that `public` leaves out or shortens.
        judges: who reads what exact rules cannot; empty for exact rules alone. The first decides, the others are
            compared with it.
        max_pages: most pages of a document.
        concat_num: most sheets that the pages of a document are put on; None shows each page by itself.
        column_num: columns of a sheet; -1 for strips.
        videos: how videos are shown.
    """

    models: tuple[ModelSpec, ...]
    data: tuple[str, ...]
    mode: Literal["all", "infer", "eval"]
    limit: int | None
    repeats: int
    protocol: Protocol
    reuse: bool
    use_cache: Path | None
    work_dir: Path
    no_timestamp: bool
    data_root: Path
    mirror: str | None
    nproc: int
    rpm: float | None
    tpm: float | None
    retry: int
    grace_s: float
    patience_s: float
    keep_failed: bool
    quiet: bool
    split_think: bool
    notes: tuple[str, ...]
    public: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    judges: tuple[JudgeSpec, ...] = ()
    max_pages: int = MAX_PAGES
    concat_num: int | None = None
    column_num: int = 1
    videos: VideoPlan = VideoPlan()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the run unsafe, a sentence each."""
        models = () if self.mode == "eval" else self.models
        trusting = [spec.name for spec in (*models, *(judge.asked for judge in self.judges)) if not spec.verify]
        return tuple(
            f"{name}: verify is false, so the certificate of its server is not checked: whoever answers at its address "
            "is sent the key, and may have given these answers"
            for name in dict.fromkeys(trusting)
        )

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of what determines answers and exact scores: the same command again has the same digest.

        Left out are folders, keys, addresses, limits of speed, tries, times, `mode` and `reuse`; and `judges`, so that
        another judge reads the same answers instead of having them asked again.
        """
        content: dict[str, Any] = {
            "version": 1,
            "models": [model.determines() for model in self.models],
            "data": [str(Path(name).absolute()) if is_path(name) else name for name in self.data],
            "limit": self.limit,
            "repeats": self.repeats,
            "protocol": self.protocol.name,
            "split_think": self.split_think,
        }
        if (pages := (self.max_pages, self.concat_num, self.column_num)) != (MAX_PAGES, None, 1):
            content["pages"] = pages
        if videos := self.videos.determines():
            content["videos"] = videos
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
