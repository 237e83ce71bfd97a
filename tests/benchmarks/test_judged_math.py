from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from fake_judges import JudgeOfSamples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyechart.benchmarks.scoring_run import score_one, score_predictions
from eyechart.errors import DataError
from eyechart.messages import Text
from eyechart.records import Cell
from eyechart.scoring.judge import JudgeRequest
from eyechart.scoring.protocol import EYECHART, VLMEVAL

FAILED = "Failed to obtain answer via API. "
LETTERS = "['A', 'B', 'C', 'D', 'E']"
CHOICE = {"question": "Which?", "choices": "['red', 'dark blue']", "answer": "B", "category": "logic"}
FIGURE = {"question": "Which?", "choices": LETTERS, "answer": "A", "category": "logic"}
VALUE = {"question": "How many?", "choices": "[]", "answer": "14", "category": "algebra"}
VISTA_CHOICE: dict[str, Cell] = {
    "question": "Which?",
    "question_type": "multi_choice",
    "answer_type": "text",
    "choices": "['red', 'dark blue']",
    "answer": "dark blue",
    "answer_option": "B",
    "precision": None,
    "skills": "['logic', 'algebra']",
    "task": "figures",
}
VISTA_FREE = VISTA_CHOICE | {"question_type": "free_form", "choices": None, "answer_option": None}
INTEGER = VISTA_FREE | {"answer_type": "integer", "answer": "0"}
FLOAT = VISTA_FREE | {"answer_type": "float", "answer": "1.2", "precision": "1.0"}
LIST = VISTA_FREE | {"answer_type": "list", "answer": "[1, 2]"}
WORD = VISTA_FREE | {"answer_type": "text", "answer": "Yes"}
NAMES = ["MathVision", "MathVision_MINI", "MathVista_MINI"]
PROTOCOLS = ["eyechart", "vlmeval"]


class Judge:
    """Replies in turn, each row from the first reply on; after them with the failure text."""

    def __init__(self, *replies: str) -> None:
        self.replies = replies
        self.requests: list[JudgeRequest] = []

    async def __call__(self, request: JudgeRequest) -> str:
        self.requests.append(request)
        return self.replies[request.attempt] if request.attempt < len(self.replies) else FAILED


def scored(
    bench: Any, answers: Sequence[str | None], judge: Judge | JudgeOfSamples | None = None
) -> list[Mapping[str, Any]]:
    """Returns the records of a benchmark whose rows are called 0, 1, …"""
    return list(score_predictions(bench, {str(k): a for k, a in enumerate(answers)}, judge).per_sample.values())


