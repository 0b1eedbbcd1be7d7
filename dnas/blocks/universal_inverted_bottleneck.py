"""The universal inverted bottleneck of MobileNetV4 (arXiv 2404.10518): an inverted residual whose depthwise
convolutions, before the expansion and after it, are both optional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Glyph, Position, option, residual_option
from dnas.blocks.ops import Op, conv_op, depthwise_op
from dnas.blocks.widths import check_width, hidden_channels, hidden_option

if TYPE_CHECKING:
    from torch import nn

DIVISOR = 8


@dataclass(frozen=True)
class UniversalInvertedBottleneckOptions:
    """Options of a universal inverted bottleneck.

    Middle alone is an inverted residual, start alone a ConvNeXt block, both "ExtraDW", none a feed-forward
    network.
    """

    expansion: float | None = option(
        "hidden channels / input channels", default=None, short="exp", exclusiveMinimum=0
    )
    start: int = option(
        "odd side of the depthwise kernel before the expansion; 0: none",
        default=0,
        short="start",
        minimum=0,
        odd=True,
    )
    middle: int = option(
        "odd side of the depthwise kernel after the expansion; 0: none",
        default=0,
        short="mid",
        minimum=0,
        odd=True,
    )
    hidden: int | None = hidden_option()
    residual: bool = residual_option()

    def __post_init__(self) -> None:
        check_width(self.expansion, self.hidden)

    def hidden_channels(self, position: Position) -> int:
        """Channels between expansion and projection: a multiple of 8 whatever the space's divisor."""
        return hidden_channels(position.in_channels, self.expansion, DIVISOR, hidden=self.hidden)


class UniversalInvertedBottleneck(BlockType):
    """Depthwise without activation, expand 1x1, depthwise, project 1x1; residual when the shape is kept.

    The stride is on the middle convolution where there is one, else on that at the start.
    """

    name = "universal_inverted_bottleneck"
    Options = UniversalInvertedBottleneckOptions

    def problems(self, position: Position, options: UniversalInvertedBottleneckOptions) -> list[str]:
        if position.stride > 1 and not (options.start or options.middle):
            return [f"has no depthwise convolution that could have stride {position.stride}"]
        return []

    def ops(self, position: Position, options: UniversalInvertedBottleneckOptions) -> tuple[Op, ...]:
        channels, hidden, act = position.in_channels, options.hidden_channels(position), position.activation
        first, second = _strides(position, options)
        size, ops = position.input_size, list[Op]()
        if options.start:
            ops.append(depthwise_op(channels, size, kernel=options.start, stride=first))
            size = ops[-1].output_size
        ops.append(conv_op(channels, hidden, size, activation=act))
        if options.middle:
            ops.append(depthwise_op(hidden, size, kernel=options.middle, stride=second, activation=act))
            size = ops[-1].output_size
        ops.append(conv_op(hidden, position.out_channels, size))
        if options.residual and position.keeps_shape:
            ops.append(Op("add", position.out_channels, position.out_channels, size))
        return tuple(ops)

    def build(self, position: Position, options: UniversalInvertedBottleneckOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        channels, hidden, act = position.in_channels, options.hidden_channels(position), position.activation
        first, second = _strides(position, options)
        parts: dict[str, nn.Module] = {}
        if options.start:
            parts["start"] = ConvBNAct(
                channels, channels, kernel=options.start, stride=first, groups=channels
            )
        parts["expand"] = ConvBNAct(channels, hidden, activation_name=act)
        if options.middle:
            parts["middle"] = ConvBNAct(
                hidden, hidden, kernel=options.middle, stride=second, groups=hidden, activation_name=act
            )
        parts["project"] = ConvBNAct(hidden, position.out_channels)
        return Block(parts, residual=options.residual and position.keeps_shape)

    def glyphs(self, options: UniversalInvertedBottleneckOptions) -> tuple[Glyph, ...]:
        start = (Glyph(1.0, options.start),) if options.start else ()
        return (*start, Glyph(options.expansion or 0, options.middle or 1, channels=options.hidden))


def _strides(position: Position, options: UniversalInvertedBottleneckOptions) -> tuple[int, int]:
    return (1, position.stride) if options.middle else (position.stride, 1)
