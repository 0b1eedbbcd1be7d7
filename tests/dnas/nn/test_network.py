"""A network is the plain module of its architecture, for any images and classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from dnas.layers.layers import Block
from dnas.nn.network import Network
from dnas.nn.supernet import Supernet
from dnas.space import SearchSpace, zoo
from dnas.space.architecture import Architecture

Get = Callable[[str], SearchSpace]


def test_blocks_are_those_of_the_architecture() -> None:
    network = Network(zoo.load("moga_a"))
    described = [
        (b.expand.conv.out_channels // b.expand.conv.in_channels, b.depthwise.conv.kernel_size[0])
        for b in network.blocks
        if isinstance(b, Block)
    ]
    options = [choice.options for choice in network.arch.choices]
    assert described == [(each.expansion, each.kernel) for each in options]
    assert [isinstance(b.se, nn.Identity) for b in network.blocks] == [not each.se for each in options]


@pytest.mark.parametrize("name", ["narrow_moga", "narrow_fbnet", "motley", "minimal", "staged"])
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


def test_drop_paths_grow_with_depth_and_spare_layers_without_a_residual() -> None:
    network = Network(zoo.load("moga_a"), drop_path=0.28)
    rates = [getattr(block.drop, "p", None) for block in network.blocks]
    kept = [layer.keeps_shape for layer in network.arch.space.layers]
    expected = [0.02 * position if keeps else None for position, keeps in enumerate(kept, 1)]
    assert rates == [None if rate is None else pytest.approx(rate) for rate in expected]
    assert rates[-1] == pytest.approx(0.28)
    plain = Network(zoo.load("moga_a"))
    assert network.state_dict().keys() == plain.state_dict().keys()


def test_a_dropped_path_leaves_the_residual() -> None:
    block = Network(zoo.load("moga_a"), drop_path=0.75).blocks[-1].double()
    x = torch.randn(400, 160, 2, 2, dtype=torch.float64)
    with torch.no_grad():
        torch.manual_seed(0)
        branch = block(x) - x
        always = block.project(block.se(block.depthwise(block.expand(x))))
        dropped = branch.flatten(1).abs().amax(1) < 1e-12
        torch.testing.assert_close(branch[~dropped], 4 * always[~dropped])
        assert 0.65 < dropped.double().mean() < 0.85
        block.eval()
        torch.testing.assert_close(block(x) - x, block.project(block.se(block.depthwise(block.expand(x)))))


def test_memory_formats_agree(get_space: Get) -> None:
    network = (
        Network(Architecture.random(get_space("narrow_fbnet"), np.random.default_rng(2))).double().eval()
    )
    x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    torch.testing.assert_close(network(x), network(x.contiguous(memory_format=torch.channels_last)))


@pytest.mark.parametrize("name", ["narrow_moga", "motley"])
def test_modules_stand_in_the_order_of_the_data(get_space: Get, name: str) -> None:
    arch = Architecture.random(get_space(name), np.random.default_rng(3))
    supernet = Supernet(arch.space)
    for module in (Network(arch), supernet, supernet.extract(arch)):
        order = list(dict.fromkeys(key.partition(".")[0] for key in module.state_dict()))
        assert order == ["stem", "blocks", "head", "classifier"]
    before = dict(Network(arch).state_dict())
    blocks_last = dict(sorted(before.items(), key=lambda item: item[0].startswith("blocks")))
    network = Network(arch)
    network.load_state_dict(blocks_last)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "strides"), [("narrow_moga", [4, 8, 16, 32]), ("narrow_fbnet", [2, 4, 8, 16, 32])]
)
def test_features_are_the_last_maps_of_every_stride(get_space: Get, name: str, strides: list[int]) -> None:
    space = get_space(name)
    arch = Architecture.random(space, np.random.default_rng(4))
    network = Network(arch).eval()
    outputs: list[torch.Tensor] = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    x = torch.randn(2, 3, 64, 96)
    maps = network.features(x)
    assert list(maps) == strides
    for stride, found in maps.items():
        assert found.shape == (2, network.feature_channels[stride], 64 // stride, 96 // stride)
        last = max(index for index, each in enumerate(network.strides) if each == stride)
        assert found is outputs[last]
    torch.testing.assert_close(network.finish(maps[strides[-1]]), network(x))


def test_strides_are_those_of_the_adapted_stem(get_space: Get) -> None:
    arch = Architecture.random(get_space("narrow_moga"), np.random.default_rng(5))
    network = Network(arch, in_channels=1, stem_stride=1)
    sizes = {
        stride: tuple(each.shape[2:]) for stride, each in network.features(torch.randn(2, 1, 33, 33)).items()
    }
    assert sizes == {2: (17, 17), 4: (9, 9), 8: (5, 5), 16: (3, 3)}
    supernet = Supernet(arch.space, in_channels=1, stem_stride=1)
    assert supernet.extract(arch).strides == network.strides
