from __future__ import annotations

import math

import pytest

from eyechart.records import Cell, Table
from eyechart.scoring.document_tables import DocumentRow, MeanRow, evidence_table, mean_table


def row(score: float = 1.0, **fields: object) -> DocumentRow:
    given: dict[str, object] = {
        "cluster": "d",
        "sources": frozenset(),
        "pages": None,
        "answerable": True,
        "claimed": True,
    }
    return DocumentRow(score, **{**given, **fields})  # type: ignore[arg-type]


def values(table: Table, column: str = "avg_score") -> dict[Cell, tuple[Cell, Cell]]:
    assert table.columns == ("category", "num", column)
    return {record["category"]: (record["num"], record[column]) for record in table.rows}


def test_means_have_a_row_each():
    rows = [MeanRow({"anls": 1.0, "F1": 1.5}, "a"), MeanRow({"anls": 0.5, "F1": 0.0}, "b")]
    table = mean_table(rows, ("anls", "F1"), column="avg")
    assert values(table, "avg") == {"anls": (2, 0.75), "F1": (2, 0.75)}
    assert [(m.name, m.row, m.estimate.clusters) for m in table.metrics] == [("avg", "anls", 2), ("avg", "F1", 2)]
    # Figures above 1, which only the reference has, are not cut off at 1.
    assert table.metrics[1].estimate.high is not None
    assert table.metrics[1].estimate.high > 1


def test_questions_about_one_document_are_one_cluster():
    rows = [MeanRow({"anls": k % 2}, "one document") for k in range(8)]
    (metric,) = mean_table(rows, ("anls",), column="avg").metrics
    assert (metric.estimate.clusters, metric.estimate.stderr) == (1, None)


def test_no_samples_have_no_interval():
    table = mean_table([], ("anls",), column="avg")
    assert (values(table, "avg"), table.metrics) == ({"anls": (0, None)}, ())
    empty = evidence_table([])
    assert {name for name, found in values(empty).items() if found == (0, None)} == {"overall_f1", "overall_acc"}
    assert list(values(empty).values()).count((0, 0.0)) == 8
    assert empty.metrics == ()


def test_kinds_of_evidence_and_numbers_of_pages():
    rows = [
        row(1.0, sources=frozenset({"Table", "Chart"}), pages=1),
        row(0.5, sources=frozenset({"Figure"}), pages=2),
        row(0.25, sources=frozenset({"Pure-text (Plain-text)", "Generalized-text (Layout)"}), pages=7),
        row(0.0, pages=0),
        row(0.0, sources=frozenset({"Sound"})),
    ]
    found = values(evidence_table(rows))
    assert list(found) == [
        "overall_f1", "overall_acc", "text", "layout", "table", "chart", "image",
        "single-page", "multi-page", "unanswerable",
    ]  # fmt: skip
    assert found["overall_acc"] == (5, 0.35)
    assert [found[name] for name in ("text", "layout", "table", "chart", "image")] == [
        (1, 0.25), (1, 0.25), (1, 1.0), (1, 1.0), (1, 0.5),
    ]  # fmt: skip
    assert [found[name] for name in ("single-page", "multi-page", "unanswerable")] == [(1, 1.0), (2, 0.375), (1, 0.0)]


def test_f1_is_made_of_what_is_answerable_and_what_is_claimed():
    rows = [
        row(1.0),
        row(0.5),
        row(0.0, claimed=False),
        row(1.0, answerable=False, claimed=False),
        row(0.0, answerable=False),
    ]
    recall, precision = 1.5 / 3, 1.5 / 3
    assert values(evidence_table(rows))["overall_f1"] == (
        5,
        pytest.approx(2 * recall * precision / (recall + precision)),
    )
    uneven = [*rows, row(0.0, answerable=False)]
    precision = 1.5 / 4
    (_, f1) = values(evidence_table(uneven))["overall_f1"]
    assert f1 == pytest.approx(2 * recall * precision / (recall + precision))


@pytest.mark.parametrize(
    "rows",
    [
        [row(1.0, answerable=False, claimed=False)],
        [row(0.0)],
        [row(0.0, claimed=False)],
        [row(0.0, answerable=False)],
    ],
)
def test_f1_is_0_where_the_reference_divides_by_zero(rows: list[DocumentRow]):
    assert values(evidence_table(rows))["overall_f1"] == (1, 0.0)


def test_the_interval_of_f1_is_that_of_a_jackknife_over_documents():
    rows = [row(float(k % 3 > 0), cluster=str(k // 2), claimed=k % 5 > 0) for k in range(30)]
    (metric,) = (m for m in evidence_table(rows).metrics if m.row == "overall_f1")
    found = metric.estimate
    assert (found.n, found.clusters) == (30, 15)
    assert found.stderr is not None
    assert found.low is not None
    assert 0 < found.stderr < 0.3
    assert found.low < found.mean
    assert math.isclose(found.mean, 2 * (20 / 30) * (16 / 24) / (20 / 30 + 16 / 24))
