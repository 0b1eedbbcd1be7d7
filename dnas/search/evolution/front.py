"""The non-dominated ones of everything evaluated so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.pareto import costs_of, no_worse, on_front
from dnas.search.evolution.resume import floats_from_plain, floats_to_plain, ints_from_plain, rows

# So many rows are compared at a time: a few at a time cost almost as much.
_BATCH = 256
# At most so many, in memory that grows with their pairs.
_MOST = 2048


class Front:
    """Genomes, (n, L), and values, (n, M), that nothing added so far dominates; equal values stay together.

    Args:
        layers: L.
        maximize: For each objective, whether higher is better.
    """

    def __init__(self, layers: int, maximize: Sequence[bool]) -> None:
        self._maximize = tuple(maximize)
        self._genomes = np.empty((0, layers), dtype=np.int64)
        self._costs = np.empty((0, len(self._maximize)))
        self._waiting: list[tuple[IntArray, FloatArray]] = []

    def __len__(self) -> int:
        self._compare()
        return len(self._genomes)

    def add(self, genomes: IntArray, values: FloatArray) -> None:
        """Take feasible genomes, each one once; values with a NaN never get onto the front."""
        self._waiting.append((np.array(genomes), costs_of(values, self._maximize)))
        if sum(len(costs) for _, costs in self._waiting) >= _BATCH:
            self._compare()

    def _compare(self) -> None:
        """Put those that wait on the front, or drop them."""
        if not self._waiting:
            return
        genomes, costs = map(np.concatenate, zip(*self._waiting, strict=True))
        self._waiting = []
        for start in range(0, len(costs), _MOST):
            self._compare_some(genomes[start : start + _MOST], costs[start : start + _MOST])

    def _compare_some(self, genomes: IntArray, costs: FloatArray) -> None:
        old = self._costs
        among = no_worse(costs, costs)
        # A new one that another dominates need not be compared: so does the other what it dominates.
        first = on_front(costs, among > among.T)
        genomes, costs = genomes[first], costs[first]
        # Both (new, old): a is no worse than b where -b is no worse than -a.
        ahead, behind = no_worse(costs, old), no_worse(-costs, -old)
        new, stay = ~(behind > ahead).any(axis=1), ~(ahead > behind).any(axis=0)
        self._genomes = np.concatenate([self._genomes[stay], genomes[new]])
        self._costs = np.concatenate([old[stay], costs[new]])

    def members(self) -> tuple[IntArray, FloatArray]:
        """Return genomes and values, sorted: best first objective first, then the next ones, then genome."""
        self._compare()
        order = np.lexsort([*self._genomes.T[::-1], *self._costs.T[::-1]])
        # Negated twice, costs are the values.
        return self._genomes[order], costs_of(self._costs[order], self._maximize)

    def state_dict(self) -> dict[str, Any]:
        """Return the members as plain JSON data."""
        self._compare()
        return {"genomes": self._genomes.tolist(), "costs": floats_to_plain(self._costs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the members of another front with the same layers and objectives.

        Raises:
            ValueError: its parts do not fit each other, or these.
        """
        genomes = rows(ints_from_plain(state["genomes"]), self._genomes.shape[1])
        costs = rows(floats_from_plain(state["costs"]), len(self._maximize))
        if len(genomes) != len(costs) or np.isnan(costs).any():
            raise ValueError(f"its front has {len(genomes)} genomes, {len(costs)} rows of costs, or NaN")
        self._waiting, self._genomes, self._costs = [], genomes, costs
