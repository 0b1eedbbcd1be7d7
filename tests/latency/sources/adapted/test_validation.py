"""Timings left out, and blocks of known phones left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latency.sources.adapted.model import Spread, adapt
from latency.sources.adapted.validation import LeftOut, block_errors, leave_out

SPREAD = Spread(phones=0.5, kinds=0.3, overhead=0.7, noise=0.03)
Parts = Callable[..., np.ndarray]


def test_a_network_left_out_is_predicted_from_the_others_alone(make_parts: Parts) -> None:
    parts = make_parts(networks=10)
    timed = parts[0].sum(axis=1)
    found = leave_out(parts, timed, SPREAD)
    others = adapt(parts[:, 1:], timed[1:], SPREAD)
    assert found.predicted_ms[0] == pytest.approx(others.latency_ms(parts[:, :1])[0])
    timed[0] *= 2  # which says nothing of itself
    assert leave_out(parts, timed, SPREAD).predicted_ms[0] == pytest.approx(found.predicted_ms[0])


def test_figures() -> None:
    found = LeftOut(np.array([1.0, 2.0, 4.0]), np.array([1.1, 1.8, 4.0]), np.array([0.1, 0.1, 0.2]))
    assert found.errors == pytest.approx([0.1, -0.1, 0.0])
    assert found.mape == pytest.approx(0.2 / 3)
    assert found.max_error == pytest.approx(0.1)
    assert found.kendall_tau == 1
    assert found.sigma == pytest.approx(np.sqrt(0.06 / 3))


def test_blocks_are_off_where_phones_have_peculiarities(make_parts: Parts) -> None:
    """Blocks of the second kind differ from phone to phone, those of the third do not."""
    parts = make_parts(phones=4, networks=20)
    parts[:] = parts.mean(axis=0)
    blocks = np.zeros((4, 40, 4))
    blocks[:, :20, 1] = np.exp(0.3 * np.random.default_rng(0).standard_normal((4, 20)))
    blocks[:, 20:, 2] = 1.0
    errors = block_errors(parts, blocks, SPREAD)
    assert errors[1] == pytest.approx(0.3 * np.sqrt(4 / 3), rel=0.25)
    assert errors[2] < 0.05
    # What dominates no block has the error of all.
    assert errors[2] < errors[3] < errors[1]
    assert errors[3] == errors[0]


def test_skips_say_nothing_of_errors(make_parts: Parts) -> None:
    parts = make_parts(networks=8)
    assert block_errors(parts, np.zeros((4, 3, 4)), SPREAD) == pytest.approx(np.zeros(4))
