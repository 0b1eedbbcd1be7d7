"""Agreement of methods on the choices of layers, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dnas.compare.agreement import (
    agree,
    all_pairs,
    alpha_against_choices,
    as_matrix,
    choice_frequencies,
    mean_probabilities,
)
from dnas.compare.model import Method, Point
from dnas.space import SearchSpace


def test_frequencies_weigh_runs_alike(tiny_space: SearchSpace) -> None:
    """Two members, one and none: the second run's only member counts as much as both of the first."""
    runs = [
        [("E1K3", "E1K3", "E2K5"), ("E2K5", "E1K3", "E2K5")],
        [("E2K5", "E3K5SE", "E2K5")],
        [],
    ]
    assert choice_frequencies(runs, tiny_space).tolist() == [
        [0.25, 0.75, 0, 0],
        [0.5, 0, 0.5, 0],
        [0, 1, 0, 0],
    ]
    assert not choice_frequencies([[], []], tiny_space).any()


def test_distance_and_same_choice() -> None:
    found = agree("a", [[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], "b", [[0.0, 1.0], [0.0, 1.0], [0.2, 0.8]])
    assert found.distances == pytest.approx((1.0, 0.5, 0.0)) and found.distance == pytest.approx(0.5)
    assert found.same_choice == pytest.approx(2 / 3), "of two equally frequent choices one is shared"
    assert (found.first, found.second) == ("a", "b")


def test_ties_are_ties_in_spite_of_rounding() -> None:
    tied = [[1 / 3, 1 / 3 + 1e-16, 1 - 2 / 3]]
    assert agree("a", tied, "b", [[1.0, 0, 0]]).same_choice == 1.0


def test_pairs_of_methods_with_members(
    make_point: Callable[..., Point], make_method: Callable[..., Method]
) -> None:
    front = [make_point(1, 0.5)]
    methods = [
        make_method("a", [front], frequencies=[[1.0, 0.0]]),
        make_method("none", [[]], frequencies=[[0.0, 0.0]]),
        make_method("b", [front], frequencies=[[0.0, 1.0]]),
        make_method("zoo", [front], kind="zoo", frequencies=[[1.0, 0.0]]),
    ]
    pairs = all_pairs(methods)
    assert [(each.first, each.second) for each in pairs] == [("a", "b"), ("a", "zoo"), ("b", "zoo")]
    assert [each.same_choice for each in pairs] == [0.0, 1.0, 0.0]
    alpha = alpha_against_choices("a", np.array([[0.25, 0.75]]), methods)
    assert alpha.probabilities == ((0.25, 0.75),)
    (against,) = alpha.against
    assert (against.second, against.distance, against.same_choice) == ("b", 0.25, 1.0)


def test_mean_probabilities_leave_out_padding(tiny_space: SearchSpace) -> None:
    """The second layer has three choices: its fourth logit, however large, counts nothing."""
    alpha = torch.zeros(3, 4)
    alpha[1, 3] = 50.0
    sharp = torch.zeros(3, 4)
    sharp[0, 2] = 100.0
    table = mean_probabilities([alpha, sharp], tiny_space)
    assert table[0] == pytest.approx([0.125, 0.125, 0.625, 0.125])
    assert table[1] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert as_matrix(table)[1][3] == 0.0
