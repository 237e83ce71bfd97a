"""How far two judges, or two verdicts of one judge, agree beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

__all__ = ["Agreement", "agreement", "mean_agreement"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on the answers that both could read.

    Attributes:
        n: number of these answers.
        agreed: share of them with the same verdict, None where there are none.
        kappa: Cohen's kappa, None where it is not defined: no answers, or one and the same verdict for all.
    """

    n: int
    agreed: float | None
    kappa: float | None


def agreement(pairs: Sequence[tuple[Hashable, Hashable]]) -> Agreement:
    r"""Returns the agreement of two raters.

    Cohen's kappa (J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement
    20, 1960): with the share :math:`p_o` of equal verdicts, and :math:`p_e` that of raters who give each verdict as
    often as these do but without regard to the answer,

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}

    Args:
        pairs: the verdicts of both on each answer.
    """
    n = len(pairs)
    if not n:
        return Agreement(0, None, None)
    equal = sum(one == other for one, other in pairs)
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    by_chance = sum(count * others[verdict] for verdict, count in ones.items())
    # In whole numbers, so that agreement by chance alone is exactly none.
    kappa = None if by_chance == n * n else (equal * n - by_chance) / (n * n - by_chance)
    return Agreement(n, equal / n, kappa)


def mean_agreement(ratings: Sequence[Sequence[Hashable | None]]) -> Agreement:
    """Returns the mean agreement of every two of several raters (Light's kappa, R. J. Light 1971).

    Args:
        ratings: for each rater the verdicts on the same answers, None for one that could not be read.
    """
    found = [
        agreement([(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None])
        for position, one in enumerate(ratings)
        for other in ratings[position + 1 :]
    ]
    return Agreement(
        max((a.n for a in found), default=0),
        _mean([a.agreed for a in found if a.agreed is not None]),
        _mean([a.kappa for a in found if a.kappa is not None]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
