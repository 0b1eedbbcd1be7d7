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
    residual: bool = option("true: plus the input, where the shape is kept", default=False, quiet=True)


class Conv(BlockType):
    """One k x k convolution; with ``residual`` the input is added to what its activation gives."""

    name = "conv"
    Options = ConvOptions

    def ops(self, position: Position, options: ConvOptions) -> tuple[Op, ...]:
        out = position.out_channels
        conv = conv_op(
            position.in_channels,
            out,
            position.input_size,
            kernel=options.kernel,
            stride=position.stride,
            activation=position.activation,
        )
        adds = options.residual and position.keeps_shape
        return (conv, Op("add", out, out, position.output_size)) if adds else (conv,)

    def build(self, position: Position, options: ConvOptions) -> nn.Module:
        from dnas.layers.layers import Block, ConvBNAct

        conv = ConvBNAct(
            position.in_channels,
            position.out_channels,
            kernel=options.kernel,
            stride=position.stride,
            activation_name=position.activation,
        )
        return Block({"conv": conv}, residual=True) if options.residual and position.keeps_shape else conv
