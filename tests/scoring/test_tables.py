from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from eyechart.errors import DataError
from eyechart.records import Cell
from eyechart.scoring.mmt import mmt_table
from eyechart.scoring.ocrbench import accepted_texts, contains_answer, points_table
from eyechart.scoring.tables import Row, group_table, plain_table, stacked, vqa_table

FORMULAS = "Handwritten Mathematical Expression Recognition"


def rows(*samples: tuple[float, Mapping[str, Cell]]) -> list[Row]:
    return [Row(points, str(k), cells) for k, (points, cells) in enumerate(samples)]


def test_plain_without_groups():
    table = plain_table(rows((1, {}), (0, {})), nan_splits=False, stored=False)
    assert table.columns == ("split", "Overall")
    assert table.rows == ({"split": "none", "Overall": 0.5},)
    assert [(m.name, m.row, m.estimate.mean, m.estimate.n) for m in table.metrics] == [("Overall", "none", 0.5, 2)]


def test_plain_with_all_groups():
    table = plain_table(
        rows(
            (1, {"split": "dev", "l2-category": "logic_reasoning", "category": "b"}),
            (0, {"split": "test", "l2-category": "coarse_perception", "category": "a"}),
            (1, {"split": "test", "l2-category": "logic_reasoning", "category": "b"}),
        ),
        nan_splits=False,
        stored=False,
    )
    # sorted by the original names: coarse_perception before logic_reasoning
    assert table.columns == ("split", "Overall", "CP", "LR", "a", "b")
    assert {r["split"]: r for r in table.rows} == {
        "dev": {"split": "dev", "Overall": 1, "CP": None, "LR": 1, "a": None, "b": 1},
        "test": {"split": "test", "Overall": 0.5, "CP": 0, "LR": 1, "a": 0, "b": 1},
    }


def test_abbreviations_of_both_levels():
    names = {
        "attribute_reasoning": "AR",
        "coarse_perception": "CP",
        "finegrained_perception (cross-instance)": "FP-C",
        "finegrained_perception (instance-level)": "FP-S",
        "logic_reasoning": "LR",
        "relation_reasoning": "RR",
    }
    for group in ("l2-category", "category"):
        table = plain_table(rows(*[(1, {group: name}) for name in names]), nan_splits=False, stored=False)
        assert table.columns == ("split", "Overall", *names.values())


def test_groups_of_one_column_are_read_from_a_spreadsheet_in_the_reference():
    samples = rows((1, {"department": "05"}), (0, {"department": "7"}), (0, {"department": None}))
    reference = group_table(samples, "department", nan_splits=True, stored=True)
    assert reference.columns == ("split", "Overall", "5.0", "7.0", "None")
    assert reference.rows[0]["None"] is None
    corrected = group_table(samples, "department", nan_splits=False, stored=False)
    assert corrected.columns == ("split", "Overall", "05", "7")


def test_stacked_tables_keep_rows_of_missing_splits_without_a_name():
    samples = rows((1, {"split": "dev"}), (0, {"split": None}))
    table = plain_table(samples, nan_splits=True, stored=False)
    assert [record["split"] for record in stacked({"all": table}).rows] == ["all_dev", None]


def test_a_category_named_like_an_l2_category_takes_its_column():
    table = plain_table(
        rows((1, {"l2-category": "x", "category": "y"}), (0, {"l2-category": "y", "category": "x"})),
        nan_splits=True,
        stored=True,
    )
    assert table.columns == ("split", "Overall", "x", "y")
    assert table.rows == ({"split": "none", "Overall": 0.5, "x": 0, "y": 1},)


def test_missing_splits_follow_the_protocol():
    samples = rows((1, {"split": "dev"}), (1, {"split": None}), (0, {"split": None}))
    corrected = plain_table(samples, nan_splits=False, stored=False)
    assert [(r["split"], r["Overall"]) for r in corrected.rows] == [("dev", 1), ("none", 0.5)]
    reference = plain_table(samples, nan_splits=True, stored=True)
    assert [(r["split"], r["Overall"]) for r in reference.rows] == [("dev", 1), (None, None)]
    numbers = rows((1, {"split": "2"}), (1, {"split": None}), (0, {"split": None}))
    reference = plain_table(numbers, nan_splits=True, stored=True)
    assert [(r["split"], r["Overall"]) for r in reference.rows] == [(2.0, 1), (None, None), (None, None)]


def test_a_sample_without_category_counts_in_overall_alone():
    table = plain_table(rows((1, {"category": "a"}), (0, {"category": None})), nan_splits=True, stored=True)
    assert table.rows == ({"split": "none", "Overall": 0.5, "a": 1},)


def test_categories_that_are_all_missing_make_one_empty_column():
    samples = rows((1, {"category": None}), (0, {"category": None}))
    assert plain_table(samples, nan_splits=True, stored=True).rows == ({"split": "none", "Overall": 0.5, "nan": None},)
    assert plain_table(samples, nan_splits=False, stored=False).rows == ({"split": "none", "Overall": 0.5},)


