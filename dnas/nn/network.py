"""A searched network as a plain ``nn.Module``: stem, one block per layer, head, classifier."""

from __future__ import annotations

import copy
import itertools
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable

from torch import Tensor, nn

from dnas.layers.activations import activation
from dnas.layers.layers import ConvBNAct, add_drop_paths, init_weights
from dnas.space import FixedOp, SearchSpace
from dnas.space.architecture import Architecture


class Frame(nn.Module):
    """What networks and supernets of a space share: stem before the blocks, head and classifier after.

    Modules stand in the order of the data, and so do the names of the state dict.
    """

    stem: nn.Module
    blocks: nn.Module
    head: nn.Module
    classifier: nn.Linear

    def __init__(self, space: SearchSpace, blocks: nn.Module | None = None) -> None:
        super().__init__()
        self.in_channels = space.in_channels
        self.stem = nn.Sequential(*map(build_fixed, space.stem))
        self.blocks = nn.Sequential() if blocks is None else blocks
        self.head = nn.Sequential(*map(build_fixed, space.head), nn.Flatten())
        self.classifier = nn.Linear(space.head[-1].out_channels, space.num_classes)
        set_norms(self, **space.definition.get("norm", {}))

    def finish(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) features of the last layer to (N, classes) logits."""
        return self.classifier(self.head(features))


class Network(Frame):
    """The network of an architecture.

    Args:
        arch: which block each layer has.
        num_classes, in_channels, stem_stride: instead of the space's, for another data set. ``stem_stride=1``
            keeps small images (CIFAR) from vanishing.
        drop_path: how often training leaves out the last block's branch, earlier ones' less
            (:func:`dnas.layers.layers.add_drop_paths`).

    Forward: (N, in_channels, H, W) images to (N, num_classes) logits; any H and W.

    Attributes:
        strides: of every layer's output with respect to the images.
    """

    blocks: nn.Sequential

    def __init__(
        self,
        arch: Architecture,
        num_classes: int | None = None,
        *,
        in_channels: int | None = None,
        stem_stride: int | None = None,
        drop_path: float = 0.0,
    ) -> None:
        space = arch.space.adapt(num_classes=num_classes, in_channels=in_channels, stem_stride=stem_stride)
        pairs = zip(space.layers, arch.choices, strict=True)
        super().__init__(space, nn.Sequential(*(choice.build(layer) for layer, choice in pairs)))
        self.arch, self.strides = arch, layer_strides(space)
        if drop_path:
            add_drop_paths(self.blocks, drop_path)
        self.apply(init_weights)

    @classmethod
    def of_parts(
        cls, arch: Architecture, frame: Frame, blocks: Iterable[nn.Module], strides: tuple[int, ...]
    ) -> Network:
        """The network of ``arch`` from its blocks, in a copy of ``frame``; nothing is initialised."""
        network = cls.__new__(cls)
        nn.Module.__init__(network)
        network.stem = copy.deepcopy(frame.stem)
        network.blocks = nn.Sequential(*blocks)
        network.head, network.classifier = copy.deepcopy(frame.head), copy.deepcopy(frame.classifier)
        network.arch, network.in_channels, network.strides = arch, frame.in_channels, strides
        return network

    def forward(self, images: Tensor) -> Tensor:
        return self.finish(self.blocks(self.stem(images)))

    def features(self, images: Tensor) -> dict[int, Tensor]:
        """The maps that heads for detection or segmentation take: the last of the blocks' at every stride.

        Args:
            images: (N, in_channels, H, W).

        Returns:
            Stride with respect to the images (4, 8, 16, 32 in ``moga``) -> (N, channels, H / stride,
            W / stride), sides rounded up; the finest first.
        """
        maps: dict[int, Tensor] = {}
        x = self.stem(images)
        for block, stride in zip(self.blocks, self.strides, strict=True):
            maps[stride] = x = block(x)
        return maps

    @property
    def feature_channels(self) -> dict[int, int]:
        """Stride -> channels of :meth:`features`."""
        channels = (layer.out_channels for layer in self.arch.space.layers)
        return dict(zip(self.strides, channels, strict=True))


def layer_strides(space: SearchSpace) -> tuple[int, ...]:
    """Stride of every layer's output with respect to the images."""
    strides = [*(entry.stride for entry in space.stem), *(layer.stride for layer in space.layers)]
    return tuple(itertools.accumulate(strides, operator.mul))[len(space.stem) :]


def set_norms(module: nn.Module, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
    """Give every batch normalisation in ``module`` these; blocks are built with torch's own."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps, norm.momentum = eps, momentum


def build_fixed(op: FixedOp) -> nn.Module:
    """The module of one entry of a stem or head."""
    return _FIXED[op.type](op)


def _conv(op: FixedOp) -> nn.Module:
    return ConvBNAct(
        op.in_channels,
        op.out_channels,
        kernel=op.kernel,
        stride=op.stride,
        activation_name=op.activation,
        norm=op.norm,
        bias=op.has_bias,
    )


def _separable(op: FixedOp) -> nn.Module:
    depthwise = ConvBNAct(
        op.in_channels,
        op.in_channels,
        kernel=op.kernel,
        stride=op.stride,
        groups=op.in_channels,
        activation_name=op.activation,
    )
    return nn.Sequential(depthwise, ConvBNAct(op.in_channels, op.out_channels))


def _linear(op: FixedOp) -> nn.Module:
    linear = nn.Linear(op.in_channels, op.out_channels, bias=op.has_bias)
    return nn.Sequential(OrderedDict(flat=nn.Flatten(), linear=linear, act=activation(op.activation)))


_FIXED: dict[str, Callable[[FixedOp], nn.Module]] = {
    "conv": _conv,
    "separable": _separable,
    "max_pool": lambda op: nn.MaxPool2d(op.kernel, op.stride, op.kernel // 2),
    "pool": lambda op: nn.AdaptiveAvgPool2d(1),
    "linear": _linear,
    "dropout": lambda op: nn.Dropout(op.rate),
}
