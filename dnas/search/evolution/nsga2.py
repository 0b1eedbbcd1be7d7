"""NSGA-II with weighted crowding over genomes (Deb et al. 2002; MoGA, arXiv 1908.01314), as ask and tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dnas.search.evolution.algorithm import FloatArray, IntArray, as_array, check_told
from dnas.search.evolution.assistance import Assistance, Assistant, Free, Report, Violations
from dnas.search.evolution.front import Front
from dnas.search.evolution.hypervolume import Views
from dnas.search.evolution.mutation import Mutation, Mutator
from dnas.search.evolution.networks import Canonical, networks_of
from dnas.search.evolution.pareto import costs_of, crowding, ranks, weight_ratios
from dnas.search.evolution.predictors import Kind
from dnas.search.evolution.resume import (
    all_or_nothing,
    check_settings,
    floats_from_plain,
    floats_to_plain,
    generator_state,
    ints_from_plain,
    restore_generator,
    rows,
)
from dnas.search.evolution.seen import Seen, checked_choices, distinct, genome_array, genomes_from_plain

# Rounds of variation before what is missing of a generation is drawn uniformly from the unseen genomes.
_ROUNDS = 10


class NSGA2:
    """Weighted NSGA-II: `ask` for genomes, evaluate them, `tell` their values; an `Algorithm`.

    Each generation's parents win binary tournaments by rank, then weighted crowding; children come from
    uniform crossover and mutation; the best of parents and children survive. No genome is asked for twice in
    the whole search. Where variation finds nothing new, unseen genomes are drawn uniformly, until the space
    is exhausted. Bounds are kept by Deb's rules: feasible before infeasible, these by violation.

    NaN and infinite values: see `pareto`. Everything random comes from the generator.

    Args:
        choices: Number of choices of each layer.
        maximize: For each objective, whether higher is better.
        weights: For each objective, its weight in crowding; only ratios count, ranks know no weights. Equal
            weights (None) are the standard NSGA-II. A weight of 0 leaves an objective to the ranks alone.
        population: Number of survivors, and of genomes asked for at a time. MoGA: 70 (our assumption).
        generator: Explicit, and used up: give each search its own.
        crossover: Probability of a child to have genes of two parents, else, before mutation, it has those
            of one; 0.9 is Deb's, and our assumption about MoGA.
        mutation: How children are mutated.
        prior: (L, C) of the prior mutation, for example softmax(alpha); None: uniform. See `Mutator`.
        initial: (n, L) genomes to begin with, say of another search: of repeated ones the first alone, of
            too many the first ``population``; of too few the rest is drawn uniformly.
        canonical: (n, L) genomes -> (n, L), equal rows where they build the same network, say
            `dnas.space.networks.networks` of a space: what is asked for, survives and is on the front are
            canonical genomes, each network once, and the space is exhausted when all networks were seen. A
            plain function is asked for all genomes at once, for at most 2^20 of them. None: every genome is a
            network of its own.
        predictor: From the second generation on, children are chosen by predictions of the objective that
            ``free`` leaves open, as far as the predictor can be trusted (`assistance.Assistance`); by name
            "ridge", "trees" or "auto". None: the faithful NSGA-II, which looks at none of the next three.
        free: (n, L) genomes -> (n, M) values, NaN in the one column that costs an evaluation.
        violations: (n, L) genomes -> (n,) violations of bounds, as `tell` takes them. None: no bounds.
        views: With more than three objectives, columns of them, at most three each: predictions choose
            children by the mean of the hypervolumes that they add among the columns of every view.

    Raises:
        ValueError: names everything wrong.
    """

    def __init__(
        self,
        *,
        choices: Sequence[int],
        maximize: Sequence[bool],
        weights: Sequence[float] | None = None,
        population: int = 70,
        generator: np.random.Generator,
        crossover: float = 0.9,
        mutation: Mutation | None = None,
        prior: npt.ArrayLike | None = None,
        initial: npt.ArrayLike | None = None,
        canonical: Canonical | None = None,
        predictor: Kind | Assistance | None = None,
        free: Free | None = None,
        violations: Violations | None = None,
        views: Views | None = None,
    ) -> None:
        self.choices, self.maximize = checked_choices(choices), _directions(maximize)
        objectives = len(self.maximize)
        weights = (1.0,) * objectives if weights is None else weights
        mutation = mutation or Mutation()
        problems = [
            *_problems(objectives, population, crossover, generator),
            *(_problem(weight_ratios, weights, objectives) if objectives else ()),
            *_mutation_problems(self.choices, mutation, prior),
            *(f"initial: {text}" for text in _problem(distinct, initial, self.choices)),
            *_problem(networks_of, canonical, self.choices),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        self._seen = Seen(self.choices, canonical)
        self._assistant = None if predictor is None else self._assisting(predictor, free, violations, views)
        ratios = weight_ratios(weights, objectives)
        self.weights = tuple((ratios / ratios.sum()).tolist())
        self._size, self._crossover, self._generator = int(population), float(crossover), generator
        self._mutator = Mutator(self.choices, mutation, prior)
        self._initial = distinct(initial, self.choices, self._seen.networks)[: self._size]
        self._settings = {
            "algorithm": "nsga2",
            "choices": list(self.choices),
            "maximize": list(self.maximize),
            "weights": list(self.weights),
            "population": self._size,
            "crossover": self._crossover,
            "mutation": {
                name: None if number is None else float(number)
                for name, number in dataclasses.asdict(mutation).items()
            },
            "prior": self._mutator.prior.tolist(),
            **self._seen.settings(),
            **({} if self._assistant is None else {"predictor": self._assistant.settings()}),
        }
        self._population = Population.empty(len(self.choices), objectives)
        self._front = Front(len(self.choices), self.maximize)
        self._asked: IntArray | None = None

    @property
    def population(self) -> Population:
        """The survivors of the last generation, best first; empty before the first `tell`. Read only."""
        return self._population.read_only()

    @property
    def report(self) -> Report | None:
        """How the last generation that was asked for was chosen; None: not by predictions."""
        return None if self._assistant is None else self._assistant.report

    def front(self) -> tuple[IntArray, FloatArray]:
        """Return genomes, (n, L), and values, (n, M), of the feasible ones that nothing ever told dominates.

        Best first by the first objective, equal ones by the next ones, then by genome.
        """
        return self._front.members()

    def ask(self) -> IntArray:
        """Return the genomes to evaluate next, (population, L), distinct and never asked for before.

        Fewer when fewer are left, (0, L) when none are; the same again until they are told.
        """
        if self._asked is None:
            self._asked = self._next()
        return self._asked.copy()

    def tell(self, genomes: IntArray, values: FloatArray, violations: FloatArray | None = None) -> None:
        """Take values, (n, M), and violations, (n,), of the genomes that `ask` returned; see `Algorithm`.

        Raises:
            ValueError: as `algorithm.check_told`.
        """
        genomes, values, violations = check_told(self._asked, genomes, values, violations, len(self.maximize))
        if not len(values):
            return
        old = self._population
        everyone = Population.assess(
            np.concatenate([old.genomes, genomes]),
            np.concatenate([old.values, values]),
            np.concatenate([old.violations, violations]),
            self.maximize,
            self.weights,
            enough=self._size,
        )
        # Whatever is new on the front so far is first among parents and children too.
        first = (everyone.rank[len(old.rank) :] == 0) & (violations == 0)
        self._front.add(genomes[first], values[first])
        self._population = everyone.best(self._size)
        self._mutator.learn(self._population.genomes)
        if self._assistant is not None:
            self._assistant.learn(genomes, values, violations)
        self._asked = None

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON data, the state of the generator included."""
        state = {
            "settings": deepcopy(self._settings),
            "generator": generator_state(self._generator),
            "seen": self._seen.state_dict(),
            "initial": self._initial.tolist(),
            "asked": None if self._asked is None else self._asked.tolist(),
            "population": self._population.state_dict(),
            "front": self._front.state_dict(),
            "distribution": self._mutator.distribution.tolist(),
        }
        return state if self._assistant is None else state | {"assistant": self._assistant.state_dict()}

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken; the generator's state is set too.

        Raises:
            ValueError: the state is of other settings, or of another kind of generator.
        """
        check_settings(self._settings, state)
        restore_generator(self._generator, state["generator"])
        layers, objectives = len(self.choices), len(self.maximize)
        self._seen.load_state_dict(state["seen"])
        self._initial = genomes_from_plain(state["initial"], self.choices)
        asked = state["asked"]
        self._asked = None if asked is None else genomes_from_plain(asked, self.choices)
        self._population = Population.from_state_dict(state["population"], layers, objectives)
        genome_array(self._population.genomes, self.choices)
        self._front.load_state_dict(state["front"])
        genome_array(self._front.members()[0], self.choices)
        self._mutator.load_distribution(state["distribution"])
        if self._assistant is not None:
            self._assistant.load_state_dict(state["assistant"])

    def _assisting(
        self,
        predictor: Kind | Assistance,
        free: Free | None,
        violations: Violations | None,
        views: Views | None,
    ) -> Assistant:
        """An assistant, whose inner search is one like this, without an assistant."""

        def inner(population: int, initial: IntArray, generator: np.random.Generator) -> NSGA2:
            return NSGA2(
                choices=self.choices,
                maximize=self.maximize,
                population=population,
                generator=generator,
                initial=initial,
                canonical=self._seen.networks,
            )

        assistance = Assistance(predictor) if isinstance(predictor, str) else predictor
        return Assistant(assistance, self.choices, self.maximize, free, violations, inner, views)

    def _next(self) -> IntArray:
        """Return what to ask for next, noted as seen."""
        if len(self._population.genomes):
            found = self._children()
        else:
            found = self._initial[self._seen.add(self._initial)]
        if len(found) == self._size:
            return found
        rest = self._seen.draw_unseen(self._size - len(found), self._generator)
        return np.concatenate([found, rest[self._seen.add(rest)]])

    def _children(self) -> IntArray:
        """Return new children, up to the size of the population, noted as seen."""
        found = np.empty((0, len(self.choices)), dtype=np.int64)
        if self._assistant is not None:
            found = self._assistant.children(self._size, self._seen.contains, self._generator)
            self._seen.add(found)
        for _ in range(_ROUNDS):
            missing = self._size - len(found)
            if not missing or self._seen.exhausted:
                break
            # Twice as many, as some will be known: that is cheaper than another round.
            children = self._seen.canonical(self._vary(2 * missing))
            found = np.concatenate([found, children[self._seen.add(children, limit=missing)]])
        return found

    def _vary(self, number: int) -> IntArray:
        """Return children, (number, L), of parents that won their tournaments; any may be known already."""
        first, second = self._population.genomes[tournament(self._population, (2, number), self._generator)]
        children = uniform_crossover(first, second, self._crossover, self._generator)
        return self._mutator.mutate(children, self._generator)


def _directions(maximize: Sequence[bool]) -> tuple[bool, ...]:
    """Return maximize as plain booleans; 1 and -1, say, would both be true.

    Raises:
        ValueError: not one True or False (or 1 or 0) per objective.
    """
    directions = as_array(maximize)
    if directions.ndim != 1 or not set(directions.tolist()) <= {True, False}:
        raise ValueError(f"maximize must be True or False for each objective, got {maximize!r}")
    return tuple(map(bool, directions.tolist()))


def _mutation_problems(
    choices: tuple[int, ...], mutation: Mutation, prior: npt.ArrayLike | None
) -> list[str]:
    if not isinstance(mutation, Mutation):
        return [f"mutation must be a Mutation, got {mutation!r}"]
    return _problem(Mutator, choices, mutation, prior)


def _problems(
    objectives: int, population: int, crossover: float, generator: np.random.Generator
) -> list[str]:
    problems = []
    if not objectives:
        problems.append("maximize must have an entry for each objective, it has none")
    if not isinstance(population, Integral) or isinstance(population, bool) or population < 1:
        problems.append(f"population must be a whole number, 1 or more, got {population!r}")
    if not (isinstance(crossover, Real) and 0 <= crossover <= 1):
        problems.append(f"crossover is a probability in [0, 1], got {crossover!r}")
    if not isinstance(generator, np.random.Generator):
        problems.append(f"generator must be a numpy.random.Generator, got {type(generator).__name__}")
    return problems


def _problem(check: Callable[..., object], *arguments: Any) -> list[str]:
    """Return the message of the ValueError that the check raises, if it does."""
    try:
        check(*arguments)
    except ValueError as error:
        return [str(error)]
    return []


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

    def read_only(self) -> Population:
        """Return the same, as arrays that cannot be written to."""
        views = [array.view() for array in self]
        for view in views:
            view.flags.writeable = False
        return Population._make(views)

    def state_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plain = {name: floats_to_plain(getattr(self, name)) for name in ("values", "violations", "crowding")}
        return plain | {"genomes": self.genomes.tolist(), "rank": self.rank.tolist()}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any], layers: int, objectives: int) -> Population:
        """Return the population that `state_dict` was taken of.

        Raises:
            ValueError: its parts are not of one length.
        """
        found = cls(
            rows(ints_from_plain(state["genomes"]), layers),
            rows(floats_from_plain(state["values"]), objectives),
            floats_from_plain(state["violations"]),
            ints_from_plain(state["rank"]),
            floats_from_plain(state["crowding"]),
        )
        if len({len(array) for array in found}) > 1 or any(array.ndim > 1 for array in found[2:]):
            raise ValueError(f"its population has parts of shape {[array.shape for array in found]}")
        # None is below 0, nor NaN, which compares with nothing.
        if not all((array >= 0).all() for array in found[2:]):
            raise ValueError("its population has violations, ranks or crowding below 0, or NaN")
        return found

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
