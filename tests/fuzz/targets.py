"""What is fuzzed. Each target takes any bytes and may raise nothing: typed errors are what it expects."""

from __future__ import annotations

import base64
import io
import json
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import PIL.Image
from clips import write_clip
from pdf_files import pdf_of, simple
from tiny_benchmarks import ROWS_OF, write_tiny

from eyechart.adapters.errors_http import classify
from eyechart.adapters.openai_models import _models
from eyechart.adapters.reply import parse_reply
from eyechart.benchmarks.base import Benchmark
from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.families import FAMILIES
from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.sampling import FORMULAS, VideoFacts, rate_points
from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.benchmarks.subtitles import parse_srt, subtitles_at
from eyechart.benchmarks.unpack import unpack_pickles, unpack_zip, unpack_zips_flat
from eyechart.benchmarks.video import VideoBenchmark
from eyechart.engine.config import load_tasks, read_environment, resolve
from eyechart.engine.decoders import Decoders
from eyechart.engine.documents import Documents, PageSettings
from eyechart.engine.frames import FrameSampler
from eyechart.engine.journal import Journal, encode_line, read_ledger, read_predictions
from eyechart.engine.judgements import read_judgements, read_verdicts
from eyechart.engine.media import MediaSettings, prepare_messages
from eyechart.engine.report import csv_text
from eyechart.errors import EyechartError
from eyechart.messages import Document, Image, Message
from eyechart.records import Prediction
from eyechart.scoring.judge import JudgeRequest

__all__ = ["TARGETS", "Check", "Target"]

Check: TypeAlias = Callable[[bytes], None]
"""Takes one input; returns if what came of it is as it should be."""

_ROWS: Final = 40
_PIXELS: Final = 4_000_000
_REPLIES: Final = Path(__file__).resolve().parents[1] / "adapters" / "replies"


@dataclass(frozen=True, slots=True)
class Target:
    """A parser.

    Attributes:
        open: gives the check; what it is given is a folder of its own, and what it started ends with the context.
        seeds: sound inputs; given a folder to make them in.
        words: what inputs are made of besides.
        examples: inputs that the tests try, next to those of the corpus.
    """

    open: Callable[[Path], AbstractContextManager[Check]]
    seeds: Callable[[Path], Sequence[bytes]]
    words: tuple[bytes, ...] = ()
    examples: int = 150


# -- benchmark files ---------------------------------------------------------------------------------------------------

_NAMES: Final = tuple(
    name
    for name, entry in catalog().items()
    if name in FAMILIES and not entry.parts and entry.family in ROWS_OF and not name.startswith("VCR_ZH")
)


def _family(data: bytes) -> tuple[str, bytes]:
    """The first byte says whose rules apply."""
    return _NAMES[data[0] % len(_NAMES)] if data else "Own", data[1:]


def _ready(bench: Benchmark) -> Benchmark:
    if isinstance(bench, VideoBenchmark):
        bench.probe = lambda _: VideoFacts(20, 10.0)
    return bench


@contextmanager
def _tables(folder: Path) -> Iterator[Check]:
    path = folder / "fuzzed.tsv"

    def check(data: bytes) -> None:
        name, content = _family(data)
        path.write_bytes(content)
        with suppress(EyechartError):
            bench = _ready(load_benchmark(name, folder, path=path, protocol=("eyechart", "vlmeval")[len(data) % 2]))
            for sample in islice(bench.samples(), _ROWS):
                _try_row(bench, sample)

    yield check


def _try_row(bench: Benchmark, sample: object) -> None:
    with suppress(EyechartError):
        messages = bench.prompt(sample)  # type: ignore[arg-type]
        if not isinstance(bench, VideoBenchmark):
            pictures = tuple(part for message in messages for part in message.parts if isinstance(part, Image))
            prepare_messages([Message("user", pictures)], MediaSettings(max_pixels=_PIXELS))
    with suppress(EyechartError):
        score_one(bench, sample, "The answer is B.")  # type: ignore[arg-type]


