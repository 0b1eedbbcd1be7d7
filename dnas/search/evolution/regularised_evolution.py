"""Regularised (ageing) evolution, Real et al. 2019 (arXiv 1802.01548), Algorithm 1, for one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import FloatArray, IntArray, check_told
from dnas.search.evolution.networks import Canonical
from dnas.search.evolution.resume import (
    all_or_nothing,
    check_settings,
    floats_from_plain,
    floats_to_plain,
    generator_state,
    restore_generator,
)
from dnas.search.evolution.rewards import Score
from dnas.search.evolution.seen import Seen, distinct, genomes_from_plain

# Mutations of one child, all of them seen before, after which an unseen genome is drawn instead.
_TRIES = 100


class RegularisedEvolution:
    """The population is a queue: the best of a random sample is mutated, and the oldest member dies.

    First the whole population is asked for, then ``batch`` children at a time. A child is the winner with
    one layer, drawn uniformly, changed to another of its choices.

    Departures from the paper: no genome is asked for twice, so that a child that was seen before is mutated
    again until it is new, or replaced by an unseen genome drawn uniformly after 100 mutations; the paper's
    identity mutation is left out. With batch > 1 the children of one ask have their parents in the same
    population, as if that many workers began at once; the paper's Algorithm 1 (batch 1) adds each child
    before it breeds the next.

    A feasible member wins against an infeasible one, of infeasible ones the lower violation, of feasible
    ones the higher score; a score of NaN counts as -inf. Of equals the first drawn wins.

    Args:
        choices: Number of choices of each layer.
        score: values (n, M) of feasible genomes -> (n,), higher is better (see `rewards`). A state tells its
            score by its name, or, if it has none, by its repr: a dataclass's tells its settings.
        population: Members of the queue, P in the paper (100).
        sample: Members drawn, with replacement, to compete for being the parent, S in the paper (25).
        batch: Children per ask, at most ``population``; fewer when fewer genomes are left.
        generator: Where all randomness comes from.
        initial: (n, L) genomes to begin with: of duplicates the first, of too many the first ``population``;
            the rest is drawn uniformly.
        canonical: See `NSGA2`; a child is mutated until its network is new.

    Raises:
        ValueError: numbers out of range, layers without choices, initial genomes out of range.
    """

    def __init__(
        self,
        choices: Sequence[int],
        score: Score,
        *,
        population: int = 100,
        sample: int = 25,
        batch: int = 1,
        generator: np.random.Generator,
        initial: npt.ArrayLike | None = None,
        canonical: Canonical | None = None,
    ) -> None:
        self._seen = Seen(choices, canonical)
        numbers = {"population": population, "sample": sample, "batch": batch}
        problems = [f"{name} must be at least 1, got {n}" for name, n in numbers.items() if n < 1]
        if batch > population:
            problems.append(f"batch must not exceed the population, {population}, got {batch}")
        try:
            self._initial = distinct(initial, self._seen.choices, self._seen.networks)[:population]
        except ValueError as error:
            problems.append(f"initial: {error}")
        if problems:
            raise ValueError("; ".join(problems))
        self._score, self._size, self._sample, self._batch = score, population, sample, batch
        self._generator = generator
        self._changeable = np.flatnonzero(np.array(self._seen.choices) > 1)
        self._genomes = self._array([])
        self._scores = self._violations = np.empty(0)
        self._asked: IntArray | None = None

    @property
    def population(self) -> tuple[IntArray, FloatArray, FloatArray]:
        """Genomes, (n, L), their scores and violations, (n,), the oldest first."""
        return self._genomes.copy(), self._scores.copy(), self._violations.copy()

    def ask(self) -> IntArray:
        """Return the first population or the next children, (n, L); see `Algorithm.ask`."""
        if self._asked is None:
            self._asked = self._children() if len(self._genomes) else self._first()
        return self._asked.copy()

    def tell(self, genomes: IntArray, values: FloatArray, violations: FloatArray | None = None) -> None:
        """Add the genomes to the queue, and let the oldest die; see `Algorithm.tell`.

        Raises:
            ValueError: also when ``score`` returns another shape than (n,).
        """
        genomes, values, violations = check_told(self._asked, genomes, values, violations)
        scores = self._scored(values, violations)
        self._genomes = np.concatenate([self._genomes, genomes])[-self._size :]
        self._scores = np.concatenate([self._scores, scores])[-self._size :]
        self._violations = np.concatenate([self._violations, violations])[-self._size :]
        self._asked = None

    def state_dict(self) -> dict[str, Any]:
        """Return plain JSON data; see `Algorithm.state_dict`."""
        return {
            "settings": self._settings(),
            "generator": generator_state(self._generator),
            "seen": self._seen.state_dict(),
            "genomes": self._genomes.tolist(),
            "scores": floats_to_plain(self._scores),
            "violations": floats_to_plain(self._violations),
            "asked": None if self._asked is None else self._asked.tolist(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken; see `Algorithm.load_state_dict`."""
        check_settings(self._settings(), state)
        restore_generator(self._generator, state["generator"])
        self._seen.load_state_dict(state["seen"])
        choices = self._seen.choices
        self._genomes = genomes_from_plain(state["genomes"], choices)
        self._scores = floats_from_plain(state["scores"])
        self._violations = floats_from_plain(state["violations"])
        if not self._scores.shape == self._violations.shape == (len(self._genomes),):
            raise ValueError("its genomes, scores and violations are not as many")
        self._asked = None if state["asked"] is None else genomes_from_plain(state["asked"], choices)

    def _first(self) -> IntArray:
        self._seen.add(self._initial)
        drawn = self._seen.draw_unseen(self._size - len(self._initial), self._generator)
        self._seen.add(drawn)
        return np.concatenate([self._initial, drawn])

    def _children(self) -> IntArray:
        return self._array([self._new_child() for _ in range(min(self._batch, self._seen.left))])

    def _new_child(self) -> IntArray:
        """Return a child that was never asked for, and note it; there must be one left."""
        child = self._genomes[self._winner()].copy()
        for _ in range(_TRIES):
            self._mutate(child)
            if self._seen.add(child[None])[0]:
                return self._seen.canonical(child[None])[0]
        drawn = self._seen.draw_unseen(1, self._generator)
        self._seen.add(drawn)
        return drawn[0]

    def _winner(self) -> int:
        drawn = self._generator.integers(len(self._genomes), size=self._sample)
        return max(drawn.tolist(), key=lambda member: (-self._violations[member], self._scores[member]))

    def _mutate(self, child: IntArray) -> None:
        """Change one layer of the child, in place, to another of its choices."""
        layer = self._changeable[self._generator.integers(len(self._changeable))]
        other = self._generator.integers(self._seen.choices[layer] - 1)
        child[layer] = other + (other >= child[layer])

    def _scored(self, values: FloatArray, violations: FloatArray) -> FloatArray:
        """Return the scores, (n,): -inf instead of NaN, and where a violation counts instead."""
        feasible = violations == 0
        given = np.asarray(self._score(values[feasible]), dtype=np.float64)
        if given.shape != (feasible.sum(),):
            raise ValueError(
                f"score must return one number per genome, ({feasible.sum()},), got {given.shape}"
            )
        scores = np.full(len(values), -np.inf)
        scores[feasible] = np.where(np.isnan(given), -np.inf, given)
        return scores

    def _settings(self) -> dict[str, Any]:
        return {
            "algorithm": "regularised_evolution",
            "choices": list(self._seen.choices),
            "score": getattr(self._score, "__qualname__", repr(self._score)),
            "population": self._size,
            "sample": self._sample,
            "batch": self._batch,
            "initial": self._initial.tolist(),
            **self._seen.settings(),
        }

    def _array(self, genomes: Sequence[npt.ArrayLike]) -> IntArray:
        return np.array(genomes, dtype=np.int64).reshape(-1, len(self._seen.choices))
