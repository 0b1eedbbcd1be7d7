"""How far the model is off: timings left out one at a time, and blocks of known phones left out in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau

from latency.sources.adapted.model import Adapted, Spread, adapt


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Timed networks, each predicted from the others.

    Attributes:
        timed_ms, predicted_ms: (n,) milliseconds.
        deviation: (n,) relative standard deviation that the model gives its prediction, noise included.
    """

    timed_ms: np.ndarray
    predicted_ms: np.ndarray
    deviation: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(n,) relative errors; negative when the prediction is faster than timed."""
        return np.asarray(self.predicted_ms / self.timed_ms - 1)

    @property
    def mape(self) -> float:
        """Mean absolute relative error."""
        return float(np.abs(self.errors).mean())

    @property
    def max_error(self) -> float:
        """Largest absolute relative error."""
        return float(np.abs(self.errors).max())

    @property
    def kendall_tau(self) -> float:
        """Kendall's tau; NaN when the latencies timed are all equal."""
        return float(kendalltau(self.timed_ms, self.predicted_ms).statistic)

    @property
    def sigma(self) -> float:
        """Relative standard deviation of a network that was not timed, by the model: root mean square."""
        return float(np.sqrt(np.mean(self.deviation**2)))


def leave_out(parts: np.ndarray, timed_ms: np.ndarray, spread: Spread) -> LeftOut:
    """Predict every network from the timings of the others; arguments as those of :func:`adapt`."""
    predicted, deviation = np.empty(len(timed_ms)), np.empty(len(timed_ms))
    for index in range(len(timed_ms)):
        adapted = adapt(np.delete(parts, index, axis=1), np.delete(timed_ms, index), spread)
        one = parts[:, index : index + 1]
        predicted[index] = adapted.latency_ms(one)[0]
        deviation[index] = np.hypot(adapted.deviation_ms(one)[0] / predicted[index], adapted.noise)
    return LeftOut(timed_ms, predicted, deviation)


def block_errors(parts: np.ndarray, blocks: np.ndarray, spread: Spread) -> np.ndarray:
    """(K,) relative deviation of blocks by their dominant kind: every known phone left out in turn.

    The phone left out counts as the new one, its table's totals as the timings of the same networks, and its
    table's blocks as the truth. A kind that dominates no block gets the error of all blocks. Of blocks that
    take no time on some phone nothing can be said.

    Args:
        parts: (P, n, K) milliseconds by kind of the networks timed, P at least 2.
        blocks: (P, m, K) the same of blocks.
    """
    phones, _, columns = parts.shape
    takes_time = (blocks.sum(axis=2) > 0).all(axis=0)
    blocks = blocks[:, takes_time]
    dominant = blocks.mean(axis=0).argmax(axis=1)
    squares = np.array([_squares(parts, blocks, phone, spread) for phone in range(phones)])
    every = float(np.sqrt(squares.mean())) if squares.size else 0.0
    return np.array(
        [
            np.sqrt(squares[:, dominant == column].mean()) if (dominant == column).any() else every
            for column in range(columns)
        ]
    )


def _squares(parts: np.ndarray, blocks: np.ndarray, phone: int, spread: Spread) -> np.ndarray:
    adapted: Adapted = adapt(np.delete(parts, phone, axis=0), parts[phone].sum(axis=1), spread)
    predicted = adapted.latency_ms(np.delete(blocks, phone, axis=0))
    return np.asarray(np.log(predicted / blocks[phone].sum(axis=1)) ** 2)
