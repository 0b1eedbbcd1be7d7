"""A plain convolution with batch normalisation and activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Position, option
from dnas.blocks.ops import Op, conv_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ConvOptions:
    """Options of a convolution."""

    kernel: int = option("odd side of the kernel", short="kernel", minimum=1, odd=True)


class Conv(BlockType):
    """One k x k convolution, without a residual."""

    name = "conv"
    Options = ConvOptions

    def ops(self, position: Position, options: ConvOptions) -> tuple[Op, ...]:
        return (
            conv_op(
                position.in_channels,
                position.out_channels,
                position.input_size,
                kernel=options.kernel,
                stride=position.stride,
                activation=position.activation,
            ),
        )

    def build(self, position: Position, options: ConvOptions) -> nn.Module:
        from dnas.layers.layers import ConvBNAct

        return ConvBNAct(
            position.in_channels,
            position.out_channels,
            kernel=options.kernel,
            stride=position.stride,
            activation_name=position.activation,
        )
