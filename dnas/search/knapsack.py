"""The best architecture under bounds, exactly: a multiple-choice knapsack, solved by scipy's HiGHS `milp`.

One choice per layer, the sum of scores (log-probabilities) maximal, every bounded sum of costs in its limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# A sum may pass its limit by this share: more than any order of float summation can add, far below any
# real difference of cost. So a limit equal to an architecture's own cost accepts that architecture.
TOLERANCE = 1e-9
# HiGHS takes a row as kept, a variable as integer and a gap as closed within 1e-6, absolute. Costs are
# scaled to [0, 1] and scores to this span, so that a closed gap means 1e-10 of the span of the scores.
_SCORE_SPAN = 1e4
# Scaling rounds; this slack lets HiGHS see every architecture that may be allowed.
_SLACK = 1e-7
_MAX_SOLVES = 100


@dataclass(frozen=True, eq=False)
class Bound:
    """A limit on fixed + sum_l values[l, choice_l].

    Args:
        name: What is bounded, for messages.
        values: (L, C) costs; those of excluded choices are not read.
        limit: The largest ("at_most") or smallest ("at_least") sum allowed, in the unit of the values.
        sense: at_most or at_least.
        fixed: Part of the sum that no choice changes (stem and head).
        unit: Unit of the values, for messages.
    """

    name: str
    values: FloatArray
    limit: float
    sense: Literal["at_most", "at_least"] = "at_most"
    fixed: float = 0.0
    unit: str = ""

    @property
    def sign(self) -> int:
        """+1 when smaller sums are allowed, -1 when larger ones are."""
        return 1 if self.sense == "at_most" else -1

    @property
    def tolerance(self) -> float:
        """By how much the sum may pass the limit: 1e-9 of the larger of |limit| and |fixed|."""
        return TOLERANCE * max(abs(self.limit), abs(self.fixed))

    def total(self, choices: Sequence[int] | IntArray) -> float:
        """Return the architecture's sum, correctly rounded (so in no particular order)."""
        chosen = np.asarray(self.values, dtype=np.float64)[np.arange(len(choices)), np.asarray(choices)]
        return math.fsum([self.fixed, *chosen.tolist()])

    def holds(self, choices: Sequence[int] | IntArray) -> bool:
        """Return whether the architecture's sum passes the limit by no more than `tolerance`."""
        return self.sign * (self.total(choices) - self.limit) <= self.tolerance

    def __str__(self) -> str:
        """Return e.g. 'latency at most 9 ms'."""
        return f"{self.name} {self.sense.replace('_', ' ')} {self.amount(self.limit)}"

    def amount(self, value: float) -> str:
        """Return the value with its unit, in digits enough to be accepted as a limit in its turn."""
        return f"{value:,.11g} {self.unit}".rstrip()


class Infeasible(ValueError):
    """No architecture keeps all bounds.

    attainable: for each bound, in the order given, the best sum of any architecture that keeps all the
    others, None if none does.
    """

    def __init__(self, message: str, attainable: tuple[float | None, ...]) -> None:
        super().__init__(message)
        self.attainable = attainable


def solve(score: FloatArray, bounds: Sequence[Bound] = ()) -> IntArray:
    """Return the choices, (L,) int64, of highest total score among the architectures that keep all bounds.

    Exact: bounds are checked on the sums themselves (see `Bound.holds`), and no allowed architecture scores
    higher, to 1e-10 of the span of the scores. Which of equals is returned is not defined, but is always
    the same. Score log-probabilities for the most probable architecture.

    Args:
        score: (L, C); -inf excludes a choice (padding, or a probability of 0).
        bounds: any number of upper and lower limits.

    Raises:
        ValueError: NaN or +inf scores, a layer without choices, costs or limits that are not finite, other
            shapes: all that is wrong in one message.
        Infeasible: no architecture keeps all bounds; tells the attainable value of each.
        RuntimeError: HiGHS failed, or too many architectures lie within rounding of a limit.
    """
    score = np.asarray(score, dtype=np.float64)
    problems = _score_problems(score)
    if not problems:
        problems = [text for bound in bounds for text in _bound_problems(bound, np.isfinite(score))]
    if problems:
        raise ValueError("; ".join(problems))
    choices = _best(score, bounds)
    if choices is None:
        raise _infeasible(score, bounds)
    return choices


def _best(score: FloatArray, bounds: Sequence[Bound]) -> IntArray | None:
    """Return the best architecture that keeps all bounds, None if there is none.

    HiGHS keeps rows only within a tolerance, so it solves a slightly wider problem. Its answers are checked
    exactly, and one that breaks a bound is cut off alone and the problem solved again: the first answer that
    holds is the best. (Tightening the bounds instead could lose the best.)
    """
    allowed = np.isfinite(score)
    if not all(_may_hold(bound, allowed) for bound in bounds):
        return None
    broken: list[IntArray] = []
    for _ in range(_MAX_SOLVES):
        choices = _milp(score, bounds, broken)
        if choices is None or all(bound.holds(choices) for bound in bounds):
            return choices
        broken.append(choices)
    raise RuntimeError(
        f"more than {_MAX_SOLVES} architectures lie within rounding of a limit ({_listed(bounds)}): "
        "move the limit by a millionth"
    )


