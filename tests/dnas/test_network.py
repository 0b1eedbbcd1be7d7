"""A network is the plain module of its architecture, for any images and classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from dnas import zoo
from dnas.architecture import Architecture
from dnas.nn.blocks import InvertedResidual
from dnas.nn.network import Network
from dnas.space import SearchSpace

Get = Callable[[str], SearchSpace]


def test_blocks_are_those_of_the_architecture() -> None:
    network = Network(zoo.load("moga_a"))
    described = [
        (b.expand.conv.out_channels // b.expand.conv.in_channels, b.depthwise.conv.kernel_size[0])
        for b in network.blocks
        if isinstance(b, InvertedResidual)
    ]
    assert described == [(c.expansion, c.kernel) for c in network.arch.choices]
    assert [isinstance(b.se, nn.Identity) for b in network.blocks] == [not c.se for c in network.arch.choices]


@pytest.mark.parametrize("name", ["narrow_moga", "narrow_fbnet", "motley", "minimal"])
@pytest.mark.parametrize("side", [(64, 64), (31, 17), (1, 1)])
def test_any_image_size(get_space: Get, name: str, side: tuple[int, int]) -> None:
    space = get_space(name)
    network = Network(Architecture.random(space, np.random.default_rng(1))).eval()
    logits = network(torch.randn(1, space.in_channels, *side))
    assert logits.shape == (1, space.num_classes) and logits.isfinite().all()


def test_other_data(get_space: Get) -> None:
    arch = Architecture.random(get_space("narrow_moga"), np.random.default_rng(1))
    network = Network(arch, num_classes=3, in_channels=1, stem_stride=1)
    seen: list[tuple[int, ...]] = []
    network.stem.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[2:])))
    assert network(torch.randn(2, 1, 16, 16)).shape == (2, 3)
    assert seen == [(16, 16)] and network.arch.space.num_classes == 7, (
        "the architecture stays the deployed one"
    )


def test_moga_stem_and_head_by_layer() -> None:
    network = Network(zoo.load("moga_c"))
    convs = [m for part in (network.stem, network.head) for m in part.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0], c.groups) for c in convs] == [
        (3, 16, 3, 1),
        (16, 16, 3, 16),
        (16, 16, 1, 1),
        (160, 960, 1, 1),
        (960, 1280, 1, 1),
    ]
    assert network.classifier.in_features == 1280 and network.classifier.bias is not None
    assert [m.p for m in network.head if isinstance(m, nn.Dropout)] == [0.2]


def test_memory_formats_agree(get_space: Get) -> None:
    network = (
        Network(Architecture.random(get_space("narrow_fbnet"), np.random.default_rng(2))).double().eval()
    )
    x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    torch.testing.assert_close(network(x), network(x.contiguous(memory_format=torch.channels_last)))
