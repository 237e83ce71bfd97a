from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from fake_judges import JudgeInTurn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError
from eyechart.messages import Image, Text
from eyechart.records import Cell
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.protocol import EYECHART, VLMEVAL

NAMES = ("HallusionBench", "MME", "POPE")
PROTOCOLS = ("eyechart", "vlmeval")
CELLS = {"category": "VD", "l2-category": "math", "image_path": "a.png"}


def row(index: str, answer: Cell = "Yes", **cells: Cell) -> dict[str, Cell]:
    return {"index": index, "question": f"Is it {index}?", "answer": answer, **CELLS, **cells}


ROWS = [row("VD_math_1_0_0_0"), row("VD_math_1_0_0_1", "No"), row("VD_math_1_0_1_0"), row("VD_math_1_0_1_1", "No")]
INDICES = [str(r["index"]) for r in ROWS]


class Script:
    """Gives every sample the same replies, one after the other."""

    def __init__(self, *replies: str) -> None:
        self.replies = replies
        self.calls: Counter[str] = Counter()
        self.prompts: list[str] = []

    async def __call__(self, request: JudgeRequest) -> str:
        self.calls[request.index] += 1
        self.prompts.append(request.prompt)
        return self.replies[request.attempt]


def answers(*texts: Cell) -> dict[str, Cell]:
    return dict(zip(INDICES, texts, strict=False))


def outcome(result: Any) -> list[tuple[str, bool, str]]:
    return [(r["extracted"], r["score"], r["rule"]) for r in result.per_sample.values()]


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_is_the_question_as_it_stands(make_benchmark: Any, name: str):
    bench = make_benchmark(name, [row("a_b_c_d_e_f", question="Is it?? Please answer yes or no. \n")])
    (message,) = bench.prompt(next(iter(bench.samples())))
    assert message.role == "user"
    picture, text = message.parts
    assert isinstance(picture, Image)
    assert text == Text("Is it?? Please answer yes or no. \n")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_named(make_benchmark: Any, name: str):
    bench = make_benchmark(name, [row("r7", question=None)])
    with pytest.raises(DataError, match="row r7 has no question"):
        bench.prompt(next(iter(bench.samples())))
    for protocol in PROTOCOLS:
        for given_answer in ("Yes", None):
            bench = make_benchmark(name, [{"index": "a_b_c_d_e_f", "question": "q", **CELLS}], protocol)
            with pytest.raises(DataError, match=f"{name} has no column 'answer'"):
                score_predictions(bench, {"a_b_c_d_e_f": given_answer})


@pytest.mark.parametrize("name", NAMES)
def test_records(make_benchmark: Any, name: str):
    predictions = answers("Yes", "Yes, sure", "who knows", None)
    result = score_predictions(make_benchmark(name, ROWS), predictions)
    assert outcome(result) == [
        ("Yes", True, "word"),
        ("Yes", False, "word"),
        ("Unknown", False, "none"),
        ("Unknown", False, "failed"),
    ]
    assert [r["prediction_seen"] for r in result.per_sample.values()] == ["Yes", "Yes, sure", "who knows", None]
    assert result.counts == {"scored": 4, "failed": 1, "unparsed": 1, "judged": 0}
    reference = score_predictions(make_benchmark(name, ROWS, "vlmeval"), predictions)
    assert outcome(reference)[3] == ("Unknown", False, "none")
    assert reference.per_sample[INDICES[3]]["prediction_seen"] == "Failed to obtain answer via API."
    assert reference.counts["failed"] == 1


def test_a_record_shows_the_beginning_of_an_answer(make_benchmark: Any):
    result = score_predictions(make_benchmark("MME", ROWS), answers("x" * 300))
    assert result.per_sample[INDICES[0]]["prediction_seen"] == "x" * 200


def test_marks_hide_a_word_from_the_reference_alone(make_benchmark: Any):
    predictions = answers("**Yes**", "No:", "Yes,it is, I think", "No，当然")
    assert [s for _, s, _ in outcome(score_predictions(make_benchmark("POPE", ROWS), predictions))] == [True] * 4
    reference = score_predictions(make_benchmark("POPE", ROWS, "vlmeval"), predictions)
    assert outcome(reference) == [("Unknown", False, "none")] * 4


