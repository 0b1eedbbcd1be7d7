"""The bottleneck of ResNet (arXiv 1512.03385), its stride on the k x k convolution as in torchvision, its
shortcut optionally by average pooling (ResNet-D, arXiv 1812.01187).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dnas.blocks.base import BlockType, Glyph, Position, option
from dnas.blocks.ops import Op, avg_pool_op, conv_op
from dnas.blocks.widths import hidden_channels, hidden_option

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
    hidden: int | None = hidden_option()
    shortcut: Literal["conv", "avg_pool"] = option(
        "where the shape changes: a 1x1 convolution with the stride; or averages of windows as wide as the "
        "stride, then a 1x1 convolution without one",
        default="conv",
        quiet=True,
    )

    def hidden_channels(self, position: Position) -> int:
        """Channels inside."""
        return hidden_channels(position.out_channels, self.expansion, position.divisor, hidden=self.hidden)


class Bottleneck(BlockType):
    """Reduce 1x1, k x k, expand 1x1; plus the input, or what ``shortcut`` makes of it; then an activation."""

    name = "bottleneck"
    Options = BottleneckOptions

    def ops(self, position: Position, options: BottleneckOptions) -> tuple[Op, ...]:
        into, hidden, out = position.in_channels, options.hidden_channels(position), position.out_channels
        size, stride, act = position.input_size, position.stride, position.activation
        ops = [
            conv_op(into, hidden, size, activation=act),
            conv_op(hidden, hidden, size, kernel=options.kernel, stride=stride, activation=act),
            conv_op(hidden, out, position.output_size),
        ]
        if not position.keeps_shape:
            if options.shortcut == "avg_pool" and stride > 1:
                ops.append(avg_pool_op(into, size, stride=stride))
                size, stride = ops[-1].output_size, 1
            ops.append(conv_op(into, out, size, stride=stride))
        return (*ops, Op("add", out, out, position.output_size, activation=act))

    def build(self, position: Position, options: BottleneckOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        into, hidden, out = position.in_channels, options.hidden_channels(position), position.out_channels
        stride, act = position.stride, position.activation
        return Block(
            {
                "reduce": ConvBNAct(into, hidden, activation_name=act),
                "conv": ConvBNAct(hidden, hidden, kernel=options.kernel, stride=stride, activation_name=act),
                "expand": ConvBNAct(hidden, out),
            },
            residual=True,
            shortcut=_shortcut(position, options),
            last=act,
        )

    def glyphs(self, options: BottleneckOptions) -> tuple[Glyph, ...]:
        return (Glyph(options.expansion, options.kernel, channels=options.hidden),)


def _shortcut(position: Position, options: BottleneckOptions) -> nn.Module | None:
    from torch import nn

    from dnas.layers.layers import ConvBNAct

    into, out, stride = position.in_channels, position.out_channels, position.stride
    if position.keeps_shape:
        return None
    if options.shortcut == "conv" or stride == 1:
        return ConvBNAct(into, out, stride=stride)
    # Windows at the border hold fewer pixels, so that an odd map becomes as large as the strided one.
    return nn.Sequential(nn.AvgPool2d(stride, stride, ceil_mode=True), ConvBNAct(into, out))