def test_numeric_categories_are_sorted_as_numbers_and_read_again():
    samples = rows((1, {"category": "10"}), (0, {"category": "9"}))
    assert plain_table(samples, nan_splits=True, stored=True).columns == ("split", "Overall", "9", "10")
    assert plain_table(samples, nan_splits=False, stored=False).columns == ("split", "Overall", "10", "9")


@pytest.mark.parametrize("nan_splits", [True, False])
def test_names_taken_for_groups_make_no_endless_table(nan_splits: bool):
    samples = rows(*[(1.0, {"split": f"s{k}", "category": f"c{k}"}) for k in range(1200)])
    with pytest.raises(DataError, match="1,200 splits and more than 8"):
        plain_table(samples, nan_splits=nan_splits, stored=False)
    with pytest.raises(DataError, match="1,201 splits"):
        mmt_table(samples, nan_splits=nan_splits, stored=False)
    many = [row for row in samples if row.cells["split"] == "s7"] * 3
    assert len(plain_table(many, nan_splits=nan_splits, stored=False).columns) == 3


def test_no_rows():
    assert plain_table([], nan_splits=True, stored=True).rows == ({"split": "none", "Overall": None},)
    assert vqa_table([], nan_column=True).rows == ({"Overall": None},)


def test_vqa_by_split():
    samples = rows(
        (1, {"split": "human", "category": "x"}),
        (0.5, {"split": "augmented", "category": "y"}),
        (0, {"split": None, "category": "y"}),
    )
    table = vqa_table(samples, nan_column=True)
    assert table.rows == ({"human": 100, "augmented": 50, "nan": None, "Overall": 50},)
    assert table.columns[-1] == "Overall"
    assert "nan" not in vqa_table(samples, nan_column=False).columns
    assert {m.name: m.estimate.n for m in table.metrics} == {"human": 1, "augmented": 1, "Overall": 3}


def test_vqa_by_category():
    table = vqa_table(rows((1, {"category": "b"}), (0, {"category": "a"}), (1, {"category": None})), nan_column=True)
    assert table.columns == ("Overall", "a", "b")
    assert table.rows[0]["a"] == 0
    assert table.rows[0]["Overall"] == pytest.approx(200 / 3)


def test_vqa_categories_that_can_be_sorted_beside_missing_ones():
    numbers = rows((1, {"category": 2.0}), (0, {"category": None}))
    assert vqa_table(numbers, nan_column=True).rows == ({"Overall": 50, "2.0": 100, "nan": None},)
    none_at_all = rows((1, {"category": None}), (0, {"category": None}))
    assert vqa_table(none_at_all, nan_column=True).rows == ({"Overall": 50, "nan": None},)
    assert vqa_table(none_at_all, nan_column=False).rows == ({"Overall": 50},)


def test_a_value_that_is_no_number_empties_its_cells():
    table = vqa_table(rows((math.nan, {"category": "a"}), (1, {"category": "b"})), nan_column=True)
    assert table.rows == ({"Overall": None, "a": None, "b": 100},)
    assert [m.name for m in table.metrics] == ["b"]


def test_ocrbench_points():
    samples = rows(
        (1, {"category": "Digit String Recognition"}),
        (1, {"category": "Handwriting Recognition"}),
        (0, {"category": "Doc-oriented VQA"}),
        (1, {"category": FORMULAS}),
        (0, {"category": "unheard of"}),
    )
    table = points_table(samples)
    assert table.columns == (
        "Text Recognition",
        "Scene Text-centric VQA",
        "Doc-oriented VQA",
        "Key Information Extraction",
        FORMULAS,
        "Final Score",
        "Final Score Norm",
    )
    assert list(table.rows[0].values()) == [2, 0, 0, 0, 1, 3, 0.3]
    means = {m.name: m.estimate.mean for m in table.metrics}
    assert means == {
        "Text Recognition": 2,
        "Doc-oriented VQA": 0,
        FORMULAS: 1,
        "Final Score": 3,
        "Final Score Norm": pytest.approx(0.3),
    }


def test_ocrbench_point_of_an_unknown_category():
    with pytest.raises(DataError, match="unheard of"):
        points_table(rows((1, {"category": "unheard of"})))


@pytest.mark.parametrize(
    ("prediction", "answer", "category", "right"),
    [
        ("on May 12, 1999", "May 12", "Doc-oriented VQA", True),
        ("EYES", "yes", "Doc-oriented VQA", True),
        ("line\none", "line one", "Doc-oriented VQA", True),
        ("$\\frac{a}{b}$", "\\frac { a } { b }", FORMULAS, True),
        ("X", "x", FORMULAS, False),
        ("a\tb", "a b", FORMULAS, False),
        ("nan", "x", "Doc-oriented VQA", False),
    ],
)
def test_ocrbench_contains(prediction: str, answer: str, category: str, right: bool):
    assert contains_answer(prediction, ["zzz", answer], category, empty_everywhere=True) is right


def test_ocrbench_answers_are_literals():
    assert accepted_texts("['a', 5]") == ["a", "5"]
    assert accepted_texts("'ab'") == ["a", "b"]
    for text in ("plain", "5", "open('x')", "nan"):
        with pytest.raises(DataError, match="no Python list"):
            accepted_texts(text)