def test_the_reference_reads_answers_out_of_a_spreadsheet(make_benchmark: Any):
    predictions = answers("=Yes", "None", "N/A", "no")
    assert [e for e, _, _ in outcome(score_predictions(make_benchmark("MME", ROWS), predictions))] == [
        "Yes",
        "Unknown",
        "Unknown",
        "No",
    ]
    reference = score_predictions(make_benchmark("MME", ROWS, "vlmeval"), predictions)
    assert [r["prediction_seen"] for r in reference.per_sample.values()] == ["0", "nan", "nan", "no"]


def test_right_answers_in_other_spelling_count_but_in_the_reference(make_benchmark: Any):
    rows = [row(INDICES[0], " yes"), row(INDICES[1], "NO"), row(INDICES[2], "no")]
    predictions = answers("Yes", "No", "Yes")
    assert [s for _, s, _ in outcome(score_predictions(make_benchmark("MME", rows), predictions))] == [
        True,
        True,
        False,
    ]
    reference = score_predictions(make_benchmark("MME", rows, "vlmeval"), predictions)
    assert [s for _, s, _ in outcome(reference)] == [False] * 3


@pytest.mark.parametrize("answer", ["maybe", "Yes.", "True", None, 1])
@pytest.mark.parametrize("prediction", ["Yes", None])
def test_a_right_answer_that_is_neither_is_named(make_benchmark: Any, answer: Cell, prediction: Cell):
    rows = [row("r7", answer)]
    with pytest.raises(DataError, match=r"MME, row r7, column 'answer': '.*' is neither Yes nor No"):
        score_predictions(make_benchmark("MME", rows), {"r7": prediction})
    assert score_predictions(make_benchmark("MME", rows, "vlmeval"), {"r7": prediction}).table[0]["VD"] == 0


def test_the_judge_is_asked_about_what_no_rule_reads(make_benchmark: Any):
    for protocol in PROTOCOLS:
        judge = Script("hm", "No")
        result = score_predictions(make_benchmark("POPE", ROWS, protocol), answers("hm", "neither", "Yes"), judge)
        assert outcome(result) == [("No", False, "judge"), ("No", True, "judge"), ("Yes", True, "word")]
        assert judge.calls == {INDICES[0]: 2, INDICES[1]: 2}
        assert result.counts["judged"] == 2
        assert f"Question: Is it {INDICES[0]}??\nAnswer: hm\n" in judge.prompts[0]


def test_a_judge_that_cannot_be_read_leaves_the_answer_unparsed(make_benchmark: Any):
    for protocol in PROTOCOLS:
        judge = Script(*["yes or no"] * 5)
        result = score_predictions(make_benchmark("MME", ROWS, protocol), answers("hm"), judge)
        assert outcome(result) == [("Unknown", False, "none")]
        assert judge.calls == {INDICES[0]: 5}


def test_a_judge_that_cannot_tell_is_asked_again_by_the_reference_alone(make_benchmark: Any):
    judge = Script("Unknown", "Yes")
    result = score_predictions(make_benchmark("MME", ROWS), answers("hm"), judge)
    assert outcome(result) == [("Unknown", False, "judge")]
    assert judge.calls == {INDICES[0]: 1}
    reference = score_predictions(make_benchmark("MME", ROWS, "vlmeval"), answers("hm"), judge)
    assert outcome(reference) == [("Yes", True, "judge")]


def test_the_judges_replies_are_read_by_the_protocols_rule(make_benchmark: Any):
    for protocol, calls in (("eyechart", 1), ("vlmeval", 2)):
        judge = Script("**Yes**", "Yes")
        score_predictions(make_benchmark("MME", ROWS, protocol), answers("hm"), judge)
        assert judge.calls == {INDICES[0]: calls}


