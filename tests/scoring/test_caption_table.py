from __future__ import annotations

import pytest

from eyechart.scoring.caption_table import CaptionRow, caption_table
from eyechart.scoring.captions import bleu

GOOD = (4, 4, 4, 3, 2, 1, 4, 3, 2, 1)
POOR = (6, 4, 6, 5, 4, 3, 3, 1, 1, 0)


def test_every_figure_is_times_a_hundred_and_has_its_uncertainty():
    table = caption_table(
        [CaptionRow(10.0, 1.0, GOOD, "a"), CaptionRow(1.0, 0.25, POOR, "b"), CaptionRow(4.0, 0.25, POOR, "c")]
    )
    assert table.columns == ("CIDEr", "ROUGE_L", "Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")
    (row,) = table.rows
    assert tuple(row) == table.columns
    assert row["CIDEr"] == pytest.approx(500)
    assert row["ROUGE_L"] == pytest.approx(50)
    together = (16, 12, 16, 13, 10, 7, 10, 5, 4, 1)
    assert [row[f"Bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx([100 * value for value in bleu(together)])
    found = {metric.name: metric.estimate for metric in table.metrics}
    assert tuple(found) == table.columns
    assert {name: estimate.mean for name, estimate in found.items()} == row
    assert found["CIDEr"].stderr == pytest.approx(264.5751, abs=1e-3)
    assert found["ROUGE_L"].stderr == pytest.approx(25)
    assert all(e.n == 3 and e.low is not None and e.high is not None for e in found.values())
    assert all(e.high <= (1000 if name == "CIDEr" else 100) for name, e in found.items())


def test_captions_of_one_picture_are_one_cluster():
    table = caption_table([CaptionRow(10.0, 1.0, GOOD, "a"), CaptionRow(1.0, 0.25, POOR, "a")])
    assert {(m.estimate.n, m.estimate.clusters, m.estimate.stderr) for m in table.metrics} == {(2, 1, None)}


def test_no_rows():
    table = caption_table([])
    assert table.rows == (dict.fromkeys(table.columns),)
    assert table.metrics == ()
