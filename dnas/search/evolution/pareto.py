"""Who is better than whom: dominance, ranks and weighted crowding of NSGA-II (Deb et al. 2002, sections III
and VI; the weights are MoGA's, arXiv 1908.01314).

Costs, (n, M), are objective values turned so that lower is better (`costs_of`).

* Infinite values compare as they should; in crowding they count as the extreme finite value of the rank.
* A row with a NaN is worse than every feasible row without: it is in no front, and its crowding is 0.
* Rows that are equal in all objectives do not dominate each other. Of equal rows the first keeps the
  crowding that it would have alone, the others have 0.
* Rows that are equal in one objective are sorted by their index in it, so that one of them is its extreme.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from dnas.search.evolution.algorithm import BoolArray, FloatArray, IntArray, real_array

# Up to so many rows all pairs are compared at once, which is faster and takes this number squared in bytes.
_ALL_PAIRS = 4096


def costs_of(values: FloatArray, maximize: Sequence[bool]) -> FloatArray:
    """Return values, (n, M), with the objectives to maximise negated.

    Raises:
        ValueError: values is not a table with one column for each entry of maximize.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(maximize):
        raise ValueError(f"values must have shape (n, {len(maximize)}), as maximize, got {values.shape}")
    return values * [-1.0 if higher else 1.0 for higher in maximize]


def non_dominated(values: FloatArray, maximize: Sequence[bool]) -> BoolArray:
    """Return which rows of values, (n, M), are on the front, (n,): all of equal rows, none with a NaN.

    All pairs are compared, in n^2 bytes: rows by the ten thousands belong into a `Front`, some at a time.
    """
    costs = costs_of(values, maximize)
    pairs = no_worse(costs, costs)
    return on_front(costs, pairs > pairs.T)


def on_front(costs: FloatArray, dominates: BoolArray) -> BoolArray:
    """Return which rows of costs, (n, M), have no NaN and no row of dominates, (m, n), on top of them."""
    return np.asarray(~(dominates.any(axis=0) | np.isnan(costs).any(axis=1)))


def no_worse(first: FloatArray, second: FloatArray) -> BoolArray:
    """Return, (n, m), which rows of costs first, (n, M), are at least as good as which of second, (m, M).

    Row i dominates row j if it is no worse than j and j is not no worse than i.
    """
    # Contiguous, for numpy's vectorised comparisons.
    columns = zip(first.T[..., None], np.ascontiguousarray(second.T), strict=True)
    one, other = next(columns)
    found = one <= other
    for one, other in columns:
        found &= one <= other
    return found


def ranks(costs: FloatArray, violations: FloatArray | None = None, enough: int | None = None) -> IntArray:
    """Return the rank of each row, (n,), 0 the best: Deb's constrained non-domination (2002, section VI).

    Feasible rows (violation 0) have the number of their front, those with a NaN the rank after the last
    front. Infeasible rows follow in the order of their violations, equal ones sharing a rank, whatever their
    costs. Once ``enough`` rows are in fronts, the feasible ones that are left count as one more front.
    """
    enough = len(costs) if enough is None else enough
    if violations is None:
        violations = np.zeros(len(costs))
    if not (violations.any() or np.isnan(costs).any()):
        return _fronts(costs, enough)
    in_fronts = (violations == 0) & ~np.isnan(costs).any(axis=1)
    found = np.empty(len(costs), dtype=np.int64)
    found[in_fronts] = _fronts(costs[in_fronts], enough)
    # Feasible rows with a NaN have the lowest violation of the rest.
    later = np.unique(violations[~in_fronts], return_inverse=True)[1]
    found[~in_fronts] = later + found[in_fronts].max(initial=-1) + 1
    return found


def crowding(costs: FloatArray, rank: IntArray, weights: Sequence[float] | None = None) -> FloatArray:
    """Return the weighted crowding distance of each row among those of its rank, (n,).

    crowding(i) = sum_k w_k (f_k(i+1) - f_k(i-1)) / (f_k^max - f_k^min), sum_k w_k = 1, rows in the order of
    f_k; infinite at both ends of that order. With equal weights it is Deb's (2002, section III.B) over M.
    An objective of weight 0, or with one value in the whole rank, has no ends and adds nothing. A rank of
    one distinct row has no neighbours: its crowding is infinite.

    Args:
        costs: (n, M).
        rank: (n,), 0 and above, as from `ranks`.
        weights: (M,), only their ratios count; None for equal ones.

    Raises:
        ValueError: as `weight_ratios`.
    """
    ratios = np.ones(costs.shape[1]) if weights is None else weight_ratios(weights, costs.shape[1])
    if np.isfinite(costs).all() and _all_different(costs[:, 0]):
        # The usual case: no two rows are equal.
        return _weighted_gaps(costs, rank, ratios)
    kept = _distinct(costs, rank)
    distance = np.zeros(len(costs))
    distance[kept] = _weighted_gaps(_finite(costs[kept], rank[kept]), rank[kept], ratios)
    return distance


