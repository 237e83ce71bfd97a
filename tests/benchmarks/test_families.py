from __future__ import annotations

from typing import Any

import pytest
from fake_judges import JudgeOfSamples

from eyechart.benchmarks.catalog import catalog
from eyechart.benchmarks.families import FAMILIES, VIDEOS
from eyechart.benchmarks.multiple_choice import MultipleChoice
from eyechart.benchmarks.ocrbench import OCRBench
from eyechart.benchmarks.scoring_run import score_predictions, score_predictions_async
from eyechart.benchmarks.vqa import VisualQA
from eyechart.errors import ConfigError, DataError
from eyechart.messages import Document, Image, Message, Text

QUESTION = {"question": "What is it?", "B": "dog", "A": "cat", "D": None, "answer": "A"}


def text_of(messages: list[Message]) -> str:
    assert [m.role for m in messages] == ["user"]
    *pictures, text = messages[0].parts
    assert pictures
    assert all(isinstance(p, Image | Document) for p in pictures)
    assert isinstance(text, Text)
    return text.text


def first_prompt(bench: Any) -> str:
    return text_of(bench.prompt(next(iter(bench.samples()))))


def test_names_of_the_families_are_in_the_catalogue():
    assert FAMILIES.keys() <= catalog().keys()


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_name_builds(name: str, make_benchmark: Any):
    bench = make_benchmark(name, [QUESTION | {"question": "<ImageHere>What is it?", "answer": "['A']"}])
    assert bench.name == name
    assert len(bench) == max(1, len(catalog()[name].parts))
    if name not in VIDEOS:  # their prompts are in test_videos.py
        assert first_prompt(bench)


def test_a_name_of_the_catalogue_that_is_not_built_yet(make_benchmark: Any):
    name = min(catalog().keys() - FAMILIES.keys(), default=None)
    if name is None:
        pytest.skip("the whole catalogue is built")
    with pytest.raises(ConfigError, match="later version"):
        make_benchmark(name, [QUESTION])


def test_the_users_own_files(make_benchmark: Any):
    assert isinstance(make_benchmark("mine", [QUESTION]), MultipleChoice)
    assert isinstance(make_benchmark("mine", [{"question": "q", "A": "x", "answer": "y"}]), VisualQA)
    assert isinstance(make_benchmark("OCRBench", [{"question": "q", "answer": "['y']", "category": "c"}]), OCRBench)


def test_prompt_of_multiple_choice(make_benchmark: Any):
    assert first_prompt(make_benchmark("mine", [QUESTION])) == (
        "Question: What is it?\nOptions:\nA. cat\nB. dog\nPlease select the correct answer from the options above. \n"
    )
    hinted = QUESTION | {"hint": "Look", "C": 3.0}
    assert first_prompt(make_benchmark("mine", [hinted])).startswith("Hint: Look\nQuestion: What is it?\nOptions:\n")
    assert "\nC. 3.0\n" in first_prompt(make_benchmark("mine", [hinted]))


def test_prompt_without_options_is_the_question(make_benchmark: Any):
    row = {"question": "Open?", "A": None, "B": None, "hint": None, "answer": "A"}
    assert first_prompt(make_benchmark("mine", [row])) == "Question: Open?\n"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("ChartQA_TEST", "\nAnswer the question using a single word or phrase."),
        ("DocVQA_TEST", "\nAnswer the question using a single word or phrase."),
        ("OCRVQA_TEST", "\nAnswer the question using a single word or phrase."),
        ("OCRBench", ""),
        ("VCR_ZH_HARD_ALL", ""),
        ("mine", ""),
    ],
)
def test_prompt_of_short_answers(name: str, suffix: str, make_benchmark: Any):
    bench = make_benchmark(name, [{"question": "How many?", "answer": "['5']", "category": "c"}])
    assert first_prompt(bench) == "How many?" + suffix


@pytest.mark.parametrize("name", ["MMStar", "ChartQA_TEST", "OCRBench"])
def test_a_row_without_question_is_named(name: str, make_benchmark: Any):
    bench = make_benchmark(name, [{"index": "r7", "question": None, "A": "x", "answer": "['A']"}])
    with pytest.raises(DataError, match="row r7 has no question"):
        first_prompt(bench)