def _milp(score: FloatArray, bounds: Sequence[Bound], broken: Sequence[IntArray]) -> IntArray | None:
    """Solve the scaled problem without the architectures in `broken`; None if HiGHS finds it infeasible."""
    allowed = np.isfinite(score)
    layers, choices = score.shape
    rows = [_one_per_layer(layers, choices)]
    rows += [_scaled_row(bound, allowed) for bound in bounds]
    rows += [_exclusion(one, choices) for one in broken]
    result = milp(
        -_scaled(score).ravel(),
        integrality=np.ones(score.size),
        bounds=Bounds(0, allowed.ravel().astype(float)),
        constraints=rows,
        options={"mip_rel_gap": 0.0},
    )
    if result.status == 2:
        return None
    if result.status != 0:
        raise RuntimeError(f"HiGHS failed with status {result.status}: {result.message}")
    return np.asarray(result.x).reshape(score.shape).argmax(axis=1).astype(np.int64)


def _one_per_layer(layers: int, choices: int) -> LinearConstraint:
    return LinearConstraint(np.kron(np.eye(layers), np.ones(choices)), 1, 1)


def _scaled_row(bound: Bound, allowed: npt.NDArray[np.bool_]) -> LinearConstraint:
    """Return the bound as an upper limit on costs between 0 (each layer's best choice) and 1."""
    costs = np.where(allowed, bound.sign * np.asarray(bound.values, dtype=np.float64), np.inf)
    best = costs.min(axis=1)
    excess = np.where(allowed, costs - best[:, None], 0.0)
    span = excess.max() or 1.0
    room = math.fsum([bound.sign * bound.limit, bound.tolerance, -bound.sign * bound.fixed, *(-best)])
    # A limit of 1e308 is none.
    with np.errstate(over="ignore"):
        return LinearConstraint((excess / span).ravel(), -np.inf, room / span + _SLACK)


def _exclusion(broken: IntArray, choices: int) -> LinearConstraint:
    """Return the row that keeps all architectures but one: not all of its choices together."""
    row = np.zeros((len(broken), choices))
    row[np.arange(len(broken)), broken] = 1.0
    return LinearConstraint(row.ravel(), -np.inf, len(broken) - 1)


def _scaled(score: FloatArray) -> FloatArray:
    """Return the scores between -span and 0 (each layer's best choice), 0 for excluded ones."""
    lower = np.where(np.isfinite(score), score - score.max(axis=1, keepdims=True), 0.0)
    return lower * (_SCORE_SPAN / (-lower.min() or 1.0))


def _may_hold(bound: Bound, allowed: npt.NDArray[np.bool_]) -> bool:
    """Return whether some architecture keeps this bound taken alone."""
    costs = np.where(allowed, bound.sign * np.asarray(bound.values, dtype=np.float64), np.inf)
    return bound.holds(costs.argmin(axis=1))


def _infeasible(score: FloatArray, bounds: Sequence[Bound]) -> Infeasible:
    """Return the error that tells how far each bound can go while the others hold; alone if they cannot."""
    attainable: list[float | None] = []
    lines = []
    for index, bound in enumerate(bounds):
        others = [*bounds[:index], *bounds[index + 1 :]]
        furthest = _furthest(score, bound, others)
        attainable.append(furthest)
        if furthest is not None:
            lines.append(_attainable_line(bound, others, furthest))
        else:
            alone = _furthest(score, bound, [])
            assert alone is not None  # every layer has a choice
            lines += [_attainable_line(bound, [], alone), f"none has even {_listed(others)}"]
    return Infeasible(f"no architecture has {_listed(bounds)}: {'; '.join(lines)}", tuple(attainable))


def _furthest(score: FloatArray, bound: Bound, others: Sequence[Bound]) -> float | None:
    """Return the best sum for the bound of any architecture that keeps the others; None if none does."""
    costs = np.asarray(bound.values, dtype=np.float64)
    choices = _best(np.where(np.isfinite(score), -bound.sign * costs, -np.inf), others)
    return None if choices is None else bound.total(choices)


def _attainable_line(bound: Bound, others: Sequence[Bound], value: float) -> str:
    given = f" with {_listed(others)}" if others else ""
    extreme = "lowest" if bound.sense == "at_most" else "highest"
    return f"the {extreme} attainable {bound.name}{given} is {bound.amount(value)}"


def _listed(bounds: Sequence[Bound]) -> str:
    return " and ".join(str(bound) for bound in bounds)


def _score_problems(score: FloatArray) -> list[str]:
    if score.ndim != 2 or score.size == 0:
        return [f"score must be a non-empty (L, C) array, got shape {score.shape}"]
    problems = []
    bad = np.argwhere(np.isnan(score) | np.isposinf(score)).tolist()
    if bad:
        problems.append(
            f"score must be finite, or -inf to exclude; it is NaN or +inf at (layer, choice) {bad}"
        )
    empty = np.flatnonzero(np.isneginf(score).all(axis=1)).tolist()
    if empty:
        problems.append(f"layers {empty} have no choice whose score is above -inf")
    return problems


def _bound_problems(bound: Bound, allowed: npt.NDArray[np.bool_]) -> list[str]:
    problems = []
    if bound.sense not in ("at_most", "at_least"):
        problems.append(f"{bound.name}: sense must be at_most or at_least, got {bound.sense!r}")
    for label, number in (("limit", bound.limit), ("fixed", bound.fixed)):
        if not math.isfinite(number):
            problems.append(f"{bound.name}: {label} must be finite, got {number}")
    values = np.asarray(bound.values, dtype=np.float64)
    if values.shape != allowed.shape:
        problems.append(
            f"{bound.name}: values must have the score's shape {allowed.shape}, got {values.shape}"
        )
    elif not np.isfinite(values[allowed]).all():
        bad = np.argwhere(allowed & ~np.isfinite(values)).tolist()
        problems.append(f"{bound.name}: values must be finite, they are not at (layer, choice) {bad}")
    return problems
