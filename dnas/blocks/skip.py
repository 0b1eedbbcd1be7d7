"""No block: the input itself, or the cheapest change of its shape (FBNet, arXiv 1812.03443)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Glyph, Position, option
from dnas.blocks.ops import Op, conv_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class SkipOptions:
    """What follows where the shape changes; an identity has no options."""

    linear: bool = option("no activation after the strided 1x1 convolution", default=False, quiet=True)


class Skip(BlockType):
    """Identity; where the shape changes, a strided 1x1 convolution, batch normalisation and activation.

    NAS-Bench-Macro's (arXiv 2103.11922) is ``linear``: it has no activation.
    """

    name = "skip"
    Options = SkipOptions
    is_skip = True

    def ops(self, position: Position, options: SkipOptions) -> tuple[Op, ...]:
        if position.keeps_shape:
            return ()
        shape = position.in_channels, position.out_channels, position.input_size
        return (conv_op(*shape, stride=position.stride, activation=_activation(position, options)),)

    def build(self, position: Position, options: SkipOptions) -> nn.Module:
        from torch import nn

        from dnas.layers.layers import ConvBNAct

        if position.keeps_shape:
            return nn.Identity()
        return ConvBNAct(
            position.in_channels,
            position.out_channels,
            stride=position.stride,
            activation_name=_activation(position, options),
        )

    def glyphs(self, options: SkipOptions) -> tuple[Glyph, ...]:
        return ()

    def label(self, position: Position, name: str) -> str:
        return name if position.keeps_shape else f"{name} 1×1"


def _activation(position: Position, options: SkipOptions) -> str:
    return "none" if options.linear else position.activation
