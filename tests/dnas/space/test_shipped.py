"""Every space that ships: its exact size, and that its networks are what its costs count (contract 11)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnas import Architecture, Network, SearchSpace
from dnas.costs import count
from dnas.space import shipped_spaces

# Different networks. Once-for-All's stages have (9 choices)^(2, 3 or 4 layers): 7371 of them.
DISTINCT = {
    "fbnet": 9 * (9 * sum(8**depth for depth in (0, 1, 2, 3))) ** 5 * 9,
    "moga": 12**14,
    "mnasnet": (8 * 2) * (12 * 3) ** 5 * (12 * 2),
    "mobilenetv3_like": (3 + 1) * sum(36**depth for depth in (1, 2, 3, 4)) ** 5,
    "mobilenetv4": 32**2 * 36**10,
    "nasbench_macro": 3969,
    "ofa_mobilenetv3": 7371**5,
    "ofa_resnet50": 2 * sum(3**depth for depth in (2, 3, 4)) ** 3 * sum(3**depth for depth in (4, 5, 6)),
    "proxylessnas": 7371**5 * 9,
}


def test_all_are_here() -> None:
    assert shipped_spaces() == sorted(DISTINCT)


@pytest.mark.parametrize("name", DISTINCT)
def test_exact_size(name: str) -> None:
    assert SearchSpace.load(name).distinct == DISTINCT[name]


@pytest.mark.parametrize("name", shipped_spaces())
def test_it_says_where_it_comes_from(name: str) -> None:
    definition = SearchSpace.load(name).to_dict()
    assert definition["name"] == name
    assert definition["description"] and definition["reference"].startswith("arXiv ")


@pytest.mark.parametrize("name", shipped_spaces())
def test_networks_have_the_counted_parameters(name: str) -> None:
    """Without memory: on the meta device nothing is initialised."""
    space = SearchSpace.load(name)
    costs = count(space)
    columns = [[column % len(each.names) for each in space.decisions] for column in range(space.max_choices)]
    for genome in columns:
        arch = Architecture(space, tuple(genome))
        with torch.device("meta"):
            network = Network(arch)
        assert sum(p.numel() for p in network.parameters()) == costs.params_of(arch)


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_random_network_computes(name: str) -> None:
    space = SearchSpace.load(name)
    arch = Architecture.random(space, np.random.default_rng(0))
    network = Network(arch, num_classes=3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
