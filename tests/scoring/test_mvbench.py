"""MVBench's options, its look at the first word, and its table."""

from __future__ import annotations

import pytest

from eyechart.scoring.mvbench import TaskRow, first_word_names, make_choice, task_table


def test_the_last_option_that_equals_the_answer_is_right() -> None:
    choice = make_choice(["cat", "dog", "cat"], "cat", as_text=True)
    assert (choice.options, choice.shown, choice.letter) == ({"A": "cat", "B": "dog", "C": "cat"}, "C", "C")


def test_an_answer_that_is_no_option_has_no_letter() -> None:
    assert make_choice(["cat", "dog"], "bird", as_text=True).shown == "@"
    choice = make_choice(["cat", "dog"], "bird", as_text=False)
    assert (choice.shown, choice.letter) == ("@", "bird")


def test_an_option_that_is_a_letter_takes_the_place_of_the_right_one_in_the_reference() -> None:
    # B is right at first; the third option's text is that letter.
    choice = make_choice(["x", "y", "B"], "y", as_text=False)
    assert (choice.shown, choice.letter) == ("B", "C")
    assert make_choice(["x", "y", "B"], "y", as_text=True).letter == "B"


def test_numbers_equal_texts_only_where_texts_are_compared() -> None:
    assert make_choice([3, 4], "4", as_text=True).shown == "B"
    assert make_choice([3, 4], "4", as_text=False).shown == "@"
    assert make_choice([3, 4], 4, as_text=False).shown == "B"
    assert make_choice([["a"], None], "None", as_text=True).options == {"A": "['a']", "B": "None"}


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("B", True),
        ("b", True),
        ("(B)", True),
        ("(b", True),
        ("B)", True),
        ("b.) dog", True),
        ("x(b)y", True),
        ("B\nbecause", False),
        ("**B**", False),
        ("A", False),
        # These name every option there is.
        ("(", True),
        (")", True),
        (".", True),
        ("", True),
    ],
)
def test_first_word(answer: str, named: bool) -> None:
    assert first_word_names(answer, "B") is named


def test_table() -> None:
    rows = [TaskRow("Count", hit, cluster) for hit, cluster in ((True, "a"), (True, "a"), (False, "b"))]
    table = task_table([*rows, TaskRow("Pose", True, "c")])
    assert [dict(row) for row in table.rows] == [
        {"task_type": "overall", "correct": 3, "total": 4, "accuracy": "75.00%"},
        {"task_type": "Count", "correct": 2, "total": 3, "accuracy": "66.67%"},
        {"task_type": "Pose", "correct": 1, "total": 1, "accuracy": "100.00%"},
    ]
    assert [(m.name, m.row, round(m.estimate.mean, 2), m.estimate.clusters) for m in table.metrics] == [
        ("Overall", "", 75.0, 3),
        ("Count", "task", 66.67, 2),
        ("Pose", "task", 100.0, 1),
    ]
    assert task_table([]).rows == ()
