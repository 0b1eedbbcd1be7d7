"""The front that follows from alpha, against all 48 architectures of the tiny space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from dnas.compare.sweep import sweep
from dnas.search.gradient.masks import probabilities
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import LatencyTable


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("limits", [1, 2, 9])
def test_most_probable_on_either_side(
    seed: int, limits: int, tiny_space: SearchSpace, tiny_table: LatencyTable
) -> None:
    alpha = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    likely = probabilities(alpha.double(), torch.from_numpy(tiny_space.valid)).numpy()
    every = [
        Architecture(tiny_space, each) for each in itertools.product(*map(range, tiny_space.num_choices))
    ]
    rank = {each: likely[np.arange(3), each.indices].prod() for each in every}
    ms = {each: tiny_table.latency_ms(each) for each in every}
    best = max(every, key=lambda each: rank[each])
    expected = [best]
    for limit in np.linspace(min(ms.values()), max(ms.values()), limits):
        if limit < ms[best]:
            allowed = [each for each in every if ms[each] <= limit + 1e-9]
        else:
            allowed = [each for each in every if ms[each] >= limit - 1e-9]
        expected.append(max(allowed, key=lambda each: rank[each]))
    found = sweep(tiny_space, alpha, tiny_table, limits)
    assert [each.architecture for each in found] == list(dict.fromkeys(expected))
    assert all(each.evaluation is None for each in found)


def test_names_tell_the_bound(tiny_space: SearchSpace, tiny_table: LatencyTable) -> None:
    fast, slow = tiny_table.cheapest(), tiny_table.dearest()
    alpha = torch.full((3, 4), -5.0)
    alpha[torch.arange(3), torch.tensor([1, 1, 1])] = 5.0
    names = {each.architecture: each.name for each in sweep(tiny_space, alpha, tiny_table, 2)}
    assert names == {
        Architecture(tiny_space, (1, 1, 1)): "argmax",
        fast: f"at most {tiny_table.latency_ms(fast):.4g} ms",
        slow: f"at least {tiny_table.latency_ms(slow):.4g} ms",
    }


def test_the_first_of_several_names_stays(tiny_space: SearchSpace, tiny_table: LatencyTable) -> None:
    """The lowest limit gives the argmax again, the highest two the same network."""
    fast, slow = tiny_table.cheapest(), tiny_table.dearest()
    alpha = torch.full((3, 4), -5.0)
    alpha[torch.arange(3), torch.tensor(fast.indices)] = 5.0
    alpha[0, slow.indices[0]] = -50.0
    first, *others = sweep(tiny_space, alpha, tiny_table, 12)
    assert (first.architecture, first.name) == (fast, "argmax")
    limits = np.linspace(tiny_table.latency_ms(fast), tiny_table.latency_ms(slow), 12)
    for each in others:
        lower = limits[limits <= tiny_table.latency_ms(each.architecture) + 1e-9]
        assert float(each.name.split()[2]) <= lower[-1]
