"""Scores point the right way, and the trivial predictors are what they are called."""

from __future__ import annotations

import numpy as np

from dnas.costs import count
from dnas.fidelity.predictors import LOSS, TOP1, one_shot, trivial
from dnas.runs.evaluator import Evaluation
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table


def test_a_lower_loss_is_a_higher_score_and_no_number_the_lowest() -> None:
    losses = [0.5, float("nan"), 0.1, float("inf")]
    loss, top1 = one_shot("mine", [Evaluation(0.9 - each / 10, 1.0, each, 180) for each in losses])
    assert (loss.name, top1.name, loss.supernet) == (LOSS, TOP1, "mine")
    np.testing.assert_array_equal(loss.scores, [-0.5, -np.inf, -0.1, -np.inf])
    np.testing.assert_array_equal(top1.scores[[0, 1, 2]], [0.85, -np.inf, 0.89])
    assert loss.title == "mine one-shot loss"


def test_trivial_ones(tiny_space: SearchSpace, tiny_table_file: str) -> None:
    architectures = [Architecture(tiny_space, each) for each in ((0, 0, 0), (3, 2, 1), (1, 1, 1))]
    table, costs = load_table(tiny_table_file, tiny_space), count(tiny_space)
    found = {each.name: each.values.tolist() for each in trivial(tiny_space, architectures, table)}
    assert found == {
        "parameters": [costs.params_of(each) for each in architectures],
        "multiply-adds": [costs.madds_of(each) for each in architectures],
        "depth": [3, 3, 3],
        "latency": [table.latency_ms(each) for each in architectures],
    }
    assert "latency" not in {each.name for each in trivial(tiny_space, architectures, None)}


def test_skips_are_no_depth() -> None:
    space = SearchSpace.load("fbnet")
    skips = [[choice.skip for choice in layer.choices] for layer in space.layers]
    deepest = Architecture(space, (0,) * len(space))
    flattest = Architecture(space, tuple(each.index(True) if any(each) else 0 for each in skips))
    depth = next(each for each in trivial(space, [deepest, flattest], None) if each.name == "depth")
    assert depth.values.tolist() == [len(space), sum(not any(each) for each in skips)]
