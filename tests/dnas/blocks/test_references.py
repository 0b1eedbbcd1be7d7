"""Blocks against torchvision's, after copying the weights in order."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torchvision.models.efficientnet import FusedMBConv, FusedMBConvConfig
from torchvision.models.mobilenetv2 import InvertedResidual
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
@pytest.mark.parametrize("pair", [bottleneck, fused, inverted])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_of_equal_weights_are_equal(pair, out, stride, training):
    ours, theirs = (module.double().train(training) for module in pair(out, stride))
    given = list(theirs.state_dict().values())
    names = list(ours.state_dict())
    assert [value.shape for value in ours.state_dict().values()] == [value.shape for value in given]
    ours.load_state_dict(dict(zip(names, (value.clone() for value in given), strict=True)))
    x = torch.randn(3, 16, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ours(x), theirs(x))
