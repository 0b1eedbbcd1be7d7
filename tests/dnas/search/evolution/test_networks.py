"""Searches of a space of fewer networks than architectures: none twice, all of them found, then the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dnas.search.evolution.algorithm import Algorithm
from dnas.search.evolution.netadapt import NetAdapt
from dnas.search.evolution.nsga2 import NSGA2
from dnas.search.evolution.random_search import RandomSearch
from dnas.search.evolution.regularised_evolution import RegularisedEvolution
from dnas.search.evolution.resume import DamagedState
from dnas.search.evolution.rewards import accuracy
from dnas.space import SearchSpace
from dnas.space.networks import networks

Make = Callable[[SearchSpace], Algorithm]
INITIAL = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]]  # one network


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def nsga2(space: SearchSpace, **options: Any) -> NSGA2:
    settings: dict[str, Any] = {
        "choices": space.num_choices,
        "maximize": (True, False),
        "population": 8,
        "initial": INITIAL,
        "canonical": networks(space),
    }
    return NSGA2(**settings | options, generator=generator())


def random(space: SearchSpace, over: Any = "architectures") -> RandomSearch:
    return RandomSearch(space.num_choices, 8, generator(), INITIAL, canonical=networks(space), over=over)


def evolution(space: SearchSpace) -> RegularisedEvolution:
    return RegularisedEvolution(
        space.num_choices,
        accuracy,
        population=8,
        sample=2,
        batch=3,
        generator=generator(),
        initial=INITIAL,
        canonical=networks(space),
    )


MAKERS: dict[str, Make] = {
    "nsga2": nsga2,
    "nsga2, a plain function": lambda space: nsga2(space, canonical=space.canonical),
    "random": random,
    "random networks": lambda space: random(space, "networks"),
    "evolution": evolution,
}


def values(space: SearchSpace, genomes: np.ndarray) -> np.ndarray:
    """Of networks: two objectives that do not know names."""
    forms = space.canonical(genomes)
    return np.column_stack([(1 + np.sin(forms @ [1, 3, 9, 27])) / 2, forms.sum(axis=1)])


def run(search: Algorithm, space: SearchSpace, budget: int = 10_000) -> np.ndarray:
    asked = []
    while len(genomes := search.ask()) and sum(map(len, asked)) < budget:
        asked.append(genomes)
        search.tell(genomes, values(space, genomes))
    return np.concatenate(asked)


@pytest.mark.parametrize("name", MAKERS)
def test_ends_when_every_network_was_asked_for_once(name: str, skips_space: SearchSpace) -> None:
    asked = run(MAKERS[name](skips_space), skips_space)
    np.testing.assert_array_equal(skips_space.canonical(asked), asked)
    assert len(np.unique(asked, axis=0)) == len(asked) == skips_space.distinct == 45
    assert asked[0].tolist() == [1, 0, 0, 0], "the three initial ones are one"


def test_without_it_networks_are_asked_for_again(skips_space: SearchSpace) -> None:
    asked = run(nsga2(skips_space, canonical=None), skips_space)
    assert len(asked) == skips_space.size == 81


def test_a_front_has_one_name_for_a_network(skips_space: SearchSpace) -> None:
    search, plain = nsga2(skips_space), nsga2(skips_space, canonical=None)
    run(search, skips_space)
    run(plain, skips_space)
    genomes, found = search.front()
    assert len(np.unique(skips_space.canonical(genomes), axis=0)) == len(genomes)
    names, all_found = plain.front()
    assert len(names) > len(genomes), "the same front under all its names"
    np.testing.assert_array_equal(np.unique(all_found, axis=0), np.unique(found, axis=0))


@pytest.mark.parametrize("name", MAKERS)
def test_resumed_as_if_undisturbed(name: str, skips_space: SearchSpace) -> None:
    whole, first, second = (MAKERS[name](skips_space) for _ in range(3))
    expected = run(whole, skips_space)
    begun = run(first, skips_space, budget=11)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    np.testing.assert_array_equal(np.concatenate([begun, run(second, skips_space)]), expected)


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_from_before_is_refused(name: str, skips_space: SearchSpace) -> None:
    """Its genomes may be several names of a network."""
    state = MAKERS[name](skips_space).state_dict()
    del state["settings"]["networks"]
    with pytest.raises(ValueError, match="networks was None and is now 45"):
        MAKERS[name](skips_space).load_state_dict(state)


@pytest.mark.parametrize("name", MAKERS)
def test_a_truncated_state_is_called_damaged(name: str, skips_space: SearchSpace) -> None:
    one = MAKERS[name](skips_space)
    run(one, skips_space)
    state = one.state_dict()
    for part in state.keys() - {"settings"}:
        for damaged in (
            {key: value for key, value in state.items() if key != part},
            {**state, part: [["a"]]},
        ):
            with pytest.raises(DamagedState):
                one.load_state_dict(damaged)
    assert one.state_dict() == state


def test_spaces_without_identities_search_as_before() -> None:
    space = SearchSpace.load("moga")
    options: dict[str, Any] = {"choices": space.num_choices, "maximize": (True,), "population": 9}
    with_map = NSGA2(**options, generator=generator(), canonical=networks(space))
    without = NSGA2(**options, generator=generator())
    for _ in range(5):
        np.testing.assert_array_equal(with_map.ask(), without.ask())
        for search in (with_map, without):
            search.tell(search.ask(), search.ask()[:, :1].astype(float))
    assert with_map.state_dict() == without.state_dict()


def test_netadapt_proposes_a_network_once(skips_space: SearchSpace) -> None:
    latency = np.tile([0.0, 1.0, 3.0], (4, 1))
    start = [0, 2, 2, 2]
    search = NetAdapt(skips_space.num_choices, start, latency, canonical=networks(skips_space))
    assert search.ask().tolist() == [[2, 2, 0, 2]], "the canonical start"
    search.tell(search.ask(), values(skips_space, search.ask()))
    # Two of the four networks with one cheaper layer in the run have two names each.
    expected = [[2, 0, 0, 2], [1, 2, 0, 2], [2, 1, 0, 2], [2, 2, 0, 0], [2, 2, 0, 1]]
    assert search.ask().tolist() == expected
    asked = run(search, skips_space)
    assert len(np.unique(skips_space.canonical(asked), axis=0)) == len(asked)


def test_a_wrong_map_is_one_problem_among_others() -> None:
    with pytest.raises(ValueError, match=r"population must be.*canonical must leave"):
        NSGA2(
            choices=(3, 3),
            maximize=(True,),
            population=0,
            generator=generator(),
            canonical=lambda genomes: genomes[:, ::-1],
        )
