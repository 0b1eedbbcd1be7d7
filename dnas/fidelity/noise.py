"""How well any ranking can do where accuracies are measured on few images."""

from __future__ import annotations

import numpy as np
from scipy.stats import kendalltau

from dnas.fidelity.correlation import Interval, percentiles
from dnas.search.evolution.algorithm import FloatArray

DRAWS = 200


def best_tau(
    top1: FloatArray, images: int, reference_images: int, generator: np.random.Generator
) -> Interval:
    """Estimate the tau of a ranker that knows every network, but sees it on a split of ``images`` images.

    The accuracies stand for the true ones, and every network errs independently on each image: the ranker
    measures Binomial(images, top1) / images. So does the reference, on its own images, where their number is
    known. Both assumptions are wrong a little, in opposite directions: measured accuracies differ more than
    true ones, and networks that err on the same images are told apart more easily.

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
