"""Attainment, budgets and agreement of small fronts, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dnas.compare.measures import (
    agree,
    all_pairs,
    alpha_against_choices,
    as_matrix,
    attainment,
    best_within,
    choice_frequencies,
    default_budgets,
    mean_probabilities,
)
from dnas.compare.model import Attainment, Method, Point
from dnas.space import SearchSpace

MakePoint = Callable[..., Point]
MakeMethod = Callable[..., Method]


def test_attainment_of_three_runs(make_point: MakePoint) -> None:
    """Best within: 1 ms .5/-/-, 2 ms .5/.6/-, 3 ms .8/.6/.4, 4 ms .8/.7/.4."""
    fronts = [
        [make_point(1, 0.5), make_point(3, 0.8)],
        [make_point(2, 0.6), make_point(4, 0.7)],
        [make_point(3, 0.4)],
    ]
    assert attainment(fronts, "top1") == Attainment(
        best=((1, 0.5), (2, 0.6), (3, 0.8)),
        median=((2, 0.5), (3, 0.6), (4, 0.7)),
        worst=((3, 0.4),),
    )


def test_half_of_four_runs_are_two(make_point: MakePoint) -> None:
    fronts = [[make_point(1, top1)] for top1 in (0.1, 0.4, 0.2, 0.3)]
    found = attainment(fronts, "top1")
    assert (found.best, found.median, found.worst) == (((1, 0.4),), ((1, 0.3),), ((1, 0.1),))


def test_a_lower_loss_is_better(make_point: MakePoint) -> None:
    fronts = [[make_point(1, 0.5, loss=2.0), make_point(2, 0.5, loss=1.0)], [make_point(1, 0.9, loss=3.0)]]
    assert attainment(fronts, "loss") == Attainment(
        best=((1, 2.0), (2, 1.0)), median=((1, 2.0), (2, 1.0)), worst=((1, 3.0),)
    )


def test_ties_and_points_that_bring_nothing(make_point: MakePoint) -> None:
    """Two of one latency: the better counts, in any order; a slower one of equal quality is no corner."""
    for tied in ([0.3, 0.5], [0.5, 0.3]):
        front = [*(make_point(1, top1) for top1 in tied), make_point(2, 0.5)]
        assert attainment([front], "top1").median == ((1, 0.5),)


def test_one_run_is_its_own_front(make_point: MakePoint) -> None:
    found = attainment([[make_point(1, 0.5), make_point(3, 0.8)]], "top1")
    assert found.best == found.median == found.worst == ((1, 0.5), (3, 0.8))


def test_empty_fronts(make_point: MakePoint) -> None:
    assert attainment([[]], "top1") == Attainment((), (), ())
    assert attainment([[], [make_point(1, 0.5)]], "top1") == Attainment(((1, 0.5),), ((1, 0.5),), ())


def test_best_within(make_point: MakePoint, make_method: MakeMethod) -> None:
    fronts = [
        [make_point(1, 0.5), make_point(2, 0.7)],
        [make_point(1.5, 0.6), make_point(3, 0.9)],
    ]
    one = best_within([make_method("a", fronts)], [3.0, 1.0, 2.0], "top1")
    assert [each.latency_ms for each in one] == [1.0, 2.0, 3.0]
    assert [each.quality.values for each in one] == [(0.5, None), (0.7, 0.6), (0.7, 0.9)]
    assert one[0].quality.mean is None, "a run without a network in the budget is not left out of the mean"
    assert one[1].quality.mean == pytest.approx(0.65) and one[1].top1 == one[1].quality


def test_by_loss_the_accuracy_is_of_the_same_network(make_point: MakePoint, make_method: MakeMethod) -> None:
    front = [make_point(1, 0.8, loss=1.0), make_point(2, 0.7, loss=0.9)]
    (found,) = best_within([make_method("a", [front])], [2.0], "loss")
    assert found.quality.values == (0.9,) and found.top1.values == (0.7,)


def test_every_method_at_every_budget(make_point: MakePoint, make_method: MakeMethod) -> None:
    methods = [make_method("a", [[make_point(1, 0.5)]]), make_method("b", [[]])]
    found = best_within(methods, [1.0, 2.0], "top1")
    assert [(each.latency_ms, each.method) for each in found] == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert found[1].quality.values == (None,)


def test_default_budgets_divide_the_common_range(make_point: MakePoint, make_method: MakeMethod) -> None:
    methods = [
        make_method("a", [[make_point(2, 0.5)], [make_point(4, 0.5)]]),
        make_method("b", [[make_point(12, 0.5)]]),
    ]
    assert default_budgets(methods) == [4.0, 6.0, 8.0, 10.0, 12.0]
    assert default_budgets(methods[1:]) == [12.0], "one latency, one budget"
    assert default_budgets([make_method("c", [[]])]) == []


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
