"""Cost tables equal what PyTorch counts in the built network, for any architecture of any space."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dnas.costs import count, expected, gather
from dnas.nn.network import Network
from dnas.space import SearchSpace
from dnas.space.architecture import Architecture, ArchitectureError

Get = Callable[[str], SearchSpace]


def counted_madds(network: torch.nn.Module, space: SearchSpace, memory_format: torch.memory_format) -> int:
    images = torch.zeros(1, space.in_channels, space.resolution, space.resolution)
    network.eval().to(memory_format=memory_format)  # type: ignore[call-overload]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(images.contiguous(memory_format=memory_format))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    "memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"]
)
@pytest.mark.parametrize("name", ["moga", "fbnet", "motley", "minimal", "staged"])
def test_counts_equal_the_built_network(
    get_space: Get, name: str, memory_format: torch.memory_format
) -> None:
    space, generator = get_space(name), np.random.default_rng(5)
    costs = count(space)
    for arch in [Architecture.random(space, generator) for _ in range(3)]:
        network = Network(arch)
        assert costs.params_of(arch) == sum(p.numel() for p in network.parameters())
        assert costs.madds_of(arch) == counted_madds(network, space, memory_format)


@pytest.mark.parametrize("name", ["narrow_moga", "narrow_fbnet", "motley", "staged"])
def test_every_choice_of_every_layer_is_counted_exactly(get_space: Get, name: str) -> None:
    # On maps that every kernel fits into: taps that see padding only are counted, but not computed.
    space = get_space(name).adapt(resolution=128)
    costs = count(space)
    for column in range(space.max_choices):
        arch = Architecture(space, tuple(min(column, n - 1) for n in space.num_choices))
        network = Network(arch)
        assert costs.params_of(arch) == sum(p.numel() for p in network.parameters())
        assert costs.madds_of(arch) == counted_madds(network, space, torch.contiguous_format)
        blocks = iter(network.blocks)
        for decision, choice in zip(space.decisions, arch.indices, strict=True):
            governed = [next(blocks) for _ in decision.layers]
            params = sum(p.numel() for block in governed for p in block.parameters())
            assert costs.params[decision.index, choice] == params


def test_by_hand(get_space: Get) -> None:
    """3 -> 3 channels at 4 px: stem 1x1, one block of expansion 1 and kernel 3, pool, 3 -> 2 linear."""
    costs = count(get_space("minimal"))
    assert costs.params.tolist() == [[9 + 6 + 27 + 6 + 9 + 6]]
    assert costs.madds.tolist() == [[(9 + 27 + 9) * 16]]
    assert costs.fixed_params == 9 + 6 + 6 + 2
    assert costs.fixed_madds == 9 * 16 + 6


def test_a_skip_costs_nothing_unless_it_changes_the_shape(get_space: Get) -> None:
    costs = count(get_space("motley"))
    skip = 6
    assert costs.params[0, skip] == costs.madds[0, skip] == 0
    assert costs.params[1, skip] == 8 * 12 + 2 * 12 and costs.madds[1, skip] == 8 * 12 * 7 * 7
    assert costs.params[3, 1:].tolist() == [0] * 6, "padding stands for no choice"


def test_one_several_and_arrays_agree(get_space: Get) -> None:
    space, generator = get_space("motley"), np.random.default_rng(0)
    costs = count(space)
    archs = [Architecture.random(space, generator) for _ in range(20)]
    genomes = np.array([arch.indices for arch in archs])
    one = [costs.params_of(arch) for arch in archs]
    assert all(type(value) is int for value in one)
    for several in (archs, genomes, np.asfortranarray(genomes.astype(np.uint8))):
        values = costs.params_of(several)
        assert values.dtype == np.int64 and values.tolist() == one
    assert costs.madds_of(archs).tolist() == [costs.madds_of(arch) for arch in archs]
    assert costs.params_of([]).tolist() == []
    with pytest.raises(ArchitectureError, match="another space"):
        costs.params_of(Architecture(get_space("minimal"), (0,)))


def test_gather_crosses_its_block_size() -> None:
    values = np.array([[1.0, 2.0], [10.0, 20.0]])
    genomes = np.random.default_rng(0).integers(0, 2, (40_000, 2))
    total = gather(values, 0.5, genomes)
    np.testing.assert_array_equal(total, 0.5 + values[0, genomes[:, 0]] + values[1, genomes[:, 1]])


def test_expected_costs(get_space: Get) -> None:
    space = get_space("motley")
    costs = count(space)
    arch = Architecture(space, (2, 6, 1, 0))
    one_hot = torch.nn.functional.one_hot(torch.tensor(arch.indices), 7).double()
    assert costs.expected_params(one_hot).item() == costs.params_of(arch)
    assert costs.expected_madds(one_hot).item() == costs.madds_of(arch)
    mask = torch.full((4, 7), 0.25, dtype=torch.float64, requires_grad=True)
    costs.expected_params(mask).backward()
    assert mask.grad is not None
    np.testing.assert_array_equal(mask.grad.numpy(), costs.params)
    value = expected(torch.tensor([[1.0, 2.0]]), 0.5, torch.tensor([[0.25, 0.75]]))
    assert value.item() == pytest.approx(0.5 + 0.25 + 1.5)
    with pytest.raises(ValueError, match=r"mask of shape \(1, 2\)"):
        expected(torch.ones(1, 2), 0.0, torch.ones(2, 1))
