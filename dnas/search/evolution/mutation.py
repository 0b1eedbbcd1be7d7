"""Categorical mutation at random, by what survived (MoGA's reinforced mutator) and by a given prior.

MoGA (arXiv 1908.01314) mutates as MoreMNAS (arXiv 1901.01074) does. The text of both could not be read: the
shares and the update rule here are our assumptions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import FloatArray, IntArray, real_array

# Weights that sum to less leave nothing: among the smallest floats a product may be rounded up to its factor.
_NEGLIGIBLE = 1e-100


@dataclass(frozen=True)
class Mutation:
    """How children are mutated; the defaults are our assumption about MoGA.

    Args:
        probability: Of a child to be mutated at all, in [0, 1].
        random: Share of mutations that draw uniformly; shares are 0 or above, and scaled to sum 1.
        reinforced: Share of mutations that draw from what is learned from the survivors.
        prior: Share of mutations that draw from the prior given to the search (uniform if none is).
        gene_rate: Probability of each gene to be picked, in [0, 1]; None: 1 / number of layers with a choice.
        learning_rate: eta in [0, 1] of the reinforced distribution: after each generation
            q[l, c] <- (1 - eta) q[l, c] + eta * (share of the survivors with choice c at layer l),
            starting uniform (population-based incremental learning: Baluja 1994, without its negative
            examples).

    Raises:
        ValueError: names every number that is out of range.
    """

    probability: float = 0.8
    random: float = 0.2
    reinforced: float = 0.65
    prior: float = 0.15
    gene_rate: float | None = None
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        rates = {"probability": self.probability, "learning_rate": self.learning_rate}
        if self.gene_rate is not None:
            rates["gene_rate"] = self.gene_rate
        problems = [
            f"{name} must be in [0, 1], got {rate!r}"
            for name, rate in rates.items()
            if not (isinstance(rate, Real) and 0 <= rate <= 1)
        ]
        shares = {"random": self.random, "reinforced": self.reinforced, "prior": self.prior}
        numbers = all(isinstance(share, Real) and 0 <= share < math.inf for share in shares.values())
        if not numbers or not any(shares.values()):
            problems.append(f"the shares must be finite, 0 or above and not all 0, got {shares}")
        if problems:
            raise ValueError(f"mutation: {'; '.join(problems)}")

    @classmethod
    def only_random(cls, probability: float = 0.8, gene_rate: float | None = None) -> Mutation:
        """Return uniform mutation alone, as in the paper's ablation."""
        return cls(probability, random=1.0, reinforced=0.0, prior=0.0, gene_rate=gene_rate)


