"""Who survives, who wins tournaments, and what crossover makes of two parents."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pymoo.core.individual import Individual
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from dnas.search.evolution.selection import Population, tournament, uniform_crossover

NAN, INF = np.nan, np.inf


def numbered(
    values: np.ndarray, violations: np.ndarray | None = None, number: int = 99, **kwargs
) -> Population:
    """Survivors whose genome is their row."""
    values = np.array(values, dtype=float)
    violations = np.zeros(len(values)) if violations is None else np.array(violations, dtype=float)
    maximize = kwargs.pop("maximize", (False,) * values.shape[1])
    genomes = np.arange(len(values))[:, None]
    return Population.assess(genomes, values, violations, maximize, enough=number, **kwargs).best(number)


def test_best_first_by_rank_then_crowding() -> None:
    values = [[9, 9], [0, 10], [1, 6], [3, 5], [10, 0], [10, 10]]
    found = numbered(values)
    assert found.genomes.ravel().tolist() == [1, 4, 3, 2, 0, 5]
    assert found.rank.tolist() == [0, 0, 0, 0, 1, 2]
    np.testing.assert_allclose(found.crowding, [INF, INF, 0.75, 0.4, INF, INF])
    assert found.values.tolist() == np.array(values)[[1, 4, 3, 2, 0, 5]].tolist()


def test_crowding_is_that_among_all_that_the_survivors_came_from() -> None:
    found = numbered([[0, 10], [1, 6], [3, 5], [10, 0]], number=3)
    assert found.genomes.ravel().tolist() == [0, 3, 2]
    np.testing.assert_allclose(found.crowding, [INF, INF, 0.75])


def test_weights_and_directions_decide_who_is_cut() -> None:
    # Row 1 is alone in latency, row 2 in top-1.
    values = [[0.9, 90.0], [0.86, 60.0], [0.5, 10.0], [0.84, 11.0], [0.85, 12.0]]
    maximize = (True, False)
    assert numbered(values, number=3, maximize=maximize, weights=(1, 0.1)).genomes.ravel().tolist() == [
        0,
        2,
        3,
    ]
    assert numbered(values, number=3, maximize=maximize, weights=(0.1, 1)).genomes.ravel().tolist() == [
        0,
        2,
        1,
    ]


def test_feasible_first_then_by_violation() -> None:
    values = [[0.0], [3.0], [NAN], [1.0], [NAN], [2.0]]
    found = numbered(values, [0.5, 0, 0.2, 0, 0, 0.5])
    # Rows 0 and 5 have the same violation: each is an end of its rank, so the first stays first.
    assert found.genomes.ravel().tolist() == [3, 1, 4, 2, 0, 5]
    assert found.rank.tolist() == [0, 1, 2, 3, 4, 4]
    assert found.violations.tolist() == [0, 0, 0, 0.2, 0.5, 0.5]


def test_of_equals_those_that_come_first_survive() -> None:
    assert numbered([[1.0, 1.0]] * 4, number=2).genomes.ravel().tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("objectives", [2, 3])
def test_equal_weights_let_the_survivors_of_pymoo_survive(seed: int, objectives: int) -> None:
    values = np.random.default_rng(seed).random((140, objectives))
    problem = Problem(n_var=1, n_obj=objectives)
    theirs = PymooPopulation(individuals=[Individual(X=[row], F=value) for row, value in enumerate(values)])
    chosen = RankAndCrowding().do(problem, theirs, n_survive=70, random_state=np.random.default_rng(0))
    found = numbered(values, number=70, weights=(5,) * objectives)
    # pymoo lets chance decide among those at the ends of the front that is cut, whose crowding is infinite.
    certain = np.isfinite(found.crowding) | (found.rank < found.rank.max())
    assert set(found.genomes.ravel()[certain]) <= set(chosen.get("X").ravel())
    assert found.rank.tolist() == sorted(chosen.get("rank"))
    np.testing.assert_allclose(np.sort(found.crowding), np.sort(chosen.get("crowding")), rtol=1e-12)


def test_tournament_by_rank_then_crowding_then_chance() -> None:
    population = Population.empty(1, 1)._replace(
        genomes=np.arange(4)[:, None],
        rank=np.array([0, 0, 1, 1]),
        crowding=np.array([2.0, 1.0, INF, INF]),
    )
    winners = tournament(population, (2, 8000), np.random.default_rng(0))
    assert winners.shape == (2, 8000)
    # 0 wins all of its 7 of 16 duels, 1 all but those with 0, 2 and 3 only those among themselves.
    shares = np.bincount(winners.ravel(), minlength=4) / winners.size
    np.testing.assert_allclose(shares, [7 / 16, 5 / 16, 2 / 16, 2 / 16], atol=0.012)


def test_tournament_of_one() -> None:
    population = numbered([[1.0]])
    assert tournament(population, (3,), np.random.default_rng(0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("probability", "share"), [(0.0, 0.0), (1.0, 0.5), (0.6, 0.3)])
def test_uniform_crossover(probability: float, share: float) -> None:
    first, second = np.zeros((5000, 6), dtype=np.int64), np.ones((5000, 6), dtype=np.int64)
    children = uniform_crossover(first, second, probability, np.random.default_rng(0))
    np.testing.assert_allclose(children.mean(axis=0), share, atol=0.03)
    # Of 6 genes, 1 child in 64 of those crossed has all from the first parent.
    crossed = (children != 0).any(axis=1).mean()
    assert crossed == pytest.approx(probability * 63 / 64, abs=0.03)
    assert not first.any() and second.all()


def test_genes_stay_in_their_layers() -> None:
    first, second = np.arange(0, 20).reshape(2, 10), np.arange(100, 120).reshape(2, 10)
    children = uniform_crossover(first, second, 1.0, np.random.default_rng(0))
    assert (children % 100 == first).all()


def test_state_goes_through_json() -> None:
    for population in (numbered([[1.0, NAN], [INF, 2.0], [3.0, 4.0]], [2, 0, INF]), Population.empty(1, 2)):
        again = Population.from_state_dict(
            json.loads(json.dumps(population.state_dict(), allow_nan=False)), 1, 2
        )
        for one, other in zip(population, again, strict=True):
            assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
