"""The fused inverted residual of EfficientNet-EdgeTPU and EfficientNetV2 (arXiv 2104.00298): one dense k x k
convolution in place of expansion and depthwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Position, option, residual_option
from dnas.blocks.ops import Op, conv_op
from dnas.blocks.widths import check_width, hidden_channels, hidden_option

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FusedInvertedResidualOptions:
    """Options of a fused inverted residual."""

    kernel: int = option("odd side of the first kernel", short="kernel", minimum=1, odd=True)
    expansion: float | None = option(
        "hidden channels / input channels, rounded, at least 1",
        default=None,
        short="exp",
        exclusiveMinimum=0,
    )
    hidden: int | None = hidden_option()
    residual: bool = residual_option()

    def __post_init__(self) -> None:
        check_width(self.expansion, self.hidden)

    def hidden_channels(self, position: Position) -> int:
        """Channels between both convolutions."""
        return hidden_channels(position.in_channels, self.expansion, position.divisor, hidden=self.hidden)


class FusedInvertedResidual(BlockType):
    """Expand k x k, project 1x1; residual when the shape is kept."""

    name = "fused_inverted_residual"
    Options = FusedInvertedResidualOptions

    def ops(self, position: Position, options: FusedInvertedResidualOptions) -> tuple[Op, ...]:
        into, hidden, out = position.in_channels, options.hidden_channels(position), position.out_channels
        strided = conv_op(
            into,
            hidden,
            position.input_size,
            kernel=options.kernel,
            stride=position.stride,
            activation=position.activation,
        )
        ops = strided, conv_op(hidden, out, position.output_size)
        adds = options.residual and position.keeps_shape
        return (*ops, Op("add", out, out, position.output_size)) if adds else ops

    def build(self, position: Position, options: FusedInvertedResidualOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        hidden = options.hidden_channels(position)
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
            residual=options.residual and position.keeps_shape,
        )