@pytest.mark.parametrize("name", ["MMStar", "ChartQA_TEST", "OCRBench"])
def test_a_benchmark_without_answers_cannot_be_scored(name: str, make_benchmark: Any):
    with pytest.raises(DataError, match="no column 'answer'"):
        score_predictions(make_benchmark(name, [{"question": "q", "A": "x"}]), {"0": "A"})


def test_a_row_whose_answers_are_no_list_is_named(make_benchmark: Any):
    bench = make_benchmark("OCRBench", [{"index": "r7", "question": "q", "answer": "no list", "category": "c"}])
    with pytest.raises(DataError, match="row r7, column 'answer'"):
        score_predictions(bench, {"r7": "x"})


def test_the_table_reads_group_columns_in_any_case_of_letters(make_benchmark: Any):
    rows = [QUESTION | {"Category": "x", "L2-Category": "y"}, QUESTION | {"Category": "z", "L2-Category": "y"}]
    result = score_predictions(make_benchmark("mine", rows), {"0": "A", "1": "B"})
    assert result.columns == ("split", "Overall", "y", "x", "z")
    assert result.table == ({"split": "none", "Overall": 0.5, "y": 0.5, "x": 1.0, "z": 0.0},)
    both = [QUESTION | {"Category": "x", "category": "later"}]
    assert score_predictions(make_benchmark("mine", both), {"0": "A"}).columns == ("split", "Overall", "later")


def test_the_users_own_short_answers_count_when_equal_after_normalisation(make_benchmark: Any):
    rows = [{"question": "q", "answer": "['two cats', '2 cats']"}, {"question": "q", "answer": "The dog"}]
    result = score_predictions(make_benchmark("mine", rows), {"0": "The two cats!", "1": "a cat"})
    assert [result.per_sample[k]["score"] for k in "01"] == [1.0, 0.0]
    assert result.table == ({"Overall": 50.0},)
    assert result.metrics[0].estimate.mean == 50


@pytest.mark.parametrize(
    ("name", "right"),
    [("InfoVQA_VAL", 0.75), ("InfoVQA_TEST", 0.75), ("DocVQA_TEST", 0.75), ("OCRVQA_TEST", 0), ("OCRVQA_TESTCORE", 0)],
)
def test_metrics_of_short_answers(name: str, right: float, make_benchmark: Any):
    rows = [{"question": "q", "answer": "['abcd', 'x']"}, {"question": "q", "answer": "Art"}]
    result = score_predictions(make_benchmark(name, rows), {"0": "abcy", "1": " art"})
    assert [record["score"] for record in result.per_sample.values()] == [right, 1.0]


@pytest.mark.parametrize("name", ["DocVQA_TEST", "InfoVQA_TEST"])
def test_answers_that_are_not_public_cannot_be_scored(name: str, make_benchmark: Any):
    with pytest.raises(DataError, match=f"{name} has no column 'answer': its answers are not public"):
        score_predictions(make_benchmark(name, [{"question": "q"}]), {"0": "x"})


def test_switches_of_the_protocol_reach_the_rules(make_benchmark: Any):
    cases = [
        ("ChartQA_TEST", "0", "0.0", 1.0, 0.0),
        ("DocVQA_VAL", "abcd", "wxyz" + " " * 6, 0.0, 0.6),
        ("OCRBench", "['']", "anything", 0.0, 1.0),
    ]
    for name, accepted, prediction, ours, theirs in cases:
        row = {"question": "q", "answer": accepted, "category": "Doc-oriented VQA"}
        # The second answer keeps the column of predictions from turning into numbers.
        rows, answers = [row, row], {"0": prediction, "1": "x"}
        for protocol, score in (("eyechart", ours), ("vlmeval", theirs)):
            result = score_predictions(make_benchmark(name, rows, protocol), answers)
            assert result.per_sample["0"]["score"] == pytest.approx(score), name


def test_an_empty_accepted_text_of_ocrbench_is_an_empty_answer(make_benchmark: Any):
    rows = [{"question": "q", "answer": "[' ', 'x']", "category": "Doc-oriented VQA"} for _ in range(3)]
    result = score_predictions(make_benchmark("OCRBench", rows), {"0": "", "1": "y", "2": "xy"})
    assert [record["score"] for record in result.per_sample.values()] == [1.0, 0.0, 1.0]


