"""A layer of a supernet as everybody writes it: the sum over stock modules, one after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnas.space import Choice, Layer

ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "swish": nn.SiLU,
    "none": nn.Identity,
}


class Gate(nn.Module):
    def __init__(self, channels: int, squeezed: int, activation: str) -> None:
        super().__init__()
        self.reduce, self.act = nn.Conv2d(channels, squeezed, 1), ACTIVATIONS[activation]()
        self.expand, self.gate = nn.Conv2d(squeezed, channels, 1), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.expand(self.act(self.reduce(x.mean((2, 3), keepdim=True)))))


class Parts(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, module in parts.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.children():
            x = module(x)
        return x


class Block(nn.Module):
    """An inverted residual of stock modules; its state dict has our names."""

    def __init__(self, layer: Layer, choice: Choice) -> None:
        super().__init__()
        options = choice.options
        into, hidden, out = layer.in_channels, options.hidden_channels(layer), layer.out_channels
        k, groups = options.kernel, options.groups

        def conv(a: int, b: int, kernel: int, stride: int, groups: int, act: str) -> Parts:
            convolution = nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=False)
            return Parts(conv=convolution, bn=nn.BatchNorm2d(b), act=ACTIVATIONS[act]())

        self.expand = conv(into, hidden, 1, 1, groups, layer.activation)
        self.shuffle = nn.ChannelShuffle(groups) if groups > 1 else nn.Identity()
        self.depthwise = conv(hidden, hidden, k, layer.stride, hidden, layer.activation)
        squeezed = options.squeezed_channels(layer)
        self.se = Gate(hidden, squeezed, layer.activation) if squeezed else nn.Identity()
        self.project = conv(hidden, out, 1, 1, groups, "none")
        self.residual = layer.keeps_shape

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.se(self.depthwise(self.shuffle(self.expand(x)))))
        return x + y if self.residual else y


def skip(layer: Layer) -> nn.Module:
    if layer.keeps_shape:
        return nn.Identity()
    conv = nn.Conv2d(layer.in_channels, layer.out_channels, 1, layer.stride, bias=False)
    return Parts(conv=conv, bn=nn.BatchNorm2d(layer.out_channels), act=ACTIVATIONS[layer.activation]())


class PlainLoop(nn.Module):
    """sum_i weights[i] * block_i(x) over ``active`` stock blocks."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            skip(layer) if choice.skip else Block(layer, choice) for choice in layer.choices
        )

    def forward(self, x: Tensor, weights: Tensor, active: list[int]) -> Tensor:
        return torch.stack([weights[i] * self.blocks[i](x) for i in active]).sum(0)
