"""Agreement and calibration on networks worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from latency.sources.measured.additivity import agreement, choose_line, fit_line, split

PARTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def test_agreement_of_networks() -> None:
    found = agreement(np.array([1.1, 2.0, 2.7]), np.array([1.0, 2.0, 3.0]))
    assert found.networks == 3 and found.kendall_tau == 1.0
    assert found.mape == pytest.approx(0.2 / 3) and found.max_error == pytest.approx(0.1)
    assert agreement(np.array([1.0]), np.array([2.0])).kendall_tau == 0.0
    assert agreement(np.ones(3), np.array([1.0, 2.0, 3.0])).kendall_tau == 0.0


def test_the_line_is_found_again() -> None:
    line = choose_line(PARTS, 0.5 + 1.25 * PARTS, overhead_ms=0.0)
    assert line is not None
    assert (line.offset_ms, line.slope) == (pytest.approx(0.5), pytest.approx(1.25))
    np.testing.assert_allclose(line.at(PARTS), 0.5 + 1.25 * PARTS)


def test_no_line_where_the_plain_sum_is_right() -> None:
    assert choose_line(PARTS, PARTS + 0.5, overhead_ms=0.5) is None


def test_no_line_where_it_would_only_follow_noise() -> None:
    """One network that the plain sum misses: a line through it misses the others."""
    measured = PARTS.copy()
    measured[0] *= 1.3
    assert choose_line(PARTS, measured, overhead_ms=0.0) is None


def test_no_line_from_few_networks() -> None:
    assert choose_line(PARTS[:4], 2 * PARTS[:4], overhead_ms=0.0) is None
    assert choose_line(np.empty(0), np.empty(0), overhead_ms=0.0) is None


def test_coefficients_are_never_negative() -> None:
    line = fit_line(PARTS, 2 * PARTS - 0.5)
    assert line is not None and line.offset_ms == 0.0 and line.slope > 1.5
    assert fit_line(np.zeros(3), np.ones(3)) is None


def test_reported_networks_do_not_calibrate() -> None:
    reported, fitting = split(["a", "b", "c", "d", "e"])
    assert (reported, fitting) == (["a", "c", "e"], ["b", "d"])
