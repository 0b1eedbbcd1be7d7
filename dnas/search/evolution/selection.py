"""Survival, tournament and crossover of NSGA-II (Deb et al. 2002, section III) over genomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.pareto import costs_of, crowding, ranks
from dnas.search.evolution.resume import floats_from_plain, floats_to_plain


class Population(NamedTuple):
    """Genomes and what is known about them.

    genomes: (n, L).
    values: (n, M) objective values as told; NaN where an infeasible genome was not evaluated.
    violations: (n,) by how much bounds are broken; 0 is feasible.
    rank: (n,) constrained non-domination rank, 0 the best (`pareto.ranks`).
    crowding: (n,) weighted crowding distance (`pareto.crowding`); survivors keep the one they survived by.
    """

    genomes: IntArray
    values: FloatArray
    violations: FloatArray
    rank: IntArray
    crowding: FloatArray

    @classmethod
    def assess(
        cls,
        genomes: IntArray,
        values: FloatArray,
        violations: FloatArray,
        maximize: Sequence[bool],
        weights: Sequence[float] | None = None,
        enough: int | None = None,
    ) -> Population:
        """Return the genomes in their order, with the ranks and crowding that they have among each other.

        At least the best ``enough`` are told apart by rank, see `pareto.ranks`.
        """
        costs = costs_of(values, maximize)
        rank = ranks(costs, violations, enough)
        return cls(genomes, values, violations, rank, crowding(costs, rank, weights))

    def best(self, number: int) -> Population:
        """Return the best ``number`` by rank, then by crowding; of equals those that come first."""
        rows = np.lexsort((-self.crowding, self.rank))[:number]
        return Population(
            self.genomes[rows], self.values[rows], self.violations[rows], self.rank[rows], self.crowding[rows]
        )

    def state_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plain = {name: floats_to_plain(getattr(self, name)) for name in ("values", "violations", "crowding")}
        return plain | {"genomes": self.genomes.tolist(), "rank": self.rank.tolist()}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any], layers: int, objectives: int) -> Population:
        """Return the population that `state_dict` was taken of."""
        return cls(
            np.array(state["genomes"], dtype=np.int64).reshape(-1, layers),
            floats_from_plain(state["values"]).reshape(-1, objectives),
            floats_from_plain(state["violations"]),
            np.array(state["rank"], dtype=np.int64),
            floats_from_plain(state["crowding"]),
        )

    @classmethod
    def empty(cls, layers: int, objectives: int) -> Population:
        """Return the population before anything was told."""
        none, ints = np.empty(0), np.empty(0, dtype=np.int64)
        return cls(ints.reshape(0, layers), none.reshape(0, objectives), none, ints, none)


def tournament(population: Population, shape: tuple[int, ...], generator: np.random.Generator) -> IntArray:
    """Return the winners' indices, in the given shape, of duels of two drawn uniformly, with replacement.

    The lower rank wins, at equal rank the higher crowding, at equal crowding chance.
    """
    drawn = generator.integers(len(population.genomes), size=(2, *shape))
    rank, distance = population.rank[drawn], population.crowding[drawn]
    # Of equals the first drawn: which one that is, is chance already.
    wins = (rank[1] < rank[0]) | ((rank[1] == rank[0]) & (distance[1] > distance[0]))
    return np.where(wins, drawn[1], drawn[0])


def uniform_crossover(
    first: IntArray, second: IntArray, probability: float, generator: np.random.Generator
) -> IntArray:
    """Return one child of each pair of parents, all (n, L).

    With the given probability its genes come from either parent, equally likely; else all from the first.
    """
    crossed = generator.random((len(first), 1)) < probability
    return np.where(crossed & generator.integers(2, size=first.shape, dtype=bool), second, first)
