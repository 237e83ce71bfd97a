"""Processes that read files from outside: they know no keys, and nobody sees one in the list of processes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clips import write_clip
from pdf_files import pdf_of

from eyechart.adapters.local.model import LocalModel
from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.decoders import Decoders
from eyechart.engine.documents import Documents, PageSettings
from eyechart.engine.frames import FrameSampler
from eyechart.engine.models import build_model
from eyechart.messages import Document, Image, Message

CANARY = "canary-0b7c55e1"
VARIABLES = (
    "EYECHART_API_KEY",
    "EYECHART_JUDGE_KEY",
    "OPENAI_API_KEY",
    "LMDEPLOY_API_KEY",
    "HF_TOKEN",
    "ANYTHING_ELSE",
)


@contextmanager
def decoding(tmp_path: Path) -> Iterator[list[int]]:
    decoders = Decoders(most=1)
    with FrameSampler(decoders) as sampler:
        assert sampler.facts(write_clip(tmp_path / "a.mp4", frames=3)).frames == 3
        yield decoders.pids()


@contextmanager
def rendering(tmp_path: Path) -> Iterator[list[int]]:
    pdf = Image("a.pdf", base64=base64.b64encode(pdf_of([(20, 20)])))
    with Documents(PageSettings()) as documents:
        assert documents.shown([Message("user", (Document("a.pdf", pdf=pdf),))])
        (worker,) = documents._sandbox._idle
        yield [worker._process.pid]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
@pytest.mark.parametrize("working", [decoding, rendering])
def test_what_reads_files_from_outside_knows_no_key(
    working: Callable[[Path], Iterator[list[int]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARY)
    with working(tmp_path) as pids:  # type: ignore[attr-defined]
        assert pids
        for pid in pids:
            for about in ("environ", "cmdline"):
                seen = Path(f"/proc/{pid}/{about}").read_bytes()
                assert seen
                assert CANARY.encode() not in seen


def test_what_holds_a_model_knows_no_key_but_the_hub_s(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    given: list[Mapping[str, str]] = []

    class Noted(LocalModel):
        def __init__(self, *_: Any, environment: Mapping[str, str], **__: Any) -> None:
            given.append(environment)

    monkeypatch.setattr("eyechart.adapters.local.model.LocalModel", Noted)
    entry = {"name": "transformers", "model_path": "owner/name"}
    (task,) = load_tasks({"eval_config": {"model": [entry], "data": ["MMStar"]}})
    (spec,) = resolve(task, read_environment({"HOME": "/home/me"})).models
    build_model(spec)
    (environment,) = given
    assert environment["CUDA_VISIBLE_DEVICES"] == "3"
    assert {name for name in VARIABLES if name in environment} == {"HF_TOKEN", "ANYTHING_ELSE"}
