"""What every choice adds to a value of whole networks: least squares on one-hot architectures.

value = mean + sum over decisions of effect[d, choice] + noise. From whole networks only differences between
the choices of a decision can be known, and one mean; so the effects of a decision are written to average 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from dnas.costs import gather
from dnas.space import SearchSpace
from latency.table.errors import TableError

# Assumption: three networks per unknown give useful standard errors and folds that can be solved.
NETWORKS_PER_UNKNOWN = 3


@dataclass(frozen=True, eq=False)
class Effects:
    """Estimated effects with their uncertainty, under independent noise of equal variance.

    Attributes:
        mean: estimated value of the average network of the space.
        effect: (D, C), in the unit of the value; every layer's average 0; 0 where there is no choice.
        covariance: (D, C, C) of the effects within a layer.
        seen: (D, C) number of networks that hold the choice.
        noise: standard deviation of the residuals.
        freedom: residual degrees of freedom, at least 1.
        explained: share of the values' variance that the additive model explains.
    """

    space: SearchSpace
    mean: float
    effect: np.ndarray
    covariance: np.ndarray
    seen: np.ndarray
    noise: float
    freedom: int
    explained: float

    @property
    def standard_error(self) -> np.ndarray:
        """(D, C) standard error of every effect."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    def half_width(self, confidence: float) -> np.ndarray:
        """(D, C) half of the two-sided confidence interval (Student's t)."""
        width: np.ndarray = (
            stats.t.ppf(0.5 + check_confidence(confidence) / 2, self.freedom) * self.standard_error
        )
        return width

    def upper_difference(self, layer: int, one: int, other: int, confidence: float) -> float:
        """One-sided upper confidence limit of effect[layer, one] - effect[layer, other]."""
        block = self.covariance[layer]
        variance = block[one, one] + block[other, other] - 2 * block[one, other]
        width = stats.t.ppf(check_confidence(confidence), self.freedom) * np.sqrt(max(0.0, variance))
        return float(self.effect[layer, one] - self.effect[layer, other] + width)

    def predict(self, genomes: np.ndarray) -> np.ndarray:
        """(n, D) integers -> (n,) values."""
        return gather(self.effect, self.mean, genomes)


def fit_effects(genomes: np.ndarray, values: np.ndarray, space: SearchSpace) -> Effects:
    """Ordinary least squares; (n, D) integers of different networks, (n,) values.

    Raises:
        TableError: too few networks, choices that none of them holds, layers that only change together.
    """
    contrasts = _contrasts(space)
    left, singular, right = _decompose(genomes, space, contrasts)
    weights = right.T @ ((left.T @ values) / singular)
    residuals = values - _design(genomes, contrasts) @ weights
    freedom = len(values) - len(singular)
    variance = float(residuals @ residuals) / freedom
    spread = float(((values - values.mean()) ** 2).sum())
    effect, covariance = _unfold(weights, variance * (right.T / singular**2) @ right, contrasts, space)
    return Effects(
        space=space,
        mean=float(weights[0]),
        effect=effect,
        covariance=covariance,
        seen=count_seen(genomes, space),
        noise=float(np.sqrt(variance)),
        freedom=freedom,
        explained=1 - float(residuals @ residuals) / spread if spread else 1.0,
    )


def cross_validated(
    genomes: np.ndarray, values: np.ndarray, space: SearchSpace, folds: int, generator: np.random.Generator
) -> np.ndarray:
    """(n,) predictions of every network by a fit to the other folds; folds are drawn at random.

    Raises:
        TableError: fewer than 2 folds, or more than networks, or a fit without one fold is not possible.
    """
    if not 2 <= folds <= len(values):
        raise TableError(f"{folds} folds of {len(values)} networks are not possible; take 2 or more.")
    fold = generator.permutation(len(values)) % folds
    predicted = np.empty(len(values))
    for each in range(folds):
        held_out = fold == each
        try:
            fitted = fit_effects(genomes[~held_out], values[~held_out], space)
        except TableError as error:
            raise TableError(f"Cross-validation with {folds} folds is not possible: {error}") from error
        predicted[held_out] = fitted.predict(genomes[held_out])
    return predicted


