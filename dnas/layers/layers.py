"""What networks are made of: inverted residuals with squeeze-excite (MobileNetV3, arXiv 1905.02244), grouped
and shuffled ones and skips (FBNet, arXiv 1812.03443), and the pieces of stem and head.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import StochasticDepth

from dnas.layers.activations import activation
from dnas.layers.depthwise import DepthwiseConv2d
from dnas.space import Choice, FixedOp, Layer


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1) -> Tensor:
    """A 1x1 convolution, (N, in, h, w) and (out, in / groups, 1, 1) to (N, out, h, w).

    On channels-last maps it is a matrix product.

    A supernet has convolutions of very many shapes, each of which costs a CPU library the making of a kernel;
    the matrix product needs none and is faster besides.
    """
    if groups > 1 or not x.is_contiguous(memory_format=torch.channels_last):
        return F.conv2d(x, weight, bias, groups=groups)
    return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution of stride 1, computed by :func:`pointwise`."""

    def __init__(self, in_channels: int, out_channels: int, *, groups: int = 1, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return pointwise(x, self.weight, self.bias, self.groups)


def conv2d(in_channels: int, out_channels: int, kernel: int, stride: int, groups: int) -> nn.Conv2d:
    """A convolution without bias, padded by kernel // 2."""
    if kernel == stride == 1:
        return PointwiseConv2d(in_channels, out_channels, groups=groups, bias=False)
    if groups == in_channels == out_channels:
        return DepthwiseConv2d(in_channels, kernel, stride)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)


def with_stock_convolutions(module: nn.Module) -> nn.Module:
    """Return a copy that computes the same with PyTorch's convolutions alone, for exporters.

    Ours are faster to train; where they compute a product instead, a file would hold that, with transposes.
    """
    module = copy.deepcopy(module)
    for each in module.modules():
        if isinstance(each, PointwiseConv2d | DepthwiseConv2d):
            each.__class__ = nn.Conv2d  # type: ignore[assignment]
    return module


class ConvBNAct(nn.Sequential):
    """Convolution with padding kernel // 2, batch normalisation (optional), activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation_name: str = "none",
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.conv = conv2d(in_channels, out_channels, kernel, stride, groups)
        self.bn = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.act = activation(activation_name)

    @property
    def norm(self) -> nn.BatchNorm2d:
        """The batch normalisation; only for those that have one."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        return self.bn


def fold_norms(module: nn.Module) -> None:
    """Fold batch norms into the convolutions before them, in place, as runtimes do; in evaluation mode."""
    for part in module.modules():
        if isinstance(part, ConvBNAct) and isinstance(part.bn, nn.BatchNorm2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.bn)
            part.bn = nn.Identity()


class SqueezeExcite(nn.Module):
    """Scale channels by a gate made from their means: pool, 1x1, activation, 1x1, hard-sigmoid, multiply."""

    def __init__(self, channels: int, squeezed: int, activation_name: str) -> None:
        super().__init__()
        self.reduce = PointwiseConv2d(channels, squeezed)
        self.act = activation(activation_name)
        self.expand = PointwiseConv2d(squeezed, channels)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))))
        return x * gate

    def gates(self, means: Tensor, squeezed: int | None = None) -> Tensor:
        """The gates alone: (N, C) from means (N, C).

        They are those of a slice: the first C channels, and the first ``squeezed`` in between. Computed by
        products; :meth:`forward` has convolutions, as exported networks should.
        """
        channels = means.shape[1]
        reduce, expand = self.reduce.weight.flatten(1), self.expand.weight.flatten(1)
        assert self.reduce.bias is not None and self.expand.bias is not None
        parts = reduce[:squeezed, :channels], self.reduce.bias[:squeezed]
        means = self.act(F.linear(means, *(part.to(means.dtype) for part in parts)))
        parts = expand[:channels, :squeezed], self.expand.bias[:channels]
        return self.gate(F.linear(means, *(part.to(means.dtype) for part in parts)))


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1; residual when the shape is kept.

    With groups above 1 both 1x1 convolutions are grouped and a channel shuffle follows the first (FBNet
    fig. 3). ``drop`` comes before the residual is added (:func:`add_drop_paths`).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden: int,
        kernel: int = 3,
        stride: int = 1,
        squeezed: int = 0,
        groups: int = 1,
        activation_name: str = "relu",
    ) -> None:
        super().__init__()
        act = activation_name
        self.expand = ConvBNAct(in_channels, hidden, groups=groups, activation_name=act)
        self.shuffle = nn.ChannelShuffle(groups) if groups > 1 else nn.Identity()
        self.depthwise = ConvBNAct(
            hidden, hidden, kernel=kernel, stride=stride, groups=hidden, activation_name=act
        )
        self.se = SqueezeExcite(hidden, squeezed, act) if squeezed else nn.Identity()
        self.project = ConvBNAct(hidden, out_channels, groups=groups)
        self.drop: nn.Module = nn.Identity()
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.se(self.depthwise(self.shuffle(self.expand(x)))))
        return x + self.drop(y) if self.residual else y


def build_block(layer: Layer, choice: Choice) -> nn.Module:
    """The module of one choice of a searchable layer."""
    if choice.skip:
        return build_skip(layer)
    return InvertedResidual(
        layer.in_channels,
        layer.out_channels,
        hidden=layer.hidden_channels(choice),
        kernel=choice.kernel,
        stride=layer.stride,
        squeezed=layer.squeezed_channels(choice),
        groups=choice.groups,
        activation_name=layer.activation,
    )


def add_drop_paths(blocks: Iterable[nn.Module], rate: float) -> None:
    """Stochastic depth (arXiv 1603.09382): in training leave out a residual block's branch now and then.

    An image skips the branch of block l of L, counted from 1, with probability ``rate`` * l / L, drawn for
    each image; where it runs it is divided by the probability that it does. Blocks without a residual
    always run.
    """
    blocks = list(blocks)
    for position, block in enumerate(blocks, 1):
        if isinstance(block, InvertedResidual) and block.residual:
            block.drop = StochasticDepth(rate * position / len(blocks), "row")


def build_skip(layer: Layer) -> nn.Module:
    """Identity, or a strided 1x1 convolution where the shape changes."""
    if layer.keeps_shape:
        return nn.Identity()
    return ConvBNAct(
        layer.in_channels, layer.out_channels, stride=layer.stride, activation_name=layer.activation
    )


def build_fixed(op: FixedOp) -> nn.Module:
    """The module of one entry of a stem or head."""
    if op.type == "pool":
        return nn.AdaptiveAvgPool2d(1)
    if op.type == "dropout":
        return nn.Dropout(op.rate)
    separable = op.type == "separable"
    conv = ConvBNAct(
        op.in_channels,
        op.in_channels if separable else op.out_channels,
        kernel=op.kernel,
        stride=op.stride,
        groups=op.in_channels if separable else 1,
        activation_name=op.activation,
        norm=op.norm,
    )
    return nn.Sequential(conv, ConvBNAct(op.in_channels, op.out_channels)) if separable else conv


@torch.no_grad()
def init_weights(module: nn.Module) -> None:
    """Kaiming-normal (fan out) convolutions, N(0, 0.01) classifiers, no biases; for ``Module.apply``."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