def test_missing_accepted_answers_make_nothing_right(make_benchmark: Any):
    rows = [{"question": "q", "answer": None}, {"question": "q", "answer": "[]"}]
    for name in ("mine", "ChartQA_TEST", "DocVQA_VAL", "TextVQA_VAL"):
        result = score_predictions(make_benchmark(name, rows), {"0": "nan", "1": "x"})
        assert result.table == ({"Overall": 0.0},)
    reference = score_predictions(make_benchmark("mine", rows, "vlmeval"), {"0": "nan", "1": "x"})
    assert reference.per_sample["0"]["score"] == 1.0
    assert reference.table == ({"Overall": None},)


def test_rows_whose_right_letter_is_no_option_are_told_by_name(make_benchmark: Any):
    rows = [QUESTION, QUESTION | {"index": "r7", "answer": "E"}, QUESTION | {"answer": "D"}]
    result = score_predictions(make_benchmark("MMStar", rows), {"0": "A", "r7": "A", "2": "B"})
    (caveat,) = result.caveats
    assert "2 rows" in caveat
    assert "rows.tsv, row r7, column 'answer': 'E'" in caveat


@pytest.mark.parametrize("word", ["N/A", "null", "None", "nan"])
def test_words_for_missing_values_are_options_like_others(word: str, make_benchmark: Any):
    row = QUESTION | {"A": word, "answer": "A"}
    corrected = score_predictions(make_benchmark("MMStar", [row]), {"0": f"it is {word}"})
    assert (corrected.per_sample["0"]["hit"], corrected.caveats) == (1, ())


@pytest.mark.anyio
async def test_blink_has_a_rubric_of_its_own(make_benchmark: Any):
    judge = JudgeOfSamples("(Z) Failed")
    bench = make_benchmark("BLINK", [QUESTION | {"question": "这是什么?"}])
    result = await score_predictions_async(bench, {"0": "I would rather not say what this is, if I may"}, judge)
    assert [request.rubric for request in judge.requests] == ["option_letter_blink@1"]
    assert "B. dog\n(Z) Failed\n" in judge.requests[0].prompt
    assert (result.per_sample["0"]["letter"], result.per_sample["0"]["rule"]) == ("Z", "judge")


def test_the_tables_of_gmai(make_benchmark: Any):
    rows = [
        QUESTION | {"Clinical VQA Task": "y", "department": None, "perceptual granularity": 3},
        QUESTION | {"Clinical VQA Task": "x", "department": "d", "perceptual granularity": 20},
    ]
    tables = score_predictions(make_benchmark("GMAI-MMBench_VAL", rows), {"0": "A", "1": "B"}).more_tables
    assert tables["clinical vqa task_acc"].columns == ("split", "Overall", "x", "y")
    assert tables["clinical vqa task_acc"].rows == ({"split": "none", "Overall": 0.5, "x": 0.0, "y": 1.0},)
    assert tables["department_acc"].rows == ({"split": "none", "Overall": 0.5, "d": 0.0},)
    assert tables["perceptual granularity_acc"].columns == ("split", "Overall", "20", "3")
    reference = score_predictions(make_benchmark("GMAI-MMBench_VAL", rows, "vlmeval"), {"0": "A", "1": "B"}).more_tables
    assert reference["department_acc"].rows == ({"split": "none", "Overall": 0.5, "None": None, "d": 0.0},)
    with pytest.raises(DataError, match="no column 'clinical vqa task'"):
        score_predictions(make_benchmark("GMAI-MMBench_VAL", [QUESTION]), {"0": "A"})


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["MMStar", "MMBench_DEV_EN", "MME", "MathVision"])
@pytest.mark.parametrize(("protocol", "asked"), [("eyechart", 0), ("vlmeval", 1)])
async def test_an_answer_without_text_is_judged_in_the_reference_only(
    name: str, protocol: str, asked: int, make_benchmark: Any
):
    judge = JudgeOfSamples("A")
    row = QUESTION | {"index": "1", "choices": "['cat', 'dog']", "category": "c", "answer": "Yes", "level": 1}
    result = await score_predictions_async(make_benchmark(name, [row], protocol), {"1": " \n"}, judge)
    assert min(1, len(judge.requests)) == asked
    assert result.counts["unparsed"] == 1 or asked
