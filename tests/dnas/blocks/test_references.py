"""Blocks against torchvision's, after copying the weights in order."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models.efficientnet import FusedMBConv, FusedMBConvConfig, MBConv, MBConvConfig
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.mobilenetv3 import InvertedResidual as MobileNetV3Block
from torchvision.models.mobilenetv3 import InvertedResidualConfig as MobileNetV3Config
from torchvision.models.resnet import Bottleneck

from dnas.space import Choice, Layer


def layer(out: int, stride: int, activation: str = "relu") -> Layer:
    return Layer(0, 16, out, stride, 9, activation, ())


def bottleneck(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    change = None
    if stride > 1 or out != 16:
        change = nn.Sequential(nn.Conv2d(16, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    theirs = Bottleneck(16, out // 4, stride, change)
    return Choice.of("x", "bottleneck").build(layer(out, stride)), theirs


def averaged(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    """ResNet-D's: the shortcut averages, so its convolution has no stride."""
    change = None
    if stride > 1 or out != 16:
        pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
        change = nn.Sequential(pool, nn.Conv2d(16, out, 1, bias=False), nn.BatchNorm2d(out))
    theirs = Bottleneck(16, 8, stride, change, base_width=40)
    theirs.conv3, theirs.bn3 = nn.Conv2d(5, out, 1, bias=False), nn.BatchNorm2d(out)
    return Choice.of("x", "bottleneck", hidden=5, shortcut="avg_pool").build(layer(out, stride)), theirs


def mobilenet_v3(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    config = MobileNetV3Config(16, 3, 16, out, True, "HS", stride, 1, 1.0)
    squeeze = {"se": 0.25, "se_divisor": 8, "se_activation": "relu"}
    ours = Choice.of("x", hidden=16, kernel=3, expand_always=False, **squeeze)
    return ours.build(layer(out, stride, "hswish")), MobileNetV3Block(config, nn.BatchNorm2d)


def efficientnet(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    config = MBConvConfig(2.6, 5, stride, 16, out, 1)
    squeeze = {"se": 0.25, "se_of": "input", "se_gate": "sigmoid"}
    ours = Choice.of("x", expansion=2.6, kernel=5, **squeeze)
    place = replace(layer(out, stride, "swish"), divisor=8)
    return ours.build(place), MBConv(config, 0.0, partial(nn.BatchNorm2d))


def fused(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    config = FusedMBConvConfig(4, 3, stride, 16, out, 1)
    ours = Choice.of("x", "fused_inverted_residual", expansion=4, kernel=3)
    return ours.build(layer(out, stride, "swish")), FusedMBConv(config, 0.0, partial(nn.BatchNorm2d))


def inverted(out: int, stride: int) -> tuple[nn.Module, nn.Module]:
    ours = Choice.of("x", expansion=6, kernel=3).build(layer(out, stride, "relu6"))
    return ours, InvertedResidual(16, out, stride, 6)


@pytest.mark.parametrize(
    ("start", "middle", "strides"),
    [(5, 3, [1, 1, 2, 1]), (0, 5, [1, 2, 1]), (3, 0, [2, 1, 1])],
    ids=["extra", "inverted residual", "next"],
)
def test_the_stride_of_mobilenet_v4_is_on_the_middle_convolution_if_there_is_one(start, middle, strides):
    block = Choice.of("x", "universal_inverted_bottleneck", expansion=4, start=start, middle=middle)
    assert [op.stride for op in block.ops(layer(32, 2))] == strides
    found = [
        module.stride[0] for module in block.build(layer(32, 2)).modules() if isinstance(module, nn.Conv2d)
    ]
    assert found == strides


@pytest.mark.parametrize(("out", "stride"), [(16, 1), (32, 2), (32, 1)])
@pytest.mark.parametrize("pair", [bottleneck, averaged, fused, inverted, mobilenet_v3, efficientnet])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_of_equal_weights_are_equal(pair, out, stride, training):
    ours, theirs = (module.double().train(training) for module in pair(out, stride))
    given = list(theirs.state_dict().values())
    names = list(ours.state_dict())
    assert [value.shape for value in ours.state_dict().values()] == [value.shape for value in given]
    ours.load_state_dict(dict(zip(names, (value.clone() for value in given), strict=True)))
    x = torch.randn(3, 16, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize(
    "options",
    [
        {"expansion": 2, "kernel": 3},
        {"type": "separable", "kernel": 3},
        {"type": "fused_inverted_residual", "kernel": 3, "expansion": 2},
        {"type": "universal_inverted_bottleneck", "expansion": 2, "middle": 3},
        {"type": "conv", "kernel": 3},
    ],
)
def test_a_residual_is_the_input_and_can_be_left_out(options):
    """Weights are the same with and without, so that the outputs differ by the input."""
    place = layer(16, 1)
    plain, added = (Choice.of("x", **options, residual=each).build(place).double() for each in (False, True))
    added.load_state_dict(dict(zip(added.state_dict(), plain.state_dict().values(), strict=True)))
    x = torch.randn(2, 16, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(added(x), plain(x) + x)