def test_failed_and_empty_answers_are_sent_to_the_judge_by_the_reference_alone(make_benchmark: Any):
    predictions = answers(None, "", " \n", "None")
    judge = Script("Yes")
    result = score_predictions(make_benchmark("MME", ROWS), predictions, judge)
    assert outcome(result)[:3] == [("Unknown", False, "failed"), *[("Unknown", False, "none")] * 2]
    assert judge.calls == {INDICES[3]: 1}
    judge = Script("Yes")
    score_predictions(make_benchmark("MME", ROWS, "vlmeval"), predictions, judge)
    assert judge.calls == dict.fromkeys(INDICES, 1)
    # What came back empty from the spreadsheet is empty.
    judge = Script("Yes")
    bench = make_benchmark("MME", ROWS, replace(VLMEVAL, judge_empty_answers=False))
    score_predictions(bench, predictions, judge)
    assert judge.calls == {INDICES[0]: 1}


def test_rows_of_one_index_share_what_was_read_for_the_last(make_benchmark: Any):
    rows = [row("7", "Yes", category="a"), row("8", "Yes", category="a"), row("7", "No", category="b")]
    result = score_predictions(make_benchmark("POPE", rows, "vlmeval"), {"7": "Yes", "8": "No"})
    assert result.per_sample["7"] == {"extracted": "Yes", "score": False, "prediction_seen": "Yes", "rule": "word"}
    assert {r["split"]: r["acc"] for r in result.table} == {"Overall": pytest.approx(100 / 3), "a": 50, "b": 0}


def test_and_so_they_do_what_the_judge_made_of_it(make_benchmark: Any):
    wavering = JudgeInTurn("Yes", "No")
    rows = [row("7", "No", category="a"), row("7", "No", category="b")]
    result = score_predictions(make_benchmark("POPE", rows, "vlmeval"), {"7": "hm"}, wavering)
    assert {r["split"]: r["acc"] for r in result.table} == {"Overall": 100, "a": 100, "b": 100}


def test_an_index_of_hallusionbench_has_six_parts(make_benchmark: Any):
    for protocol in PROTOCOLS:
        bench = make_benchmark("HallusionBench", [row("VD_math_1_0_0")], protocol)
        with pytest.raises(DataError, match=r"HallusionBench, row VD_math_1_0_0, column 'index': .* 5 parts"):
            score_predictions(bench, {"VD_math_1_0_0": "Yes"})
    seven = "VD_my_math_1_0_0_0"
    with pytest.raises(DataError, match="7 parts"):
        score_predictions(make_benchmark("HallusionBench", [row(seven)]), {seven: "Yes"})
    assert score_predictions(make_benchmark("HallusionBench", [row(seven)], "vlmeval"), {seven: "Yes"}).table


def test_hallusionbench_keeps_categories_apart(make_benchmark: Any):
    rows = [row(f"{category}_ocr_1_0_0_0", category=category, **{"l2-category": "ocr"}) for category in ("VD", "VS")]
    predictions = {"VD_ocr_1_0_0_0": "Yes", "VS_ocr_1_0_0_0": "No"}
    for protocol, accuracy in (("eyechart", 50), ("vlmeval", 0)):
        result = score_predictions(make_benchmark("HallusionBench", rows, protocol), predictions)
        assert (result.table[0]["fAcc"], result.table[0]["qAcc"]) == (accuracy, accuracy)


def test_categories_pass_the_spreadsheet_only_in_the_reference(make_benchmark: Any):
    rows = [row(INDICES[0], category="=a", image_path="=b", **{"l2-category": "=c"})]
    for name, shown in (("HallusionBench", ["=a", "=c"]), ("POPE", ["=a"])):
        for protocol, splits in (("eyechart", shown), ("vlmeval", ["0"] * len(shown))):
            table = score_predictions(make_benchmark(name, rows, protocol), answers("Yes")).table
            assert [str(record["split"]) for record in table] == ["Overall", *splits]
    assert score_predictions(make_benchmark("MME", rows, "vlmeval"), answers("Yes")).columns[-1] == "0"


