"""The pieces that blocks are made of: convolutions, squeeze-excite, and parts one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dnas.layers.activations import activation
from dnas.layers.depthwise import DepthwiseConv2d


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


def conv2d(
    in_channels: int, out_channels: int, kernel: int, stride: int, groups: int, bias: bool = False
) -> nn.Conv2d:
    """A convolution padded by kernel // 2, by default without bias."""
    if kernel == stride == 1:
        return PointwiseConv2d(in_channels, out_channels, groups=groups, bias=bias)
    if groups == in_channels == out_channels and not bias:
        return DepthwiseConv2d(in_channels, kernel, stride)
    return nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=bias)


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
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv = conv2d(in_channels, out_channels, kernel, stride, groups, bias)
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


class Gate(NamedTuple):
    """A gate of a squeeze-excite: as a class of modules, and as a function."""

    module: type[nn.Module]
    apply: Callable[[Tensor], Tensor]


GATES = {"hardsigmoid": Gate(nn.Hardsigmoid, F.hardsigmoid), "sigmoid": Gate(nn.Sigmoid, torch.sigmoid)}


class SqueezeExcite(nn.Module):
    """Scale channels by a gate made from their means: pool, 1x1, activation, 1x1, gate, multiply."""

    def __init__(self, channels: int, squeezed: int, activation_name: str, gate: str = "hardsigmoid") -> None:
        super().__init__()
        self.reduce = PointwiseConv2d(channels, squeezed)
        self.act = activation(activation_name)
        self.expand = PointwiseConv2d(squeezed, channels)
        self.gate = GATES[gate].module()

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))))
        return x * gate

    def gates(
        self,
        means: Tensor,
        squeezed: int | None = None,
        act: Callable[[Tensor], Tensor] | None = None,
        gate: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """The gates alone: (N, C) from means (N, C).

        They are those of a slice: the first C channels, and the first ``squeezed`` in between, with ``act``
        and ``gate`` in place of the module's. Computed by products; :meth:`forward` has convolutions, as
        exported networks should.
        """
        channels = means.shape[1]
        act, gate = act or self.act, gate or self.gate
        reduce, expand = self.reduce.weight.flatten(1), self.expand.weight.flatten(1)
        assert self.reduce.bias is not None and self.expand.bias is not None
        parts = reduce[:squeezed, :channels], self.reduce.bias[:squeezed]
        means = act(F.linear(means, *(part.to(means.dtype) for part in parts)))
        parts = expand[:channels, :squeezed], self.expand.bias[:channels]
        return gate(F.linear(means, *(part.to(means.dtype) for part in parts)))


class Block(nn.Module):
    """Named parts one after the other, and what is added to their output: the input, or its ``shortcut``.

    ``drop`` comes before the addition (:func:`add_drop_paths`), ``last`` after it.

    Args:
        parts: name -> module, in order; the names are those of attributes and of the state dict.
        residual: whether the input is added.
        shortcut: what changes the input's shape first, if it must.
        last: the name of an activation of the sum.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        *,
        residual: bool = False,
        shortcut: nn.Module | None = None,
        last: str = "none",
    ) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.parts, self.residual = tuple(parts), residual
        self.drop: nn.Module = nn.Identity()
        self.shortcut, self.last = shortcut or nn.Identity(), activation(last)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Which parts there are is decided when a block is made."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for name in self.parts:
            y = getattr(self, name)(y)
        return self.last(self.shortcut(x) + self.drop(y) if self.residual else y)


def centre_cut(whole: Tensor, shape: Sequence[int]) -> Tensor:
    """The part of a larger tensor that a slice uses: first channels, centre of the kernel."""
    channels = [slice(0, size) for size in shape[:2]]
    margins = [(large - small) // 2 for large, small in zip(whole.shape[2:], shape[2:], strict=True)]
    centre = [slice(margin, margin + size) for margin, size in zip(margins, shape[2:], strict=True)]
    return whole[(*channels, *centre)]


def add_drop_paths(blocks: Iterable[nn.Module], rate: float) -> None:
    """Stochastic depth (arXiv 1603.09382): in training leave out a residual block's branch now and then.

    An image skips the branch of block l of L, counted from 1, with probability ``rate`` * l / L, drawn for
    each image; where it runs it is divided by the probability that it does. Blocks without a residual
    always run.
    """
    from torchvision.ops import StochasticDepth  # here: it brings all models of torchvision along

    blocks = list(blocks)
    for position, block in enumerate(blocks, 1):
        if isinstance(block, Block) and block.residual:
            block.drop = StochasticDepth(rate * position / len(blocks), "row")


@torch.no_grad()
def init_weights(module: nn.Module) -> None:
    """Kaiming-normal (fan out) convolutions, N(0, 0.01) classifiers, no biases; for ``Module.apply``."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
