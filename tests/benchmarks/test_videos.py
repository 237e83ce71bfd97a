"""Benchmarks on videos: prompts, files, and what is scored, beyond what the golden cases show."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_judges import JudgeInTurn

from eyechart.benchmarks.load import load_benchmark
from eyechart.benchmarks.sampling import VideoFacts
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.benchmarks.video import VideoBenchmark, VideoOptions, file_below
from eyechart.errors import DataError, MediaError
from eyechart.messages import Image, Text, Video
from eyechart.records import Sample, ScoreResult
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.protocol import EYECHART, VLMEVAL, Protocol

FACTS = VideoFacts(40, 10.0)


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    columns = list(rows[0])
    lines = ["\t".join(columns), *("\t".join(str(row.get(column, "")) for column in columns) for row in rows)]
    path = folder / f"{name}.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


Opener = Callable[..., VideoBenchmark]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    def load(
        name: str, *rows: dict[str, Any], protocol: Protocol = EYECHART, facts: VideoFacts = FACTS, **options: Any
    ) -> VideoBenchmark:
        path = write(tmp_path, name, list(rows))
        bench = load_benchmark(name, path=path, protocol=protocol, videos=VideoOptions(**options))
        assert isinstance(bench, VideoBenchmark)
        bench.probe = lambda _: facts
        return bench

    return load


def clip(number: int, **cells: Any) -> dict[str, Any]:
    row = {"index": number, "task_type": "Count", "prefix": "video/x/", "data_type": "video", "bound": False}
    row |= {"start": "", "end": "", "video": "a.mp4", "question": "How many?", "answer": "2"}
    return row | {"candidates": "['1', '2']"} | cells


def mme(number: int, **cells: Any) -> dict[str, Any]:
    row = {"index": number, "video": "v", "video_path": "./video/v.mp4", "duration": "short", "domain": "Knowledge"}
    row |= {"candidates": "['A. cat.', 'B. dog.']", "sub_category": "Law", "task_type": "OCR Problems"}
    return row | {"subtitle_path": "./subtitle/v.srt", "question": "Which?", "answer": "B"} | cells


def free(number: int, **cells: Any) -> dict[str, Any]:
    row = {"index": number, "video": "v", "video_path": "./video/v.mp4", "question": f"Q{number}?", "answer": "yes"}
    return row | {"dimensions": "['OCR']"} | cells


def shown(bench: VideoBenchmark, sample: Sample | None = None) -> list[Any]:
    sample = sample or next(bench.samples())
    return [part for message in bench.prompt(sample) for part in message.parts]


def indices(bench: VideoBenchmark, sample: Sample | None = None) -> tuple[int, ...]:
    image = next((part for part in shown(bench, sample) if isinstance(part, Image)), None)
    return image.frame.indices if image is not None and image.frame is not None else ()


def texts(parts: list[Any]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Text)]


# -- frames ---------------------------------------------------------------------------------------------------------


def test_a_short_video_shows_its_first_frame_or_in_the_reference_none(opened: Opener) -> None:
    short = VideoFacts(5, 10.0)
    bench = opened("Video-MME", mme(0), facts=short, nframe=0, fps=1)
    assert indices(bench) == (0,)
    bench = opened("Video-MME", mme(0), facts=short, nframe=0, fps=1, protocol=VLMEVAL)
    assert indices(bench) == ()
    bench = opened("MMBench-Video", free(0), facts=short, nframe=0, fps=1, protocol=VLMEVAL)
    assert "with 0 separate frames" in texts(shown(bench))[0]
    # Here the reference crashes.
    assert indices(opened("MVBench_MP4", clip(0), facts=short, nframe=0, fps=1, protocol=VLMEVAL)) == (0,)


def test_frames_a_second_are_bounded_where_asked(opened: Opener) -> None:
    assert len(indices(opened("Video-MME", mme(0), nframe=0, fps=5))) == 20
    assert indices(opened("Video-MME", mme(0), nframe=0, fps=5, max_frames=4)) == (0, 10, 20, 30)


def test_neither_a_number_nor_a_rate_of_frames_is_told(opened: Opener) -> None:
    for name, row in (("Video-MME", mme(0)), ("MVBench", clip(0)), ("MMBench-Video", free(0))):
        with pytest.raises(DataError, match="nframe"):
            opened(name, row, nframe=0).prompt(next(opened(name, row, nframe=0).samples()))


def test_frames_are_named_as_in_the_references_cache(opened: Opener) -> None:
    def names(name: str, row: dict[str, Any], **options: Any) -> list[str]:
        return [part.name for part in shown(opened(name, row, **options)) if isinstance(part, Image)]

    assert names("Video-MME", mme(0), nframe=2) == ["v/frame-1-of-2.jpg", "v/frame-2-of-2.jpg"]
    assert names("Video-MME", mme(0), nframe=0, fps=1)[0] == "v/frame-1-of-4-1fps.jpg"
    assert names("Video-MME", mme(0), nframe=0, fps=1.0)[0] == "v/frame-1-of-4-1.0fps.jpg"
    assert names("MVBench", clip(0, video="s/a.mp4"), nframe=1) == ["s/a.mp4/frame-1-of-1.jpg"]


# -- parts of videos --------------------------------------------------------------------------------------------------


def test_every_question_is_shown_its_own_part(opened: Opener) -> None:
    rows = [clip(0, bound=True, start=0, end=1), clip(1, bound=True, start=2.0, end=3.0), clip(2)]
    bench = opened("MVBench", *rows, nframe=2)
    assert [indices(bench, sample) for sample in bench.samples()] == [(2, 7), (22, 27), (9, 29)]
    bench = opened("MVBench", *rows, nframe=2, protocol=VLMEVAL)
    assert [indices(bench, sample) for sample in bench.samples()] == [(2, 7)] * 3


def test_in_the_reference_videos_of_one_name_are_one(opened: Opener) -> None:
    rows = [clip(0, prefix="video/x/"), clip(1, prefix="video/y/")]
    for name in ("MVBench", "MVBench_MP4"):
        for protocol, folders in ((EYECHART, ["x", "y"]), (VLMEVAL, ["x", "x"])):
            bench = opened(name, *rows, protocol=protocol)
            images = [
                next(part for part in shown(bench, sample) if isinstance(part, Image)) for sample in bench.samples()
            ]
            assert [image.frame.video.parent.name for image in images] == folders


def test_a_part_behind_the_end_is_told(opened: Opener) -> None:
    bench = opened("MVBench", clip(0, bound=True, start=9.0, end=12.5))
    with pytest.raises(MediaError, match=r"video a\.mp4: the part from 9 to 12\.5 s begins behind its end \(4 s\)"):
        bench.prompt(next(bench.samples()))


@pytest.mark.parametrize(
    "cells",
    [
        {"bound": True},
        {"bound": True, "start": "soon", "end": 3},
        {"bound": True, "start": "nan", "end": 3},
        {"bound": True, "start": 0, "end": "1e308"},
        {"data_type": "hologram"},
        {"candidates": "1, 2"},
        {"candidates": "[]"},
        {"candidates": str(list(range(27)))},
        {"candidates": ""},
        {"question": ""},
        {"video": ""},
    ],
)
def test_rows_that_cannot_be_asked_are_told(cells: dict[str, Any], opened: Opener) -> None:
    bench = opened("MVBench", clip(3, **cells))
    with pytest.raises(DataError, match="row 3"):
        bench.prompt(next(bench.samples()))


@pytest.mark.parametrize("path", ["../a.mp4", "/etc/passwd", "x/../../a.mp4"])
def test_paths_that_lead_out_of_the_folder_are_not_read(path: str, opened: Opener, tmp_path: Path) -> None:
    bench = opened("MVBench_MP4", clip(0, video=path))
    with pytest.raises(MediaError, match="leads out"):
        bench.prompt(next(bench.samples()))
    with pytest.raises(MediaError, match="leads out"):
        file_below(tmp_path, "a\0b")
    bench = opened("Video-MME", mme(0, subtitle_path=path), use_subtitle=True)
    with pytest.raises(MediaError, match="leads out"):
        bench.prompt(next(bench.samples()))


def test_frames_that_are_pictures_in_a_folder(opened: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "video" / "x" / "a"
    folder.mkdir(parents=True)
    for number in range(1, 13):
        (folder / f"{number:05d}.jpg").write_bytes(b"x")
    row = clip(0, data_type="frame", video="a", bound=True, start=1.0, end=3.0)
    images = [part for part in shown(opened("MVBench", row, nframe=2)) if isinstance(part, Image)]
    assert [(image.path.name, image.stored_as) for image in images] == [("00004.jpg", None), ("00007.jpg", None)]
    images = [part for part in shown(opened("MVBench", row, nframe=2, protocol=VLMEVAL)) if isinstance(part, Image)]
    assert images[0].stored_as == "jpeg"
    with pytest.raises(MediaError, match="no folder of pictures"):
        shown(opened("MVBench", clip(0, data_type="frame", video="none")))


def test_gifs_have_25_frames_a_second(opened: Opener) -> None:
    row = clip(0, data_type="gif", video="a.gif", bound=True, start=0, end=1)
    assert indices(opened("MVBench", row, nframe=1)) == (12,)


# -- whole videos -----------------------------------------------------------------------------------------------------


def test_whole_videos(opened: Opener, tmp_path: Path) -> None:
    def video(bench: VideoBenchmark) -> Video:
        (found,) = [part for part in shown(bench.whole()) if isinstance(part, Video)]  # type: ignore[arg-type]
        return found

    own = str(tmp_path / "video" / "x" / "a.mp4")
    part = clip(0, bound=True, start=1, end=2)
    assert video(opened("MVBench", part)) == Video(own, span=(1.0, 2.0))
    assert video(opened("MVBench_MP4", part)) == Video(own)
    folder = video(opened("MVBench", part | {"data_type": "frame", "video": "a"}))
    assert (folder.rate, folder.span) == (3.0, (1.0, 2.0))
    for protocol, converted in ((EYECHART, False), (VLMEVAL, True)):
        assert video(opened("MVBench", clip(0, video="a.webm"), protocol=protocol)).as_mp4 is converted
    assert video(opened("MVBench", clip(0, data_type="gif", video="a.gif"))).as_mp4
    assert video(opened("Video-MME", mme(0))) == Video(str(tmp_path / "video" / "v.mp4"))
    assert video(opened("Video-MME", mme(0, video_path="https://h/v.mp4"))) == Video("https://h/v.mp4")
    assert video(opened("MMBench-Video", free(0, video_path="./video/w.mp4"))) == Video(
        str(tmp_path / "video" / "w.mp4")
    )


def test_in_the_reference_one_part_of_a_video_is_cut_out_for_all(opened: Opener) -> None:
    rows = [clip(0, bound=True, start=0, end=1), clip(1, bound=True, start=2, end=3), clip(2)]
    for protocol, spans in ((EYECHART, [(0, 1), (2, 3), None]), (VLMEVAL, [(0, 1), (0, 1), None])):
        bench = opened("MVBench", *rows, protocol=protocol).whole()
        found = [next(p for p in shown(bench, s) if isinstance(p, Video)).span for s in bench.samples()]  # type: ignore[arg-type]
        assert found == spans


def test_a_whole_video_needs_no_look_into_it(opened: Opener) -> None:
    bench = opened("Video-MME", mme(0), use_subtitle=True)

    def refuse(_: Path) -> VideoFacts:
        raise AssertionError

    bench.probe = refuse
    assert any(isinstance(part, Video) for part in shown(bench.whole()))  # type: ignore[arg-type]


# -- subtitles --------------------------------------------------------------------------------------------------------

SRT = "1\n00:00:00,500 --> 00:00:02,000\n<i>Hello</i>\nthere\n\n2\n00:00:02,500 --> 00:00:03,500\n<b>Bye</b>\n"


def test_subtitles_stand_at_their_frames(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "subtitle").mkdir()
    (tmp_path / "subtitle" / "v.srt").write_text(SRT, encoding="utf-8")
    # Frames 8, 16, 24 and 32 stand at 0.8, 1.6, 2.4 and 3.2 s.
    plain = texts(shown(opened("Video-MME", mme(0), nframe=4, use_subtitle=True)))[1]
    assert "listed below:\nHello there\nHello there\nBye\nSelect" in plain
    codes = texts(shown(opened("Video-MME", mme(0), nframe=4, use_subtitle=True, protocol=VLMEVAL)))[1]
    assert "listed below:\n{\\i1}Hello{\\i0} there\n{\\i1}Hello{\\i0} there\n{\\b1}Bye{\\b0}\nSelect" in codes
    assert "subtitles" not in texts(shown(opened("Video-MME", mme(0), nframe=4)))[1]


def test_subtitles_that_cannot_be_read_fail_their_sample(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subtitle").mkdir()
    path = tmp_path / "subtitle" / "v.srt"
    path.write_text(SRT, encoding="utf-8")
    os.truncate(path, 1 << 40)  # the file has holes and takes no room
    bench = opened("Video-MME", mme(0), use_subtitle=True)
    with pytest.raises(MediaError, match="larger than 20 MB"):
        shown(bench)

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(MediaError, match=r"v\.srt: Permission denied"):
        shown(bench)


def test_a_video_without_subtitles_has_an_empty_list(opened: Opener) -> None:
    assert "listed below:\n\nSelect" in texts(shown(opened("Video-MME", mme(0), use_subtitle=True)))[1]
    assert (
        "listed below:\n\nSelect" in texts(shown(opened("Video-MME", mme(0, subtitle_path=""), use_subtitle=True)))[1]
    )


# -- order and change -------------------------------------------------------------------------------------------------


def test_questions_on_one_video_are_asked_together_and_are_a_cluster(opened: Opener) -> None:
    bench = opened("Video-MME", mme(0, video="a"), mme(1, video="b"), mme(2, video="a"), mme(3, video="b"))
    samples = list(bench.samples())
    assert [s.index for s in samples] == ["0", "1", "2", "3"]
    assert [s.index for s in bench.in_asking_order(iter(samples))] == ["0", "2", "1", "3"]
    assert [s.cluster for s in samples] == ["video:a", "video:b", "video:a", "video:b"]


def test_a_changed_file_shows_in_the_samples_stamp(opened: Opener, tmp_path: Path) -> None:
    bench = opened("Video-MME", mme(0), use_subtitle=True)
    (sample,) = bench.samples()
    stamps = [bench.stamp(sample)]
    for folder, name in (("video", "v.mp4"), ("subtitle", "v.srt")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"x")
        stamps.append(bench.stamp(sample))
    (tmp_path / "video" / "v.mp4").write_bytes(b"xy")
    stamps.append(bench.stamp(sample))
    assert len(set(stamps)) == 4
    outside = opened("Video-MME", mme(0, video="../v"))
    assert outside.stamp(next(outside.samples())) == "none"


def test_how_videos_are_shown_is_part_of_the_settings(opened: Opener) -> None:
    bench = opened("Video-MME", mme(0))
    assert len({bench.settings, bench.whole().settings, opened("Video-MME", mme(0), nframe=9).settings}) == 3


# -- scores -----------------------------------------------------------------------------------------------------------


def scored(bench: VideoBenchmark, predictions: dict[str, str | None], replies: list[str] | None = None) -> ScoreResult:
    judge = None if replies is None else JudgeInTurn(*replies)
    return score_predictions(bench, predictions, judge, judge_concurrency=1)


def test_failed_and_missing_answers_are_never_right(opened: Opener) -> None:
    bench = opened("MVBench", clip(0), clip(1), clip(2))
    result = scored(bench, {"0": None, "1": "B", "2": ""})
    assert [r["score"] for r in result.per_sample.values()] == [None, 1, 0]
    assert (result.counts["failed"], result.counts["unparsed"]) == (1, 1)
    assert result.table[0]["accuracy"] == "33.33%"
    reference = opened("MVBench", clip(0), clip(1), clip(2), protocol=VLMEVAL)
    result = scored(reference, {"0": None, "1": "A", "2": "."})
    assert [r["score"] for r in result.per_sample.values()] == [-1, 0, 1]
    assert result.table[0]["accuracy"] == "66.67%"
    result = scored(opened("Video-MME", mme(0, answer="A")), {"0": None})
    assert (result.per_sample["0"]["rule"], result.counts["failed"], result.metrics[0].estimate.mean) == (
        "failed",
        1,
        0,
    )


def test_answers_in_words_and_small_letters_are_read(opened: Opener) -> None:
    rows = [mme(k) for k in range(5)]
    answers = {"0": "b", "1": "a dog", "2": "Answer is B", "3": "Cannot say", "4": "B"}
    assert [r["score"] for r in scored(opened("Video-MME", *rows), answers).per_sample.values()] == [1, 1, 1, 0, 1]
    reference = opened("Video-MME", *rows, protocol=VLMEVAL)
    assert [r["score"] for r in scored(reference, answers).per_sample.values()] == [0, 0, 0, 0, 1]


def test_the_article_is_no_option(opened: Opener) -> None:
    rows = [clip(0, candidates="['a man walks in', 'a dog runs']", answer="a man walks in")]
    answer = {"0": "A very small cat is sleeping on the floor here"}
    assert scored(opened("MVBench", *rows), answer).per_sample["0"]["score"] == 0
    assert scored(opened("MVBench", *rows, protocol=VLMEVAL), answer).per_sample["0"]["score"] == 1


def test_the_judge_is_asked_only_where_no_rule_reads(opened: Opener) -> None:
    bench = opened("MVBench", clip(0), clip(1), clip(2))
    result = scored(bench, {"0": "B", "1": "a pair of them", "2": None}, ["B"])
    assert [r["rule"] for r in result.per_sample.values()] == ["option", "judge", "failed"]
    assert (result.counts["judged"], result.table[0]["correct"]) == (1, 2)
    result = scored(opened("Video-MME", mme(0)), {"0": "something that barks"}, ["hm", "", "B"])
    assert (result.per_sample["0"]["rule"], result.per_sample["0"]["score"]) == ("judge", 1)


def test_an_answer_that_is_none_of_the_options_is_told(opened: Opener) -> None:
    result = scored(opened("MVBench", clip(0, answer="7"), clip(1)), {"0": "A", "1": "B"})
    assert result.per_sample["0"]["score"] == 0
    assert "the right answer of 1 rows is none of their options" in result.caveats[0]


def test_ratings(opened: Opener) -> None:
    bench = opened("MMBench-Video", free(0), free(1), free(2), free(3))
    result = scored(bench, {"0": "yes", "1": "no", "2": None, "3": "perhaps"}, ["3", "Rating: 0", "hm"])
    assert [r["score"] for r in result.per_sample.values()] == [3, 0, -1, -1]
    assert [r["rule"] for r in result.per_sample.values()] == ["judge", "judge", "failed", "none"]
    assert (result.table[0]["all"], result.table[0]["valid"]) == ("0.75", "1.50")
    with pytest.raises(DataError, match="needs a judge"):
        scored(bench, {"0": "yes"})
    with pytest.raises(DataError, match=r"row 0, column 'dimensions': 'Taste'"):
        scored(opened("MMBench-Video", free(0, dimensions="['Taste']")), {"0": "yes"}, ["1"])


# -- packed -----------------------------------------------------------------------------------------------------------


def packed(opened: Opener, **options: Any) -> VideoBenchmark:
    return opened("MMBench-Video", free(0), free(1, video="w"), free(2), pack=True, **options)


def test_packed_questions_are_samples_by_video(opened: Opener) -> None:
    bench = packed(opened, nframe=4)
    samples = list(bench.samples())
    assert [(s.index, s.row, s.cluster) for s in samples] == [("v", 0, "video:v"), ("w", 1, "video:w")]
    assert len(bench) == bench.rows == 2
    asked = texts(shown(bench))[-1]
    assert asked == 'Questions: \n{"0": "Q0?", "2": "Q2?"}\nAnswers: \n'


def test_whole_videos_are_asked_about_one_question_at_a_time(opened: Opener) -> None:
    whole = packed(opened).whole()
    assert [s.index for s in whole.samples()] == ["0", "1", "2"]
    assert any(isinstance(part, Video) for part in shown(whole))  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", [EYECHART, VLMEVAL])
def test_packed_answers_are_rated_one_by_one(protocol: Protocol, opened: Opener) -> None:
    bench = packed(opened, protocol=protocol)
    replies = {"v": json.dumps({"0": "yes", "2": {"nested": 1}}), "w": "no json"}
    result = scored(bench, replies, ["3", "1"])
    assert [(i, r["score"], r["rule"], r["status"]) for i, r in result.per_sample.items()] == [
        ("0", 3, "judge", "PARSE_OK"),
        ("2", 1, "judge", "PARSE_OK"),
        ("1", -1, "none", "PARSE_FAIL"),
    ]
    assert (result.counts["scored"], result.counts["judged"], result.counts["unparsed"]) == (3, 2, 1)
    assert (result.table[0]["all"], result.table[0]["valid"]) == ("1.33", "2.00")
    assert dict(result.more_tables["pack"].rows[0]) == {"PARSE_OK": 1, "PARSE_FAIL": 1, "VALIDQ": 2, "INVALIDQ": 1}


def test_a_failed_pack_costs_all_its_questions(opened: Opener) -> None:
    result = scored(packed(opened), {"v": None, "w": '{"1": "yes"}'}, ["2"])
    assert [r["rule"] for r in result.per_sample.values()] == ["failed", "failed", "judge"]
    assert (result.counts["failed"], result.table[0]["all"]) == (2, "0.67")


def test_packed_answers_pass_through_the_references_spreadsheet(opened: Opener) -> None:
    bench = packed(opened, protocol=VLMEVAL)
    result = scored(bench, {"v": '{"0": "N/A", "2": "=1+1"}', "w": '{"1": "ok"}'}, ["1", "2"])
    assert [r["prediction"] for r in result.per_sample.values()] == [None, 0, "ok"]


def test_open_packs_are_worth_nothing_yet(opened: Opener) -> None:
    bench = packed(opened)
    sample = next(bench.samples())
    assert math.isnan(bench.score(sample, '{"0": "a", "2": "b"}').points)
    half = bench.score(sample, '{"0": "a"}')
    assert math.isnan(half.points)
    judged = anyio.run(bench.judge, sample, '{"0": "a", "2": "b"}', _always_three)
    assert judged.points == 1.0


async def _always_three(_: JudgeRequest) -> str:
    return "3"


def test_switches_are_independent(opened: Opener) -> None:
    rows = [clip(0), clip(1)]
    only = replace(VLMEVAL, failures_are_hits=False)
    assert scored(opened("MVBench", *rows, protocol=only), {"0": None, "1": "."}).table[0]["correct"] == 1
    only = replace(VLMEVAL, option_by_prefix=False)
    assert scored(opened("MVBench", *rows, protocol=only), {"0": None, "1": "."}).table[0]["correct"] == 1
