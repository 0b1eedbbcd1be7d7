"""Weighted NSGA-II as a whole: nothing twice, nothing left out, resumed as if undisturbed, no mere chance.

Its parts: who survives, who wins tournaments, and what crossover makes of two parents.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pymoo.core.individual import Individual
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from dnas.search.evolution.hypervolume import hypervolume
from dnas.search.evolution.mutation import Mutation
from dnas.search.evolution.nsga2 import NSGA2, Population, tournament, uniform_crossover
from dnas.search.evolution.pareto import non_dominated
from dnas.search.evolution.random_search import RandomSearch
from dnas.search.evolution.resume import DamagedState, OtherSearch

CHOICES = (4, 1, 3, 5, 2, 4, 3, 4)
MAXIMIZE = (True, False, True)
NAN, INF = np.nan, np.inf


def search(seed: int = 0, **settings: Any) -> NSGA2:
    defaults: dict[str, Any] = {
        "choices": CHOICES,
        "maximize": MAXIMIZE,
        "weights": (2, 2, 1),
        "population": 16,
    }
    return NSGA2(**defaults | settings, generator=np.random.default_rng(seed))


def conflicting(genomes: np.ndarray) -> np.ndarray:
    """Top-1, milliseconds and parameters, (n, 3), as sums over layers; more of one costs another."""
    table = np.random.default_rng(7).random((3, len(genomes.T), 16))
    table[0] = 0.6 * table[1] + 0.4 * table[0]
    table[2] = 0.3 * table[1] + 0.7 * table[2]
    return table[:, np.arange(len(genomes.T)), genomes].sum(axis=-1).T


def late(genomes: np.ndarray) -> np.ndarray:
    """By how many milliseconds the genomes are above a limit that a fifth of them keeps."""
    return np.maximum(0, conflicting(genomes)[:, 1] - 2.9)


def evaluated(genomes: np.ndarray, violations: Callable | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Values and violations; every other genome is left without values if it is infeasible."""
    broken = violations(genomes) if violations else np.zeros(len(genomes))
    unknown = (broken > 0) & (np.arange(len(genomes)) % 2 == 0)
    return np.where(unknown[:, None], np.nan, conflicting(genomes)), broken


def run(one: NSGA2, generations: int, violations: Callable | None = None) -> list[np.ndarray]:
    """All genomes asked for."""
    asked = []
    for _ in range(generations):
        asked.append(one.ask())
        one.tell(asked[-1], *evaluated(asked[-1], violations))
    return asked


def through_json(one: NSGA2) -> dict[str, Any]:
    return json.loads(json.dumps(one.state_dict(), allow_nan=False))


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def test_every_genome_is_new_and_in_range() -> None:
    asked = np.concatenate(run(search(), 40))
    assert asked.shape == (640, 8) and asked.dtype == np.int64
    assert len(np.unique(asked, axis=0)) == 640
    assert (asked >= 0).all() and (asked < np.array(CHOICES)).all()


def test_ask_repeats_itself_until_told() -> None:
    one = search()
    for _ in range(3):
        genomes = one.ask()
        before = genomes.copy()
        genomes[:] = 0
        assert (one.ask() == before).all()
        one.tell(before, conflicting(before))
    with pytest.raises(ValueError, match="tell came without ask"):
        one.tell(before, conflicting(before))


def test_what_was_not_asked_is_refused_and_changes_nothing() -> None:
    one, other = search(), search()
    genomes = one.ask()
    with pytest.raises(ValueError, match="same order; values must have shape"):
        one.tell(genomes[::-1], np.ones((16, 2)))
    assert same(run(one, 3), run(other, 3))


def test_genomes_stay_integers_however_they_are_told() -> None:
    one = search()
    genomes = one.ask()
    one.tell(genomes.astype(float).tolist(), conflicting(genomes).tolist())
    assert one.population.genomes.dtype == one.front()[0].dtype == one.ask().dtype == np.int64


def test_the_same_seed_gives_the_same_run() -> None:
    assert same(run(search(3), 10), run(search(3), 10))
    assert not same(run(search(3), 10), run(search(4), 10))


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.1, 0.1, 0.1), (7, 7, 7), (1 / 3, 1 / 3, 1 / 3)])
def test_equal_weights_are_the_standard_search_bit_by_bit(weights: tuple[float, ...]) -> None:
    assert same(run(search(weights=weights), 10), run(search(weights=None), 10))


