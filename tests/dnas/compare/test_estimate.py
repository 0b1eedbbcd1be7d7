"""Means over seeds and their t-intervals, by hand."""

from __future__ import annotations

import pytest

from dnas.compare.estimate import as_text, estimate, mean_cost
from dnas.compare.model import Cost, Estimate


def test_interval_of_three_seeds() -> None:
    """Standard error 1 / sqrt(3), and the 97.5 % quantile of t with 2 degrees of freedom is 4.302653."""
    found = estimate([3.0, 1.0, 2.0])
    assert found.mean == 2.0 and found.values == (3.0, 1.0, 2.0)
    assert (found.low, found.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


def test_one_seed_has_no_interval() -> None:
    assert estimate([0.4]) == Estimate(0.4, None, None, (0.4,))


def test_equal_seeds_have_an_interval_of_no_width() -> None:
    assert estimate([0.4, 0.4]) == Estimate(0.4, 0.4, 0.4, (0.4, 0.4))


def test_a_seed_without_a_value_leaves_the_mean_open() -> None:
    assert estimate([0.4, None, 0.6]) == Estimate(None, None, None, (0.4, None, 0.6))
    assert estimate([]) == Estimate(None, None, None, ())


def test_mean_cost_of_what_all_runs_tell() -> None:
    costs = [Cost(1.0, 10, 5, None, 100), Cost(3.0, 20, 5, 60.0, 100)]
    assert mean_cost(costs) == Cost(2.0, 15, 5, None, 100)


def test_as_text() -> None:
    assert as_text(Estimate(0.7131, 0.7019, 0.724, (0.7,))) == "0.713 [0.702, 0.724]"
    assert as_text(Estimate(0.5, None, None, (0.5,))) == "0.500"
    assert as_text(Estimate(None, None, None, (None,))) == "-"
