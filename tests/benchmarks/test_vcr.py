from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.errors import DataError
from eyechart.scoring.protocol import EYECHART, VLMEVAL
from eyechart.scoring.words import CHARACTERS, Words

QUESTION = {"question": "What is the covered text?"}
ROWS = [
    QUESTION | {"answer": "['was born in', 'the small town']"},
    QUESTION | {"answer": "['the sorry state']"},
    QUESTION | {"answer": "['in 1990, in']"},
]
ANSWERS = {"0": "was born in a small town", "1": "the sorry state", "2": "in 1990, in"}


def test_records_tell_each_covered_text(make_benchmark: Any):
    result = score_predictions(make_benchmark("VCR_EN_EASY_100", ROWS), ANSWERS)
    record = result.per_sample["0"]
    assert record.keys() == {"0", "1", "rule"}
    assert record["0"] == {
        "crossed_text": "was born in",
        "max_sim_string": "was born in",
        "max_sim_val": 1.0,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "jaccard": 1.0,
        "rouge1": 1.0,
        "exact_match": 1.0,
    }
    assert record["1"]["max_sim_string"] == "a small town"
    assert record["1"]["jaccard"] == 0.5
    assert result.table == ({"Exact_Match": 0.75, "Jaccard": 0.875},)
    assert [m.estimate.n for m in result.metrics] == [4, 4]
    assert [m.estimate.clusters for m in result.metrics] == [2, 2]
    assert result.rules == {"english_words": 3}


def test_points_are_the_share_of_texts_that_are_restored(make_benchmark: Any):
    bench = make_benchmark("VCR_EN_HARD_ALL", [*ROWS, QUESTION | {"answer": "[]"}])
    points = [score_one(bench, s, ANSWERS.get(s.index, "x")).points for s in bench.samples()]
    assert points == [0.5, 1.0, 1.0, 0.0]


def test_a_refusal_restores_nothing(make_benchmark: Any):
    answers = ANSWERS | {"0": "Sorry: was born in the small town"}
    result = score_predictions(make_benchmark("VCR_EN_EASY_100", ROWS), answers)
    assert result.per_sample["0"]["1"]["max_sim_string"] == ""
    assert result.rules == {"english_words": 2, "refusal": 1}
    assert result.table[0]["Exact_Match"] == 0.5
    reference = score_predictions(make_benchmark("VCR_EN_EASY_100", ROWS, "vlmeval"), answers)
    assert reference.rules == {"refusal": 2, "english_words": 1}
    assert reference.table[0]["Exact_Match"] == 0.25


def test_a_failed_request_counts_with_its_covered_texts(make_benchmark: Any):
    result = score_predictions(make_benchmark("VCR_EN_EASY_100", ROWS), ANSWERS | {"0": None})
    assert result.table[0]["Exact_Match"] == 0.5
    assert (result.counts["failed"], result.rules["failed"]) == (1, 1)


@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
def test_answers_that_hang_the_reference_are_compared(make_benchmark: Any, protocol: str):
    rows = [QUESTION | {"answer": "['1990']"}, QUESTION | {"answer": "['nan']"}]
    result = score_predictions(make_benchmark("VCR_EN_EASY_100", rows, protocol), {"0": "1990", "1": ""})
    assert result.per_sample["1"]["0"]["exact_match"] == 0.0
    assert result.table == (
        {"Exact_Match": 0.5 if protocol == "eyechart" else 0.0, "Jaccard": result.table[0]["Jaccard"]},
    )


def test_chinese_is_compared_by_the_words_that_the_protocol_names(make_benchmark: Any):
    rows = [QUESTION | {"answer": "['首都机场', '高速公路']"}]
    bench = make_benchmark("VCR_ZH_EASY_500", rows)
    result = score_predictions(bench, {"0": "首都机场高速公路"})
    assert result.rules == {"characters": 1}
    assert result.table == ({"Exact_Match": 1.0, "Jaccard": 1.0},)
    bench.words = Words("pairs", lambda text: [text[k : k + 3] for k in range(0, len(text), 3)], "")
    result = score_predictions(bench, {"0": "首都机场高速公路"})
    assert (result.rules, result.table[0]["Exact_Match"]) == ({"pairs": 1}, 0.0)
    named = make_benchmark("VCR_ZH_EASY_500", rows, replace(VLMEVAL, chinese_words="characters"))
    assert score_predictions(named, {"0": "首都机场高速公路"}).rules == {"characters": 1}


def test_a_model_that_is_missing_is_told_by_the_benchmark(make_benchmark: Any, monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Words:
        raise DataError(f"no {name}")

    monkeypatch.setattr("eyechart.benchmarks.vcr.chinese_words", missing)
    bench = make_benchmark("VCR_ZH_EASY_100", ROWS, "vlmeval")
    assert bench.prompt(next(bench.samples()))
    with pytest.raises(DataError, match="VCR_ZH_EASY_100: no zh_core_web_sm"):
        score_predictions(bench, {"0": "x"})
    english = make_benchmark("VCR_EN_EASY_100", ROWS, "vlmeval")
    assert score_predictions(english, {"0": "x"}).rules == {"english_words": 1}


@pytest.mark.parametrize("answer", ["was born", None, "['" + "a" * 2000 + "']"])
def test_a_row_without_covered_texts_is_named(make_benchmark: Any, answer: str | None):
    bench = make_benchmark("VCR_EN_EASY_100", [QUESTION | {"index": "r7", "answer": answer}])
    with pytest.raises(DataError, match="VCR_EN_EASY_100, row r7, column 'answer'"):
        score_predictions(bench, {"r7": "x"})


def test_the_default_protocol_needs_no_model():
    assert EYECHART.chinese_words == CHARACTERS.name