def count_seen(genomes: np.ndarray, space: SearchSpace) -> np.ndarray:
    """(D, C) number of networks that hold each choice."""
    return np.array([np.bincount(column, minlength=space.max_choices) for column in genomes.T])


def unknowns(space: SearchSpace) -> int:
    """The mean, and for every layer all effects but one: L layers of C choices have 1 + L (C - 1)."""
    return 1 + sum(count - 1 for count in space.num_choices)


def check_confidence(confidence: float) -> float:
    """``confidence``, or a :class:`TableError` when it is no fraction."""
    if not 0 < confidence < 1:
        raise TableError(f"A confidence is a fraction between 0 and 1, for instance 0.95; got {confidence}.")
    return confidence


def _contrasts(space: SearchSpace) -> list[np.ndarray]:
    """Per layer a (choices, choices - 1) orthonormal basis of effects that average 0."""
    return [linalg.helmert(count).T if count > 1 else np.zeros((1, 0)) for count in space.num_choices]


def _design(genomes: np.ndarray, contrasts: list[np.ndarray]) -> np.ndarray:
    ones = np.ones((len(genomes), 1))
    return np.hstack([ones, *(basis[column] for basis, column in zip(contrasts, genomes.T, strict=True))])


def _decompose(
    genomes: np.ndarray, space: SearchSpace, contrasts: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Singular value decomposition of the design, which has full rank and a degree of freedom left."""
    needed = unknowns(space) + 1
    problems = _never_seen(genomes, space)
    if len(genomes) < needed:
        problems.append(f"at least {needed} different networks are needed")
    if not problems:
        left, singular, right = np.linalg.svd(_design(genomes, contrasts), full_matrices=False)
        small = singular < singular[0] * len(genomes) * np.finfo(float).eps
        if not small.any():
            return left, singular, right
        together = _moving_together(right[small], contrasts, space)
        problems.append(f"choices of {', '.join(together)} only ever change together")
    raise TableError(
        f"{len(genomes)} different networks do not determine the effects of the {space.valid.sum()} choices "
        f"of {space.name}: {'; '.join(problems)}. Add random networks; about {NETWORKS_PER_UNKNOWN * needed} "
        "in all give useful errors."
    )


def _never_seen(genomes: np.ndarray, space: SearchSpace) -> list[str]:
    seen = count_seen(genomes, space)
    missing = {
        each.name: [name for column, name in enumerate(each.names) if not seen[each.index, column]]
        for each in space.decisions
    }
    text = "; ".join(f"{row} {' '.join(names)}" for row, names in missing.items() if names)
    return [f"in none of them: {text}"] if text else []


def _moving_together(null: np.ndarray, contrasts: list[np.ndarray], space: SearchSpace) -> list[str]:
    """Layers that take part in a direction which changes no network's value."""
    bounds = np.cumsum([1, *(basis.shape[1] for basis in contrasts)])
    return [
        decision.name
        for decision, start, end in zip(space.decisions, bounds, bounds[1:], strict=False)
        if np.abs(null[:, start:end]).max(initial=0.0) > 1e-6
    ]


def _unfold(
    weights: np.ndarray, covariance: np.ndarray, contrasts: list[np.ndarray], space: SearchSpace
) -> tuple[np.ndarray, np.ndarray]:
    """Effects (D, C) and their covariance (D, C, C) from the weights of the contrasts."""
    width = space.max_choices
    effect, spread = np.zeros((len(space), width)), np.zeros((len(space), width, width))
    start = 1
    for layer, basis in enumerate(contrasts):
        count, end = len(basis), start + basis.shape[1]
        effect[layer, :count] = basis @ weights[start:end]
        spread[layer, :count, :count] = basis @ covariance[start:end, start:end] @ basis.T
        start = end
    return effect, spread
