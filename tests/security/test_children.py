"""Processes that read files from outside: they know no keys, and nobody sees one in the list of processes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clips import write_clip
from pdf_files import pdf_of

from eyechart.engine.decoders import Decoders
from eyechart.engine.documents import Documents, PageSettings
from eyechart.engine.frames import FrameSampler
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
