"""Means and other figures with their uncertainty, where samples that share a picture are not independent."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeVar

from ..records import Estimate

__all__ = ["estimate", "estimate_ratio", "jackknife", "mean_of_means", "t_quantile", "wilson"]

_Number = TypeVar("_Number", int, float)
_Z: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
_T: Final = (
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
    2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963,
    2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.045230, 2.042272,
)  # fmt: skip
"""The 97.5 % quantiles of Student's t with 1 to 30 degrees of freedom."""


def estimate(values: Sequence[float], clusters: Sequence[Hashable], *, scale: float = 1.0) -> Estimate:
    r"""Returns the mean of values between 0 and 1, its standard error and its 95 % interval.

    With the mean :math:`\bar x` of n values in G clusters, the standard error is the cluster-robust one (Liang and
    Zeger 1986, with the small-sample factor G/(G-1)):

    .. math:: s^2 = \frac{G}{G-1} \frac{1}{n^2} \sum_g \Big(\sum_{i \in g} (x_i - \bar x)\Big)^2

    With clusters of one this is the ordinary standard error. For values that are all 0 or 1 the interval is Wilson's
    (1927) with the effective sample size :math:`n \cdot s_0^2 / s^2`, at most n, where
    :math:`s_0^2 = \bar x (1 - \bar x) / (n - 1)` is the variance of independent samples (Kish 1965; Korn and Graubard
    1998); where all values are equal the effective size is G. For other values it is
    :math:`\bar x \pm t_{G-1} s`. Both stay within the range of the values.

    Args:
        values: the points, each between 0 and 1, at least one.
        clusters: the picture that each value belongs to.
        scale: factor of the result's units, 100 for percentages.
    """
    n = len(values)
    mean = math.fsum(values) / n
    residuals: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        residuals[cluster] = residuals.get(cluster, 0.0) + (value - mean)
    groups = len(residuals)
    if groups < 2:  # noqa: PLR2004 - one group says nothing about the spread between groups
        return Estimate(mean * scale, n, groups, None, None, None)
    variance = groups / (groups - 1) * math.fsum(r * r for r in residuals.values()) / n**2
    if all(value in (0, 1) for value in values):
        low, high = wilson(mean, _effective_size(mean, n, groups, variance))
    else:
        reach = t_quantile(groups - 1) * math.sqrt(variance)
        low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    return Estimate(mean * scale, n, groups, math.sqrt(variance) * scale, low * scale, high * scale)


def mean_of_means(groups: Sequence[tuple[Sequence[float], Sequence[Hashable]]]) -> Estimate:
    r"""Returns the unweighted mean of the means of several groups, its standard error and its 95 % interval.

    With k groups of :math:`n_j` values the influence of a value is :math:`(x_i - \bar x_j) / (k n_j)`; the standard
    error is the cluster-robust one of their sum, as of `estimate`, and the interval :math:`\bar x \pm t_{G-1} s`.

    Args:
        groups: for each group its values, between 0 and 1 and at least one, and their clusters.
    """
    means = [math.fsum(values) / len(values) for values, _ in groups]
    mean = sum(means) / len(means)
    influence: dict[Hashable, float] = {}
    for (values, clusters), own in zip(groups, means, strict=True):
        for value, cluster in zip(values, clusters, strict=True):
            influence[cluster] = influence.get(cluster, 0.0) + (value - own) / (len(means) * len(values))
    n, g = sum(len(values) for values, _ in groups), len(influence)
    if g < 2:  # noqa: PLR2004 - one cluster says nothing about the spread between clusters
        return Estimate(mean, n, g, None, None, None)
    stderr = math.sqrt(g / (g - 1) * math.fsum(r * r for r in influence.values()))
    reach = t_quantile(g - 1) * stderr
    return Estimate(mean, n, g, stderr, max(0.0, mean - reach), min(1.0, mean + reach))