def test_only_the_ratios_of_weights_count() -> None:
    standard = run(search(weights=(2, 2, 1)), 10)
    assert same(run(search(weights=(0.4, 0.4, 0.2)), 10), standard)
    assert not same(run(search(weights=(1, 2, 2)), 10), standard)


@pytest.mark.parametrize("violations", [None, late])
def test_the_front_is_that_of_everything_told(violations: Callable | None) -> None:
    one = search()
    asked = np.concatenate(run(one, 15, violations))
    feasible = asked if violations is None else asked[violations(asked) == 0]
    expected = feasible[non_dominated(conflicting(feasible), MAXIMIZE)]
    genomes, values = one.front()
    assert sorted(genomes.tolist()) == sorted(expected.tolist())
    assert (values == conflicting(genomes)).all()
    assert (np.diff(values[:, 0]) <= 0).all()


@pytest.mark.parametrize("violations", [None, late])
def test_the_best_of_parents_and_children_survive(violations: Callable | None) -> None:
    one = search()
    assert len(one.population.genomes) == 0
    for _ in range(8):
        before = one.population
        (asked,) = run(one, 1, violations)
        values, broken = evaluated(asked, violations)
        expected = Population.assess(
            np.concatenate([before.genomes, asked]),
            np.concatenate([before.values, values]),
            np.concatenate([before.violations, broken]),
            MAXIMIZE,
            (2, 2, 1),
        ).best(16)
        for found, wanted in zip(one.population, expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_a_bound_is_approached_and_then_kept() -> None:
    one = search()
    start = one.ask()
    assert (late(start) > 0).mean() > 0.5
    run(one, 10, late)
    assert (one.population.violations == 0).all()
    # Nobody keeps this one: the smallest violations survive, and there is no front.
    one = search()
    asked = np.concatenate(run(one, 10, lambda genomes: 1 + conflicting(genomes)[:, 1]))
    smallest = np.sort(1 + conflicting(asked)[:, 1])[:16]
    np.testing.assert_array_equal(one.population.violations, smallest)
    assert len(one.front()[0]) == 0


def test_values_that_are_nan_never_win() -> None:
    one = search()
    for _ in range(6):
        genomes = one.ask()
        values = conflicting(genomes)
        failed = genomes[:, 0] == 0
        values[failed, :2] = np.nan, -np.inf
        one.tell(genomes, values)
    assert (one.population.genomes[:, 0] != 0).all() and (one.front()[0][:, 0] != 0).all()
    one = search()
    for _ in range(3):
        one.tell(one.ask(), np.full((16, 3), np.nan))
    assert len(one.front()[0]) == 0 and len(one.population.genomes) == 16


@pytest.mark.parametrize("violations", [None, late])
@pytest.mark.parametrize("pending", [False, True])
def test_resumed_at_every_generation_it_goes_on_undisturbed(
    violations: Callable | None, pending: bool
) -> None:
    prior = np.random.default_rng(0).random((8, 5))
    prior[1, 1:] = np.nan  # a layer with one choice
    settings = {"initial": np.zeros((2, 8), dtype=int), "prior": prior}
    undisturbed = search(**settings)
    expected = run(undisturbed, 12, violations)
    disturbed, asked = search(**settings), []
    for generation in range(12):
        if pending:
            disturbed.ask()
        # Of the new search's own, only the settings count: neither its seed nor what it began with.
        again = search(seed=100 + generation, prior=prior)
        again.load_state_dict(through_json(disturbed))
        disturbed = again
        asked += run(disturbed, 1, violations)
    assert same(asked, expected)
    assert through_json(disturbed) == through_json(undisturbed)
    for one, other in zip(disturbed.front(), undisturbed.front(), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_state_can_be_loaded_over_another() -> None:
    one, other = search(1), search(2)
    run(one, 3)
    run(other, 5)
    other.load_state_dict(through_json(one))
    assert same(run(other, 5), run(one, 5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choices": (4, 1, 3, 5, 2, 4, 3, 3)}, "choices was"),
        ({"maximize": (True, True, True)}, "maximize was"),
        ({"weights": (1, 1, 1)}, "weights was"),
        ({"population": 17}, "population was 16 and is now 17"),
        ({"crossover": 0.8}, "crossover was 0.9 and is now 0.8"),
        ({"mutation": Mutation.only_random()}, "mutation was"),
        ({"prior": np.ones((8, 5)) - 0.5 * np.eye(8, 5)}, "prior was"),
        ({"population": 17, "crossover": 0.8}, "population was .* crossover was"),
    ],
)
def test_a_state_of_other_settings_is_refused(settings: dict[str, Any], message: str) -> None:
    one, other = search(), search(**settings)
    run(one, 2)
    before = through_json(other)
    with pytest.raises(ValueError, match=f"other settings: {message}"):
        other.load_state_dict(through_json(one))
    assert through_json(other) == before


@pytest.mark.parametrize("choices", [(1,), (7,), (1, 1, 1), (2, 3, 1, 2), (3, 3, 3, 3)])
@pytest.mark.parametrize("population", [1, 5, 200])
def test_a_small_space_is_exhausted(choices: tuple[int, ...], population: int) -> None:
    one = search(choices=choices, population=population)
    asked = []
    while len(genomes := one.ask()):
        asked.append(genomes)
        one.tell(genomes, conflicting(genomes))
    size = math.prod(choices)
    assert [len(genomes) for genomes in asked[:-1]] == [population] * ((size - 1) // population)
    everything = np.concatenate(asked)
    assert sorted(map(tuple, everything.tolist())) == list(itertools.product(*map(range, choices)))
    assert one.ask().shape == (0, len(choices))
    end = through_json(one)
    one.tell(one.ask(), np.empty((0, 3)))
    assert one.ask().shape == (0, len(choices)) and through_json(one) == end
    expected = everything[non_dominated(conflicting(everything), MAXIMIZE)]
    assert sorted(one.front()[0].tolist()) == sorted(expected.tolist())


def test_children_mix_their_parents() -> None:
    zeros_and_ones = np.random.default_rng(0).integers(2, size=(8, 14))
    settings: dict[str, Any] = {"choices": (9,) * 14, "population": 8, "initial": zeros_and_ones}
    asked = run(search(**settings, crossover=1, mutation=Mutation(probability=0)), 10)
    assert np.concatenate(asked).max() == 1


def test_the_survivors_are_learned_from() -> None:
    one = search(mutation=Mutation(learning_rate=1))
    run(one, 3)
    counts = [np.bincount(column, minlength=5) for column in one.population.genomes.T]
    assert through_json(one)["distribution"] == (np.array(counts) / 16).tolist()


def test_without_variation_unseen_genomes_are_drawn() -> None:
    asked = np.concatenate(run(search(crossover=0, mutation=Mutation(probability=0)), 10))
    assert len(np.unique(asked, axis=0)) == 160


def test_it_begins_with_the_initial_genomes() -> None:
    given = np.array([[3, 0, 2, 4, 1, 3, 2, 3], [0] * 8, [3, 0, 2, 4, 1, 3, 2, 3], [1, 0, 1, 1, 1, 1, 1, 1]])
    first = search(initial=given).ask()
    assert first[:3].tolist() == given[[0, 1, 3]].tolist()
    assert len(np.unique(first, axis=0)) == len(first) == 16
    assert search(initial=given, population=2).ask().tolist() == given[:2].tolist()
    assert search(initial=given[:0]).ask().tolist() == search().ask().tolist()


def test_what_it_began_with_is_not_asked_for_again() -> None:
    for seed in range(20):
        small = search(seed, choices=(2, 2, 2), population=3, initial=[[0, 0, 0], [1, 1, 1]])
        asked = np.concatenate(run(small, 5))
        assert len(asked) == len(np.unique(asked, axis=0)) == 8


def test_a_prior_guides_the_children() -> None:
    prior = np.ones((8, 5))
    prior[3] = [0, 0, 0, 0, 1]
    mutation = Mutation(random=0, reinforced=0, prior=1, gene_rate=0.5)
    guided, blind = (
        np.concatenate(run(search(mutation=mutation, prior=each), 5)[1:]) for each in (prior, None)
    )
    assert (guided[:, 3] == 4).mean() > 1.5 * (blind[:, 3] == 4).mean()


def test_all_that_is_wrong_in_one_message() -> None:
    with pytest.raises(ValueError) as error:
        NSGA2(
            choices=CHOICES,
            maximize=MAXIMIZE,
            weights=(1, -1, 1),
            population=0,
            generator=7,
            crossover=1.5,
            prior=np.ones((2, 2)),
            initial=[[9] * 8],
        )
    for part in (
        "weights must be 3 finite numbers",
        "population must be a whole number, 1 or more, got 0",
        "generator must be a numpy.random.Generator, got int",
        "crossover is a probability in [0, 1], got 1.5",
        "prior must have shape (layers, most choices), (8, 5)",
        "initial: genomes must stay in range",
    ):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="maximize must have an entry"):
        search(maximize=(), weights=None)
    with pytest.raises(ValueError, match="choices"):
        search(choices=())
    with pytest.raises(ValueError, match="whole number"):
        search(population=2.5)


def leading_ones(genomes: np.ndarray) -> np.ndarray:
    """LOTZ (Laumanns et al. 2004): the front is all genomes of ones up to some layer, then zeros."""
    ones = np.cumprod(genomes, axis=1).sum(axis=1)
    zeros = np.cumprod(1 - genomes[:, ::-1], axis=1).sum(axis=1)
    return np.stack([ones, zeros], axis=1).astype(float)


def test_a_known_front_is_found() -> None:
    one = NSGA2(choices=(2,) * 12, maximize=(True, True), population=30, generator=np.random.default_rng(0))
    for _ in range(40):  # 1,200 of 4,096
        genomes = one.ask()
        one.tell(genomes, leading_ones(genomes))
    assert one.front()[1].tolist() == [[12 - k, k] for k in range(13)]


@pytest.mark.parametrize("mutation", [Mutation(), Mutation.only_random()])
def test_it_beats_random_search_at_equal_evaluations(mutation: Mutation) -> None:
    choices = (12,) * 14
    reference, volumes = conflicting(np.zeros((1, 14), dtype=int)) * 0 + [[0, 14, 0]], []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        weighted = NSGA2(
            choices=choices,
            maximize=MAXIMIZE,
            weights=(2, 2, 1),
            population=30,
            generator=np.random.default_rng(seed),
            mutation=mutation,
        )
        run(weighted, 30)
        blind = RandomSearch(choices, 900, generator).ask()
        volumes.append(
            [hypervolume(v, reference[0], MAXIMIZE) for v in (weighted.front()[1], conflicting(blind))]
        )
    ours, theirs = np.transpose(volumes)
    assert ours.min() > 1.15 * theirs.max()


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


def test_a_population_goes_through_json() -> None:
    for population in (numbered([[1.0, NAN], [INF, 2.0], [3.0, 4.0]], [2, 0, INF]), Population.empty(1, 2)):
        again = Population.from_state_dict(
            json.loads(json.dumps(population.state_dict(), allow_nan=False)), 1, 2
        )
        for one, other in zip(population, again, strict=True):
            assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def test_a_state_that_cannot_be_loaded_leaves_the_search_as_it_was() -> None:
    one, undisturbed = search(), search()
    run(one, 2), run(undisturbed, 2)
    state = through_json(search())
    for damaged in (
        {**state, "generator": {"bit_generator": "MT19937"}},
        {**state, "front": {"genomes": [[0]]}},
        {**state, "population": {**state["population"], "rank": [0]}},
        {key: value for key, value in state.items() if key != "distribution"},
    ):
        with pytest.raises(ValueError):
            one.load_state_dict(damaged)
        assert through_json(one) == through_json(undisturbed)
    assert same(run(one, 2), run(undisturbed, 2))


PARTS = ("generator", "seen", "initial", "asked", "population", "front", "distribution")
STRANGE: list[Any] = ["x", 1, [["a"]], [[9] * len(CHOICES)], [[0.5] * len(CHOICES)], {"genomes": [[0]]}, NAN]


@pytest.mark.parametrize("part", PARTS)
def test_a_state_with_a_strange_part_is_called_damaged(part: str) -> None:
    one, undisturbed = search(), search()
    run(one, 2), run(undisturbed, 2)
    state = through_json(one)
    lacking = {name: value for name, value in state.items() if name != part}
    for damaged in (lacking, *({**state, part: strange} for strange in STRANGE)):
        with pytest.raises(DamagedState, match="the state is damaged or truncated"):
            one.load_state_dict(damaged)
        assert through_json(one) == through_json(undisturbed)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("population", "genomes", [[9] * len(CHOICES)] * 16),
        ("population", "genomes", [[0.5] * len(CHOICES)] * 16),
        ("population", "rank", [[0]] * 16),
        ("population", "violations", [-1.0] * 16),
        ("population", "crowding", ["nan"] * 16),
        ("population", "values", [[1.0]] * 48),
        ("front", "genomes", []),
        ("front", "genomes", [[0] * len(CHOICES)]),
        ("seen", "seen", [-1]),
        ("generator", "state", {"state": 1.5, "inc": 1}),
        ("generator", "state", {"state": -1, "inc": 1}),
    ],
)
def test_a_state_that_no_search_writes_is_called_damaged(part: str, name: str, value: Any) -> None:
    one = search()
    run(one, 2)
    state = through_json(one)
    with pytest.raises(DamagedState):
        one.load_state_dict({**state, part: {**state[part], name: value}})
    assert through_json(one) == state


