from __future__ import annotations

import math

import pytest

from eyechart.errors import DataError
from eyechart.records import Cell, Table
from eyechart.scoring.hallusion_bench import Place, hallusion_table, place_of
from eyechart.scoring.yes_no import Answered


def row(index: str, right: bool, **cells: Cell) -> tuple[Place, Answered]:
    category, kind = index.split("_")[:2]
    groups = {"category": category, "l2-category": kind} | {k.replace("l2", "l2-category"): v for k, v in cells.items()}
    return place_of(index, six_parts=True), Answered("Yes", "Yes" if right else "No", index, groups)


def table(*rows: tuple[Place, Answered], across: bool = False, nan: bool = False) -> Table:
    return hallusion_table(rows, across_categories=across, nan_splits=nan)


def values(found: Table) -> dict[Cell, tuple[Cell, ...]]:
    return {r["split"]: (r["aAcc"], r["fAcc"], r["qAcc"]) for r in found.rows}


def test_places():
    assert place_of("VD_illusion_1_0_2_3", six_parts=True) == Place(set="0", figure="2", question="3")
    assert place_of("VD_il_lusion_1_0_2_3", six_parts=False) == Place("1", "0", "2")  # shifted, as in the reference
    with pytest.raises(DataError, match="7 parts"):
        place_of("VD_il_lusion_1_0_2_3", six_parts=True)
    for six_parts in (False, True):
        with pytest.raises(DataError, match="'7' has 1 parts"):
            place_of("7", six_parts=six_parts)


def test_a_group_is_right_when_all_its_rows_are():
    found = table(
        row("VD_math_1_0_0_0", True),
        row("VD_math_1_0_0_1", True),
        row("VD_math_2_0_1_0", True),
        row("VD_math_2_0_1_1", False),
        row("VD_math_2_1_0_0", True),
    )
    # figures 0/0, 0/1, 1/0; questions 0/0, 0/1, 1/0
    assert values(found)["Overall"] == (80, pytest.approx(200 / 3), pytest.approx(200 / 3))
    assert {m.name: (m.estimate.n, m.estimate.clusters) for m in found.metrics if m.row == "Overall"} == {
        "aAcc": (5, 5),
        "fAcc": (3, 2),
        "qAcc": (3, 2),
    }


def test_figures_and_questions_are_told_apart():
    found = table(row("VD_math_1_0_0_0", True), row("VD_math_1_0_0_1", False), row("VD_math_1_0_0_2", False))
    assert values(found)["Overall"] == (pytest.approx(100 / 3), 0, pytest.approx(100 / 3))
    found = table(row("VD_math_1_0_0_0", True), row("VD_math_1_0_1_0", False), row("VD_math_1_0_2_0", False))
    assert values(found)["Overall"] == (pytest.approx(100 / 3), pytest.approx(100 / 3), 0)


def test_the_visual_part_does_not_matter():
    found = table(row("VD_math_1_0_0_0", True), row("VD_math_2_0_0_0", False))
    assert values(found)["Overall"] == (50, 0, 0)


def test_equal_sets_of_two_categories_are_one_group_in_the_reference_alone():
    rows = [row("VD_ocr_1_0_0_0", True), row("VS_ocr_1_0_0_0", False)]
    assert values(table(*rows)) == {
        "Overall": (50, 50, 50),
        "VD": (100, 100, 100),
        "VS": (0, 0, 0),
        "ocr": (50, 50, 50),
    }
    reference = values(table(*rows, across=True))
    assert reference["Overall"] == reference["ocr"] == (50, 0, 0)
    assert reference["VD"] == (100, 100, 100)


def test_rows_stand_in_order_of_appearance():
    found = table(row("VS_map_1_0_0_0", True), row("VD_ocr_1_0_0_0", True), row("VS_chart_1_0_0_0", True))
    assert [r["split"] for r in found.rows] == ["Overall", "VS", "VD", "map", "ocr", "chart"]
    assert found.columns == ("split", "aAcc", "fAcc", "qAcc")
    assert (found.metrics[0].name, found.metrics[0].row) == ("aAcc", "Overall")


def test_missing_categories():
    rows = [row("VD_math_1_0_0_0", True), row("VD_math_1_0_0_1", False, category=None, l2=None)]
    ours = table(*rows)
    assert values(ours) == {"Overall": (50, 50, 50), "VD": (100, 100, 100), "math": (100, 100, 100)}
    reference = table(*rows, across=True, nan=True)
    assert [r["split"] for r in reference.rows] == ["Overall", "VD", None, "math", None]
    assert reference.rows[2] == {"split": None, "aAcc": None, "fAcc": None, "qAcc": None}
    assert len(reference.metrics) == 9


def test_groups_of_one_set_are_one_cluster():
    # Two sets of two figures, all right in the one and all wrong in the other: two independent observations, not four.
    found = table(*(row(f"VD_math_1_{s}_{f}_0", s == 0) for s in (0, 1) for f in (0, 1)))
    overall = {m.name: m.estimate for m in found.metrics if m.row == "Overall"}
    assert overall["fAcc"].stderr == pytest.approx(50)
    assert overall["qAcc"].stderr == pytest.approx(50)
    assert overall["aAcc"].stderr == pytest.approx(100 * math.sqrt(1 / 3 / 4))


def test_no_rows():
    found = table(nan=True)
    assert found.rows == ({"split": "Overall", "aAcc": None, "fAcc": None, "qAcc": None},)
    assert found.metrics == ()
