"""Which benchmark belongs to which family, with the family's settings: adding a benchmark is adding a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

from ..errors import ConfigError
from ..scoring.protocol import Protocol
from ..scoring.rubrics import option_letter_blink
from ..scoring.words import ENGLISH
from .base import Benchmark, Source
from .captions import Captions
from .catalog import catalog
from .circular import Circular
from .documents import DUDE, MMLongBench, SlideVQA
from .gmai import GMAIMMBench
from .joined import Joined, JoinedSource
from .llavabench import LLaVABench
from .mathvision import MathVision
from .mathvista import MathVista
from .mixed import Mixed
from .mmbench_video import MMBenchVideo
from .mmbench_video_pack import PackedMMBenchVideo
from .mmdu import MMDU
from .mmmu import MMMU
from .mmt import MMTBench
from .mmvet import MMVet
from .mtvqa import MTVQA
from .multiple_choice import MultipleChoice
from .mvbench import MVBench, MVBenchMP4
from .ocrbench import OCRBench
from .vcr import VCR
from .video import DEFAULT_OPTIONS, VideoBenchmark, VideoOptions
from .video_mme import VideoMME
from .vqa import SHORT_ANSWER, VisualQA
from .yes_no import MME, POPE, HallusionBench

__all__ = ["FAMILIES", "VIDEOS", "build_benchmark"]

_Builder: TypeAlias = Callable[[str, Source, Protocol], Benchmark]
_ChoiceBuilder: TypeAlias = Callable[[str, Source, Protocol], MultipleChoice]

_short_answer: Final = partial(VisualQA, instruction=SHORT_ANSWER)
_VCR_PARTS: Final = ("EASY_100", "EASY_500", "EASY_ALL", "HARD_100", "HARD_500", "HARD_ALL")

_MULTIPLE_CHOICE: Final[Mapping[str, _ChoiceBuilder]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "A-Bench_TEST", "A-Bench_VAL", "AI2D_TEST", "AI2D_TEST_NO_MASK", "AesBench_TEST", "AesBench_VAL",
                "GMAI_mm_bench_VAL", "MLLMGuard_DS", "MMMB_ar", "MMMB_cn", "MMMB_en", "MMMB_pt", "MMMB_ru", "MMMB_tr",
                "MMStar", "Q-Bench1_TEST", "Q-Bench1_VAL", "RealWorldQA", "SEEDBench2", "SEEDBench2_Plus",
                "SEEDBench_IMG", "ScienceQA_TEST", "ScienceQA_VAL", "TaskMeAnything_v1_imageqa_random",
            ),
            MultipleChoice,
        ),
        "BLINK": partial(MultipleChoice, rubric=option_letter_blink),
        "GMAI-MMBench_VAL": GMAIMMBench,
        **dict.fromkeys(("MMMU_DEV_VAL", "MMMU_TEST"), MMMU),
        **dict.fromkeys(("MMT-Bench_ALL", "MMT-Bench_ALL_MI", "MMT-Bench_VAL", "MMT-Bench_VAL_MI"), MMTBench),
        **dict.fromkeys(
            (
                "CCBench", "MMBench_DEV_CN", "MMBench_DEV_CN_V11", "MMBench_DEV_EN", "MMBench_DEV_EN_V11",
                "MMBench_TEST_CN", "MMBench_TEST_CN_V11", "MMBench_TEST_EN", "MMBench_TEST_EN_V11", "MMBench_dev_ar",
                "MMBench_dev_cn", "MMBench_dev_en", "MMBench_dev_pt", "MMBench_dev_ru", "MMBench_dev_tr",
            ),
            Circular,
        ),
    }
)  # fmt: skip


def _joined(name: str, source: Source, protocol: Protocol) -> Benchmark:
    """Joins the parts; a file of one's own under the name of a joined benchmark is read as a part would be."""
    if isinstance(source, JoinedSource):
        return Joined(name, source, protocol, lambda part, own, rules: _MULTIPLE_CHOICE[part](part, own, rules))
    return _MULTIPLE_CHOICE[catalog()[name].parts[0]](name, source, protocol)


