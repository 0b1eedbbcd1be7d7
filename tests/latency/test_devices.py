"""What the tables are for: another device, another network."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import dnas
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture
from latency import load_table

DEVICES = ("adreno640_tflite2.10", "adreno616_tflite2.10", "mali_g76_tflite2.10", "powervr_ge8320_tflite2.10")


def loss(device: str, space: SearchSpace) -> np.ndarray:
    """(L, C): what the digits configuration minimises besides the cross-entropy."""
    return 0.1 * load_table(device, space).ms - 0.1 * dnas.costs.count(space).params / 1e6


def best(device: str, space: SearchSpace) -> Architecture:
    return Architecture(space, tuple(loss(device, space).argmin(axis=1)))


@pytest.mark.parametrize(("one", "other"), list(combinations(DEVICES, 2)))
def test_two_devices_want_two_networks(one: str, other: str) -> None:
    space = SearchSpace.load("moga")
    assert best(one, space) != best(other, space)


def test_a_network_searched_for_a_device_is_the_better_one_there() -> None:
    """The two networks that docs/latency_assembled.md shows, found by the differentiable search."""
    space = SearchSpace.load("moga")
    adreno = "E3K3 E3K3 E3K5 E3K5 E6K3 E3K3SE E3K3 E3K3 E3K3 E3K3 E6K3SE E6K3SE E6K3SE E6K3SE"
    mali = "E3K5 E3K3 E3K5 E3K5 E3K3 E3K3 E3K3 E3K3 E3K3 E3K3 E3K3 E3K5 E6K3SE E6K3SE"
    found = {"adreno640_tflite2.10": adreno, "mali_g76_tflite2.10": mali}
    for device in found:
        table = loss(device, space)
        values = {
            name: table[np.arange(len(space)), Architecture.parse(text, space).indices].sum()
            for name, text in found.items()
        }
        assert min(values, key=lambda name: values[name]) == device