class Mutator:
    """Mutates genomes as a `Mutation` says, and learns from the survivors.

    Its two distributions, (L, C) with 0 beyond a layer's choices, are `distribution`, learned, and `prior`.

    Args:
        choices: Number of choices of each layer; a layer with one choice is never mutated.
        mutation: Rates and shares.
        prior: (L, C) numbers of 0 or above, C the largest number of choices: a gene that the prior mutation
            picks becomes c with probability proportional to prior[l, c]. Entries beyond a layer's choices
            are not read. None: uniform.

    Raises:
        ValueError: a prior of another shape, negative or not finite, or all 0 in a layer.
    """

    def __init__(
        self, choices: Sequence[int], mutation: Mutation, prior: npt.ArrayLike | None = None
    ) -> None:
        self._mutation = mutation
        counts = np.array(choices)
        valid = np.arange(counts.max()) < counts[:, None]
        uniform = valid / counts[:, None]
        checked = uniform if prior is None else _checked_prior(prior, valid)
        # Of each kind of mutation, one under the other, as `mutate` looks them up.
        self._tables = np.concatenate([uniform, uniform, checked])
        rate = mutation.gene_rate
        self._rates = (counts > 1) * (1 / max(1, (counts > 1).sum()) if rate is None else rate)
        shares = np.cumsum([mutation.random, mutation.reinforced, mutation.prior])
        self._thresholds = shares[:-1] / shares[-1]
        # Of each layer's first choice, counted through all layers.
        self._offsets = np.arange(0, valid.size, valid.shape[1])

    @property
    def distribution(self) -> FloatArray:
        """What is learned, (L, C), as a view."""
        return self._tables[len(self._rates) : 2 * len(self._rates)]

    @property
    def prior(self) -> FloatArray:
        """The prior, (L, C), as a view."""
        return self._tables[2 * len(self._rates) :]

    def load_distribution(self, plain: Sequence[Sequence[float]]) -> None:
        """Take over what another one has learned, (L, C).

        Raises:
            ValueError: another shape, or no probabilities.
        """
        learned = real_array("its distribution", plain)
        beyond = self._tables[: len(self._rates)] == 0
        if learned.shape != beyond.shape or not ((learned >= 0) & (learned <= 1.001)).all():
            raise ValueError(f"its distribution must hold probabilities, {beyond.shape}")
        if learned[beyond].any():
            raise ValueError("its distribution has choices that the layers do not have")
        self.distribution[:] = learned

    def mutate(self, genomes: IntArray, generator: np.random.Generator) -> IntArray:
        """Return mutated copies of genomes, (n, L); every gene that is picked changes."""
        layers = genomes.shape[1]
        kinds = self._thresholds.searchsorted(generator.random(len(genomes)), side="right")
        chance = (generator.random((len(genomes), 1)) < self._mutation.probability) * self._rates
        # Places in the flat array, which numpy finds and takes faster than pairs of indices.
        picked = (generator.random(genomes.shape) < chance).ravel().nonzero()[0]
        rows, layer = np.divmod(picked, layers)
        mutated = genomes.copy()
        flat = mutated.reshape(-1)
        weights, fallback = self._tables[kinds[rows] * layers + layer], self._tables[layer]
        flat[picked] = draw_others(flat[picked], weights, fallback, generator)
        return mutated

    def learn(self, survivors: IntArray) -> None:
        """Move the reinforced distribution towards the survivors, (n, L) with n at least 1."""
        learned = self.distribution
        cells = (survivors + self._offsets).ravel()
        shares = np.bincount(cells, minlength=learned.size).reshape(learned.shape) / len(survivors)
        eta = self._mutation.learning_rate
        learned *= 1 - eta
        learned += eta * shares


def draw_others(
    genes: IntArray, weights: FloatArray, fallback: FloatArray, generator: np.random.Generator
) -> IntArray:
    """Draw for each gene, (n,), another value, (n,), in proportion to its row of weights, (n, C).

    Where the weights leave no other value, rows of fallback, (n, C), are used; they must leave one.
    """
    others = np.arange(weights.shape[1]) != genes[:, None]
    reached = (weights * others).cumsum(axis=1)
    none = reached[:, -1] < _NEGLIGIBLE
    if none.any():
        reached[none] = (fallback[none] * others[none]).cumsum(axis=1)
    # The first value that is passed: a random number below 1 times the total stays below the total.
    return (reached > generator.random((len(genes), 1)) * reached[:, -1:]).argmax(axis=1)


def _checked_prior(prior: npt.ArrayLike, valid: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the prior with rows of sum 1, 0 beyond the layers' choices."""
    array = real_array("prior", prior)
    if array.shape != valid.shape:
        raise ValueError(f"prior must have shape (layers, most choices), {valid.shape}, got {array.shape}")
    array = np.where(valid, array, 0.0)
    wrong = np.argwhere(~(np.isfinite(array) & (array >= 0))).tolist()
    empty = np.flatnonzero(~array.any(axis=1)).tolist()
    problems = [f"it is not at (layer, choice) {wrong}"] if wrong else []
    problems += [f"it is 0 for all choices of layers {empty}"] if empty else []
    if problems:
        raise ValueError(
            f"prior must be finite, 0 or above, and above 0 for a choice of each layer: {'; '.join(problems)}"
        )
    scaled = array / array.max(axis=1, keepdims=True)
    return scaled / scaled.sum(axis=1, keepdims=True)
