"""The fused inverted residual of EfficientNet-EdgeTPU and EfficientNetV2 (arXiv 2104.00298): one dense k x k
convolution in place of expansion and depthwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Position, option
from dnas.blocks.ops import Op, conv_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FusedInvertedResidualOptions:
    """Options of a fused inverted residual."""

    kernel: int = option("odd side of the first kernel", short="kernel", minimum=1, odd=True)
    expansion: float = option(
        "hidden channels / input channels, rounded, at least 1", short="exp", exclusiveMinimum=0
    )

    def hidden(self, position: Position) -> int:
        """Channels between both convolutions."""
        return max(1, round(position.in_channels * self.expansion))


class FusedInvertedResidual(BlockType):
    """Expand k x k, project 1x1; residual when the shape is kept."""

    name = "fused_inverted_residual"
    Options = FusedInvertedResidualOptions

    def ops(self, position: Position, options: FusedInvertedResidualOptions) -> tuple[Op, ...]:
        into, hidden, out = position.in_channels, options.hidden(position), position.out_channels
        strided = conv_op(
            into,
            hidden,
            position.input_size,
            kernel=options.kernel,
            stride=position.stride,
            activation=position.activation,
        )
        ops = strided, conv_op(hidden, out, position.output_size)
        return (*ops, Op("add", out, out, position.output_size)) if position.keeps_shape else ops

    def build(self, position: Position, options: FusedInvertedResidualOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        hidden = options.hidden(position)
        return Block(
            {
                "expand": ConvBNAct(
                    position.in_channels,
                    hidden,
                    kernel=options.kernel,
                    stride=position.stride,
                    activation_name=position.activation,
                ),
                "project": ConvBNAct(hidden, position.out_channels),
            },
            residual=position.keeps_shape,
        )
