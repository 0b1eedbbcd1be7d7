"""The estimated error of a block, from the errors of its kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from latency.sources.assembled.kernel_model import Prediction
from latency.sources.assembled.shape import KernelShape
from latency.sources.assembled.validation import HeldOutKernel


def widening(held_out: Iterable[HeldOutKernel]) -> dict[str, float]:
    """Kind -> factor, at least 1, that makes the model's errors hold for kernels of families left out.

    The root mean square of log(measured / modelled) / error; it is 1 where the model judges itself rightly.
    """
    scores: dict[str, list[float]] = {}
    for held in held_out:
        score = np.log(held.measured_us / held.modelled_us) / held.error
        scores.setdefault(held.shape.kind, []).append(float(score))
    return {kind: max(1.0, float(np.sqrt(np.mean(np.square(of_kind))))) for kind, of_kind in scores.items()}


def block_error(
    shapes: Sequence[KernelShape], times: Sequence[Prediction], widen: Mapping[str, float]
) -> float:
    """Relative standard deviation of the sum of a block's kernels.

    Errors of different kernels are taken as independent. Equal kernels have one error, and so have all those
    of a kind that one assumption or extrapolation is about: within them errors add up.
    """
    us: dict[object, float] = {}
    for shape, time in zip(shapes, times, strict=True):
        factor = 1.0 if time.measured or time.shared else widen.get(shape.kind, 1.0)
        key = shape.kind if time.shared else shape
        us[key] = us.get(key, 0.0) + time.us * time.error * factor
    total = sum(time.us for time in times)
    return float(np.sqrt(np.sum(np.square([*us.values()])))) / total if total else 0.0
