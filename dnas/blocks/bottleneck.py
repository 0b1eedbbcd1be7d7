"""The bottleneck of ResNet (arXiv 1512.03385), its stride on the k x k convolution as in torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Glyph, Position, option
from dnas.blocks.ops import Op, conv_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BottleneckOptions:
    """Options of a bottleneck."""

    kernel: int = option("odd side of the middle kernel", default=3, short="kernel", minimum=1, odd=True)
    expansion: float = option(
        "hidden channels / output channels, rounded, at least 1",
        default=0.25,
        short="exp",
        exclusiveMinimum=0,
    )

    def hidden(self, position: Position) -> int:
        """Channels inside."""
        return max(1, round(position.out_channels * self.expansion))


class Bottleneck(BlockType):
    """Reduce 1x1, k x k, expand 1x1; plus the input, or its strided 1x1 convolution; then an activation."""

    name = "bottleneck"
    Options = BottleneckOptions

    def ops(self, position: Position, options: BottleneckOptions) -> tuple[Op, ...]:
        into, hidden, out = position.in_channels, options.hidden(position), position.out_channels
        size, stride, act = position.input_size, position.stride, position.activation
        ops = [
            conv_op(into, hidden, size, activation=act),
            conv_op(hidden, hidden, size, kernel=options.kernel, stride=stride, activation=act),
            conv_op(hidden, out, position.output_size),
        ]
        if not position.keeps_shape:
            ops.append(conv_op(into, out, size, stride=stride))
        return (*ops, Op("add", out, out, position.output_size, activation=act))

    def build(self, position: Position, options: BottleneckOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        into, hidden, out = position.in_channels, options.hidden(position), position.out_channels
        stride, act = position.stride, position.activation
        return Block(
            {
                "reduce": ConvBNAct(into, hidden, activation_name=act),
                "conv": ConvBNAct(hidden, hidden, kernel=options.kernel, stride=stride, activation_name=act),
                "expand": ConvBNAct(hidden, out),
            },
            residual=True,
            shortcut=None if position.keeps_shape else ConvBNAct(into, out, stride=stride),
            last=act,
        )

    def glyphs(self, options: BottleneckOptions) -> tuple[Glyph, ...]:
        return (Glyph(options.expansion, options.kernel),)
