"""Video-MME: the reference's first capital, options from where they stand, and the table by length of video."""

from __future__ import annotations

import pytest

from eyechart.scoring.video_mme import (
    GROUPS,
    DurationRow,
    duration_table,
    first_capital,
    options_in_question,
    options_of,
)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("C", "C"),
        ("The answer is C.", "C"),
        ("Answer: D", "D"),
        ("Best: C", "B"),
        ("Answer is B", "A"),
        ("Failed to obtain answer via API.", "A"),
        ("Cannot say", "C"),
        ("d", None),
        ("the weather", None),
        ("", None),
        # Two phrases are glued together in the reference's list and never match.
        ("Best answer: D", "B"),
        ("The best option is D", "D"),
    ],
)
def test_first_capital(answer: str, letter: str | None) -> None:
    assert first_capital(answer) == letter


def test_options_in_a_question() -> None:
    question = "Which one?\nA. grey stone.\nsee B. old clock \nC blue drum\nD. empty cup"
    assert options_in_question(question) == {"A": "grey stone", "B": "old clock", "D": "empty cup"}
    assert options_in_question("Which one?") == {}


def test_options_of_their_own_column() -> None:
    assert options_of(["A. grey stone.", "B) old clock", "plain", "C. not its letter", 5]) == {
        "A": "grey stone",
        "B": "old clock",
        "C": "plain",
        "D": "C. not its letter",
        "E": "5",
    }


def row(points: float, duration: str, domain: str, cluster: str = "v") -> DurationRow:
    return DurationRow(
        points, cluster, duration, {"domain": domain, "sub_category": "Law", "task_type": "OCR Problems"}
    )


def test_table() -> None:
    table = duration_table([row(1, "short", "Knowledge"), row(0, "short", "Knowledge", "w"), row(1, "long", "Sea")])
    assert table.columns == ("category", "short", "medium", "long", "overall")
    rows = {r["category"]: r for r in table.rows}
    assert len(rows) == 1 + sum(map(len, GROUPS.values())) + 1
    assert dict(rows["overall"]) == {
        "category": "overall",
        "short": "0.500",
        "medium": "nan",
        "long": "1.000",
        "overall": "0.667",
    }
    assert (rows["domain|Knowledge"]["overall"], rows["domain|Sea"]["long"]) == ("0.500", "1.000")
    assert rows["domain|Life Record"]["overall"] == "nan"
    assert next(iter(table.rows))["category"] == "overall"
    first = table.metrics[0]
    assert (first.name, first.row, round(first.estimate.mean, 1), first.estimate.n) == ("Overall", "", 66.7, 3)
    assert {(m.name, m.row) for m in table.metrics} == {
        ("Overall", ""),
        ("short", "duration"),
        ("long", "duration"),
        ("Knowledge", "domain"),
        ("Sea", "domain"),
        ("Law", "sub_category"),
        ("OCR Problems", "task_type"),
    }


def test_a_length_that_is_not_known_has_a_column_of_its_own() -> None:
    table = duration_table([row(1, "endless", "Knowledge")])
    assert table.columns == ("category", "short", "medium", "long", "endless", "overall")
    assert table.rows[0]["endless"] == table.rows[0]["overall"] == "1.000"