def _table_seeds(folder: Path) -> list[bytes]:
    seeds = []
    for number, name in enumerate(_NAMES):
        place = folder / name
        place.mkdir()
        write_tiny(name, place)
        seeds.append(bytes([number]) + (place / f"{name}.tsv").read_bytes())
    return seeds


# -- what models and judges say ----------------------------------------------------------------------------------------


@contextmanager
def _answers(folder: Path) -> Iterator[Check]:
    """The first byte says whose rules apply, the rest is an answer and, behind a zero byte, a judge's reply."""

    @cache
    def bench_of(name: str, protocol: str) -> Benchmark:
        place = folder / name
        if not place.exists():
            place.mkdir()
            write_tiny(name, place)
        return _ready(load_benchmark(name, place, path=place / f"{name}.tsv", protocol=protocol))

    def check(data: bytes) -> None:
        name, content = _family(data)
        answer, _, reply = content.partition(b"\0")
        said = reply.decode("utf-8", "replace")

        async def judge(_: JudgeRequest) -> str:
            return said

        for protocol in ("eyechart", "vlmeval"):
            bench = bench_of(name if name != "Own" else _NAMES[0], protocol)
            samples = list(islice(bench.samples(), 3))
            text = answer.decode("utf-8", "replace")
            for sample in samples:
                score_one(bench, sample, text)
            with suppress(EyechartError):
                result = score_predictions(bench, dict.fromkeys((s.index for s in samples), text), judge)
                csv_text(result.columns, result.table).encode()
                json.dumps([dict(row) for row in result.table])

    yield check


_ANSWERS: Final = (
    b"B\0B", b"(C) a boat\0C", b"The answer is D, a lamp.\0Z", b"Yes\0Yes", b"No, it is not.\0Unknown", b"42\x0042",
    b"\\boxed{\\frac{1}{2}}\0\\frac{1}{2}", b"[1, 2, 3]\0[1, 2, 3]", b"2.5%\0Extracted answer: 2.5\nAnswer format: Float",
    b"a cat sits\0" + b"0.5", b"a\x006 9", b"a\x002", b"{'1': 'A', '2': 'B'}\0{\"1\": 3}",
    b"a\0{'Creativity': 7, 'Richness': 8, 'Visual Perception': 5}", b"1. first\n2. second\x001: 3\n2: 1",
)  # fmt: skip
_ANSWER_WORDS: Final = (
    b"\0", b"A", b"B", b"Z", b"(", b")", b"[", b"]", b"{", b"}", b"'", b'"', b"\\", b"\\frac", b"\\sqrt", b"\\boxed{",
    b"^", b"_", b"**", b"9" * 40, b"1e999", b"nan", b"inf", b"-", b"%", b"$", b",", b".", b":", b"\n", b"\t", b"|", b"=",
    b"\\left(", b"\\right)", b"\\pi", b"\\times", b"{{", b"Extracted answer:", b"Answer format:", b"Unknown", b"yes",
    b"Overall Score", b"</think>", "答案".encode(), b"\xed\xa0\x80", b"!", b"10**", b"factorial(", b"\\binom{9}{3}",
)  # fmt: skip


def _answer_seeds(_: Path) -> list[bytes]:
    short = [bytes([number]) + said for number in range(len(_NAMES)) for said in _ANSWERS]
    # What a model says that does not stop: a reader that looks at each place again and again would take for ever.
    return short + [
        bytes([number % len(_NAMES)]) + word * 3000 + b"\0" + word * 3000 for number, word in enumerate(_ANSWER_WORDS)
    ]


@contextmanager
def _replies(_: Path) -> Iterator[Check]:
    def check(data: bytes) -> None:
        for split in (False, True):
            with suppress(EyechartError):
                reply = parse_reply(data, split_think=split)
                encode_line(Prediction("1", 0, "f", reply.text, reasoning=reply.reasoning, usage=reply.usage))
        head, _, body = data.partition(b"\n")
        headers = {"retry-after": head.decode("latin-1"), "location": head.decode("latin-1")}
        error = classify(200 + sum(head) % 400, headers, body)
        assert len(str(error)) <= 300
        assert str(error).isprintable()
        _models(data)

    yield check


