"""Architectures that build the same network have one canonical form, and are counted once."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnas import SearchSpace
from dnas.costs import count

BLOCKS = {"a": {"expansion": 2, "kernel": 3}, "b": {"expansion": 1, "kernel": 5}, "skip": {"type": "skip"}}


def space_of(layers: list[dict[str, Any]], choices: dict[str, Any] = BLOCKS, **facts: Any) -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "format": "dnas-space/2",
            "name": "own",
            "resolution": 16,
            "num_classes": 10,
            "stem": [{"type": "conv", "out": 8, "kernel": 3, "stride": 1, "activation": "relu"}],
            "choices": choices,
            "layers": [{"out": 8, "stride": 1, "activation": "relu"} | layer for layer in layers],
            "head": [{"type": "pool"}],
            **facts,
        }
    )


SPACES = {
    "one run": space_of([{}] * 4),
    "a stride between": space_of([{}, {}, {"stride": 2, "out": 12}, {"out": 12}, {"out": 12}]),
    "an activation between": space_of([{}, {"activation": "hswish"}, {}, {}]),
    "other choices": space_of([{}, {"choices": ["a", "skip"]}, {"choices": ["a", "skip"]}, {}]),
    "no skips": space_of([{}, {}, {}], {"a": BLOCKS["a"], "b": BLOCKS["b"]}),
    "skips alone": space_of([{}, {}], {"skip": BLOCKS["skip"]}),
    "the same twice": space_of([{}, {}, {}], {**BLOCKS, "again": BLOCKS["a"], "nothing": {"type": "skip"}}),
    "one layer": space_of([{"stride": 2}]),
}


def everyone(space: SearchSpace) -> np.ndarray:
    return np.array(list(product(*map(range, space.num_choices))))


def network(space: SearchSpace, genome: np.ndarray) -> tuple[Any, ...]:
    """What is computed, one operation after the other: identities have none."""
    pairs = zip(space.layers, genome, strict=True)
    blocks = ((layer.choices[choice], layer) for layer, choice in pairs)
    return tuple(
        (choice.type.name, choice.options, choice.ops(layer)) for choice, layer in blocks if choice.ops(layer)
    )


@pytest.mark.parametrize("name", SPACES)
def test_equal_forms_are_equal_networks(name: str) -> None:
    space = SPACES[name]
    genomes = everyone(space)
    forms = space.canonical(genomes)
    by_form, by_network = defaultdict(set), defaultdict(set)
    for index, (genome, form) in enumerate(zip(genomes, forms, strict=True)):
        by_form[tuple(form)].add(index)
        by_network[network(space, genome)].add(index)
        assert network(space, form) == network(space, genome)
    # Where layers are unequal, a block of one is not looked for in the other.
    if name not in {"other choices", "an activation between"}:
        assert sorted(map(sorted, by_form.values())) == sorted(map(sorted, by_network.values()))
    assert len(by_form) == space.distinct
    np.testing.assert_array_equal(space.canonical(forms), forms)


def test_layers_of_other_choices_are_no_run() -> None:
    """Nothing is moved where the other layer may not offer the block."""
    space = SPACES["other choices"]
    assert space.canonical(np.array([[2, 0, 1, 0], [2, 1, 0, 2]])).tolist() == [[2, 0, 1, 0], [2, 0, 1, 2]]
    assert space.distinct == 3 * 3 * 3


def test_blocks_keep_their_order_and_identities_follow() -> None:
    space = SPACES["one run"]
    genomes = np.array([[2, 0, 2, 1], [1, 2, 2, 0], [2, 2, 2, 2], [0, 1, 0, 1]], dtype=np.uint8)
    found = space.canonical(genomes)
    assert found.tolist() == [[0, 1, 2, 2], [1, 0, 2, 2], [2, 2, 2, 2], [0, 1, 0, 1]]
    assert found.dtype == np.uint8 and genomes[0].tolist() == [2, 0, 2, 1], "a copy"
    assert space.canonical(np.zeros((0, 4), dtype=np.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    "genomes",
    [
        np.zeros(4, dtype=int),
        np.zeros((2, 3), dtype=int),
        np.zeros((2, 4)),
        np.full((1, 4), 3),
        np.full((1, 4), -1),
        [[0, 0, 0, 0]],
    ],
)
def test_what_is_no_architecture_is_refused(genomes: Any) -> None:
    with pytest.raises(ValueError, match=r"Expected \(n, 4\) integers|Choices out of range"):
        SPACES["one run"].canonical(genomes)


def test_numbers_beyond_any_machine_word() -> None:
    assert SearchSpace.load("moga").distinct == SearchSpace.load("moga").size == 12**14
    run = {length: sum(8**count for count in range(length + 1)) for length in (1, 2, 3)}
    # Stages of 1, 4, 4, 4, 4, 4 and 1 layers: the first and the last change channels or keep them alone.
    first_of_stage, rest = 9, run[3]
    fbnet = SearchSpace.load("fbnet")
    assert fbnet.distinct == run[1] * (first_of_stage * rest) ** 5 * 9 < fbnet.size == 9**22


def test_nas_bench_macro() -> None:
    """6,561 keys are 3,969 networks, trained three times each; every count is the benchmark's."""
    folder = os.environ.get("DNAS_DATA")
    path = Path(folder or ".") / "nas-bench-macro" / "nas-bench-macro_cifar10.json"
    if folder is None or not path.is_file():
        pytest.skip("no NAS-Bench-Macro below $DNAS_DATA")
    known = json.loads(path.read_text())
    space = SearchSpace.load("nasbench_macro")
    keys = sorted(known)
    genomes = np.array([[int(digit) for digit in key] for key in keys])
    forms = ["".join(map(str, row)) for row in space.canonical(genomes)]
    assert len(keys) == space.size == 6561 and len(set(forms)) == space.distinct == 3969
    for key, form in zip(keys, forms, strict=True):
        assert known[key] == known[form], "one training for all keys of a network"
    trainings = {tuple(known[form]["test_acc"]) for form in forms}
    assert len(trainings) == 3969, "and another for every other"
    costs = count(space)
    np.testing.assert_array_equal(costs.params_of(genomes), [known[key]["params"] for key in keys])
    np.testing.assert_array_equal(costs.madds_of(genomes), [known[key]["flops"] for key in keys])