def estimate_ratio(
    values: Sequence[float], references: Sequence[float], clusters: Sequence[Hashable], *, scale: float = 1.0
) -> Estimate | None:
    r"""Returns the ratio of two means, its standard error and its 95 % interval; None where there is no finite ratio.

    The standard error is that of the delta method (Cochran 1977, chapter 6), summed over clusters (Binder 1983). With
    :math:`R = \bar y / \bar x`, the ratio of the means of m values and k references in G clusters:

    .. math:: s^2 = \frac{G}{G-1} \frac{1}{\bar x^2} \sum_g \Big(\sum_{i \in g}
        \frac{y_i - \bar y}{m} - R \frac{x_i - \bar x}{k}\Big)^2

    The interval is :math:`R \pm t_{G-1} s`, and nothing below 0 where no value is negative. With references that are
    all 1 it is the interval of a mean without bounds.

    Args:
        values: what is compared; NaN for one that is missing.
        references: what it is compared with; NaN for one that is missing.
        clusters: the picture that each pair belongs to.
        scale: factor of the result's units, 100 for percentages.
    """
    known = [value for value in values if not math.isnan(value)]
    compared = [reference for reference in references if not math.isnan(reference)]
    if not known or not compared:
        return None
    mean, base = sum(known) / len(known), sum(compared) / len(compared)
    ratio = mean / base if base else math.nan
    shares: dict[Hashable, float] = {}
    for value, reference, cluster in zip(values, references, clusters, strict=True):
        if math.isnan(value) and math.isnan(reference):
            continue
        share = 0.0 if math.isnan(value) else (value - mean) / len(known)
        share -= 0.0 if math.isnan(reference) else ratio * (reference - base) / len(compared)
        shares[cluster] = shares.get(cluster, 0.0) + share
    groups = len(shares)
    spread = sum(share * share for share in shares.values())
    if not (math.isfinite(ratio) and math.isfinite(spread)):
        return None
    if groups < 2:  # noqa: PLR2004 - one group says nothing about the spread between groups
        return Estimate(ratio * scale, len(known), groups, None, None, None)
    error = math.sqrt(groups / (groups - 1) * spread) / abs(base)
    reach = t_quantile(groups - 1) * error
    low = ratio - reach if min(*known, *compared) < 0 else max(0.0, ratio - reach)
    return Estimate(ratio * scale, len(known), groups, error * scale, low * scale, (ratio + reach) * scale)


def jackknife(
    statistic: Callable[[tuple[_Number, ...]], Sequence[float]],
    counts: Sequence[tuple[_Number, ...]],
    clusters: Sequence[Hashable],
    *,
    scale: float = 1.0,
) -> list[Estimate]:
    r"""Returns figures between 0 and 1 that are computed from sums over samples, as corpus BLEU is.

    Standard errors are those of the jackknife that leaves out one cluster at a time (Tukey 1958; Efron and Stein
    1981): with the figure :math:`\theta_g` without cluster g, of G, and their mean :math:`\bar\theta`

    .. math:: s^2 = \frac{G - 1}{G} \sum_g (\theta_g - \bar\theta)^2

    The interval is :math:`\theta \pm t_{G-1} s`, within 0 and 1. For a mean over samples in clusters of one this is
    what `estimate` returns. `Estimate.mean` is the figure itself.

    Args:
        statistic: computes the figures, always equally many, from the sums.
        counts: what each sample adds to each of the sums; at least one sample.
        clusters: the picture that each sample belongs to.
        scale: factor of the result's units, 100 for percentages.
    """
    parts: dict[Hashable, tuple[_Number, ...]] = {}
    for added, cluster in zip(counts, clusters, strict=True):
        parts[cluster] = _sums(parts[cluster], added) if cluster in parts else added
    n, groups = len(counts), len(parts)
    whole = tuple(map(sum, zip(*parts.values(), strict=True)))
    values = statistic(whole)
    if groups < 2:  # noqa: PLR2004 - one group says nothing about the spread between groups
        return [Estimate(value * scale, n, groups, None, None, None) for value in values]
    without = [statistic(tuple(map(operator.sub, whole, part))) for part in parts.values()]
    found = []
    for value, left in zip(values, zip(*without, strict=True), strict=True):
        centre = math.fsum(left) / groups
        stderr = math.sqrt((groups - 1) / groups * math.fsum((other - centre) ** 2 for other in left))
        reach = t_quantile(groups - 1) * stderr
        low, high = max(0.0, value - reach), min(1.0, value + reach)
        found.append(Estimate(value * scale, n, groups, stderr * scale, low * scale, high * scale))
    return found


def _sums(one: tuple[_Number, ...], other: tuple[_Number, ...]) -> tuple[_Number, ...]:
    return tuple(map(operator.add, one, other))


def _effective_size(mean: float, n: int, groups: int, variance: float) -> float:
    independent = mean * (1 - mean) / (n - 1)
    if independent == 0:
        return groups
    return min(float(n), n * independent / variance) if variance > 0 else float(n)


def wilson(p: float, n: float) -> tuple[float, float]:
    """Returns Wilson's (1927) 95 % score interval of a proportion p among n."""
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return max(0.0, min(p, centre - reach)), min(1.0, max(p, centre + reach))


def t_quantile(degrees: int) -> float:
    """Returns the 97.5 % quantile of Student's t.

    From a table up to 30 degrees of freedom, beyond by the expansion of Cornish and Fisher in 1/degrees
    (Abramowitz and Stegun, 26.7.5), whose error is below 1e-6 there.
    """
    if degrees <= len(_T):
        return _T[degrees - 1]
    z = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / float(degrees) ** power for power, term in enumerate(terms, 1))
