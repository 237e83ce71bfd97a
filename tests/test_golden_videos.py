"""Golden vectors of the benchmarks on videos: frames by number and hash, prompts, packed answers.

The cases of their scoring are among those of test_golden.py.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import PIL.Image
import pytest
from golden_videos import VIDEOS, options_of
from test_golden import CASE_KEYS, GOLDEN, same

from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.mmbench_video_pack import PackedMMBenchVideo
from eyechart.benchmarks.video import VideoBenchmark
from eyechart.engine.frames import FrameSampler
from eyechart.engine.media import load_image
from eyechart.engine.media_video import VideoSettings, with_frames
from eyechart.errors import DataError, MediaError
from eyechart.messages import Image, Part, Text, Video
from eyechart.records import Sample
from eyechart.scoring.protocol import VLMEVAL, Protocol

decord = pytest.importorskip("decord")


@pytest.fixture(scope="module")
def sampler() -> Iterator[FrameSampler]:
    with FrameSampler() as found:
        yield found


def files(pattern: str) -> list[Any]:
    found = [path for name in sorted(VIDEOS) for path in sorted((GOLDEN / name).glob(pattern))]
    return [pytest.param(path, id=f"{path.parent.name}/{path.stem}") for path in found]


def opened(path: Path, sampler: FrameSampler, protocol: Protocol = VLMEVAL) -> VideoBenchmark:
    """Opens a benchmark where it lies, as the name of a golden file says."""
    options, whole = options_of(path.stem)
    folder = path.parent
    bench = load_benchmark(folder.name, protocol=protocol, path=folder / "dataset.tsv", videos=options)
    bench = bench.whole() if whole else bench
    assert isinstance(bench, VideoBenchmark)
    bench.probe = sampler.facts
    return bench


@pytest.mark.parametrize("path", files("prompts*.json"))
def test_prompts(path: Path, sampler: FrameSampler):
    expected = json.loads(path.read_text(encoding="utf-8"))
    bench = opened(path, sampler)
    samples = {sample.index: sample for sample in bench.samples()}
    assert expected.keys() <= samples.keys()
    for index, parts in expected.items():
        try:
            messages = bench.prompt(samples[index])
        except (DataError, MediaError):
            assert parts[0]["type"] == "error"
            continue
        if parts[0]["type"] == "error":
            continue  # the reference crashed, and here is a prompt
        built = [
            shown(part, message.role, path.parent, sampler)
            for message in messages
            for part in with_frames(message.parts, VideoSettings(source=sampler))
        ]
        assert built == parts, index


def shown(part: Part, role: str, root: Path, sampler: FrameSampler) -> dict[str, Any]:
    told = {} if role == "user" else {"role": role}
    if isinstance(part, Text):
        return told | {"type": "text", "value": part.text}
    if isinstance(part, Video):
        place = reference_path(part).relative_to(root).as_posix()
        return told | {"type": "video", "value": PurePosixPath(place).name, "path": place}
    assert isinstance(part, Image)
    picture = load_image(part).convert("RGB")
    return told | {
        "type": "image",
        "value": PurePosixPath(part.name).name,
        "path": part.name,
        "size": list(picture.size),
        "rgb_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
    }


def reference_path(video: Video) -> Path:
    """Where the reference puts the file that it makes of a video."""
    path = Path(video.url)
    if video.rate is not None or (video.as_mp4 and path.suffix in (".webm", ".gif")):
        path = path.with_suffix(".mp4")
    return path if video.span is None else path.with_name(f"{path.stem}_processed{path.suffix}")


@pytest.mark.parametrize("path", files("frames*.json"))
def test_frames(path: Path, sampler: FrameSampler):
    bench = opened(path, sampler, replace(VLMEVAL, clips_share_frames=False))
    samples = list(bench.samples())
    for key, expected in json.loads(path.read_text(encoding="utf-8")).items():
        video = path.parent / expected.get("video", key)
        video = video if video.exists() else path.parent / "video" / key
        if video.is_dir():
            assert folder_frames(bench, samples, key) == expected["indices"]
            continue
        facts = sampler.facts(video)
        assert (facts.frames, facts.fps) == (expected["n_frames"], expected["fps"])
        sample = next(s for s in samples if key in (s.index, f"{s.cells['video']}.mp4", bench.video_of(s)))
        try:
            images = frames_of(bench, sample)
        except MediaError:
            assert max(expected["indices"]) >= facts.frames
            continue
        indices = list(images[0].frame.indices) if images else []
        if not expected["indices"] and bench.name == "MVBench_MP4":
            assert indices == [0]  # where the reference crashed
            continue
        assert indices == expected["indices"]
        if "raw_rgb_sha256" in expected:
            reader = decord.VideoReader(str(video))
            raw = [hashlib.sha256(reader[index].asnumpy().tobytes()).hexdigest() for index in indices]
            assert raw == expected["raw_rgb_sha256"]


def frames_of(bench: VideoBenchmark, sample: Sample) -> list[Any]:
    if bench.shows_video:
        indices = bench.indices(bench.probe(bench.files_of(sample)[0]))
        return list(bench.frames(Path(), indices, ""))
    return [part for message in bench.prompt(sample) for part in message.parts if isinstance(part, Image)]


def folder_frames(bench: VideoBenchmark, samples: list[Sample], index: str) -> list[int]:
    sample = next(s for s in samples if s.index == index)
    return [int(image.path.stem) for image in frames_of(bench, sample)]


@pytest.mark.parametrize("path", files("prompts*.json"))
def test_frames_in_requests_are_the_pictures_of_the_prompts(path: Path, sampler: FrameSampler):
    bench = opened(path, sampler)
    sample = next(bench.samples())
    images = [part for message in bench.prompt(sample) for part in message.parts if isinstance(part, Image)]
    for image in with_frames(images, VideoSettings(source=sampler)):
        assert isinstance(image, Image)
        with PIL.Image.open(io.BytesIO(base64.b64decode(image.base64 or b""))) as picture:
            assert picture.format == "JPEG"


@pytest.mark.parametrize("path", files("cases/pack_*.json"))
def test_packed_answers(path: Path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["mode"] == "pack"
    assert case.keys() <= set(CASE_KEYS.split())
    folder = path.parent.parent
    options, _ = options_of("pack")
    bench = load_benchmark(folder.name, protocol=VLMEVAL, path=folder / "dataset.tsv", videos=options)
    assert isinstance(bench, PackedMMBenchVideo)
    scored = [bench.score(sample, case["predictions"][sample.index]) for sample in bench.samples()]
    rows = bench.complete(scored)
    got = {row.sample.index: {"prediction": row.record["prediction"]} for row in rows}
    assert same(got, case["per_sample"])
    assert [dict(row) for row in bench.more_tables(rows)["pack"].rows] == case["scores"]


def test_generated_table_of_mvbench_mp4():
    # The reference makes dataset.tsv of test.json; eyechart data pull does the same (tests/benchmarks/test_hub_tables.py).
    rows = json.loads((GOLDEN / "MVBench_MP4" / "test.json").read_text(encoding="utf-8"))
    assert sum(map(len, rows["meta"].values())) == 32
