"""How much phones differ, learned from the known ones: each is predicted in turn from the others."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from latency.sources.adapted.model import Spread, log_evidence, relative_to_base

# Assumed before any phone is compared, and kept where one table leaves nothing to compare.
ASSUMED = Spread(phones=0.5, kinds=0.3, overhead=0.7, noise=0.05)
# One known phone cannot show which of its peculiarities are its own.
ASSUMED_OF_ONE = Spread(phones=0.5, kinds=0.3, overhead=0.7, noise=0.1)
# End to end is no exact sum of kernels: relative deviation of MBConv networks (docs/latency_assembled.md).
ADDITIVITY = 0.03
DOUBT = 1.0  # standard deviation of the natural logarithm of each, about what is assumed
FURTHEST = 3.0  # from there: tables that are exact mixtures of each other would end without noise


def learn(parts: np.ndarray, assumed: Spread = ASSUMED) -> Spread:
    """The most likely spread, by the likelihood of every known phone's totals given the other phones.

    Args:
        parts: (P, n, K) milliseconds of networks by kind, in the tables of the known phones.
        assumed: before any phone is compared.
    """
    if len(parts) == 1:
        return ASSUMED_OF_ONE
    compared = [_left_out(parts, phone) for phone in range(len(parts))]
    start = np.log([assumed.phones, assumed.kinds, assumed.overhead, assumed.noise])

    def loss(logs: np.ndarray) -> float:
        spread = Spread(*np.exp(logs))
        prior = spread.variances(len(parts) - 1, parts.shape[2])
        evidence = sum(
            log_evidence((features * prior) @ features.T, relative, spread.noise)
            for features, relative in compared
        )
        return float((((logs - start) / DOUBT) ** 2).sum() / 2 - evidence)

    options = {"maxiter": 400, "xatol": 0.01, "fatol": 0.01}
    bounds = [(log - FURTHEST, log + FURTHEST) for log in start]
    found = minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options)
    phones, kinds, overhead, noise = np.exp(found.x)
    return Spread(float(phones), float(kinds), float(overhead), float(np.hypot(noise, ADDITIVITY)))


def _left_out(parts: np.ndarray, phone: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and relative latencies of one phone, as of a new one, from all others."""
    totals = parts[phone].sum(axis=1)
    others = np.delete(parts, phone, axis=0)
    scale = np.exp(np.log(totals / others.sum(axis=2)).mean(axis=1))
    return relative_to_base(others * scale[:, None, None], totals)
