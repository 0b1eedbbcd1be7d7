"""Latencies of random networks with one choice fixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.analysis.profile.cells import Distribution, exact_shifts, profile_cells, reference
from latency.table import load_table
from latency.table.errors import TableError

FIXED_MS = 0.6875


def test_exact_shifts_by_hand(file: Path, tiny: SearchSpace) -> None:
    shifts = exact_shifts(load_table(file, tiny))
    np.testing.assert_allclose(shifts, [[0.0, 1.0, -1.0], [-1.875, 1.875, np.nan]])


def test_a_cell_fixes_its_choice_and_draws_the_others(file: Path, tiny: SearchSpace) -> None:
    table = load_table(file, tiny)
    against = reference(table, 400, np.random.default_rng(0))
    cells = {(c.layer, c.choice): c for c in profile_cells(table, 400, against, np.random.default_rng(1))}
    assert list(cells) == [("L1", "small"), ("L1", "large"), ("L1", "skip"), ("L2", "small"), ("L2", "large")]
    found = cells["L1", "large"].distribution
    assert found.networks == 400
    # 2 ms of its own, and 0.25 or 4 ms of the other layer.
    assert found.quantiles_ms[0] == FIXED_MS + 2.25 and found.quantiles_ms[-1] == FIXED_MS + 6
    assert found.std_ms == pytest.approx(1.875, rel=0.01)
    for cell in cells.values():
        error_ms = 5 * (cell.distribution.std_ms + against.std_ms) / 20
        assert abs(cell.sampled_shift_ms - cell.shift_ms) < error_ms
        assert cell.sampled_shift_ms == cell.distribution.mean_ms - against.mean_ms


def test_reference_is_unconstrained(file: Path, tiny: SearchSpace) -> None:
    table = load_table(file, tiny)
    against = reference(table, 500, np.random.default_rng(0))
    assert against.networks == 1500
    assert against.mean_ms == pytest.approx(FIXED_MS + 1 + 2.125, abs=0.2)
    assert against.quantiles_ms[0] == FIXED_MS + 0.25 and against.quantiles_ms[-1] == FIXED_MS + 6


def test_distribution_by_hand() -> None:
    found = Distribution.of(np.arange(101.0))
    assert (found.networks, found.mean_ms) == (101, 50.0)
    assert found.std_ms == pytest.approx((101 * 102 / 12) ** 0.5)
    assert found.quantiles_ms == pytest.approx((1, 5, 95, 99))


def test_equal_seeds_give_equal_cells(file: Path, tiny: SearchSpace) -> None:
    table = load_table(file, tiny)
    against = reference(table, 100, np.random.default_rng(0))
    one, two = (list(profile_cells(table, 100, against, np.random.default_rng(7))) for _ in range(2))
    assert one == two


def test_too_few_networks(file: Path, tiny: SearchSpace) -> None:
    with pytest.raises(TableError, match=r"99 networks per choice are too few.*100 or more"):
        reference(load_table(file, tiny), 99, np.random.default_rng(0))
