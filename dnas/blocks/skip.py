"""No block: the input itself, or the cheapest change of its shape (FBNet, arXiv 1812.03443)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Glyph, Position
from dnas.blocks.ops import Op, conv_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SkipOptions:
    """A skip has none."""


class Skip(BlockType):
    """Identity; where the shape changes, a strided 1x1 convolution, batch normalisation and activation."""

    name = "skip"
    Options = SkipOptions
    is_skip = True

    def ops(self, position: Position, options: SkipOptions) -> tuple[Op, ...]:
        if position.keeps_shape:
            return ()
        shape = position.in_channels, position.out_channels, position.input_size
        return (conv_op(*shape, stride=position.stride, activation=position.activation),)

    def build(self, position: Position, options: SkipOptions) -> nn.Module:
        from torch import nn

        from dnas.layers.layers import ConvBNAct

        if position.keeps_shape:
            return nn.Identity()
        return ConvBNAct(
            position.in_channels,
            position.out_channels,
            stride=position.stride,
            activation_name=position.activation,
        )

    def glyphs(self, options: SkipOptions) -> tuple[Glyph, ...]:
        return ()

    def label(self, position: Position, name: str) -> str:
        return name if position.keeps_shape else f"{name} 1×1"
