"""From the sum of a network's kernels to its latency end to end: one overhead and one factor per device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from latency.sources.assembled.dataset import MeasuredNetwork
from latency.sources.assembled.kernel_model import KernelModel

# Runtimes start the next kernel while one runs, or wait between them; a factor beyond these is a mistake.
PLAUSIBLE = (0.2, 5.0)


@dataclass(frozen=True)
class Calibration:
    """End to end = ``offset_ms`` + ``slope`` * sum of kernels."""

    offset_ms: float
    slope: float

    def end_to_end_ms(self, sum_ms: float) -> float:
        """Milliseconds end to end of a network whose kernels add up to ``sum_ms``."""
        return self.offset_ms + self.slope * sum_ms


def sum_ms(model: KernelModel, network: MeasuredNetwork) -> float:
    """Milliseconds of the kernels of a network, squeeze-excite multiplications included."""
    shapes = [*(kernel.shape for kernel in network.kernels), *network.multiplies()]
    return sum(prediction.us for prediction in model.predict(shapes)) / 1e3


def implausible(calibration: Calibration) -> str:
    """What speaks against a calibration; empty when nothing does."""
    if PLAUSIBLE[0] <= calibration.slope <= PLAUSIBLE[1]:
        return ""
    return (
        f"End to end grows by {calibration.slope:.3g} ms per millisecond of kernels (plausible are "
        f"{PLAUSIBLE[0]} to {PLAUSIBLE[1]}): are both files in microseconds, and of the same device?"
    )


def calibrate(model: KernelModel, networks: Sequence[MeasuredNetwork]) -> Calibration:
    """Fit offset and slope, neither below 0, to relative errors (least squares)."""
    measured = np.array([network.end_to_end_ms for network in networks])
    sums = np.array([sum_ms(model, network) for network in networks])
    (offset, slope), _ = nnls(
        np.column_stack([np.ones_like(sums), sums]) / measured[:, None], np.ones_like(sums)
    )
    return Calibration(float(offset), float(slope))
