"""Attainment surfaces of small fronts, by hand."""

from __future__ import annotations

from collections.abc import Callable

from dnas.compare.attainment import attainment
from dnas.compare.model import Attainment, Point

Make = Callable[..., Point]


def test_three_runs(make_point: Make) -> None:
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


def test_half_of_four_runs_are_two(make_point: Make) -> None:
    fronts = [[make_point(1, top1)] for top1 in (0.1, 0.4, 0.2, 0.3)]
    found = attainment(fronts, "top1")
    assert (found.best, found.median, found.worst) == (((1, 0.4),), ((1, 0.3),), ((1, 0.1),))


def test_a_lower_loss_is_better(make_point: Make) -> None:
    fronts = [[make_point(1, 0.5, loss=2.0), make_point(2, 0.5, loss=1.0)], [make_point(1, 0.9, loss=3.0)]]
    assert attainment(fronts, "loss") == Attainment(
        best=((1, 2.0), (2, 1.0)), median=((1, 2.0), (2, 1.0)), worst=((1, 3.0),)
    )


def test_ties_and_points_that_bring_nothing(make_point: Make) -> None:
    """Two of one latency: the better counts, in any order; a slower one of equal quality is no corner."""
    for tied in ([0.3, 0.5], [0.5, 0.3]):
        front = [*(make_point(1, top1) for top1 in tied), make_point(2, 0.5)]
        assert attainment([front], "top1").median == ((1, 0.5),)


def test_one_run_is_its_own_front(make_point: Make) -> None:
    found = attainment([[make_point(1, 0.5), make_point(3, 0.8)]], "top1")
    assert found.best == found.median == found.worst == ((1, 0.5), (3, 0.8))


def test_empty_fronts(make_point: Make) -> None:
    assert attainment([[]], "top1") == Attainment((), (), ())
    assert attainment([[], [make_point(1, 0.5)]], "top1") == Attainment(((1, 0.5),), ((1, 0.5),), ())
