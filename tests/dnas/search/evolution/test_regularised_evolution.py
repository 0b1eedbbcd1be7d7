"""Ageing evolution: the oldest dies, the best of a sample breeds, nothing is asked for twice."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from dnas.search.evolution.algorithm import FloatArray, IntArray
from dnas.search.evolution.random_search import RandomSearch
from dnas.search.evolution.regularised_evolution import RegularisedEvolution
from dnas.search.evolution.rewards import MnasNetReward, Score, accuracy

CHOICES = (3, 1, 4, 2)
WIDE = (6,) * 8


def first(values: FloatArray) -> FloatArray:
    return values[:, 0]


def evolution(
    seed: int = 0, choices: tuple[int, ...] = CHOICES, score: Score = first, **settings: Any
) -> RegularisedEvolution:
    settings = {"population": 6, "sample": 3} | settings
    return RegularisedEvolution(choices, score, generator=np.random.default_rng(seed), **settings)


def evaluate(genomes: IntArray) -> FloatArray:
    """Return (quality, latency) that pull in opposite directions, (n, 2)."""
    return np.stack([genomes.sum(axis=1) / 100, 1.0 + (genomes**2).sum(axis=1)], axis=1)


def steps(algorithm: RegularisedEvolution, number: int = 1000) -> list[list[list[int]]]:
    """Ask and tell until nothing is left, at most ``number`` times; return what was asked for."""
    asked = []
    while len(asked) < number and len(genomes := algorithm.ask()):
        algorithm.tell(genomes, evaluate(genomes), np.maximum(0.0, 3.0 - genomes.sum(axis=1)))
        asked.append(genomes.tolist())
    return asked


def test_the_oldest_dies_not_the_worst() -> None:
    initial = [[0, 0, 0, 0], [1, 0, 0, 0], [2, 0, 0, 0]]
    algorithm = evolution(population=3, initial=initial)
    algorithm.tell(algorithm.ask(), np.array([[9.0], [1.0], [5.0]]))
    children = []
    for score in (3.0, 0.0, 8.0):
        (child,) = algorithm.ask().tolist()
        algorithm.tell(np.array([child]), np.array([[score]]))
        children.append(child)
        genomes, scores, violations = algorithm.population
        assert genomes.tolist() == [*initial, *children][-3:]
        assert scores.tolist() == [9.0, 1.0, 5.0, 3.0, 0.0, 8.0][len(children) :][:3]
        assert violations.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("batch", [1, 3])
def test_children_change_one_layer_of_the_best_of_a_large_sample(batch: int) -> None:
    algorithm = evolution(choices=(6, 1, 6, 6, 6), sample=300, batch=batch)
    algorithm.tell(algorithm.ask(), np.arange(6.0)[::-1, None])
    genomes, scores, _ = algorithm.population
    best = genomes[scores.argmax()]
    children = algorithm.ask()
    assert len(children) == batch
    assert ((children != best).sum(axis=1) == 1).all()


def test_layer_and_choice_of_a_mutation_are_uniform() -> None:
    start = [[1, 0, 2, 0]]
    changes = np.zeros((4, 4))
    for seed in range(1200):
        algorithm = evolution(seed, choices=(3, 1, 4, 2), population=1, sample=1, initial=start)
        algorithm.tell(algorithm.ask(), np.zeros((1, 1)))
        (child,) = algorithm.ask()
        (layer,) = np.flatnonzero(child != start[0])
        changes[layer, child[layer]] += 1
    expected = [[200, 0, 200, 0], [0, 0, 0, 0], [400 / 3, 400 / 3, 0, 400 / 3], [0, 400, 0, 0]]
    np.testing.assert_allclose(changes, expected, atol=55)


def test_a_sample_of_one_breeds_anyone() -> None:
    parents = set()
    for seed in range(60):
        algorithm = evolution(seed, choices=WIDE, population=3, sample=1)
        algorithm.tell(algorithm.ask(), np.arange(3.0)[:, None])
        genomes, scores, _ = algorithm.population
        parents.add(scores[(genomes != algorithm.ask()).sum(axis=1).argmin()])
    assert parents == {0.0, 1.0, 2.0}


@pytest.mark.parametrize(
    ("scores", "violations", "winner"),
    [
        ([1.0, 5.0, 3.0], None, 1),
        ([np.nan, -5.0, np.nan], None, 1),
        ([np.nan, -np.inf, -9.0], [0.0, 0.0, 0.0], 2),
        ([9.0, 0.0, 8.0], [0.1, 0.0, 2.0], 1),
        ([9.0, np.nan, 8.0], [0.1, 0.0, 2.0], 1),  # feasible, and be it NaN, beats infeasible
        ([np.nan] * 3, [3.0, 2.0, 0.5], 2),
        ([9.0, 0.0, 8.0], [np.inf, 7.0, 8.0], 1),
    ],
)
def test_who_breeds(scores: list[float], violations: list[float] | None, winner: int) -> None:
    told = None if violations is None else np.array(violations)
    for seed in range(8):
        algorithm = evolution(seed, WIDE, population=3, sample=200)
        algorithm.tell(algorithm.ask(), np.array(scores)[:, None], told)
        child = algorithm.ask()
        assert ((algorithm.population[0] != child).sum(axis=1) == 1).nonzero()[0].tolist() == [winner]


def test_scores_are_of_feasible_genomes_alone() -> None:
    algorithm = evolution(score=MnasNetReward(10.0), population=4)
    values = np.array([[0.5, 10.0], [np.nan, np.nan], [0.5, 20.0], [0.9, 0.0]])
    algorithm.tell(algorithm.ask(), values, np.array([0.0, 1.0, 0.0, 2.0]))
    np.testing.assert_allclose(algorithm.population[1], [0.5, -np.inf, 0.5 * 2**-0.07, -np.inf])


def test_everything_infeasible_heads_for_feasibility() -> None:
    def violations(genomes: IntArray) -> FloatArray:
        return 1.0 + genomes.sum(axis=1)

    algorithm = evolution(choices=WIDE, population=20, sample=10)
    for _ in range(200):
        genomes = algorithm.ask()
        algorithm.tell(genomes, np.full((len(genomes), 2), np.nan), violations(genomes))
    assert algorithm.population[2].max() < 12.0  # drawn at random: 21 on average


@pytest.mark.parametrize("choices", [CHOICES, (1,), (1, 1), (5,), (2, 2)])
@pytest.mark.parametrize("batch", [1, 4])
def test_asks_for_the_whole_space_once(choices: tuple[int, ...], batch: int) -> None:
    algorithm = evolution(choices=choices, batch=batch, initial=[[0] * len(choices)])
    everything = [list(each) for each in itertools.product(*map(range, choices))]
    asked = steps(algorithm)
    assert sorted(itertools.chain(*asked)) == everything
    assert len(asked[0]) == min(6, len(everything))
    assert all(len(genomes) == batch for genomes in asked[1:-1])
    nothing = algorithm.ask()
    assert nothing.shape == (0, len(choices)) and nothing.dtype == np.int64
    algorithm.tell(nothing, np.empty((0, 2)))
    assert algorithm.ask().shape == (0, len(choices))


def test_a_child_whose_relatives_are_all_known_is_drawn_from_the_rest() -> None:
    # One layer has another choice, and it is known: only drawing can find the last genome but one.
    algorithm = evolution(choices=(200, 1), population=1, sample=1)
    assert sorted(itertools.chain(*steps(algorithm))) == [[choice, 0] for choice in range(200)]


@pytest.mark.parametrize(
    ("number", "population"), [(2, 6), (6, 6), (9, 4)], ids=["too few", "exactly", "too many"]
)
def test_initial_ones_come_first(number: int, population: int) -> None:
    every = [list(each) for each in itertools.product(*map(range, CHOICES))]
    initial = np.random.default_rng(1).permutation(every)[:number].tolist()
    asked = evolution(initial=[initial[0], *initial], population=population).ask().tolist()
    kept = min(number, population)
    assert asked[:kept] == initial[:kept] and len(asked) == population
    assert len({tuple(genome) for genome in asked}) == population


def test_beats_random_search_at_equal_evaluations() -> None:
    def best_of_300(algorithm: RegularisedEvolution | RandomSearch) -> float:
        told: list[float] = []
        while len(told) < 300:
            genomes = algorithm.ask()
            values = evaluate(genomes)
            algorithm.tell(genomes, values)
            told += values[:, 0].tolist()
        return max(told)

    for seed in range(5):
        random = RandomSearch(WIDE, 20, np.random.default_rng(seed))
        ageing = evolution(seed, WIDE, population=20, sample=10)
        assert best_of_300(ageing) >= 0.38 > best_of_300(random)


def test_the_generator_decides_alone() -> None:
    assert steps(evolution(1, WIDE), 30) == steps(evolution(1, WIDE), 30) != steps(evolution(2, WIDE), 30)


def test_asking_twice_brings_the_same_and_telling_others_is_refused() -> None:
    algorithm = evolution()
    for _ in range(2):
        genomes = algorithm.ask()
        kept = genomes.copy()
        genomes[:] = 0
        np.testing.assert_array_equal(algorithm.ask(), kept)
        with pytest.raises(ValueError, match="in the same order"):
            algorithm.tell(kept + 1, evaluate(kept))
        algorithm.tell(kept, evaluate(kept))
        with pytest.raises(ValueError, match="tell came without ask"):
            algorithm.tell(kept, evaluate(kept))


def test_a_score_of_another_shape_is_refused_and_nothing_is_lost() -> None:
    algorithm = evolution(score=lambda values: values)
    genomes = algorithm.ask()
    with pytest.raises(ValueError, match=r"one number per genome, \(6,\), got \(6, 2\)"):
        algorithm.tell(genomes, evaluate(genomes))
    np.testing.assert_array_equal(algorithm.ask(), genomes)


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("batch", [1, 5])
def test_resumed_at_any_step_equals_undisturbed(batch: int, between: bool) -> None:
    settings: dict[str, Any] = {"batch": batch, "initial": [[0, 0, 0, 0]]}
    undisturbed = steps(evolution(7, **settings))
    for done in range(len(undisturbed) + 1):
        stopped, resumed = evolution(7, **settings), evolution(99, **settings)
        steps(stopped, done)
        steps(resumed, 2)
        if between:  # asked, not yet told
            stopped.ask()
        state = json.loads(json.dumps(stopped.state_dict()))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert steps(resumed) == undisturbed[done:]


def test_state_is_strict_json_even_with_infinite_scores() -> None:
    algorithm, copy = evolution(), evolution(1)
    values = np.array([[np.nan], [np.inf], [-np.inf], [1.0], [2.0], [3.0]])
    algorithm.tell(algorithm.ask(), values, np.array([0.0, 0.0, 0.0, 0.0, 0.0, np.inf]))
    copy.load_state_dict(json.loads(json.dumps(algorithm.state_dict(), allow_nan=False)))
    for ours, theirs in zip(copy.population, algorithm.population, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_state_of_other_settings_is_refused() -> None:
    state = evolution(score=MnasNetReward(10.0)).state_dict()
    evolution(score=MnasNetReward(10.0)).load_state_dict(state)
    with pytest.raises(
        ValueError, match=r"score was 'MnasNetReward\(target_ms=10.0, w.*' and is now 'accuracy'"
    ):
        evolution(score=accuracy).load_state_dict(state)
    changed: dict[str, Any] = {"population": 7, "sample": 4, "batch": 2, "initial": [[0, 0, 0, 0]]}
    with pytest.raises(ValueError, match=r"population was 6 .* sample was 3 .* batch was 1 .* initial was"):
        evolution(score=MnasNetReward(10.0), **changed).load_state_dict(state)


def test_bad_settings_are_named_together() -> None:
    with pytest.raises(ValueError, match=r"sample must be at least 1, got 0; batch .* population, 6, got 7"):
        evolution(sample=0, batch=7)
    with pytest.raises(ValueError, match=r"population must be at least 1, got 0; .* initial: genomes"):
        evolution(population=0, initial=[[0, 1, 0, 0]])
    with pytest.raises(ValueError, match=r"\(row, layer\) \[\[0, 1\]\]"):
        evolution(initial=[[0, 1, 0, 0]])
    with pytest.raises(ValueError, match="choices"):
        evolution(choices=(3, 0))