def weight_ratios(weights: Sequence[float], objectives: int) -> FloatArray:
    """Return weights over the largest, (M,): exactly 1 where all are equal, so that they change nothing.

    Raises:
        ValueError: not one weight per objective, negative or not finite ones, or none above 0.
    """
    array = real_array("weights", weights)
    plain = array.tolist()
    if array.shape != (objectives,) or not (all(0 <= weight < math.inf for weight in plain) and any(plain)):
        raise ValueError(
            f"weights must be {objectives} finite numbers, one per objective, 0 or above and not all 0; "
            f"got {plain}"
        )
    return array / max(plain)


def _fronts(costs: FloatArray, enough: int) -> IntArray:
    """Return the number of the front of each row, (n,); one for all that are left after ``enough`` rows.

    A front is all rows that only earlier fronts dominate.
    """
    if len(costs) > _ALL_PAIRS:
        return _fronts_one_by_one(costs, enough)
    pairs = no_worse(costs, costs)
    dominates = pairs > pairs.T
    dominators = dominates.sum(axis=0, dtype=np.int32)
    front, later = dominators == 0, dominators > 0
    found = later.astype(np.int64)
    while np.count_nonzero(later) > max(0, len(costs) - enough):
        dominators -= dominates[front].sum(axis=0, dtype=np.int32)
        front, later = later & (dominators == 0), dominators > 0
        found += later
    return found


def _fronts_one_by_one(costs: FloatArray, enough: int) -> IntArray:
    """The same, row after row (Zhang et al. 2015, ENS-BS): memory grows with the rows, not with their pairs.

    No row is dominated by a later one in lexicographic order, and a row that a front dominates all earlier
    fronts dominate, too: so its own is found by bisection.
    """
    rows, place = np.unique(costs, axis=0, return_inverse=True)
    fronts: list[_Members] = []
    found = np.empty(len(rows), dtype=np.int64)
    for number, row in enumerate(rows):
        found[number] = bisect_left(fronts, True, key=lambda front: not front.dominate(row))
        if found[number] == len(fronts):
            fronts.append(_Members(len(row)))
        fronts[found[number]].add(row)
    found = found[place.reshape(-1)]
    within = np.bincount(found).cumsum()
    return np.minimum(found, 1 + np.searchsorted(within, min(enough, len(costs))))


class _Members:
    """Rows of one front, in an array that doubles when it is full."""

    def __init__(self, objectives: int) -> None:
        self._rows, self._number = np.empty((64, objectives)), 0

    def add(self, row: FloatArray) -> None:
        if self._number == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._number] = row
        self._number += 1

    def dominate(self, row: FloatArray) -> bool:
        """Whether one of them is no worse than a row that equals none of them."""
        return bool((self._rows[: self._number] <= row).all(axis=1).any())


def _all_different(cost: FloatArray) -> bool:
    ordered = np.sort(cost)
    return bool((ordered[1:] > ordered[:-1]).all())


def _distinct(costs: FloatArray, rank: IntArray) -> BoolArray:
    """Return which rows, (n,), have no NaN and, of equal ones in a rank, come first."""
    order = np.lexsort((*costs.T, rank))
    costs, rank = costs[order], rank[order]
    repeated = (costs[1:] == costs[:-1]).all(axis=1) & (rank[1:] == rank[:-1])
    kept = np.empty(len(order), dtype=bool)
    kept[order] = ~np.isnan(costs).any(axis=1)
    kept[order[1:][repeated]] = False
    return kept


def _finite(costs: FloatArray, rank: IntArray) -> FloatArray:
    """Return costs with infinite values replaced by the extreme finite ones of their rank and objective."""
    costs = costs.copy()
    for group in np.unique(rank):
        rows = np.flatnonzero(rank == group)
        for objective, cost in enumerate(costs[rows].T):
            finite = cost[np.isfinite(cost)]
            extremes = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
            costs[rows, objective] = cost.clip(*extremes)
    return costs


def _weighted_gaps(costs: FloatArray, rank: IntArray, ratios: FloatArray) -> FloatArray:
    """Return the crowding, (n,), of finite costs, (n, M), where none of a rank are equal."""
    counted = ratios > 0
    gaps = _gaps(costs.T[counted], rank)
    return (ratios[counted, None] * gaps).sum(axis=0) / ratios.sum()


def _gaps(costs: FloatArray, rank: IntArray) -> FloatArray:
    """Return (f(i+1) - f(i-1)) / (f^max - f^min) of costs, (M, n), in each rank of (n,).

    Inf at the ends, also of a rank of one; in a larger rank 0 if max == min.
    """
    order = np.lexsort((costs, rank[None].repeat(len(costs), axis=0)))
    # Places in the flat array, which numpy takes and sets faster than along an axis.
    order += len(rank) * np.arange(len(costs))[:, None]
    # Halves, so that no difference of finite numbers overflows; the ratios are the same.
    half = costs.ravel()[order] / 2
    sizes = np.bincount(rank)
    ends = sizes.cumsum() - 1
    starts = ends - sizes + 1
    gap = np.empty_like(half)
    gap[:, 1:-1] = half[:, 2:] - half[:, :-2]
    gap[:, starts] = gap[:, ends] = np.inf
    span = half[:, ends] - half[:, starts]
    if not span.all():
        level = (span == 0) & (sizes > 1)
        gap[level.repeat(sizes, axis=1)] = 0.0
        span[level] = 1.0
    found = np.empty_like(half)
    found.ravel()[order] = gap / span.repeat(sizes, axis=1)
    return found