def test_rows_without_a_category_have_a_row_of_their_own_only_in_the_reference(make_benchmark: Any):
    rows = [*ROWS, row("VD_math_1_0_2_0", category=None)]
    for protocol, splits in (("eyechart", []), ("vlmeval", [None])):
        table = score_predictions(
            make_benchmark("HallusionBench", rows, protocol), answers("Yes") | {"VD_math_1_0_2_0": "x"}
        ).table
        assert [record["split"] for record in table] == ["Overall", "VD", *splits, "math"]


def test_mme_shows_its_sum_first_and_scores_runs_that_end_within_a_picture(make_benchmark: Any):
    rows = [row(str(k), category=c, image_path=f"{k // 2}.png") for k, c in enumerate(["OCR"] * 4 + ["scene"])]
    for protocol in PROTOCOLS:
        result = score_predictions(make_benchmark("MME", rows, protocol), dict.fromkeys("01234", "Yes") | {"2": "No"})
        assert result.columns == ("perception", "reasoning", "OCR", "scene")
        assert result.table == ({"perception": 325, "reasoning": 0, "OCR": 125, "scene": 200},)
        assert result.metrics[0].name == "perception + reasoning"


def test_an_answer_that_is_neither_is_no_rejection_of_an_object(make_benchmark: Any):
    rows = [row("0"), row("1", "No")]
    for protocol, precision in (("eyechart", 50), ("vlmeval", 100)):
        result = score_predictions(make_benchmark("POPE", rows, protocol), {"0": "Yes", "1": None})
        assert (result.table[0]["precision"], result.table[0]["acc"]) == (precision, 50)


def test_no_predictions_at_all(make_benchmark: Any):
    for name in NAMES:
        for protocol in PROTOCOLS:
            result = score_predictions(make_benchmark(name, ROWS, protocol), {})
            assert result.metrics == ()
            assert len(result.table) == 1


VALUES: st.SearchStrategy[Cell] = (
    st.none() | st.text(max_size=8) | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans()
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_any_row_and_answer_is_scored(data: st.DataObject, name: str, make_benchmark: Any):
    columns = {"question": VALUES, "category": VALUES, "l2-category": VALUES, "image_path": VALUES}
    columns["answer"] = st.sampled_from(["Yes", "No", "yes"])
    names = data.draw(st.sets(st.sampled_from(sorted(columns)))) | {"answer"}
    rows = data.draw(st.lists(st.fixed_dictionaries({n: columns[n] for n in names}), min_size=1, max_size=4))
    rows = [{**cells, "index": f"{k}_0_0_{k}_0_0"} for k, cells in enumerate(rows)]
    told = data.draw(st.fixed_dictionaries({str(r["index"]): st.none() | st.text() | st.just("no") for r in rows}))
    for protocol in (EYECHART, VLMEVAL):
        result = score_predictions(make_benchmark(name, rows, protocol), told)
        assert result.per_sample.keys() == told.keys()
        assert all(set(record) == set(result.columns) for record in result.table)
        assert result.counts["failed"] == sum(a is None for a in told.values())
        assert all(m.estimate.mean >= 0 for m in result.metrics)


def test_sets_and_pictures_that_were_asked_in_part_are_told(make_benchmark: Any):
    rows = [
        *[row(f"VD_math_1_{k}_{n}_0", image_path=f"{k}.png") for k in range(3) for n in range(2)],
        row("VS_math_1_2_0_0", category="VS", image_path="2.png"),
        row("short", image_path="9.png"),
    ]
    asked = [str(r["index"]) for r in rows[:5]]
    for name, what in (("HallusionBench", "sets of figures"), ("MME", "pictures")):
        (caveat,) = score_predictions(make_benchmark(name, rows), dict.fromkeys(asked, "Yes")).caveats
        assert caveat.startswith(f"1 of 3 {what} were not asked all their questions")
        whole = rows[:6]
        every = dict.fromkeys([str(r["index"]) for r in whole], "Yes")
        assert score_predictions(make_benchmark(name, whole), every).caveats == ()
        assert score_predictions(make_benchmark(name, rows), every).caveats == ()
    assert score_predictions(make_benchmark("POPE", rows), dict.fromkeys(asked, "Yes")).caveats == ()
