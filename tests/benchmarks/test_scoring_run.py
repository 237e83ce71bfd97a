from __future__ import annotations

from typing import Any

import anyio
import pytest
from fake_judges import JudgeOfSamples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.scoring_run import finish, score_one, score_predictions, score_predictions_async
from eyechart.errors import DataError, JudgeError
from eyechart.records import Cell
from eyechart.scoring.judge import JudgeRequest

ROWS = [
    {"index": "q0", "question": "Q", "A": "cat", "B": "dog", "answer": "A", "category": "x"},
    {"index": "q1", "question": "Q", "A": "cat", "B": "dog", "answer": "B", "category": "y"},
    {"index": "q2", "question": "Q", "A": "api", "B": "a dog that sleeps", "answer": "A", "category": "y"},
]
UNCLEAR = "it is hard to say"


async def says_b(request: JudgeRequest) -> str:
    return "B"


def test_hits_rules_counts_and_intervals(make_benchmark: Any):
    result = score_predictions(make_benchmark("MMStar", ROWS), {"q0": "A", "q1": UNCLEAR, "q2": None})
    assert result.benchmark == "MMStar"
    assert result.protocol == "eyechart"
    assert {k: (r["hit"], r["letter"], r["rule"]) for k, r in result.per_sample.items()} == {
        "q0": (1, "A", "option"),
        "q1": (0, "Z", "none"),
        "q2": (0, "Z", "failed"),
    }
    assert result.counts == {"scored": 3, "failed": 1, "unparsed": 1, "judged": 0}
    assert {m.name for m in result.metrics} == {"Overall", "x", "y"}
    overall = next(m.estimate for m in result.metrics if m.name == "Overall")
    assert (overall.mean, overall.n, overall.clusters) == (pytest.approx(1 / 3), 3, 2)


def test_a_failed_request_never_hits_but_in_the_reference(make_benchmark: Any):
    # The failure text contains the option text `api`.
    predictions = {"q2": None}
    assert score_predictions(make_benchmark("MMStar", ROWS), predictions).per_sample["q2"]["hit"] == 0
    reference = score_predictions(make_benchmark("MMStar", ROWS, "vlmeval"), predictions)
    assert reference.per_sample["q2"]["hit"] == 1
    assert reference.counts["failed"] == 1


def test_rows_without_an_entry_are_left_out(make_benchmark: Any):
    result = score_predictions(make_benchmark("MMStar", ROWS), {"q1": "B"})
    assert list(result.per_sample) == ["q1"]
    assert result.table == ({"split": "none", "Overall": 1.0, "y": 1.0},)


