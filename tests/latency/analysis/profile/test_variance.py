"""Exact shares of the variance, by layer and attribute."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from dnas.space import SearchSpace
from latency.analysis.profile.variance import variance_shares
from latency.table import LatencyTable, load_table

MakeTable = Callable[..., LatencyTable]


def test_layers_sum_to_the_variance_of_all_networks(file: Path, tiny: SearchSpace) -> None:
    table = load_table(file, tiny)
    shares = variance_shares(table)
    everyone = table.latency_ms(np.array(list(product(range(3), range(2)))))
    assert shares.total_ms2 == pytest.approx(everyone.var())
    assert shares.shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares.layers * shares.total_ms2, [2 / 3, 1.875**2])


def test_full_factorial_by_hand(factorial: SearchSpace, make_table: MakeTable) -> None:
    # Kernel adds 2 ms, expansion 4 ms; in L2 one corner is 4 ms dearer; L3 is flat.
    table = make_table(factorial, np.array([[1, 3, 5, 7], [1, 3, 5, 11], [2, 2, 2, 2], [9, 0, 0, 0]]))
    shares = variance_shares(table)
    found = [dict(zip(shares.names, row, strict=True)) for row in shares.variance_ms2]
    assert found[0] == pytest.approx(
        {"skip": 0, "kernel": 1, "expansion": 4, "se": 0, "groups": 0, "interaction": 0}, abs=1e-12
    )
    assert found[1] == pytest.approx(
        {"skip": 0, "kernel": 4, "expansion": 9, "se": 0, "groups": 0, "interaction": 1}, abs=1e-12
    )
    assert not shares.variance_ms2[2:].any()
    assert shares.parts == pytest.approx({"kernel": 5 / 19, "expansion": 13 / 19, "interaction": 1 / 19})


def test_moga_main_effects_are_variances_of_conditional_means() -> None:
    space = SearchSpace.load("moga")
    table = load_table("adreno630_mace_calibrated", space)
    shares = variance_shares(table)
    for layer in space.layers:
        ms = table.ms[layer.index]
        for part in ("kernel", "expansion", "se"):
            levels = np.array([getattr(choice.options, part) for choice in layer.choices])
            means = np.array([ms[levels == level].mean() for level in levels])
            assert shares.variance_ms2[layer.index, shares.names.index(part)] == pytest.approx(means.var())
        assert shares.variance_ms2[layer.index].sum() == pytest.approx(ms.var())
    assert list(shares.parts) == ["kernel", "expansion", "se", "interaction"]
    assert sum(shares.parts.values()) == pytest.approx(1)


def test_a_skip_is_split_off_first(make_table: MakeTable) -> None:
    space = SearchSpace.load("fbnet")
    ms = np.full((len(space), 9), 3.0)
    ms[:, 8] = 1.0
    shares = variance_shares(make_table(space, ms))
    # 8 blocks at 3 ms, 1 skip at 1 ms: p (1 - p) 2^2 = 32 / 81, and nothing else varies.
    np.testing.assert_allclose(shares.variance_ms2[:, 0], 32 / 81)
    assert shares.parts == pytest.approx(
        {"skip": 1, "kernel": 0, "expansion": 0, "groups": 0, "interaction": 0}, abs=1e-12
    )


def test_attributes_that_do_not_cross(make_table: MakeTable) -> None:
    """FBNet has groups with expansion 1 only, so what both say is shared between them."""
    space = SearchSpace.load("fbnet")
    rng = np.random.default_rng(0)
    shares = variance_shares(make_table(space, rng.uniform(1, 2, (len(space), 9))))
    assert (shares.variance_ms2 >= 0).all()
    np.testing.assert_allclose(shares.variance_ms2.sum(axis=1) > 0, True)
    kernel_only = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 1.5]] * len(space), dtype=float)
    assert variance_shares(make_table(space, kernel_only)).parts["kernel"] == pytest.approx(1)
    # Each of k3 and k5: groups 2 takes 2 ms, all else 1 ms. Groups alone explain 3/16 of a block; expansion
    # alone has means 1.5, 1, 1 and explains 1/16, which groups share with it in one of two orders.
    grouped = np.array([[1, 2, 1, 1, 1, 2, 1, 1, 1.25]] * len(space), dtype=float)
    found = variance_shares(make_table(space, grouped)).variance_ms2[0]
    expected = np.array([0, 0, 1 / 32, 0, 3 / 16 - 1 / 32, 0]) * 8 / 9
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_equally_fast_networks_have_no_shares(factorial: SearchSpace, make_table: MakeTable) -> None:
    shares = variance_shares(make_table(factorial, np.ones((4, 4))))
    assert shares.total_ms2 == 0 and not shares.shares.any()