@pytest.mark.parametrize("state", [None, 1, "x", [], {}, {1: 2, "a": 3}, {"settings": None}])
def test_what_is_no_state_is_refused(state: Any) -> None:
    with pytest.raises(OtherSearch, match="no state of a search"):
        search().load_state_dict(state)


def test_what_is_done_to_a_state_changes_no_search() -> None:
    one = search()
    run(one, 1)
    state, before = one.state_dict(), through_json(one)
    state["settings"]["population"] = 3
    state["settings"]["choices"].clear()
    state["front"]["genomes"].clear()
    assert through_json(one) == before


def test_the_population_can_be_looked_at_and_not_changed() -> None:
    one = search()
    run(one, 1)
    for array in one.population:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert same(run(one, 1), run(search(), 2)[1:])


def test_tensors_of_torch_are_taken() -> None:
    one, other = search(), search()
    for _ in range(2):
        genomes = one.ask()
        values = torch.tensor(conflicting(genomes), requires_grad=True)
        one.tell(torch.tensor(genomes), values, torch.zeros(len(genomes)))  # type: ignore[arg-type]
    run(other, 2)
    assert through_json(one) == through_json(other)


def test_numbers_of_numpy_and_torch_are_settings_as_plain_ones_are() -> None:
    prior = torch.rand(len(CHOICES), max(CHOICES), requires_grad=True)
    numbers = Mutation(probability=np.float32(0.5), learning_rate=np.float64(0.5), random=1)  # type: ignore[arg-type]
    one = search(
        population=np.int64(16),
        maximize=np.array(MAXIMIZE),
        crossover=np.float32(0.5),
        mutation=numbers,
        prior=prior.softmax(1),
        initial=list(torch.zeros(2, len(CHOICES), dtype=torch.long)),
    )
    other = search(
        crossover=0.5,
        mutation=Mutation(probability=0.5, learning_rate=0.5, random=1.0),
        prior=prior.softmax(1).tolist(),
        initial=[[0] * len(CHOICES)],
    )
    run(one, 2), run(other, 2)
    assert through_json(one) == through_json(other)
    assert through_json(search(choices=iter(CHOICES))) == through_json(search())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("choices", 3, "choices must give the number of choices"),
        ("choices", [2.0, 3.0], "choices must give the number of choices"),
        ("choices", None, "choices must give the number of choices"),
        ("choices", [3, 10**9], "the number of choices, 1 to 1,000,000, of one layer or more"),
        ("maximize", True, "maximize must be True or False for each objective, got True"),
        ("maximize", [1, -1, 1], "maximize must be True or False for each objective"),
        ("maximize", ["yes", "no", "yes"], "maximize must be True or False for each objective"),
        ("population", True, "population must be a whole number"),
        ("crossover", "0.9", "crossover is a probability in .* got '0.9'"),
        ("crossover", None, "crossover is a probability in .* got None"),
        ("weights", {"ms": 1}, "weights must be an array of real numbers"),
        ("weights", [1, 10**400, 1], "weights must be an array of real numbers"),
        ("prior", np.ones((8, 5), complex), "prior must be an array of real numbers: it is of complex128"),
        ("prior", [[1], [1, 2]], "prior must be an array of real numbers"),
        ("initial", [[0], [1, 2]], "initial: genomes must all have 8 layers"),
        ("mutation", {"probability": 1}, "mutation must be a Mutation, got {'probability': 1}"),
        ("canonical", 3, "canonical must be a function of genomes, or None, got 3"),
    ],
)
def test_settings_of_another_kind_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(**{name: value})