def told(records: Sequence[Mapping[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(record[key] for key in keys) for record in records]


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_is_the_question(name: str, make_benchmark: Any):
    bench = make_benchmark(name, [CHOICE | {"hint": "Look"}])
    (message,) = bench.prompt(next(iter(bench.samples())))
    assert message.parts[-1] == Text("Which?")
    assert len(message.parts) == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_letters_are_prefetched_right_or_wrong(protocol: str, make_benchmark: Any):
    answers = ["It is (B).", "A", "dark blue", "Z", "Cannot determine the answer", "A or B"]
    for name, row in (("MathVision", CHOICE | {"answer": " b"}), ("MathVista_MINI", VISTA_CHOICE)):
        records = scored(make_benchmark(name, [row] * 6, protocol), answers)
        assert told(records, "res", "rule", "prefetch", "hit") == [
            ("B", "option", True, True),
            ("A", "option", True, False),
            ("B", "text", True, True),
            ("Z", "Z", True, False),
            ("Z", "refusal", True, False),
            (None, "none", False, False),
        ]
        assert [record["log"] for record in records] == ["Prefetch succeed"] * 5 + [""]


def test_the_letter_of_mathvista_has_its_case(make_benchmark: Any):
    for protocol in PROTOCOLS:
        bench = make_benchmark("MathVista_MINI", [VISTA_CHOICE | {"answer_option": "b"}], protocol)
        assert told(scored(bench, ["B"]), "prefetch", "hit") == [(True, False)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_value_is_prefetched_only_when_it_is_right(protocol: str, make_benchmark: Any):
    rows = [VALUE] * 4 + [VALUE | {"answer": None}]
    records = scored(make_benchmark("MathVision", rows, protocol), ["$14$", "13", "The answer is 14", "", "14"])
    assert told(records, "res", "rule", "prefetch", "hit") == [
        ("$14$", "equal", True, True),
        *[(None, "none", False, False)] * 4,
    ]
    # What is prefetched is a text even where it is empty, and then it is not.
    empty = scored(make_benchmark("MathVision", [VALUE | {"answer": ""}], "eyechart"), [""])
    assert told(empty, "rule", "hit") == [("none", False)]


def test_the_two_rules_of_equality(make_benchmark: Any):
    answers = ["a", "25 \\pi", "2^3"]
    rows = [VALUE, VALUE | {"answer": "25\\pi"}, VALUE | {"answer": "1"}]
    assert told(scored(make_benchmark("MathVision", rows, "vlmeval"), answers), "hit") == [(True,), (False,), (True,)]
    assert told(scored(make_benchmark("MathVision", rows), answers), "hit") == [(False,), (True,), (False,)]
    # The rule of the reference holds for letters, too: where a value is right, the letter A equals it.
    odd = [CHOICE | {"answer": "14"}]
    assert told(scored(make_benchmark("MathVision", odd, "vlmeval"), ["A"]), "hit") == [(True,)]
    assert told(scored(make_benchmark("MathVision", odd), ["A"]), "hit") == [(False,)]


def test_rows_without_choices_ask_for_a_value(make_benchmark: Any):
    bench = make_benchmark("MathVision", [VALUE | {"choices": None}])
    assert told(scored(bench, ["14"]), "rule", "hit") == [("equal", True)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_without_a_judge_what_no_rule_reads_is_wrong_and_unparsed(protocol: str, make_benchmark: Any):
    bench = make_benchmark("MathVision", [FIGURE, VALUE, FIGURE], protocol)
    result = score_predictions(bench, {"0": "It is hard to say", "1": "hm", "2": "A"})
    assert [record["hit"] for record in result.per_sample.values()] == [False, False, True]
    assert result.counts == {"scored": 3, "failed": 0, "unparsed": 2, "judged": 0}
    assert result.rules == {"none": 2, "option": 1}
    assert result.caveats == (
        "2 of 3 answers were read by no rule and no judge and count as wrong: the accuracy is a lower bound",
    )
    assert score_predictions(bench, {"2": "A", "0": "hm"}, Judge("B")).caveats == ()
    assert result.table[0] == {
        "Subject": "Overall",
        "tot": 3,
        "prefetch": 1,
        "hit": 1,
        "prefetch_rate": pytest.approx(100 / 3),
        "acc": pytest.approx(100 / 3),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_judge_is_asked_where_no_rule_reads(protocol: str, make_benchmark: Any):
    judge = Judge("The letter is B")
    bench = make_benchmark("MathVision", [CHOICE, CHOICE, VALUE], protocol)
    records = scored(bench, ["the second one, I guess", "A", "The answer is B"], judge)
    assert told(records, "res", "rule", "prefetch", "hit") == [
        ("The letter is B", "judge", False, True),
        ("A", "option", True, False),
        ("The letter is B", "judge", False, False),
    ]
    assert [request.index for request in judge.requests] == ["0", "2"]
    assert judge.requests[0].prompt.endswith("Question: Which?\nReply: the second one, I guess\nFinal answer:")
    assert {request.max_tokens for request in judge.requests} == {128 if protocol == "vlmeval" else None}
    assert {request.rubric for request in judge.requests} == {"final_answer_mathvision@1"}


def test_a_reply_without_a_letter_leaves_a_choice_unparsed(make_benchmark: Any):
    judge = Judge("no idea at all, I am sorry to say")
    records = scored(make_benchmark("MathVision", [CHOICE, VALUE]), ["hm", "hm"], judge)
    assert told(records, "rule", "log", "hit") == [("none", "Succeed", False), ("judge", "Succeed", False)]


def test_a_judge_that_never_replies(make_benchmark: Any):
    rows = [FIGURE, CHOICE, VALUE, VALUE | {"answer": None}]
    answers = ["hard to say"] * 4
    judge = Judge()
    records = scored(make_benchmark("MathVision", rows), answers, judge)
    assert told(records, "res", "rule", "prefetch", "hit") == [(None, "none", False, False)] * 4
    assert all(record["log"].endswith("\nAll 5 retries failed.\n") for record in records)
    assert len(judge.requests) == 20
    # The reference reads the text `nan`: it holds an a, and it equals an answer that is missing itself.
    reference = scored(make_benchmark("MathVision", rows, "vlmeval"), answers, Judge())
    assert told(reference, "res", "rule", "hit") == [
        (None, "none", True),
        (None, "none", False),
        (None, "none", False),
        (None, "none", True),
    ]
    without = replace(VLMEVAL, missing_as_nan=False)
    assert told(scored(make_benchmark("MathVision", rows, without), answers, Judge()), "hit") == [(False,)] * 4


def test_an_answer_that_the_spreadsheet_loses(make_benchmark: Any):
    rows = [FIGURE, VALUE]
    reference = scored(make_benchmark("MathVision", rows, "vlmeval"), ["None", "None"], judge := Judge("14"))
    assert told(reference, "res", "prediction_as_read", "rule") == [("A", None, "text"), ("14", None, "judge")]
    assert "Reply: nan\n" in judge.requests[0].prompt
    without = replace(VLMEVAL, missing_as_nan=False)
    records = scored(make_benchmark("MathVision", rows, without), ["None", "None"], Judge("B"))
    assert told(records, "res", "rule") == [("B", "judge"), ("B", "judge")]
    kept = scored(make_benchmark("MathVision", [CHOICE, VALUE]), ["None", "None"])
    assert told(kept, "prediction_as_read", "rule") == [("None", "none")] * 2


def test_a_failed_request_is_judged_in_the_reference_alone(make_benchmark: Any):
    for name, row in (("MathVision", CHOICE), ("MathVista_MINI", VISTA_CHOICE)):
        judge = Judge("B")
        result = score_predictions(make_benchmark(name, [row]), {"0": None}, judge)
        assert told([result.per_sample["0"]], "rule", "hit", "prefetch", "res") == [("failed", False, False, None)]
        assert result.counts == {"scored": 1, "failed": 1, "unparsed": 0, "judged": 0}
        reference = score_predictions(make_benchmark(name, [row], "vlmeval"), {"0": None}, judge)
        assert told([reference.per_sample["0"]], "rule", "hit") == [("judge", True)]
        assert reference.counts["failed"] == 1


def test_results_pass_through_a_spreadsheet_in_the_reference(make_benchmark: Any):
    rows = [VALUE | {"answer": "0"}, VALUE, VALUE | {"answer": "7"}]
    answers = ["none of it", "none of this", "none of that"]

    judge = JudgeOfSamples(**{"0": "=5", "1": "N/A", "2": "7"})
    reference = scored(make_benchmark("MathVision", rows, "vlmeval"), answers, judge)
    # A formula is read as 0, the missing one makes floats of a column of numbers.
    assert told(reference, "res", "res_type", "hit") == [
        (0.0, "float64", True),
        (None, "float64", False),
        (7.0, "float64", True),
    ]
    records = scored(make_benchmark("MathVision", rows), answers, judge)
    assert told(records, "res", "res_type", "hit") == [("=5", "str", False), ("N/A", "str", False), ("7", "str", True)]


@pytest.mark.parametrize(
    ("replies", "types"),
    [
        (("7", "8"), ["int64", "int64"]),
        (("7", "8.5"), ["float64", "float64"]),
        (("7", "word"), ["str", "str"]),
        (("word", ""), ["str", "float"]),
        (("", ""), ["float64", "float64"]),
        (("True", "False"), ["bool", "bool"]),
    ],
)
def test_types_of_results_in_the_reference(replies: tuple[str, str], types: list[str], make_benchmark: Any):
    judge = JudgeOfSamples(**{"0": replies[0], "1": replies[1]})
    records = scored(make_benchmark("MathVision", [VALUE, VALUE], "vlmeval"), ["hm", "so"], judge)
    assert [record["res_type"] for record in records] == types


def test_a_cell_that_stops_the_writer_takes_the_results_with_it(make_benchmark: Any):
    bench = make_benchmark("MathVision", [VALUE, VALUE], "vlmeval")
    assert told(scored(bench, ["so", "14"], Judge("external:y")), "res", "log", "prefetch", "hit") == [
        (None, None, False, False),
        (None, None, False, False),
    ]
    # In the table of predictions it takes the answers, and the judge has to do without them.
    bench = make_benchmark("MathVision", [VALUE | {"note": "x"}, VALUE | {"note": "external:y"}], "vlmeval")
    records = scored(bench, ["14", "14"], Judge("14"))
    assert told(records, "prediction_as_read", "res", "hit") == [(None, 14, True)] * 2


def test_rows_of_one_index_share_the_result_of_the_last(make_benchmark: Any):
    rows = [CHOICE | {"index": "7", "answer": "A"}, VALUE | {"index": "8"}, CHOICE | {"index": "7", "choices": LETTERS}]
    result = score_predictions(make_benchmark("MathVision", rows, "vlmeval"), {"7": "dark blue B", "8": "14"})
    assert result.table[0]["hit"] == 2
    assert result.per_sample["7"]["hit"] is True


def test_running_scores_say_what_the_final_ones_do(make_benchmark: Any):
    bench = make_benchmark("MathVision", [CHOICE, VALUE, VALUE])
    found = [score_one(bench, s, a) for s, a in zip(bench.samples(), ["B", "14", None], strict=True)]
    assert [(s.points, s.failed) for s in found] == [(1.0, False), (1.0, False), (0.0, True)]


def test_subjects_stand_in_order(make_benchmark: Any):
    rows = [VALUE, CHOICE, CHOICE | {"category": "Topology"}, VALUE | {"category": None}]
    answers = {"0": "14", "1": "A", "2": "B", "3": "14"}
    table = score_predictions(make_benchmark("MathVision", rows), answers).table
    assert [(row["Subject"], row["tot"], row["hit"]) for row in table] == [
        ("Overall", 4, 3),
        ("Topology", 1, 1),
        ("algebra", 1, 1),
        ("logic", 1, 0),
    ]
    reference = score_predictions(make_benchmark("MathVision", rows, "vlmeval"), answers).table
    assert [row["Subject"] for row in reference] == ["Overall", "Topology", "algebra", "logic", None]
    plain = [{"question": "q", "choices": "[]", "answer": "1"}]
    for protocol in PROTOCOLS:
        found = score_predictions(make_benchmark("MathVision", plain, protocol), {"0": "1"})
        assert [row["Subject"] for row in found.table] == ["Overall"]


def test_skills_and_tasks_stand_as_they_appear(make_benchmark: Any):
    rows = [
        VISTA_CHOICE,
        VISTA_CHOICE | {"skills": "one skill", "task": "algebra"},
        VISTA_CHOICE | {"skills": "'quoted'", "task": None},
        VISTA_CHOICE | {"skills": None, "task": "figures"},
        VISTA_CHOICE | {"skills": "[1, 'figures']", "task": "figures"},
    ]
    answers = {str(k): "B" if k else "A" for k in range(5)}
    table = score_predictions(make_benchmark("MathVista_MINI", rows), answers).table
    assert [(row["Task&Skill"], row["tot"], row["hit"]) for row in table] == [
        ("Overall", 5, 4),
        ("logic", 1, 0),
        ("algebra", 2, 1),
        ("figures", 4, 3),
        ("one skill", 1, 1),
        ("'quoted'", 1, 1),
        ("1", 1, 1),
    ]
    reference = score_predictions(make_benchmark("MathVista_MINI", rows, "vlmeval"), answers).table
    assert [row["Task&Skill"] for row in reference].count(None) == 1


def test_free_answers_of_mathvista_by_type(make_benchmark: Any):
    rows = [INTEGER, INTEGER | {"answer": "14"}, INTEGER | {"answer": "14"}, FLOAT, FLOAT, LIST, WORD]
    answers = ["0", "14", "14.0", "1.20", "1.25", "[1,2]", "yes"]
    reference = scored(make_benchmark("MathVista_MINI", rows, "vlmeval"), answers)
    assert told(reference, "rule", "res", "hit") == [
        ("none", None, False),
        ("equal", 14, True),
        ("none", None, False),
        ("equal", 1.2, True),
        *[("none", None, False)] * 3,
    ]
    assert told(scored(make_benchmark("MathVista_MINI", rows), answers), "rule", "res", "hit") == [
        ("equal", answer, True) for answer in answers
    ]


def test_a_judged_zero_counts_and_lists_and_words_never_do_in_the_reference(make_benchmark: Any):
    rows = [INTEGER, LIST, WORD]
    judge = Judge("0")
    assert told(scored(make_benchmark("MathVista_MINI", rows, "vlmeval"), ["so"] * 3, judge), "hit") == [
        (True,),
        (False,),
        (False,),
    ]
    assert {request.rubric for request in judge.requests} == {"final_answer_mathvista@1"}
    for row, right in ((LIST, "[1, 2]"), (WORD, "Yes")):
        for protocol, hit in (("vlmeval", False), ("eyechart", True)):
            bench = make_benchmark("MathVista_MINI", [row], protocol)
            assert told(scored(bench, ["hm"], Judge(right)), "rule", "hit") == [("judge", hit)]


def test_right_answers_that_are_missing_make_nothing_right(make_benchmark: Any):
    rows = [row | {"answer": None} for row in (INTEGER, FLOAT, LIST, WORD)]
    for protocol in PROTOCOLS:
        bench = make_benchmark("MathVista_MINI", rows, protocol)
        assert told(scored(bench, ["nan", "nan", "nan", ""], Judge("nan")), "hit") == [(False,)] * 4


def test_results_can_be_written_down(make_benchmark: Any):
    huge = "1" + "0" * 30
    for protocol in PROTOCOLS:
        bench = make_benchmark("MathVista_MINI", [INTEGER | {"answer": huge}], protocol)
        records = scored(bench, [huge])
        assert records[0]["rule"] == "equal"
        assert orjson.dumps(dict(records[0]))


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("MathVision", {"question": "q", "answer": "1"}, "no column 'choices'"),
        ("MathVision", {"question": "q", "choices": "[]"}, "no column 'answer'"),
        ("MathVision", {"question": "q", "choices": LETTERS}, "no column 'answer'"),
        ("MathVision", VALUE | {"choices": "red, blue"}, "row r7, column 'choices': 'red, blue' is no Python list"),
        ("MathVision", VALUE | {"choices": "7"}, "row r7, column 'choices': '7' is no Python list"),
        ("MathVision", VALUE | {"choices": "'AB'"}, "is no Python list"),
        ("MathVision", VALUE | {"choices": "[" * 1_000_001}, "is no Python list"),
        ("MathVision", VALUE | {"choices": str(list(range(27)))}, "27 choices are more than there are letters"),
        ("MathVista_MINI", VISTA_CHOICE | {"choices": None}, "row r7, column 'choices': 'nan' is no Python list"),
        ("MathVista_MINI", {"question": "q", "answer": "1"}, "no column 'question_type'"),
        ("MathVista_MINI", {"question": "q", "question_type": "free_form", "answer": "1"}, "no column 'answer_type'"),
        ("MathVista_MINI", VISTA_CHOICE | {"skills": "[" * 1_000_001}, "row r7, column 'skills'"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_cannot_be_scored_is_named(
    name: str, row: dict[str, Cell], message: str, protocol: str, make_benchmark: Any
):
    protocol_ = replace(VLMEVAL, round_trip_table=False) if protocol == "vlmeval" else EYECHART
    with pytest.raises(DataError, match=message):
        score_predictions(make_benchmark(name, [row | {"index": "r7"}], protocol_), {"r7": "B"})


def test_a_missing_column_of_right_letters_is_named(make_benchmark: Any):
    row = {key: cell for key, cell in VISTA_CHOICE.items() if key != "answer_option"}
    with pytest.raises(DataError, match="no column 'answer_option'"):
        score_predictions(make_benchmark("MathVista_MINI", [row]), {"0": "B"})


CELLS: st.SearchStrategy[Cell] = (
    st.none()
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.sampled_from(["14", "A", "[1, 2]"])
)
CHOICES = st.sampled_from(["[]", LETTERS, "['1', '2']", "['a', 'nan']"])
KINDS = st.fixed_dictionaries(
    {
        "question": CELLS,
        "question_type": st.sampled_from(["multi_choice", "free_form"]),
        "answer_type": st.sampled_from(["integer", "float", "list", "text"]) | CELLS,
        "choices": CHOICES,
        "answer": CELLS,
        "answer_option": CELLS,
        "precision": CELLS,
        "skills": CELLS,
        "task": CELLS,
        "category": CELLS,
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    rows=st.lists(KINDS, min_size=1, max_size=4),
    data=st.data(),
    name=st.sampled_from(NAMES),
    reply=st.text() | st.sampled_from(["A", "14", FAILED]),
)
def test_any_row_and_answer_is_scored(
    rows: list[dict[str, Cell]], data: st.DataObject, name: str, reply: str, make_benchmark: Any
):
    answers = data.draw(st.fixed_dictionaries({str(k): st.none() | st.text() for k in range(len(rows))}))
    for protocol in PROTOCOLS:
        for judge in (None, Judge(reply)):
            bench = make_benchmark(name, rows, protocol)
            try:
                result = score_predictions(bench, answers, judge)
            except DataError:
                # In a spreadsheet the list of choices may be lost behind a cell that stops the writer.
                assert protocol == "vlmeval"
                continue
            assert result.per_sample.keys() == answers.keys()
            assert result.table[0]["tot"] == len(rows) or name != "MathVista_MINI"
            assert all(set(record) == set(result.columns) for record in result.table)
            assert result.counts["failed"] == sum(answer is None for answer in answers.values())
            assert all(record["prefetch"] <= (record["log"] != "") for record in result.per_sample.values())