def _mmbench_video(name: str, source: Source, protocol: Protocol, options: VideoOptions) -> VideoBenchmark:
    return (PackedMMBenchVideo if options.pack else MMBenchVideo)(name, source, protocol, options)


VIDEOS: Final[Mapping[str, Callable[[str, Source, Protocol, VideoOptions], VideoBenchmark]]] = MappingProxyType(
    {"MMBench-Video": _mmbench_video, "MVBench": MVBench, "MVBench_MP4": MVBenchMP4, "Video-MME": VideoMME}
)
"""Builder of each benchmark on videos, which takes how they are shown."""


def _video(name: str, source: Source, protocol: Protocol) -> Benchmark:
    return VIDEOS[name](name, source, protocol, DEFAULT_OPTIONS)


FAMILIES: Final[Mapping[str, _Builder]] = MappingProxyType(
    {
        **_MULTIPLE_CHOICE,
        **dict.fromkeys(VIDEOS, _video),
        **dict.fromkeys(("MMMB", "MTL_MMBench_DEV"), _joined),
        "ChartQA_TEST": partial(_short_answer, metric="relaxed_accuracy"),
        "COCO_VAL": Captions,
        "DocVQA_TEST": partial(_short_answer, metric="anls"),
        "DocVQA_VAL": partial(_short_answer, metric="anls"),
        **dict.fromkeys(("DUDE", "DUDE_MINI"), DUDE),
        "EyechartMini": Mixed,
        "HallusionBench": HallusionBench,
        "InfoVQA_TEST": partial(_short_answer, metric="anls"),
        "InfoVQA_VAL": partial(_short_answer, metric="anls"),
        "LLaVABench": LLaVABench,
        "MMDU": MMDU,
        "MathVision": MathVision,
        "MathVision_MINI": MathVision,
        "MathVista_MINI": MathVista,
        "MME": MME,
        "MMLongBench_DOC": MMLongBench,
        "MMVet": MMVet,
        "MTVQA_TEST": MTVQA,
        "OCRBench": OCRBench,
        "OCRVQA_TEST": partial(_short_answer, metric="accuracy"),
        "OCRVQA_TESTCORE": partial(_short_answer, metric="accuracy"),
        "POPE": POPE,
        **dict.fromkeys(("SLIDEVQA", "SLIDEVQA_MINI"), SlideVQA),
        "TextVQA_VAL": partial(_short_answer, metric="vqa_score"),
        **{f"VCR_EN_{part}": partial(VCR, words=ENGLISH) for part in _VCR_PARTS},
        **{f"VCR_ZH_{part}": VCR for part in _VCR_PARTS},
    }
)
"""Builder of each benchmark's family. A name of the catalogue that is not here cannot be run yet."""


def build_benchmark(
    name: str,
    source: Source,
    protocol: Protocol,
    *,
    own_file: bool = False,
    videos: VideoOptions = DEFAULT_OPTIONS,
) -> Benchmark:
    """Builds a benchmark over its rows.

    Benchmarks on videos show them as ``videos`` says.

    A name outside the catalogue is the user's own file: multiple choice when it has the columns ``A`` and ``B``, else
    questions whose answers count when they equal an accepted one after normalisation. So is a file given by its path
    (``own_file``) whose name the catalogue has but this version cannot run by its own rules yet.

    Raises:
        ConfigError: the catalogue has the name, but this version cannot run it.
    """
    if name in VIDEOS:
        return VIDEOS[name](name, source, protocol, videos)
    if name in FAMILIES:
        return FAMILIES[name](name, source, protocol)
    if name in catalog() and not own_file:
        raise ConfigError(f"benchmark {name!r} is in the catalogue and arrives with a later version of eyechart")
    if {"A", "B"} <= set(source.columns):
        return MultipleChoice(name, source, protocol)
    return VisualQA(name, source, protocol, metric="normalised_match")
