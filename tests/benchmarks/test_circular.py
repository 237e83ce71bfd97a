from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from fake_judges import JudgeOfSamples

from eyechart.benchmarks.multiple_choice import NO_JUDGE
from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError
from eyechart.records import Cell

NAME = "MMBench_DEV_EN"
UNCLEAR = "the picture is rather dark and shows nothing in particular, as far as anybody can tell from here"


def variants(question: int, right: str, **cells: Cell) -> list[dict[str, Cell]]:
    """Rows of one question, in each of which another letter is right."""
    options = {"A": "cat", "B": "dog", "C": "boat"}
    return [
        {"index": question + 1_000_000 * turn, "question": f"q{question}", **options, "answer": letter, **cells}
        for turn, letter in enumerate(right)
    ]


def hits(
    make_benchmark: Any, rows: Iterable[Any], answers: dict[int, Cell], judge: Any = None, protocol: str = "vlmeval"
):
    bench = make_benchmark(NAME, list(rows), protocol)
    return score_predictions(bench, {str(k): v for k, v in answers.items()}, judge)


def test_a_question_is_right_when_all_its_variants_are(make_benchmark: Any):
    rows = variants(1, "AB", category="x") + variants(2, "CA", category="y")
    result = hits(make_benchmark, rows, {1: "A", 1_000_001: "B", 2: "C", 1_000_002: "B"})
    assert {index: record["hit"] for index, record in result.per_sample.items()} == {"1": 1, "2": 0}
    assert result.table == ({"split": "none", "Overall": 0.5, "x": 1.0, "y": 0.0},)
    assert result.rules == {"option": 4}
    assert result.metrics[0].estimate.n == 2


def test_the_base_row_must_be_there_and_variants_need_not(make_benchmark: Any):
    rows = variants(1, "AB") + variants(2, "CA")
    result = hits(make_benchmark, rows, {1: "A", 1_000_002: "A"})
    assert {index: record["hit"] for index, record in result.per_sample.items()} == {"1": 1}
    (caveat,) = result.caveats
    assert caveat.startswith("2 of 2 questions were not asked in all orders of their options")
    whole = hits(make_benchmark, variants(1, "AB"), {1: "A", 1_000_001: "B"})
    assert whole.caveats == ()


def test_variants_count_in_the_order_of_their_indices(make_benchmark: Any):
    rows = list(reversed(variants(1, "ABC")))
    record = hits(make_benchmark, rows, {1: "A", 1_000_001: "C", 2_000_001: "A"}).per_sample["1"]
    assert record["log"].startswith("Failed in Prefetching Rolling 1: Answer is B, Prediction is C")
    assert list(record["rows"]) == ["1", "1000001", "2000001"]


def test_the_table_passes_through_two_spreadsheets(make_benchmark: Any):
    # The first one gives back the answers 5.0 and 7.0, the second one 5 and 7, which option A is not found in.
    rows = [row | {"A": text} for row, text in zip(variants(1, "AA"), ["5.0", "7.0 or so"], strict=True)]
    record = hits(make_benchmark, rows, {1: "5.0", 1_000_001: "7.0"}).per_sample["1"]
    assert record["rows"]["1"] == {"letter": "Z", "rule": "none"}


def test_a_refusal_settles_a_question(make_benchmark: Any):
    record = hits(make_benchmark, variants(1, "AB"), {1: "Cannot determine the answer", 1_000_001: UNCLEAR}).per_sample[
        "1"
    ]
    assert (record["hit"], record["rule"]) == (0, "refusal")


def test_a_column_g_index_names_the_groups(make_benchmark: Any):
    rows = [row | {"index": k, "g_index": 7} for k, row in enumerate(variants(0, "AB"), 7)]
    result = hits(make_benchmark, rows, {7: "A", 8: "A"})
    assert {index: record["hit"] for index, record in result.per_sample.items()} == {"7": 0}


def test_an_index_that_is_no_whole_number_is_named(make_benchmark: Any):
    rows = [variants(1, "A")[0] | {"index": "one"}]
    with pytest.raises(DataError, match="row one: index is 'one'"):
        score_predictions(make_benchmark(NAME, rows), {"one": "A"})
    for number, shown in ((1.5, "1.5"), (float("inf"), "inf"), (None, "nan")):
        rows = [variants(1, "A")[0] | {"g_index": number}]
        with pytest.raises(DataError, match=f"row 1: g_index is '{shown}'"):
            score_predictions(make_benchmark(NAME, rows), {"1": "A"})
    assert hits(make_benchmark, [variants(1, "A")[0] | {"g_index": 1.0}], {1: "A"}).per_sample["1"]["hit"] == 1