def test_rows_of_one_index_share_the_result_of_the_last_in_the_reference(make_benchmark: Any):
    rows = [ROWS[0] | {"index": "7", "answer": "B"}, ROWS[0] | {"index": "8"}, ROWS[0] | {"index": "7", "answer": "A"}]
    result = score_predictions(make_benchmark("MMStar", rows, "vlmeval"), {"7": "A", "8": "C"})
    assert result.per_sample["7"]["hit"] == 1
    assert result.table[0]["Overall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("protocol", ["eyechart", "vlmeval"])
def test_what_stands_for_no_option_is_never_the_right_letter(make_benchmark: Any, protocol: str):
    rows = [{"question": "Q", "A": "cat", "Z": "dog", "answer": "Z"} for _ in range(4)]
    rows.append({"question": "Q", "A": "cat", "Z": None, "answer": "Z"})
    answers = {"0": UNCLEAR, "1": "Cannot determine the answer", "2": "Z", "3": "dog", "4": "Z"}
    result = score_predictions(make_benchmark("MMStar", rows, protocol), answers)
    assert [record["hit"] for record in result.per_sample.values()] == [0, 0, 1, 1, 0]


def test_no_predictions_at_all(make_benchmark: Any):
    for protocol in ("eyechart", "vlmeval"):
        result = score_predictions(make_benchmark("MMStar", ROWS, protocol), {})
        assert result.table == ({"split": "none", "Overall": None},)
        assert result.metrics == ()


def test_an_unknown_index_is_named(make_benchmark: Any):
    with pytest.raises(DataError, match="no row with index 'q9'"):
        score_predictions(make_benchmark("MMStar", ROWS), {"q0": "A", "q9": "A"})


def test_the_spreadsheet_only_stands_in_the_way_of_the_reference(make_benchmark: Any):
    rows = [{"question": "Q", "answer": "0"}, {"question": "Q", "answer": "N/A"}, {"question": "Q", "answer": "7"}]
    predictions = {"0": "=5", "1": "N/A", "2": "007"}
    ours = score_predictions(make_benchmark("mine", rows), predictions)
    assert [r["pred"] for r in ours.per_sample.values()] == ["5", "n", "007"]
    reference = score_predictions(make_benchmark("mine", rows, "vlmeval"), predictions)
    assert [r["pred"] for r in reference.per_sample.values()] == ["0.0", "nan", "7.0"]
    assert [r["gt"] for r in reference.per_sample.values()] == [["0.0"], ["nan"], ["7.0"]]


def test_options_pass_the_spreadsheet_and_the_right_letter_does_not(make_benchmark: Any):
    rows = [{"question": "Q", "A": "=1", "B": "N/A", "C": "x", "answer": "=A"}]
    bench = make_benchmark("mine", rows, "vlmeval")
    assert score_predictions(bench, {"0": "is 0"}).per_sample["0"]["letter"] == "A"
    assert score_predictions(bench, {"0": "B"}).per_sample["0"]["letter"] == "Z"


def test_the_reference_stores_scored_rows_in_a_spreadsheet_once_more(make_benchmark: Any):
    rows = [ROWS[0] | {"category": "mailto:mailto:x"}]
    assert score_predictions(make_benchmark("MMStar", rows, "vlmeval"), {"q0": "A"}).columns[-1] == "x"
    assert score_predictions(make_benchmark("MMStar", rows), {"q0": "A"}).columns[-1] == "mailto:mailto:x"


def test_a_cell_that_stops_the_writer_empties_the_predictions_after_it(make_benchmark: Any):
    result = score_predictions(make_benchmark("MMStar", ROWS, "vlmeval"), {"q0": "A", "q1": "external:y", "q2": "A"})
    assert [r["hit"] for r in result.per_sample.values()] == [1, 0, 0]


def test_running_scores_and_the_final_one_agree(make_benchmark: Any):
    bench = make_benchmark("MMStar", ROWS)
    predictions = {"q0": "A", "q1": "dog", "q2": None}
    one_by_one = [score_one(bench, sample, predictions[sample.index]) for sample in bench.samples()]
    assert finish(bench, one_by_one) == score_predictions(bench, predictions)
    assert [s.failed for s in one_by_one] == [False, False, True]


def test_the_judge_is_asked_where_no_rule_reads(make_benchmark: Any):
    judge = JudgeOfSamples("B")
    bench = make_benchmark("MMStar", ROWS)
    result = score_predictions(bench, {"q0": "A", "q1": UNCLEAR, "q2": None}, judge)
    assert judge.asked == ["q1"]
    assert result.per_sample["q1"] == {"hit": 1, "log": "Match Log: B. ", "letter": "B", "rule": "judge"}
    assert result.counts == {"scored": 3, "failed": 1, "unparsed": 0, "judged": 1}


def test_a_judge_that_cannot_be_read_leaves_the_answer_unparsed(make_benchmark: Any):
    judge = JudgeOfSamples("who knows, the picture is dark")
    result = score_predictions(make_benchmark("MMStar", ROWS), {"q1": UNCLEAR}, judge)
    assert (result.per_sample["q1"]["letter"], result.per_sample["q1"]["rule"]) == ("Z", "none")
    assert result.counts == {"scored": 1, "failed": 0, "unparsed": 1, "judged": 1}


def test_a_judge_out_of_reach_is_the_error_itself(make_benchmark: Any):
    async def judge(request: JudgeRequest) -> str:
        raise JudgeError("the judge is gone")

    with pytest.raises(JudgeError, match="the judge is gone"):
        score_predictions(make_benchmark("MMStar", ROWS), {"q1": UNCLEAR}, judge)


@pytest.mark.anyio
async def test_several_answers_are_judged_at_once_within_the_limit(make_benchmark: Any):
    rows = [ROWS[1] | {"index": str(k)} for k in range(20)]
    running = peak = 0

    async def judge(request: JudgeRequest) -> str:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await anyio.lowlevel.checkpoint()
        running -= 1
        return "B"

    bench = make_benchmark("MMStar", rows)
    result = await score_predictions_async(bench, {str(k): UNCLEAR for k in range(20)}, judge, judge_concurrency=4)
    assert peak == 4
    assert list(result.per_sample) == [str(k) for k in range(20)]
    assert result.table[0]["Overall"] == 1.0


@pytest.mark.anyio
async def test_without_a_judge_both_ways_agree(make_benchmark: Any):
    bench = make_benchmark("MMStar", ROWS)
    assert await score_predictions_async(bench, {"q0": "A"}) == score_predictions(bench, {"q0": "A"})


CELLS: st.SearchStrategy[Cell] = st.none() | st.text(max_size=8) | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data(), name=st.sampled_from(["MMStar", "mine", "ChartQA_TEST", "DocVQA_VAL", "TextVQA_VAL"]))
def test_any_row_and_answer_is_scored(data: st.DataObject, name: str, make_benchmark: Any):
    columns = ["question", "answer", *data.draw(st.sampled_from([["A", "B"], ["A", "split"], ["B", "category"]]))]
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, CELLS)), min_size=1, max_size=4))
    answers = data.draw(st.fixed_dictionaries({str(k): st.none() | st.text() for k in range(len(rows))}))
    for protocol in ("eyechart", "vlmeval"):
        result = score_predictions(make_benchmark(name, rows, protocol), answers)
        assert result.per_sample.keys() == answers.keys()
        assert all(set(record) == set(result.columns) for record in result.table)
        assert result.counts["scored"] == len(rows)
        assert result.counts["failed"] == sum(a is None for a in answers.values())


def test_a_benchmark_knows_whether_it_asks_a_judge(make_benchmark: Any):
    assert make_benchmark("MMStar", ROWS).asks_judge
    assert make_benchmark("EyechartMini", ROWS).asks_judge
    assert not make_benchmark("ChartQA_TEST", ROWS).asks_judge
    assert not make_benchmark("MMStar", ROWS).joins_samples


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["MMStar", "EyechartMini"])
async def test_a_second_opinion_is_the_judges_alone(make_benchmark: Any, name: str):
    bench = make_benchmark(name, ROWS)
    sample = next(bench.samples())
    scored = await bench.second_opinion(sample, "A", says_b)
    assert (scored.record["letter"], scored.record["rule"], scored.points) == ("B", "judge", 0.0)
    assert (bench.verdict(scored), bench.verdict(bench.score(sample, "A"))) == ("B", "A")
    assert bench.verdict(bench.score(sample, UNCLEAR)) is None


@pytest.mark.anyio
async def test_where_no_judge_reads_there_is_no_second_opinion(make_benchmark: Any):
    bench = make_benchmark("ChartQA_TEST", ROWS)
    sample = next(bench.samples())
    assert await bench.second_opinion(sample, "A", says_b) is None
    assert bench.verdict(bench.score(sample, "A")) == 1.0
