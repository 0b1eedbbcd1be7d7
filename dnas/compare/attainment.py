"""Attainment surfaces: what the runs of a method reach in the plane of latency and quality.

Grunert da Fonseca, Fonseca and Hall 2001: a run attains a point if a member of its front is at least as
good in both objectives; the k-th surface bounds the points that at least k of the runs attain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dnas.compare.model import Attainment, Curve, Point, Quality

FloatArray = npt.NDArray[np.float64]


def attainment(fronts: Sequence[Sequence[Point]], quality: Quality) -> Attainment:
    """The surfaces that one, half (rounded up) and all of the runs attain, one front per run."""
    sign = 1.0 if quality == "top1" else -1.0
    latencies = np.unique([point.latency_ms for front in fronts for point in front])
    reached = np.array([_reached(front, quality, sign, latencies) for front in fronts])
    reached = -np.sort(-reached.reshape(len(fronts), len(latencies)), axis=0)
    runs = len(fronts)
    surfaces = [_corners(latencies, reached[k - 1], sign) for k in (1, (runs + 1) // 2, runs)]
    return Attainment(*surfaces)


def _reached(front: Sequence[Point], quality: Quality, sign: float, latencies: FloatArray) -> FloatArray:
    """(n,) the best sign * quality of the front within each of n rising latencies; -inf where none is."""
    best = np.full(len(latencies), -np.inf)
    for point in front:
        start = np.searchsorted(latencies, point.latency_ms)
        best[start] = max(best[start], sign * getattr(point, quality))
    return np.maximum.accumulate(best)


def _corners(latencies: FloatArray, reached: FloatArray, sign: float) -> Curve:
    """The places where the curve rises."""
    rises = reached > np.concatenate([[-np.inf], reached[:-1]])
    return tuple(zip(latencies[rises].tolist(), (sign * reached[rises]).tolist(), strict=True))
