"""Exact hypervolume: by hand, against moocore and pymoo, and what it must not depend on."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymoo.indicators.hv import Hypervolume

from dnas.search.evolution.hypervolume import hypervolume

POINTS = arrays(np.float64, st.tuples(st.integers(0, 25), st.integers(1, 3)), elements=st.integers(0, 9))


@pytest.mark.parametrize(
    ("points", "reference", "maximize", "expected"),
    [
        ([[2.0], [5.0], [1.0]], [7.0], [False], 6.0),
        ([[2.0], [5.0], [1.0]], [0.5], [True], 4.5),
        # Boxes 3 x 1 and 1 x 3 to the reference (4, 4) share 1 x 1.
        ([[1.0, 3.0], [3.0, 1.0]], [4.0, 4.0], [False, False], 5.0),
        # Top-1 above 0.5 and latency below 10 ms: 0.2 x 4 and 0.1 x 6 share 0.1 x 4.
        ([[0.7, 6.0], [0.6, 4.0]], [0.5, 10.0], [True, False], 1.0),
        # Boxes 1 x 2 x 3 and 2 x 1 x 1 share 1 x 1 x 1.
        ([[1.0, 2.0, 3.0], [2.0, 1.0, 1.0]], [0.0, 0.0, 0.0], [True, True, True], 7.0),
    ],
)
def test_by_hand(points, reference, maximize, expected) -> None:
    assert hypervolume(np.array(points), reference, maximize) == pytest.approx(expected, rel=1e-14)


@settings(deadline=None)
@given(POINTS)
def test_moocore_and_pymoo_agree(points: np.ndarray) -> None:
    reference = np.array([8.0, 7.0, 9.0])[: points.shape[1]]
    found = hypervolume(points, reference, [False] * points.shape[1])
    expected = moocore.hypervolume(points, ref=reference) if len(points) else 0.0
    assert found == pytest.approx(expected, rel=1e-12)
    if len(points):
        assert found == pytest.approx(float(Hypervolume(ref_point=reference)(points)), rel=1e-12)


def test_a_large_front_agrees_with_moocore() -> None:
    points = np.abs(np.random.default_rng(0).normal(size=(500, 3)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    expected = moocore.hypervolume(points, ref=np.zeros(3), maximise=True)
    assert hypervolume(points, np.zeros(3), [True] * 3) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None)
@given(POINTS.filter(len), st.randoms())
def test_order_and_repeats_and_dominated_points_change_nothing(points: np.ndarray, random) -> None:
    objectives = points.shape[1]
    more = [*points.tolist(), *points.tolist(), [float(points.max() + 1)] * objectives]
    random.shuffle(more)
    reference, maximize = [10.0] * objectives, [False] * objectives
    found = hypervolume(np.array(more), reference, maximize)
    assert found == pytest.approx(hypervolume(points, reference, maximize), rel=1e-12)


@settings(deadline=None)
@given(POINTS)
def test_maximising_is_minimising_the_negative(points: np.ndarray) -> None:
    objectives = points.shape[1]
    minimised = hypervolume(points, [8.0] * objectives, [False] * objectives)
    assert hypervolume(-points, [-8.0] * objectives, [True] * objectives) == minimised


def test_points_beyond_the_reference_and_unknown_ones_are_left_out() -> None:
    points = [[1.0, 1.0], [0.0, 2.0], [-1.0, 5.0], [np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0]]
    assert hypervolume(np.array(points), [2.0, 2.0], [False, False]) == 1.0
    assert hypervolume(np.array(points[1:]), [2.0, 2.0], [False, False]) == 0.0


def test_an_infinitely_good_point_dominates_an_infinite_volume() -> None:
    assert hypervolume(np.array([[-np.inf, 1.0]]), [2.0, 2.0], [False, False]) == np.inf
    assert hypervolume(np.array([[-np.inf, 3.0]]), [2.0, 2.0], [False, False]) == 0.0
    assert hypervolume(np.array([[0.0, 1.0], [1.0, -np.inf]]), [2.0, 2.0], [False, False]) == np.inf


def test_other_numbers_of_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 3 objectives, got 4"):
        hypervolume(np.ones((1, 4)), [0.0] * 4, [True] * 4)
    with pytest.raises(ValueError, match="1 to 3 objectives, got 0"):
        hypervolume(np.ones((1, 0)), [], [])
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        hypervolume(np.ones((1, 3)), [0.0] * 2, [True] * 2)


@pytest.mark.parametrize("reference", [[0.0], [0.0, np.nan], [np.inf, 0.0], 0.0])
def test_other_references_are_refused(reference: object) -> None:
    with pytest.raises(ValueError, match="reference must be 2 finite numbers"):
        hypervolume(np.ones((1, 2)), reference, [True, True])
