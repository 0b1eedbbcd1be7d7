"""Rank correlations with bootstrap intervals over architectures, and the best that a ranking can reach.

Kendall's tau-b and Spearman's rho know ties. Both are sums over pairs of architectures of the signs of their
differences, which makes them cheap for thousands of bootstrap samples: a sample is how often it holds every
architecture, and pairs are weighted by it. Of x alike in all architectures they are undefined, NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau, rankdata, spearmanr

from dnas.search.evolution.algorithm import FloatArray, IntArray

LEVEL = 0.95
RESAMPLES = 2000
FEWEST = 3
# Rows of the (n, n) signs that are in memory at once.
_ROWS = 256
# Simulated measurements that `best_tau` is a mean of.
DRAWS = 200


class Interval(NamedTuple):
    """A value and its interval at `LEVEL`; NaN where it is undefined."""

    value: float
    low: float
    high: float

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not np.isnan(self.value)

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]" if self.defined else "undefined"


@dataclass(frozen=True)
class Correlation:
    """Of n pairs of values.

    Attributes:
        taus: (B,) tau of every bootstrap sample; NaN where the sample is constant.
    """

    n: int
    tau: Interval
    rho: Interval
    taus: FloatArray = field(repr=False)


def resample(n: int, generator: np.random.Generator, samples: int = RESAMPLES) -> IntArray:
    """Draw bootstrap samples of n architectures: how often each holds every architecture, (samples, n)."""
    return generator.multinomial(n, np.full(n, 1 / n), size=samples)


def correlate(x: npt.ArrayLike, y: npt.ArrayLike, counts: IntArray) -> Correlation:
    """Correlate (n,) values, which may be infinite, with percentile intervals over bootstrap samples.

    Args:
        counts: (B, n) of `resample`; equal ones make correlations comparable, see `difference`.

    Raises:
        ValueError: fewer than 3 pairs, unequal lengths, or NaN.
    """
    pairs = np.array([x, y], dtype=np.float64)
    n = pairs.shape[1]
    if n < FEWEST:
        raise ValueError(f"A rank correlation needs at least {FEWEST} architectures, got {n}.")
    if np.isnan(pairs).any():
        raise ValueError("Values to correlate must not be NaN.")
    # Infinite values as the largest ones: scipy before 1.13 takes -inf beside inf for NaN.
    ranks = rankdata(np.nan_to_num(pairs), axis=1)
    taus, rhos = _of_samples(ranks[0], ranks[1], counts)
    if (np.ptp(ranks, axis=1) == 0).any():
        tau = rho = np.nan
    else:
        tau, rho = kendalltau(*ranks).statistic, spearmanr(*ranks).statistic
    return Correlation(n, _interval(tau, taus), _interval(rho, rhos), taus)


def difference(first: Correlation, second: Correlation) -> Interval:
    """The first tau minus the second, paired: both must be of the same bootstrap samples."""
    return _interval(first.tau.value - second.tau.value, first.taus - second.taus)


def percentiles(values: FloatArray) -> tuple[float, float]:
    """The interval at `LEVEL` of (B,) values, NaN left out; NaN if nothing is left."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _interval(value: float, resampled: FloatArray) -> Interval:
    return Interval(float(value), *(percentiles(resampled) if not np.isnan(value) else (np.nan, np.nan)))


def _of_samples(x: FloatArray, y: FloatArray, counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Tau-b and rho, (B,) each, of the samples that hold pair i ``counts[:, i]`` times.

    With s the signs of differences and w the counts: tau = sum w_i w_j sx_ij sy_ij, divided by the root of
    the same sums of sx^2 and of sy^2; the centred mid-rank of x_i in the sample is sum_j w_j sx_ij / 2.
    """
    weights = counts.astype(np.float64)
    concordance, rank_products = np.zeros((2, 3, len(weights)))
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        of_rows = weights[:, rows]
        signs = [np.sign(each[rows, None] - each) for each in (x, y)]
        ranks = [weights @ sign.T for sign in signs]
        for index, (a, b) in enumerate(((0, 1), (0, 0), (1, 1))):
            concordance[index] += (of_rows * (weights @ (signs[a] * signs[b]).T)).sum(axis=1)
            rank_products[index] += (of_rows * ranks[a] * ranks[b]).sum(axis=1)
    return _cosine(*concordance), _cosine(*rank_products)


def _cosine(xy: FloatArray, xx: FloatArray, yy: FloatArray) -> FloatArray:
    norm = np.sqrt(xx * yy)
    return np.divide(xy, norm, out=np.full_like(xy, np.nan), where=norm > 0)


def best_tau(
    top1: FloatArray, images: int, reference_images: int, generator: np.random.Generator
) -> Interval:
    """Estimate the tau of a ranker that knows every network, but sees it on a split of ``images`` images.

    The accuracies stand for the true ones, and every network errs independently on each image: the ranker
    measures Binomial(images, top1) / images. So does the reference, on its own images, where their number is
    known. Both assumptions are wrong a little, in opposite directions: measured accuracies differ more than
    true ones, and networks that err on the same images are easier to distinguish.

    Args:
        top1: (n,) stand-alone accuracies, fractions.
        reference_images: that these accuracies were measured on; 0, not known, takes them as they are.

    Returns:
        The mean over simulated measurements and the interval of single ones; undefined if all accuracies are
        equal.
    """
    if np.ptp(top1) == 0:
        return Interval(np.nan, np.nan, np.nan)
    taus = np.array([_tau(top1, images, reference_images, generator) for _ in range(DRAWS)])
    mean = float(np.nanmean(taus)) if not np.isnan(taus).all() else np.nan
    return Interval(mean, *percentiles(taus))


def _tau(top1: FloatArray, images: int, reference_images: int, generator: np.random.Generator) -> float:
    measured = generator.binomial(images, top1)
    reference = generator.binomial(reference_images, top1) if reference_images else top1
    # All alike by chance: nothing is ranked, and scipy would warn.
    if np.ptp(measured) == 0 or np.ptp(reference) == 0:
        return np.nan
    return float(kendalltau(measured, reference).statistic)
