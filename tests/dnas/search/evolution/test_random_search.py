"""Random search: distinct, uniform, exhausting, resumable."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from dnas.search.evolution.algorithm import Algorithm
from dnas.search.evolution.random_search import RandomSearch

CHOICES = (3, 1, 4, 2)


def search(seed: int = 0, batch: int = 5, initial: list[list[int]] | None = None) -> RandomSearch:
    return RandomSearch(CHOICES, batch, np.random.default_rng(seed), initial)


def steps(algorithm: Algorithm, number: int = 1000) -> list[list[list[int]]]:
    """Ask and tell until nothing is left, at most ``number`` times; return what was asked for."""
    asked = []
    while len(asked) < number and len(genomes := algorithm.ask()):
        algorithm.tell(genomes, np.full((len(genomes), 3), np.nan), np.ones(len(genomes)))
        asked.append(genomes.tolist())
    return asked


@pytest.mark.parametrize("batch", [1, 5, 24, 100])
def test_asks_for_the_whole_space_once(batch: int) -> None:
    algorithm = search(batch=batch)
    asked = steps(algorithm)
    assert [len(genomes) for genomes in asked[:-1]] == [batch] * (len(asked) - 1)
    assert sorted(itertools.chain(*asked)) == [list(each) for each in itertools.product(*map(range, CHOICES))]
    nothing = algorithm.ask()
    assert nothing.shape == (0, 4) and nothing.dtype == np.int64
    algorithm.tell(nothing, np.empty((0, 3)))
    assert algorithm.ask().shape == (0, 4)


@pytest.mark.parametrize("choices", [(1,), (1, 1), (5,)])
def test_smallest_spaces(choices: tuple[int, ...]) -> None:
    asked = steps(RandomSearch(choices, 2, np.random.default_rng(0)))
    assert sorted(itertools.chain(*asked)) == [list(each) for each in itertools.product(*map(range, choices))]


def test_draws_are_uniform_and_the_generators() -> None:
    asked = np.vstack([search(seed, batch=3).ask() for seed in range(700)])
    for layer, count in enumerate(CHOICES):
        shares = np.bincount(asked[:, layer], minlength=count) / len(asked)
        np.testing.assert_allclose(shares, 1 / count, atol=0.05)
    assert steps(search(1)) == steps(search(1)) != steps(search(2))


def test_initial_ones_come_first() -> None:
    initial = [[2, 0, 3, 1], [0, 0, 0, 0], [2, 0, 3, 1], [1, 0, 1, 1]]
    first, second, third = steps(search(batch=2, initial=initial), 3)
    assert first == [[2, 0, 3, 1], [0, 0, 0, 0]] and second[0] == [1, 0, 1, 1]
    assert len(second) == len(third) == 2
    asked = steps(search(batch=5, initial=initial))
    assert asked[0][:3] == [[2, 0, 3, 1], [0, 0, 0, 0], [1, 0, 1, 1]]
    assert len({tuple(genome) for genome in itertools.chain(*asked)}) == 24 == sum(map(len, asked))


def test_asking_twice_brings_the_same_and_telling_others_is_refused() -> None:
    algorithm = search()
    genomes = algorithm.ask()
    kept = genomes.copy()
    genomes[:] = 0
    np.testing.assert_array_equal(algorithm.ask(), kept)
    with pytest.raises(ValueError, match="in the same order"):
        algorithm.tell(kept[::-1], np.zeros((5, 1)))
    algorithm.tell(kept, np.zeros((5, 1)))
    with pytest.raises(ValueError, match="tell came without ask"):
        algorithm.tell(kept, np.zeros((5, 1)))


@pytest.mark.parametrize("initial", [None, [[0, 0, 0, 0]] + [[2, 0, c, 1] for c in range(4)]])
@pytest.mark.parametrize("between", [False, True])
def test_resumed_at_any_step_equals_undisturbed(initial: list[list[int]] | None, between: bool) -> None:
    undisturbed = steps(search(7, 4, initial))
    for done in range(len(undisturbed) + 1):
        stopped, resumed = search(7, 4, initial), search(99, 4, initial)
        steps(stopped, done)
        if between:  # asked, not yet told
            stopped.ask()
        state = json.loads(json.dumps(stopped.state_dict()))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert steps(resumed) == undisturbed[done:]


def test_a_state_of_other_settings_is_refused() -> None:
    state = search(batch=3, initial=[[0, 0, 0, 0]]).state_dict()
    with pytest.raises(ValueError, match=r"batch was 3 and is now 5; initial was \[\[0, 0, 0, 0\]\]"):
        search().load_state_dict(state)
    with pytest.raises(ValueError, match="algorithm was 'nsga2'"):
        search().load_state_dict({**state, "settings": {**state["settings"], "algorithm": "nsga2"}})


def test_bad_settings_are_named() -> None:
    with pytest.raises(ValueError, match=r"at least 1, got 0; initial: genomes .* \[\[1, 1\]\]"):
        search(batch=0, initial=[[0, 0, 0, 0], [0, 1, 0, 0]])
    for settings in ({"batch": 0}, {"initial": [[0, 1, 0, 0]]}):
        with pytest.raises(ValueError, match="must"):
            search(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choices"):
        RandomSearch((), 1, np.random.default_rng(0))
