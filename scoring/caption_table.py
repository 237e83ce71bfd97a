"""The result table of captions: CIDEr-D, ROUGE-L and BLEU over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..records import Metric, Table
from .captions import ORDERS, BleuCounts, bleu
from .stats import estimate, jackknife

__all__ = ["CaptionRow", "caption_table"]

_COLUMNS: Final = ("CIDEr", "ROUGE_L", *(f"Bleu_{order}" for order in ORDERS))
_BEST_CIDER: Final = 10.0
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """A scored caption on its way into the table.

    Attributes:
        cider: CIDEr-D, 0 to 10 (`scoring.captions.cider`).
        rouge_l: ROUGE-L, 0 to 1.
        counts: what it adds to BLEU (`scoring.captions.bleu_counts`).
        cluster: equal for samples that show the same picture.
    """

    cider: float
    rouge_l: float
    counts: BleuCounts
    cluster: str


def caption_table(rows: Sequence[CaptionRow]) -> Table:
    """Builds the table: one row, every figure times 100, so that CIDEr is 0 to 1000 and the others are percentages.

    Columns: ``CIDEr``, ``ROUGE_L``, ``Bleu_1`` to ``Bleu_4``, named as in the COCO caption evaluation. The reference
    writes no table but a mapping whose ``Bleu`` holds a list of four. CIDEr and ROUGE-L are means over captions; the
    standard errors of BLEU, which is one figure of them all, are those of a jackknife.
    """
    if not rows:
        return Table(_COLUMNS, (dict.fromkeys(_COLUMNS),), ())
    clusters = [row.cluster for row in rows]
    found = (
        estimate([row.cider / _BEST_CIDER for row in rows], clusters, scale=_BEST_CIDER * _PERCENT),
        estimate([row.rouge_l for row in rows], clusters, scale=_PERCENT),
        *jackknife(bleu, [row.counts for row in rows], clusters, scale=_PERCENT),
    )
    metrics = tuple(Metric(name, "", value) for name, value in zip(_COLUMNS, found, strict=True))
    return Table(_COLUMNS, ({metric.name: metric.estimate.mean for metric in metrics},), metrics)
