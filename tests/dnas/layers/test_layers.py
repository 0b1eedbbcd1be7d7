"""The pieces of networks against plain PyTorch; a pointwise convolution is the same by either route."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dnas.layers.activations import ACTIVATIONS, activation
from dnas.layers.depthwise import DepthwiseConv2d
from dnas.layers.layers import (
    ConvBNAct,
    PointwiseConv2d,
    SqueezeExcite,
    init_weights,
    pointwise,
)
from dnas.nn.network import build_fixed
from dnas.space import Choice, FixedOp, Layer


def inverted_residual(out: int = 4, stride: int = 1, **options: float) -> Any:
    choice = Choice.of("x", **options)
    return choice.build(Layer(0, 4, out, stride, 5, "relu", (choice,))).double()


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("groups", "bias"), [(1, False), (1, True), (2, True), (4, False)])
@pytest.mark.parametrize("size", [(1, 1), (5, 3)])
def test_pointwise_is_a_convolution(
    memory_format: torch.memory_format, groups: int, bias: bool, size: tuple[int, int]
) -> None:
    x = images(2, 4, *size).contiguous(memory_format=memory_format).requires_grad_()
    weight, shift = images(8, 4 // groups, 1, 1, seed=1).requires_grad_(), images(8) if bias else None
    y = pointwise(x, weight, shift, groups)
    expected = F.conv2d(x, weight, shift, groups=groups)
    torch.testing.assert_close(y, expected)
    gradients = torch.autograd.grad(y.square().sum(), (x, weight))
    torch.testing.assert_close(gradients, torch.autograd.grad(expected.square().sum(), (x, weight)))
    if groups == 1 and memory_format == torch.channels_last:
        assert y.is_contiguous(memory_format=torch.channels_last), "the next block takes the same route"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0, 0, 0, 1, 8]),
        ("relu6", [0, 0, 0, 1, 6]),
        ("hswish", [0, -1 / 3, 0, 2 / 3, 8]),
        ("swish", [-4 / (1 + 54.598150033), -1 / (1 + 2.718281828), 0, 0.7310585786, 7.9973171]),
        ("none", [-4, -1, 0, 1, 8]),
    ],
)
def test_activations(name: str, expected: list[float]) -> None:
    y = activation(name)(torch.tensor([-4.0, -1.0, 0.0, 1.0, 8.0]))
    torch.testing.assert_close(y, torch.tensor(expected, dtype=torch.float32), atol=1e-6, rtol=1e-6)


def test_every_activation_of_the_schema_exists() -> None:
    for name in ("relu", "relu6", "hswish", "swish", "none"):
        assert isinstance(activation(name), ACTIVATIONS[name].module)


def test_squeeze_excite_by_formula() -> None:
    se, x = SqueezeExcite(4, 2, "relu").double(), images(2, 4, 3, 5)
    mean = x.mean((2, 3))
    hidden = (mean @ se.reduce.weight.flatten(1).T + se.reduce.bias).relu()
    gate = F.relu6(hidden @ se.expand.weight.flatten(1).T + se.expand.bias + 3) / 6
    torch.testing.assert_close(se(x), x * gate[:, :, None, None])


@pytest.mark.parametrize(
    ("stride", "out", "size", "residual"), [(1, 4, 5, True), (2, 4, 3, False), (1, 6, 5, False)]
)
def test_inverted_residual(stride: int, out: int, size: int, residual: bool) -> None:
    block = inverted_residual(out, stride, expansion=2.5, kernel=5, se=0.2).eval()
    x = images(2, 4, 5, 5)
    plain = block.project(block.se(block.depthwise(block.expand(x))))
    assert block.residual == residual and block(x).shape == (2, out, size, size)
    torch.testing.assert_close(block(x), x + plain if residual else plain)


def test_an_in_place_activation_leaves_the_input_alone() -> None:
    block = inverted_residual(expansion=1, kernel=3)
    x = images(2, 4, 5, 5)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


def test_shuffle_mixes_groups() -> None:
    block = inverted_residual(expansion=2, kernel=3, groups=2)
    assert block.expand.conv.groups == block.project.conv.groups == 2
    x = torch.arange(8.0).reshape(1, 8, 1, 1)
    assert block.shuffle(x).flatten().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    x = images(2, 4, 5, 5).requires_grad_()
    (block.eval()(x) - x)[:, 0].sum().backward()
    assert x.grad is not None and (x.grad.abs().sum((0, 2, 3)) > 0).all(), "output 0 sees both groups' inputs"


@pytest.mark.parametrize(
    ("stride", "out", "kind"), [(1, 4, nn.Identity), (2, 4, ConvBNAct), (1, 6, ConvBNAct)]
)
def test_skip(stride: int, out: int, kind: type[nn.Module]) -> None:
    layer = Layer(0, 4, out, stride, 5, "relu", ())
    block = Choice.of("skip", "skip").build(layer)
    assert type(block) is kind
    y = block(torch.randn(2, 4, 5, 5))
    assert y.shape == (2, out, layer.output_size, layer.output_size)
    assert kind is nn.Identity or (y >= 0).all(), "the layer's activation follows"


def test_separable_and_unnormalised_fixed_operations() -> None:
    separable = build_fixed(FixedOp("separable", 4, 6, 8, kernel=3, stride=2, activation="relu"))
    assert [type(m) for m in separable[0]] == [DepthwiseConv2d, nn.BatchNorm2d, nn.ReLU]
    assert separable[0].conv.groups == 4 and separable[0].conv.stride == (2, 2)
    assert [type(m) for m in separable[1]] == [PointwiseConv2d, nn.BatchNorm2d, nn.Identity]
    plain = build_fixed(FixedOp("conv", 4, 6, 8, norm=False, activation="hswish"))
    assert isinstance(plain.bn, nn.Identity) and plain.conv.bias is None
    assert isinstance(build_fixed(FixedOp("dropout", 4, 4, 1, rate=0.3)), nn.Dropout)
    assert build_fixed(FixedOp("pool", 4, 4, 7))(torch.randn(2, 4, 7, 7)).shape == (2, 4, 1, 1)


def test_init_weights() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conv, linear = nn.Conv2d(8, 400, 3), nn.Linear(400, 100)
        conv.apply(init_weights), linear.apply(init_weights)
    assert conv.weight.std().item() == pytest.approx((2 / (400 * 9)) ** 0.5, rel=0.05)
    assert linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert conv.bias is not None and not conv.bias.any() and not linear.bias.any()
