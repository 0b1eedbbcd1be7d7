"""Children chosen by what is free (latency, parameters) and a prediction of what costs an evaluation.

A whole NSGA-II runs on predictions; of the front that it finds, genomes that were never asked for are chosen
one after another by the hypervolume that each would add. How many of a generation are chosen so depends on
how well the predictor ranks genomes that it was not fitted to; the others are children of plain NSGA-II.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnas.search.evolution.algorithm import Algorithm, BoolArray, FloatArray, IntArray
from dnas.search.evolution.front import Front
from dnas.search.evolution.hypervolume import MAX_OBJECTIVES, Views, greedy_improvement
from dnas.search.evolution.pareto import costs_of, non_dominated
from dnas.search.evolution.predictors import KINDS, Kind, Predictor, fit
from dnas.search.evolution.resume import floats_from_plain, floats_to_plain, rows
from dnas.search.evolution.seen import genomes_from_plain

# (n, L) genomes -> (n, M) values, NaN in the one column that only an evaluation knows.
Free = Callable[[IntArray], FloatArray]
# (n, L) genomes -> (n,) by how much bounds are broken, 0 where all are kept.
Violations = Callable[[IntArray], FloatArray]

# Evaluations that a predictor needs, and to how many, those on the front and the last ones, it is fitted: its
# time grows with their cube.
_LEAST, _MOST = 8, 800
# Members of the inner search's front among which is chosen.
_CANDIDATES = 400
# What an end of the front adds: the hypervolume's reference lies so far below the worst value seen, as a
# share of the range.
_BELOW = 0.01


@dataclass(frozen=True)
class Assistance:
    """How children are chosen by predictions.

    Args:
        predictor: ridge, trees, or auto: in each generation the one that ranks better.
        margin: spreads of the predictor that are added to its mean: above 0 it is optimistic about genomes
            unlike those that it knows, below 0 pessimistic.
        full_trust: rank correlation of left-out genomes, in (0, 1], from which on all children are chosen by
            predictions; below it, in proportion. A correlation counts with its standard error on top, so that
            the first generations have the benefit of the doubt.
        population, generations: of the inner search.

    Raises:
        ValueError: names everything that is out of range.
    """

    predictor: Kind = "auto"
    margin: float = 1.0
    full_trust: float = 0.3
    population: int = 100
    generations: int = 60

    def __post_init__(self) -> None:
        problems = []
        if self.predictor not in KINDS:
            problems.append(f"must be one of {', '.join(KINDS)}, got {self.predictor!r}")
        if not math.isfinite(self.margin):
            problems.append(f"margin must be a finite number, got {self.margin}")
        if not 0 < self.full_trust <= 1:
            problems.append(f"full_trust must be in (0, 1], got {self.full_trust}")
        if self.population < 1 or self.generations < 1:
            problems.append(
                f"population and generations must be 1 or more, got {self.population} and {self.generations}"
            )
        if problems:
            raise ValueError(f"predictor: {'; '.join(problems)}")


class Report(NamedTuple):
    """How a generation was chosen.

    Attributes:
        predictor: ridge or trees.
        correlation: Spearman's, of predictions of left-out genomes with their quality.
        chosen: children that were chosen by predictions.
        children: of the whole generation.
    """

    predictor: str
    correlation: float
    chosen: int
    children: int

    def __str__(self) -> str:
        return (
            f"{self.predictor}, rank correlation {self.correlation:.2f} of left-out architectures, chose "
            f"{self.chosen} of {self.children}"
        )


class InnerSearch(Algorithm, Protocol):
    """A search that knows its front."""

    def front(self) -> tuple[IntArray, FloatArray]:
        """Return genomes, (n, L), and values, (n, M)."""


# (population, initial genomes, generator) -> the search that runs on predictions.
MakeSearch = Callable[[int, IntArray, np.random.Generator], InnerSearch]


class Assistant:
    """Learns from what was evaluated, and chooses children.

    Args:
        assistance: how.
        choices, maximize: of the search.
        free, violations: known without an evaluation; violations None: there are no bounds.
        make_search: the inner search.
        views: columns of objectives, at most three each: children are chosen by the mean of the hypervolumes
            that each adds among the columns of every view. None: one view of all objectives.

    Raises:
        ValueError: more than three objectives in a view; free does not leave exactly one objective open.
    """

    def __init__(
        self,
        assistance: Assistance,
        choices: Sequence[int],
        maximize: Sequence[bool],
        free: Free | None,
        violations: Violations | None,
        make_search: MakeSearch,
        views: Views | None = None,
    ) -> None:
        self._assistance, self._choices, self._maximize = assistance, choices, tuple(maximize)
        self._violations, self._make_search = violations, make_search
        self._views = _checked_views(views, len(maximize))
        self._free, self._costly = _checked(free, choices, len(maximize))
        self._sign = 1.0 if maximize[self._costly] else -1.0
        self._genomes = np.empty((0, len(choices)), dtype=np.int64)
        self._values = np.empty((0, len(maximize)))
        self.report: Report | None = None

    def learn(self, genomes: IntArray, values: FloatArray, violations: FloatArray) -> None:
        """Take what was evaluated, (n, L) and (n, M); what broke a bound or is not finite teaches nothing."""
        usable = (violations == 0) & np.isfinite(values).all(axis=1)
        genomes = np.concatenate([self._genomes, genomes[usable]])
        values = np.concatenate([self._values, values[usable]])
        if len(values) > _MOST:
            # The front first, then the others, the last ones of both; in the order in which they came.
            order = np.argsort(non_dominated(values, self._maximize), kind="stable")
            kept = np.sort(order[-_MOST:])
            genomes, values = genomes[kept], values[kept]
        self._genomes, self._values = genomes, values

    def children(
        self, number: int, seen: Callable[[IntArray], BoolArray], generator: np.random.Generator
    ) -> IntArray:
        """Return up to number genomes, (n, L), none of them seen, the best one first."""
        self.report = None
        none = self._genomes[:0]
        if len(self._genomes) < _LEAST:
            return none
        quality = self._sign * self._values[:, self._costly]
        predictor = fit(self._assistance.predictor, self._choices, self._genomes, quality)
        trusted = round(number * self._trust(predictor.correlation))
        chosen = self._chosen(predictor, trusted, seen, generator) if trusted else none
        self.report = Report(predictor.name, predictor.correlation, len(chosen), number)
        return chosen

    def settings(self) -> dict[str, Any]:
        """Return what a search's state must agree in, as plain data."""
        return asdict(self._assistance) | ({} if self._views is None else {"views": self._views})

    def state_dict(self) -> dict[str, Any]:
        """Return everything learned as plain JSON data."""
        report = None if self.report is None else list(self.report)
        return {"genomes": self._genomes.tolist(), "values": floats_to_plain(self._values), "report": report}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where the state was taken.

        Raises:
            ValueError: its parts do not fit each other, or this search.
        """
        genomes = genomes_from_plain(state["genomes"], self._choices)
        values = rows(floats_from_plain(state["values"]), len(self._maximize))
        if len(genomes) != len(values) or not np.isfinite(values).all():
            raise ValueError(
                f"its predictor has {len(genomes)} genomes, {len(values)} rows of values, or NaN"
            )
        report = None if state["report"] is None else Report(*state["report"])
        self._genomes, self._values, self.report = genomes, values, report

    def _trust(self, correlation: float) -> float:
        standard_error = 1 / math.sqrt(len(self._genomes) - 1)
        return min(1.0, max(0.0, (correlation + standard_error) / self._assistance.full_trust))

    def _chosen(
        self,
        predictor: Predictor,
        number: int,
        seen: Callable[[IntArray], BoolArray],
        generator: np.random.Generator,
    ) -> IntArray:
        """Up to number genomes of the inner front, by the hypervolume that they add."""
        # Predicted as well: against the luckiest of noisy evaluations no prediction would look like progress.
        known = self._predicted(predictor, self._genomes)
        front = Front(len(self._choices), self._maximize)
        front.add(self._genomes, known)
        front_genomes, front_values = front.members()
        found, values = self._search(predictor, generator.permutation(front_genomes), generator)
        new = ~seen(found)
        found, values = found[new], values[new]
        if len(found) > _CANDIDATES:
            some = np.sort(self._some(values, generator))
            found, values = found[some], values[some]
        costs, front_costs = (costs_of(each, self._maximize) for each in (values, front_values))
        everything = np.concatenate([costs, costs_of(known, self._maximize)])
        worst, span = everything.max(axis=0), np.ptp(everything, axis=0)
        span[span == 0] = 1.0
        shares, front_shares = (
            ((worst - each) / span + _BELOW) / (1 + _BELOW) for each in (costs, front_costs)
        )
        return found[greedy_improvement(shares, front_shares, number, self._views)]

    def _some(self, values: FloatArray, generator: np.random.Generator) -> IntArray:
        """Rows of values, (n, M), that are candidates: at random, but those on the front of a view first."""
        if self._views is None:
            return generator.choice(len(values), _CANDIDATES, replace=False)
        on_a_front = np.zeros(len(values), dtype=bool)
        for view in self._views:
            on_a_front |= non_dominated(values[:, list(view)], [self._maximize[column] for column in view])
        order = generator.permutation(len(values))
        return order[np.argsort(~on_a_front[order], kind="stable")][:_CANDIDATES]

    def _search(
        self, predictor: Predictor, initial: IntArray, generator: np.random.Generator
    ) -> tuple[IntArray, FloatArray]:
        """The front, (n, L) and (n, M), of a whole search on predictions."""
        inner = self._make_search(
            self._assistance.population, initial, np.random.default_rng(generator.integers(2**63))
        )
        for _ in range(self._assistance.generations):
            genomes = inner.ask()
            if not len(genomes):
                break
            broken = None if self._violations is None else self._violations(genomes)
            inner.tell(genomes, self._predicted(predictor, genomes, self._assistance.margin), broken)
        return inner.front()

    def _predicted(self, predictor: Predictor, genomes: IntArray, margin: float = 0.0) -> FloatArray:
        """(n, M) values, quality as a normal score."""
        values = np.array(self._free(genomes), dtype=np.float64)
        quality = predictor.predict(genomes)
        values[:, self._costly] = self._sign * (quality.mean + margin * quality.spread)
        return values


def _checked_views(views: Views | None, objectives: int) -> Views | None:
    if views is None:
        if objectives > MAX_OBJECTIVES:
            raise ValueError(f"predictor: for up to {MAX_OBJECTIVES} objectives, got {objectives}")
        return None
    given = [list(view) for view in views]
    usable = all(
        1 <= len(view) <= MAX_OBJECTIVES and len({*view}) == len(view) and {*view} <= {*range(objectives)}
        for view in given
    )
    if not given or not usable:
        raise ValueError(
            f"views must each have 1 to {MAX_OBJECTIVES} different columns of the {objectives} objectives, "
            f"got {given}"
        )
    # One view of everything is what there is without views.
    return None if given == [[*range(objectives)]] else given


def _checked(free: Free | None, choices: Sequence[int], objectives: int) -> tuple[Free, int]:
    """The function, and the column that it leaves open."""
    if free is None:
        raise ValueError(
            "predictor: needs free, a function of (n, layers) genomes to (n, objectives) values with NaN for "
            "what only an evaluation knows"
        )
    genomes = np.zeros((2, len(choices)), dtype=np.int64)
    genomes[1] = np.array(choices) - 1
    values = np.asarray(free(genomes), dtype=np.float64)
    if values.shape != (2, objectives):
        raise ValueError(
            f"free must return values of shape (2, {objectives}) for 2 genomes, got {values.shape}"
        )
    open_columns = np.isnan(values)
    if (open_columns[0] != open_columns[1]).any() or open_columns[0].sum() != 1:
        raise ValueError(
            "free must return NaN in one column, the objective that only an evaluation knows, and numbers in "
            f"the others; got {values.tolist()} for the genomes {genomes.tolist()}"
        )
    return free, int(open_columns[0].argmax())
