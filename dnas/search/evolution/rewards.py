"""One number per architecture, higher is better, for searches that follow a single objective.

Each takes values (n, M) whose columns are quality, latency in ms, and whatever else, and returns (n,). NaN
stays NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dnas.search.evolution.algorithm import FloatArray

Score = Callable[[FloatArray], FloatArray]


def accuracy(values: FloatArray) -> FloatArray:
    """Return the quality, which is an accuracy in [0, 1].

    Raises:
        ValueError: qualities outside [0, 1].
    """
    quality = values[:, 0]
    if ((quality < 0) | (quality > 1)).any():
        raise ValueError(
            f"an accuracy must lie in [0, 1], got {quality[(quality < 0) | (quality > 1)].tolist()}: "
            "divide percent by 100; score losses by `likelihood`"
        )
    return quality


def likelihood(values: FloatArray) -> FloatArray:
    """Return exp(-loss): the quality is a mean cross-entropy in nats, to be minimised.

    That is the geometric mean, over the images, of the probability of the true class: in (0, 1] as an
    accuracy is, so that it can stand in for one. Our assumption; no paper scores losses so.
    """
    return np.exp(-values[:, 0])


@dataclass(frozen=True)
class MnasNetReward:
    """Quality * (latency / target)^w, Tan et al. 2019 (MnasNet, arXiv 1807.11626), equations 2 and 3.

    Args:
        target_ms: The latency aimed at.
        w: The soft constraint's exponent on both sides of the target: -0.07 means that doubling the latency
            pays off when it brings 5 % more accuracy, relative.
        hard: The hard constraint instead: the exponent is 0 up to the target and -1 above; w is not read.
        quality_maximize: True: quality is an `accuracy`. False: it is a loss, its `likelihood` is taken.

    Raises:
        ValueError: a target that is not positive, w above 0 or not finite.
    """

    target_ms: float
    w: float = -0.07
    hard: bool = False
    quality_maximize: bool = True

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.target_ms < math.inf:
            problems.append(f"target_ms must be above 0 and finite, got {self.target_ms}")
        if not -math.inf < self.w <= 0:
            problems.append(f"w must be finite and not above 0 (slower is not better), got {self.w}")
        if problems:
            raise ValueError("; ".join(problems))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return the rewards, (n,).

        Raises:
            ValueError: latencies that are not positive, accuracies outside [0, 1].
        """
        latency_ms = values[:, 1]
        if (latency_ms <= 0).any():
            raise ValueError(f"latencies must be above 0 ms, got {latency_ms[latency_ms <= 0].tolist()}")
        quality = accuracy(values) if self.quality_maximize else likelihood(values)
        ratio = latency_ms / self.target_ms
        return quality / np.maximum(ratio, 1.0) if self.hard else quality * ratio**self.w
