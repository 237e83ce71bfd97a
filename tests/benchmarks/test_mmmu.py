from __future__ import annotations

from typing import Any

import pytest

from eyechart.benchmarks.scoring_run import score_predictions
from eyechart.errors import DataError
from eyechart.messages import Image, Text
from eyechart.records import Cell

CHOICE: dict[str, Cell] = {"question": "q", "A": "cat", "B": "dog", "answer": "B", "hint": None}
OPEN: dict[str, Cell] = {"question": "q", "A": None, "B": None, "answer": "7.5", "hint": None}


def layout(make_benchmark: Any, question: str, protocol: str = "eyechart", **cells: Cell) -> list[str]:
    bench = make_benchmark("MMMU_DEV_VAL", [CHOICE | {"question": question} | cells], protocol)
    (message,) = bench.prompt(next(iter(bench.samples())))
    return [
        part.text if isinstance(part, Text) else "IMAGE" for part in message.parts if isinstance(part, Text | Image)
    ]


TAIL = "\nOptions:\nA. cat\nB. dog\nPlease select the correct answer from the options above. \n"


def test_pictures_stand_where_the_text_names_them(make_benchmark: Any):
    assert layout(make_benchmark, "See <image 1>!") == ["Question: See ", "IMAGE", "!" + TAIL]
    assert layout(make_benchmark, "<image 1>", hint="H")[0] == "Hint: H\nQuestion: "
    assert layout(make_benchmark, "<image 1><image 1>") == ["Question: ", "IMAGE", "", "IMAGE", TAIL]
    assert layout(make_benchmark, "q", A="<image 1>")[:2] == ["Question: q\nOptions:\nA. ", "IMAGE"]


def test_a_text_without_a_name_follows_the_pictures(make_benchmark: Any):
    assert layout(make_benchmark, "See it") == ["IMAGE", "Question: See it" + TAIL]
    assert layout(make_benchmark, "See <image one> or <image 12>")[0] == "IMAGE"


def test_a_picture_that_is_not_there_is_named(make_benchmark: Any):
    with pytest.raises(DataError, match="names picture 2, and it has 1"):
        layout(make_benchmark, "See <image 2>")
    with pytest.raises(DataError, match="names picture 0"):
        layout(make_benchmark, "See <image 0>")
    assert layout(make_benchmark, "See <image 0>", "vlmeval") == ["Question: See ", "IMAGE", TAIL]


def hit(make_benchmark: Any, said: str, protocol: str, **cells: Cell) -> int:
    result = score_predictions(make_benchmark("MMMU_DEV_VAL", [OPEN | cells, CHOICE], protocol), {"0": said})
    return result.per_sample["0"]["hit"]


@pytest.mark.parametrize(
    ("answer", "reference", "corrected"),
    [
        ("7.5", 1, 1),
        ("A", 1, 0),  # the letter of an option that was never shown
        ("It is 7.499", 0, 1),
        ("7.5, not other answers", 0, 1),
        ("17.5", 1, 0),
    ],
)
def test_open_questions(make_benchmark: Any, answer: str, reference: int, corrected: int):
    assert hit(make_benchmark, answer, "vlmeval") == reference
    assert hit(make_benchmark, answer, "eyechart") == corrected


def test_lists_of_accepted_answers(make_benchmark: Any):
    assert hit(make_benchmark, "1/2", "eyechart", answer="['0.5', '1/2']") == 1
    assert hit(make_benchmark, "1/2", "vlmeval", answer="['0.5', '1/2']") == 0


def test_a_letter_as_the_answer_to_an_open_question(make_benchmark: Any):
    assert hit(make_benchmark, "B", "vlmeval", answer="B") == 1
    assert hit(make_benchmark, "the point is B", "eyechart", answer="B") == 1


def test_a_choice_whose_first_option_is_missing_stays_a_choice(make_benchmark: Any):
    row = CHOICE | {"A": None}
    result = score_predictions(make_benchmark("MMMU_DEV_VAL", [row]), {"0": "B"})
    assert (result.per_sample["0"]["rule"], result.per_sample["0"]["hit"]) == ("option", 1)


@pytest.mark.parametrize(("said", "letter"), [("7.5", "A"), ("dog", "Z"), ("other answers", "B"), ("boat", "C")])
def test_the_reference_takes_a_choice_whose_first_option_is_missing_for_an_open_question(
    make_benchmark: Any, said: str, letter: str
):
    rows = [CHOICE | {"A": None, "C": "boat", "answer": "7.5"}, CHOICE | {"C": "x"}]
    result = score_predictions(make_benchmark("MMMU_DEV_VAL", rows, "vlmeval"), {"0": said, "1": "text"})
    record = result.per_sample["0"]
    assert (record["letter"], record["hit"]) == (letter, int(letter == "A"))


def test_the_reference_reads_the_answer_of_an_open_question_back_from_the_spreadsheet(make_benchmark: Any):
    assert hit(make_benchmark, "the answer is 0", "vlmeval", answer="=5") == 1
    assert hit(make_benchmark, "the answer is =5", "vlmeval", answer="=5") == 0


def test_failed_requests_are_wrong(make_benchmark: Any):
    result = score_predictions(make_benchmark("MMMU_DEV_VAL", [OPEN | {"answer": "api"}]), {"0": None})
    assert (result.per_sample["0"]["rule"], result.per_sample["0"]["hit"]) == ("failed", 0)
