"""Best accuracy within latency budgets, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dnas.compare.budgets import best_within, default_budgets
from dnas.compare.model import Method, Point

MakePoint = Callable[..., Point]
MakeMethod = Callable[..., Method]


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
