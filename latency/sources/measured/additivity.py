"""Do the parts of a network sum to the network? Measured networks against the table's sum.

Networks alternate: those of even place are reported and decide nothing, those of odd place decide whether
and how the sum is calibrated, end to end = offset + slope * (stem + blocks + head).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import kendalltau

MIN_TO_CALIBRATE = 5


@dataclass(frozen=True)
class Line:
    """``offset_ms + slope * parts_ms``, with an offset of at least 0 and a slope above 0."""

    offset_ms: float
    slope: float

    def at(self, parts_ms: np.ndarray) -> np.ndarray:
        """Milliseconds of whole networks from those of their parts, overhead left out; any shape."""
        return self.offset_ms + self.slope * parts_ms


@dataclass(frozen=True)
class Agreement:
    """Predicted against measured networks: mean and largest relative error, Kendall's tau (or 0)."""

    networks: int
    mape: float
    max_error: float
    kendall_tau: float


def agreement(predicted: np.ndarray, measured: np.ndarray) -> Agreement:
    """How well ``predicted`` (n,) milliseconds tell the ``measured`` (n,) ones, n at least 1."""
    errors = np.abs(predicted / measured - 1)
    tau = float(kendalltau(predicted, measured)[0]) if len(measured) > 1 else 0.0
    return Agreement(len(measured), float(errors.mean()), float(errors.max()), 0.0 if np.isnan(tau) else tau)


def choose_line(parts_ms: np.ndarray, measured: np.ndarray, overhead_ms: float) -> Line | None:
    """The calibration, or None where the plain sum with its overhead tells networks left out as well.

    Each network of (n,) ``parts_ms`` and ``measured`` is predicted by a line fitted to the others. Fewer than
    :data:`MIN_TO_CALIBRATE` networks calibrate nothing.
    """
    if len(measured) < MIN_TO_CALIBRATE:
        return None
    plain = agreement(parts_ms + overhead_ms, measured).mape
    left_out = [_error_without(index, parts_ms, measured) for index in range(len(measured))]
    line = fit_line(parts_ms, measured)
    return line if line and float(np.mean(left_out)) < plain else None


def fit_line(parts_ms: np.ndarray, measured: np.ndarray) -> Line | None:
    """Least squares of relative errors, no coefficient below 0; None where only the offset is left."""
    weights = 1 / measured
    (offset, slope), _ = nnls(np.stack([weights, parts_ms * weights], axis=1), np.ones(len(measured)))
    return Line(float(offset), float(slope)) if slope > 0 else None


def _error_without(index: int, parts_ms: np.ndarray, measured: np.ndarray) -> float:
    others = np.arange(len(measured)) != index
    line = fit_line(parts_ms[others], measured[others])
    return abs(float(line.at(parts_ms[index])) / measured[index] - 1) if line else np.inf


def split(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Networks to report, networks to calibrate with."""
    return list(names[::2]), list(names[1::2])
