"""Mean over seeds with its t-interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.stats import t

from dnas.compare.model import Cost, Estimate

LEVEL = 0.95


def estimate(values: Sequence[float | None]) -> Estimate:
    """Estimate the mean from one value per seed.

    A seed without a value leaves the mean open: a mean of the others would favour a method for failing. One
    seed gives no interval, since nothing is known of the spread.
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Estimate(None, None, None, tuple(values))
    mean = fmean(known)
    if len(known) == 1:
        return Estimate(mean, None, None, tuple(values))
    reach = float(t.ppf((1 + LEVEL) / 2, len(known) - 1)) * stdev(known) / math.sqrt(len(known))
    return Estimate(mean, mean - reach, mean + reach, tuple(values))


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Mean of every part of the cost that all runs tell."""
    return Cost(
        seconds=estimate([cost.seconds for cost in costs]).mean,
        images=estimate([cost.images for cost in costs]).mean,
        evaluations=estimate([cost.evaluations for cost in costs]).mean,
        training_seconds=estimate([cost.training_seconds for cost in costs]).mean,
        training_images=estimate([cost.training_images for cost in costs]).mean,
    )


def as_text(estimate: Estimate) -> str:
    """E.g. '0.713 [0.702, 0.724]', '0.713' without an interval, '-' without a mean."""
    if estimate.mean is None:
        return "-"
    interval = "" if estimate.low is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.mean:.3f}{interval}"