def _reply_seeds(_: Path) -> list[bytes]:
    seeds = []
    for path in sorted(_REPLIES.glob("*.json")):
        text = json.dumps(json.loads(path.read_bytes()))
        seeds.append(text.encode())
    message = {"role": "assistant", "content": "B", "reasoning": "thus"}
    usage = {"prompt_tokens": 3, "completion_tokens": 1.0}
    seeds += [
        json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode(),
        json.dumps({"choices": [{"message": {"content": [{"type": "text", "text": "<think>x</think>B"}]}}]}).encode(),
        json.dumps({"error": {"message": "no", "code": 429}}).encode(),
        json.dumps({"object": "list", "data": [{"id": "m", "max_model_len": 4096, "aliases": ["n"]}]}).encode(),
        b"Wed, 21 Oct 2026 07:28:00 GMT\n<html><title>502 Bad Gateway</title><body>x</body></html>",
    ]
    return seeds


# -- configurations ----------------------------------------------------------------------------------------------------

_YAML: Final = b"""\
work_dir: outputs
eval_backend: VLMEvalKit
eval_config:
  model:
    - type: qwen-vl-chat
      name: CustomAPIModel
      api_base: http://localhost:8000/v1/chat/completions
      key: EMPTY
      temperature: 0.0
      extra_body: {top_k: 1, chat_template_kwargs: {enable_thinking: false}}
  data: [SEEDBench_IMG, ChartQA_TEST]
  mode: all
  limit: 20
  nproc: 16
  judge: {model: j, api_base: "http://h/v1", key: k, repeats: 3}
"""
_YAML_WORDS: Final = (
    b"*a", b"&a ", b"<<: *a", b"!!python/object/apply:os.system ['true']", b"!!binary ", b"!!set ", b"? ", b"- ",
    b": ", b"\n  ", b"{", b"}", b"[", b"]", b"|\n", b">\n", b"---\n", b"...\n", b"%YAML 9.9\n", b"null", b"~", b"1e999",
    b".nan", b"0x10", b"1_000", b"9" * 5000, b"'", b'"\\ud800"', b"\t", b"\0", b"\xff", b"#", b"judge_args", b"api_base",
    b"key", b"nproc: auto", b"model:", b"data:", b"eval_config:", b"http://[::1", b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
)  # fmt: skip


def _configs(ending: str) -> Callable[[Path], AbstractContextManager[Check]]:
    @contextmanager
    def opened(folder: Path) -> Iterator[Check]:
        path = folder / f"task.{ending}"
        environment = read_environment({"HOME": str(folder)})

        def check(data: bytes) -> None:
            path.write_bytes(data)
            with suppress(EyechartError):
                for task in load_tasks(path):
                    json.dumps(resolve(task, environment).public, allow_nan=False)

        yield check

    return opened


def _json_config(_: Path) -> list[bytes]:
    model = {"type": "m", "name": "CustomAPIModel", "api_base": ["http://a/v1", "http://b/v1"], "key": "k"}
    evaluation = {"model": [model], "data": ["MMStar"], "limit": 2, "judge": "exact_matching"}
    return [json.dumps({"work_dir": "o", "eval_config": evaluation}).encode()]


# -- pictures, documents, videos, subtitles ----------------------------------------------------------------------------

_WAYS: Final = (
    MediaSettings(max_pixels=_PIXELS),
    MediaSettings(max_pixels=_PIXELS, img_size=16),
    MediaSettings(max_pixels=_PIXELS, max_file_size=400),
    MediaSettings(max_pixels=_PIXELS, min_edge=100, reencode=True),
)


