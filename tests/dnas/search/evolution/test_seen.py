"""What was asked for once is known; the rest is drawn uniformly until nothing is left."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dnas.search.evolution.seen import Seen, distinct, genome_array
from dnas.space import SearchSpace
from dnas.space.networks import networks

HUGE = (12,) * 30  # 12^30 needs 108 bits


def everything(choices: Sequence[int]) -> np.ndarray:
    return np.array(list(itertools.product(*map(range, choices))))


def test_add_tells_what_is_new() -> None:
    seen = Seen((3, 2))
    assert seen.add([[0, 1], [2, 0], [0, 1]]).tolist() == [True, True, False]
    assert seen.add([[2, 0], [1, 1]]).tolist() == [False, True]
    assert seen.contains([[0, 1], [1, 0], [1, 1]]).tolist() == [True, False, True]
    assert (len(seen), seen.left, seen.exhausted) == (3, 3, False)
    assert seen.add(np.empty((0, 2), dtype=int)).shape == (0,)


def test_add_up_to_a_limit() -> None:
    seen = Seen((3, 2))
    genomes = [[0, 0], [0, 0], [1, 0], [2, 0], [1, 1]]
    assert seen.add(genomes, limit=2).tolist() == [True, False, True, False, False]
    assert seen.contains(genomes).tolist() == [True, True, True, False, False]
    assert seen.add(genomes, limit=0).tolist() == [False] * 5
    assert seen.add(genomes, limit=9).tolist() == [False, False, False, True, True]


def test_distinct_keeps_the_first_of_equals() -> None:
    assert distinct([[2, 0], [0, 1], [2, 0], [0, 0], [0, 1]], (3, 2)).tolist() == [[2, 0], [0, 1], [0, 0]]
    assert distinct(None, (3, 2)).shape == (0, 2)


@pytest.mark.parametrize("choices", [(3, 1, 4, 2), (1,), (1, 1), (5,), HUGE])
def test_genomes_are_told_apart_and_numbered_in_their_order(choices: tuple[int, ...]) -> None:
    seen = Seen(choices)
    if choices == HUGE:
        genomes = np.vstack([np.zeros((1, 30), dtype=int), np.eye(30, dtype=int)[::-1], np.full((1, 30), 11)])
    else:
        genomes = everything(choices)
    for index, genome in enumerate(genomes):
        assert seen.add(genome[None]).tolist() == [True]
        assert seen.contains(genomes).sum() == index + 1
    single = [Seen(choices) for _ in genomes]
    numbers = []
    for each, genome in zip(single, genomes, strict=True):
        each.add(genome[None])
        numbers += each.state_dict()["seen"]
    assert numbers == sorted(numbers) and numbers[0] == 0 and numbers[-1] == seen.size - 1


@pytest.mark.parametrize("choices", [(2, 3, 2), (4,), (1, 1), (1,), (7, 9, 5)])
@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_drawn_until_nothing_is_left(choices: tuple[int, ...], batch: int) -> None:
    seen, generator = Seen(choices), np.random.default_rng(0)
    found = []
    while not seen.exhausted:
        genomes = seen.draw_unseen(batch, generator)
        assert genomes.dtype == np.int64
        assert len(genomes) == min(batch, seen.left)
        assert seen.add(genomes).all()
        found += genomes.tolist()
    assert sorted(found) == everything(choices).tolist()
    assert seen.draw_unseen(batch, generator).shape == (0, len(choices))


def test_drawing_does_not_add() -> None:
    seen = Seen(HUGE)
    assert seen.draw_unseen(3, np.random.default_rng(0)).shape == (3, 30)
    assert len(seen) == 0


@pytest.mark.parametrize("known", [0, 10, 21])  # rejected ones drawn again; all unseen ones listed
def test_unseen_ones_are_equally_likely(known: int) -> None:
    seen, generator = Seen((3, 4, 2)), np.random.default_rng(1)
    seen.add(everything((3, 4, 2))[:known])
    drawn = np.vstack([seen.draw_unseen(2, generator) for _ in range(3000)])
    counts = np.bincount(np.ravel_multi_index(tuple(drawn.T), (3, 4, 2)), minlength=24)
    assert not counts[:known].any()
    expected = 6000 / (24 - known)
    np.testing.assert_allclose(counts[known:], expected, atol=5 * np.sqrt(expected))


@pytest.mark.parametrize("choices", [(3, 4, 2), HUGE])
def test_state_survives_json(choices: tuple[int, ...]) -> None:
    seen, copy = Seen(choices), Seen(choices)
    seen.add(seen.draw_unseen(11, np.random.default_rng(2)))
    copy.add(copy.draw_unseen(3, np.random.default_rng(4)))
    state = json.loads(json.dumps(seen.state_dict()))
    copy.load_state_dict(state)
    assert state["seen"] == sorted(state["seen"])
    assert state == seen.state_dict() == copy.state_dict()
    again, same = (each.draw_unseen(9, np.random.default_rng(3)).tolist() for each in (copy, seen))
    assert again == same


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"choices": [3, 2], "seen": []}, r"choices \(3, 2\), expected \(2, 3\)"),
        ({"choices": [2, 3], "seen": [0, 6]}, r"outside 0 ... 5"),
        ({"choices": [2, 3], "seen": [-1]}, r"outside 0 ... 5"),
    ],
)
def test_another_state_is_refused(state: dict[str, list[int]], said: str) -> None:
    seen = Seen((2, 3))
    seen.add([[1, 2]])
    with pytest.raises(ValueError, match=said):
        seen.load_state_dict(state)
    assert seen.state_dict()["seen"] == [5]


@pytest.mark.parametrize("choices", [(), (3, 0), (-1,)])
def test_layers_without_choices_are_refused(choices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="1 to 1,000,000, of one layer or more; got"):
        Seen(choices)


@pytest.mark.parametrize(
    ("genomes", "said"),
    [
        ([0, 1], r"an \(n, 2\) array of integers, got \(2,\) of int64"),
        ([[0, 1, 1]], r"got \(1, 3\)"),
        ([[0.0, 1.0]], "of float64"),
        ([[0, 1], [3, -1]], r"choices \(3, 2\); they do not at \(row, layer\) \[\[1, 0\], \[1, 1\]\]"),
        (np.full((30, 2), 9), r"\[4, 1\]\] \.\.\.$"),
    ],
)
def test_bad_genomes_are_named(genomes: np.ndarray, said: str) -> None:
    for refuse in (Seen((3, 2)).add, Seen((3, 2)).contains, lambda given: genome_array(given, (3, 2))):
        with pytest.raises(ValueError, match=said):
            refuse(genomes)


def sorted_rows(genomes: np.ndarray) -> np.ndarray:
    """A canonical map: the order of the genes does not matter."""
    return np.sort(genomes, axis=1)


def test_networks_are_seen_not_their_names() -> None:
    seen = Seen((3, 3), sorted_rows)
    assert seen.add([[2, 1], [1, 2], [0, 0]]).tolist() == [True, False, True]
    assert seen.contains([[1, 2], [2, 1], [2, 2]]).tolist() == [True, True, False]
    assert (seen.distinct, seen.left, len(seen), seen.size) == (6, 4, 2, 9)
    assert seen.canonical([[2, 0]]).tolist() == [[0, 2]]
    assert distinct([[2, 1], [1, 2], [0, 0]], (3, 3), sorted_rows).tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize("over", ["architectures", "networks"])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_drawn_until_no_network_is_left(batch: int, over: Any, skips_space: SearchSpace) -> None:
    seen, generator = Seen(skips_space.num_choices, networks(skips_space)), np.random.default_rng(0)
    found = []
    while not seen.exhausted:
        genomes = seen.draw_unseen(batch, generator, over)
        assert len(genomes) == min(batch, seen.left)
        np.testing.assert_array_equal(skips_space.canonical(genomes), genomes)
        assert seen.add(genomes).all()
        found += genomes.tolist()
    assert sorted(found) == np.unique(skips_space.canonical(everything((3, 3, 3, 3))), axis=0).tolist()


def test_networks_with_one_name_among_a_billion_are_found(skips_space: SearchSpace) -> None:
    """30 equal layers of a block or nothing: 31 networks, of which two have a name each."""
    data = skips_space.to_dict()
    data["layers"] = [{"out": 8, "stride": 1, "activation": "relu", "choices": ["skip", "E1K3"]}] * 30
    space = SearchSpace.from_dict(data)
    seen = Seen(space.num_choices, networks(space))
    drawn = seen.draw_unseen(99, np.random.default_rng(0))
    assert sorted(drawn.sum(axis=1)) == [*range(31)]


@pytest.mark.parametrize("over", ["architectures", "networks"])
def test_unseen_networks_are_as_likely_as_is_asked_for(over: Any) -> None:
    seen, generator = Seen((3, 3), sorted_rows), np.random.default_rng(0)
    seen.add([[0, 0], [0, 1]])
    drawn = np.vstack([seen.draw_unseen(1, generator, over) for _ in range(6000)])
    counts = np.bincount(drawn @ [3, 1], minlength=9)[[2, 4, 5, 8]]  # 02, 11, 12, 22: two, one, two, one name
    shares = np.array([2, 1, 2, 1]) / 6 if over == "architectures" else np.full(4, 1 / 4)
    np.testing.assert_allclose(counts, 6000 * shares, atol=5 * np.sqrt(1500))


@pytest.mark.parametrize(
    ("choices", "canonical", "message"),
    [
        ((2,) * 21, sorted_rows, "2,097,152 genomes, at most 1,048,576"),
        ((3, 3), lambda genomes: genomes[:, ::-1], "must leave the genomes that it returns as they are"),
        ((3, 3), lambda genomes: genomes[:, :1], r"integers of shape \(9, 2\), got \(9, 1\)"),
        ((3, 3), lambda genomes: genomes / 2, "got .* of float64"),
    ],
)
def test_a_map_that_is_none(choices: tuple[int, ...], canonical: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Seen(choices, canonical)
