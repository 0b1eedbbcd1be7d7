"""How much of the objective space a set of points dominates, exactly, for up to three objectives."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.pareto import costs_of, no_worse, non_dominated

MAX_OBJECTIVES = 3

# Columns of objectives that belong together, such as (quality, one device's latency, parameters).
Views = Sequence[Sequence[int]]


def hypervolume(points: FloatArray, reference: Sequence[float], maximize: Sequence[bool]) -> float:
    """Return the volume dominated by points, (n, M), up to the reference point, (M,), with M at most 3.

    In the units of the objectives multiplied; normalise them first to compare runs. Points with a NaN, or
    not better than the reference in every objective, dominate nothing of it and are left out; dominated and
    repeated points change nothing. A point that is infinitely good in an objective makes it infinite.

    The last axis is swept: in the order of the first objective, a staircase over the second holds the best
    third so far (Fonseca et al. 2006, section III), here in O(n^2) operations of numpy.

    Raises:
        ValueError: more than three objectives, or a reference that is not M finite numbers.
    """
    if not 1 <= len(maximize) <= MAX_OBJECTIVES:
        raise ValueError(f"hypervolume is for 1 to {MAX_OBJECTIVES} objectives, got {len(maximize)}")
    limit = np.asarray(reference, dtype=np.float64)
    if limit.shape != (len(maximize),) or not np.isfinite(limit).all():
        raise ValueError(f"reference must be {len(maximize)} finite numbers, got {limit.tolist()}")
    extents = costs_of(limit[None], maximize) - costs_of(points, maximize)
    extents = extents[(extents > 0).all(axis=1)]
    if np.isinf(extents).any():
        return float("inf")
    missing = MAX_OBJECTIVES - len(maximize)
    return _union_of_boxes(np.pad(extents, [(0, 0), (0, missing)], constant_values=1.0))


def share_of_box(values: FloatArray, corners: Sequence[Sequence[float]]) -> float:
    """Return the share, in [0, 1], of a box that values, (n, M), dominate; what lies outside counts nothing.

    Args:
        corners: (M, 2) worst and best of each objective, in the values' units. An objective without a range
            is a full one for every row.
    """
    worst, best = np.array(corners, dtype=np.float64).T
    span = best - worst
    shares = np.divide(values - worst, span, out=np.ones_like(values), where=span != 0)
    return hypervolume(shares, [0.0] * len(span), [True] * len(span))


def greedy_improvement(
    points: FloatArray, known: FloatArray, number: int, views: Views | None = None
) -> IntArray:
    """Choose points one after another, each for the hypervolume that it adds to known and chosen ones.

    All are shares of the box [0, 1]^M, more is better. An improvement never grows when others are chosen, so
    that only the first of a queue must be computed again (Minoux 1978).

    Args:
        points: (n, M), M at most 3 without views.
        known: (m, M).
        number: of points to choose.
        views: columns, at most 3 each: an improvement is the mean of those among the columns of every view.
            None: one view of all columns.

    Returns:
        Rows of points, at most number: those that add nothing are never chosen.
    """
    seen = [points] if views is None else [np.ascontiguousarray(points[:, list(view)]) for view in views]
    taken = [known] if views is None else [_front_of(known[:, list(view)]) for view in views]

    def gained(row: int) -> float:
        gains = [_improvement(mine[row], theirs) for mine, theirs in zip(seen, taken, strict=True)]
        return sum(gains) / len(gains)

    queue = [(-gained(row), row, 0) for row in range(len(points))]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < number:
        gain, row, computed = queue[0]
        if gain >= 0:
            break
        if computed == len(chosen):
            heapq.heappop(queue)
            chosen.append(row)
            taken = [np.vstack([theirs, mine[row]]) for mine, theirs in zip(seen, taken, strict=True)]
        else:
            heapq.heapreplace(queue, (-gained(row), row, len(chosen)))
    return np.array(chosen, dtype=np.int64)


def _front_of(shares: FloatArray) -> FloatArray:
    """Those, in their order, that no other dominates: what is on the front of all columns need not be."""
    return np.ascontiguousarray(shares[non_dominated(shares, [True] * shares.shape[1])])


def _improvement(point: FloatArray, taken: FloatArray) -> float:
    """The volume of the box [0, point] that those of taken, (m, M), leave."""
    covered = np.minimum(taken, point)
    if not (point > 0).all() or (covered == point).all(axis=1).any():
        return 0.0
    origin, up = [0.0] * len(point), [True] * len(point)
    # Most of what the box cuts is dominated in it: comparing all pairs is faster than sweeping over all.
    pairs = no_worse(-covered, -covered)
    covered = covered[~(pairs > pairs.T).any(axis=0)]
    # Rounding must not let a point that is nearly covered look as if it added something.
    gain = float(point.prod()) - hypervolume(covered, origin, up)
    return gain if gain > 1e-12 else 0.0


def _union_of_boxes(sides: FloatArray) -> float:
    """Return the volume of the union of boxes [0, side], sides (n, 3) above 0."""
    x, y, z = sides[np.argsort(-sides[:, 0])].T
    depths = np.diff(x, append=0.0)
    steps, step = np.unique(y, return_inverse=True)
    widths = np.diff(steps, prepend=0.0)
    heights = np.zeros(len(steps))
    volume = 0.0
    for depth, last, height in zip(-depths, step, z, strict=True):
        np.maximum(heights[: last + 1], height, out=heights[: last + 1])
        volume += float(depth * (heights @ widths))
    return volume