@contextmanager
def _pictures(_: Path) -> Iterator[Check]:
    def check(data: bytes) -> None:
        encoded = base64.b64encode(data)
        for settings in _WAYS:
            for image in (
                Image("a", base64=encoded),
                Image("b", base64=data),
                Image("c", base64=encoded, stored_as="jpeg"),
            ):
                with suppress(EyechartError):
                    prepare_messages([Message("user", (image,))], settings)

    yield check


def _picture_seeds(_: Path) -> list[bytes]:
    seeds = []
    for kind, mode in (
        ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "P"), ("WEBP", "RGBA"),
        ("BMP", "RGB"), ("TIFF", "RGB"), ("TIFF", "F"), ("PPM", "RGB"), ("JPEG2000", "RGB"), ("ICO", "RGBA"),
    ):  # fmt: skip
        buffer = io.BytesIO()
        PIL.Image.radial_gradient("L").resize((20, 17)).convert(mode).save(buffer, kind)
        seeds += [buffer.getvalue(), base64.b64encode(buffer.getvalue())]
    return seeds


@contextmanager
def _documents(_: Path) -> Iterator[Check]:
    with Documents(PageSettings(max_pages=3), page_s=5, document_s=10) as documents:

        def check(data: bytes) -> None:
            pdf = Image("a.pdf", base64=base64.b64encode(data))
            with suppress(EyechartError):
                documents.shown([Message("user", (Document("a.pdf", pdf=pdf),))])

        yield check


def _pdf_seeds(_: Path) -> list[bytes]:
    return [pdf_of([(40, 30)]), pdf_of([(20, 30), (30, 20)]), simple(), simple(page="/Annots [<</Subtype /Link>>]")]


@contextmanager
def _videos(folder: Path) -> Iterator[Check]:
    path = folder / "fuzzed.mp4"
    decoders = Decoders(most=1, memory_bytes=3 << 30, patience_s=15)
    with FrameSampler(decoders, clips=folder / "clips") as sampler:

        def check(data: bytes) -> None:
            path.write_bytes(data)
            with suppress(EyechartError):
                facts = sampler.facts(path)
                for formula in FORMULAS.values():
                    formula(facts, 4)
                rate_points(facts, 2.0)
                sampler.frames(path, (0, facts.frames - 1), _PIXELS)
            with suppress(EyechartError):
                sampler.clip(path, (0.1, 0.3), None)

        yield check


def _video_seeds(folder: Path) -> list[bytes]:
    small = (32, 32)
    return [
        write_clip(folder / "a.mp4", frames=5, size=small).read_bytes(),
        write_clip(folder / "a.webm", frames=3, size=small, codec="libvpx").read_bytes(),
        write_clip(folder / "a.avi", frames=3, size=small, codec="mpeg4").read_bytes(),
    ]


@contextmanager
def _subtitles(_: Path) -> Iterator[Check]:
    def check(data: bytes) -> None:
        found = parse_srt(data.decode("utf-8", "replace"))
        for fps in (25.0, 0.0, 1e-9, math.inf):
            subtitles_at(found, (0, 3, 1000), fps, codes=fps > 1)

    yield check


_SRT: Final = b"1\n00:00:00,100 --> 00:00:02,000\n<i>Hello</i> there\n\n2\n00:00:02,000 --> 00:01:04.5\nBye\n"

# -- archives and journals ---------------------------------------------------------------------------------------------


@contextmanager
def _archives(folder: Path) -> Iterator[Check]:
    archive, inside = folder / "archive", folder / "deep" / "inside"
    inside.mkdir(parents=True)
    numbers = iter(range(10**9))

    def check(data: bytes) -> None:
        archive.write_bytes(data)
        place = inside / str(next(numbers))
        ways = (
            lambda: unpack_zip(archive, place),
            lambda: unpack_zips_flat([archive], place),
            lambda: unpack_pickles([archive], place, ".mp4"),
        )
        with suppress(EyechartError):
            ways[len(data) % 3]()
        assert {path.name for path in folder.iterdir()} == {"archive", "deep"}
        assert [path.name for path in (folder / "deep").iterdir()] == ["inside"]
        assert {path.name for path in inside.iterdir()} <= {place.name, f"{place.name}.unpacking"}
        for path in sorted(inside.rglob("*"), reverse=True):
            assert not path.is_symlink()
            path.rmdir() if path.is_dir() else path.unlink()

    yield check