def test_the_judge_is_asked_in_order_until_one_variant_is_wrong(make_benchmark: Any):
    judge = JudgeOfSamples("A")
    rows = variants(1, "AABA") + variants(2, "AB") + variants(3, "AA")
    answers: dict[int, Cell] = {1_000_000 * turn + 1: UNCLEAR for turn in range(4)}
    answers |= {2: UNCLEAR, 1_000_002: "A"}  # wrong by rule: no judge
    answers |= {1_000_003: UNCLEAR}  # without its base row the question does not count
    result = hits(make_benchmark, rows, answers, judge)
    assert judge.asked == ["1", "1000001", "2000001"]
    assert {index: record["hit"] for index, record in result.per_sample.items()} == {"1": 0, "2": 0}
    assert result.counts["judged"] == 3


def test_the_judge_goes_by_indices_and_not_by_the_order_of_the_file(make_benchmark: Any):
    judge = JudgeOfSamples("B")
    answers: dict[int, Cell] = {1: UNCLEAR, 1_000_001: UNCLEAR, 2_000_001: UNCLEAR}
    record = hits(make_benchmark, reversed(variants(1, "BAB")), answers, judge).per_sample["1"]
    assert judge.asked == ["1", "1000001"]
    assert record["log"].splitlines() == [
        f"Rolling 0: Answer is B, Prediction is {UNCLEAR}, Pre-fetched is B.",
        f"Failed in Rolling 1: Answer is A; Prediction is {UNCLEAR}; Pre-fetched is B; Match Log is B.",
    ]


def test_what_a_rule_reads_as_wrong_settles_a_question_before_what_the_judge_reads(make_benchmark: Any):
    judge = JudgeOfSamples()
    for wrong, rule in (("Cannot determine the answer", "refusal"), ("Z", "Z"), ("A", "option")):
        record = hits(make_benchmark, variants(1, "AB"), {1: UNCLEAR, 1_000_001: wrong}, judge).per_sample["1"]
        assert (record["hit"], record["rule"]) == (0, rule)
        assert record["log"].startswith("Failed in Prefetching Rolling 1: Answer is B")


def test_without_a_judge_an_unread_answer_settles_a_question(make_benchmark: Any):
    record = hits(make_benchmark, variants(1, "ABC"), {1: "A", 1_000_001: UNCLEAR, 2_000_001: "C"}).per_sample["1"]
    assert (record["hit"], record["rule"], record["log"]) == (0, "none", NO_JUDGE)


def test_a_question_counts_in_the_groups_of_its_base_row(make_benchmark: Any):
    first, second = variants(1, "AB")
    rows = [second | {"category": "y", "split": "test"}, first | {"category": "x", "split": "dev"}]
    result = hits(make_benchmark, rows, {1: "A", 1_000_001: "B"})
    assert result.table == ({"split": "dev", "Overall": 1.0, "x": 1.0},)


def test_failed_requests_are_wrong_and_not_judged(make_benchmark: Any):
    judge = JudgeOfSamples()
    result = hits(make_benchmark, variants(1, "AB"), {1: "A", 1_000_001: None}, judge, "eyechart")
    assert (result.per_sample["1"]["hit"], result.per_sample["1"]["rule"]) == (0, "failed")


def test_the_further_table_tells_what_turning_options_costs(make_benchmark: Any):
    rows = variants(1, "AB") + variants(2, "CA")
    result = hits(make_benchmark, rows, {1: "A", 1_000_001: "A", 2: "C", 1_000_002: "A"}, protocol="eyechart")
    table = result.more_tables["acc_all"]
    assert {row["split"]: row["Overall"] for row in table.rows} == {
        "vanilla_0_none": 1.0,
        "vanilla_all_none": 0.75,
        "circular_none": 0.5,
    }


@pytest.mark.parametrize(("protocol", "accuracy"), [("vlmeval", 0.5), ("eyechart", 1.0)])
def test_the_row_with_index_a_million_is_a_base_row_in_the_reference(
    make_benchmark: Any, protocol: str, accuracy: float
):
    result = hits(make_benchmark, variants(0, "AB"), {0: "A", 1_000_000: "A"}, protocol=protocol)
    first = result.more_tables["acc_all"].rows[0]
    assert (first["split"], first["Overall"]) == ("vanilla_0_none", accuracy)


def test_what_nobody_had_to_read_is_not_unparsed(make_benchmark: Any):
    rows = variants(1, "AB") + variants(2, "AB") + variants(3, "AB")
    answers = {1: "B", 1_000_001: UNCLEAR, 2: "A", 1_000_002: UNCLEAR, 1_000_003: UNCLEAR}
    result = hits(make_benchmark, rows, answers)
    assert result.rules == {"option": 2, "unneeded": 2, "none": 1}
    assert result.counts["unparsed"] == 1
    assert [record["rule"] for record in result.per_sample.values()] == ["option", "none"]
