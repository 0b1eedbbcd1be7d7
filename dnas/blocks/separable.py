"""The depthwise separable convolution with a linear end, as the first block of MnasNet (arXiv 1807.11626)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Position, option, residual_option
from dnas.blocks.ops import Op, conv_op, depthwise_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SeparableOptions:
    """Options of a separable convolution."""

    kernel: int = option("odd side of the depthwise kernel", short="kernel", minimum=1, odd=True)
    residual: bool = residual_option()


class Separable(BlockType):
    """Depthwise with activation, 1x1 without; residual when the shape is kept."""

    name = "separable"
    Options = SeparableOptions

    def ops(self, position: Position, options: SeparableOptions) -> tuple[Op, ...]:
        into, out = position.in_channels, position.out_channels
        depthwise = depthwise_op(
            into,
            position.input_size,
            kernel=options.kernel,
            stride=position.stride,
            activation=position.activation,
        )
        ops = depthwise, conv_op(into, out, position.output_size)
        adds = options.residual and position.keeps_shape
        return (*ops, Op("add", out, out, position.output_size)) if adds else ops

    def build(self, position: Position, options: SeparableOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        into = position.in_channels
        return Block(
            {
                "depthwise": ConvBNAct(
                    into,
                    into,
                    kernel=options.kernel,
                    stride=position.stride,
                    groups=into,
                    activation_name=position.activation,
                ),
                "project": ConvBNAct(into, position.out_channels),
            },
            residual=options.residual and position.keeps_shape,
        )