def _archive_seeds(_: Path) -> list[bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/b.mp4", b"film" * 50)
        file.writestr("c.mp4", b"x")
    zipped = buffer.getvalue()
    pickled = pickle.dumps({"a": b"film", "b": b"x" * 300})
    return [seed + b"\0" * pad for seed in (zipped, pickled) for pad in range(3)]


@contextmanager
def _journals(folder: Path) -> Iterator[Check]:
    path = folder / "predictions.jsonl"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(EyechartError):
            ledger = read_ledger(path)
            assert len(list(read_predictions(path))) <= data.count(b"\n")
            read_verdicts(path)
            list(read_judgements(path))
            with Journal(path):
                pass
            assert read_ledger(path).entries.keys() == ledger.entries.keys()

    yield check


def _journal_seeds(_: Path) -> list[bytes]:
    answer = encode_line(Prediction("1", 0, "f1", "B", reasoning="thus", attempts=2))
    turn = json.dumps({"index": "1", "repeat": 0, "turn": 1, "fingerprint": "f2", "prediction": "C"}).encode() + b"\n"
    verdict = json.dumps({"fingerprint": "f", "judge": "j", "reply": "yes", "index": "1"}).encode() + b"\n"
    return [answer, answer + turn, answer + verdict + answer[:20]]


TARGETS: Final[dict[str, Target]] = {
    "tsv": Target(
        _tables,
        _table_seeds,
        (b"\t", b"\n", b"\r", b'"', b'""', b"['", b"', '", b"']", b"\\", b"index", b"question", b"A", b"answer", b"nan",
         b"[", b"{", b"9" * 30, b"\xef\xbb\xbf", b"\xff", b"\0", b"../../etc/passwd", b"<image 1>", b"1e999", b"-1"),
    ),
    "config_yaml": Target(_configs("yaml"), lambda _: [_YAML], _YAML_WORDS),
    "config_json": Target(_configs("json"), _json_config, (b"NaN", b"1e999", b"{", b"}", b"[", b"]", b'"', b"\\ud800", b"," * 5)),
    "image": Target(_pictures, _picture_seeds, (b"IHDR", b"iTXt", b"\xff\xd8", b"\xff\xc0", b"RIFF", b"\0" * 4, b"\xff" * 4)),
    "video": Target(_videos, _video_seeds, (b"moov", b"trak", b"mdat", b"stsz", b"mvhd", b"tkhd", b"\0" * 4, b"\xff" * 4), 12),
    "pdf": Target(_documents, _pdf_seeds, (b"obj", b"stream", b"/Kids", b"/Count", b"/MediaBox", b"/Filter", b"99999999"), 60),
    "subtitles": Target(_subtitles, lambda _: [_SRT], (b"-->", b"00:00:01,000", b"<i>", b"</i>", b"{\\i1}", b"\n\n", b"<")),
    "answers": Target(_answers, _answer_seeds, _ANSWER_WORDS),
    "reply": Target(_replies, _reply_seeds, (b'"choices"', b'"content"', b"null", b"{", b"[", b"NaN", b"1e999", b'"\\ud800"')),
    "archive": Target(_archives, _archive_seeds, (b"../", b"/", b"PK\x03\x04", b"PK\x01\x02", b"\0", b"\\", b"\xff" * 4)),
    "journal": Target(_journals, _journal_seeds, (b"\n", b"{", b"}", b'"', b"null", b'"turn": 1', b"-1", b"1e999", b"\xff")),
}  # fmt: skip
"""All targets by name."""
