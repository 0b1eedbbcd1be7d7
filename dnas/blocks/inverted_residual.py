"""The inverted residual with squeeze-excite (MobileNetV3, arXiv 1905.02244), grouped and shuffled on demand
(FBNet, arXiv 1812.03443).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnas.blocks.base import BlockType, Glyph, Position, option
from dnas.blocks.ops import Op, depthwise_op, output_size, squeeze_excite_ops

if TYPE_CHECKING:
    from torch import nn

    from dnas.blocks.sharing import Slices, Together


@dataclass(frozen=True)
class InvertedResidualOptions:
    """Options of an inverted residual."""

    kernel: int = option("odd side of the depthwise kernel", short="kernel", minimum=1, odd=True)
    expansion: float = option("hidden channels / input channels", short="exp", exclusiveMinimum=0)
    se: float = option(
        "squeezed channels / hidden channels, rounded down; 0: no squeeze-excite",
        default=0.0,
        short="SE",
        flag=True,
        minimum=0,
        maximum=1,
    )
    groups: int = option(
        "groups of both 1x1 convolutions, with a channel shuffle after the first", default=1, minimum=1
    )

    def hidden(self, position: Position) -> int:
        """Channels between expansion and projection."""
        return hidden_channels(position.in_channels, self.expansion)

    def squeezed(self, position: Position) -> int:
        """Channels between the two squeeze-excite layers; 0 without."""
        return int(self.hidden(position) * self.se)


class InvertedResidual(BlockType):
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1; residual when the shape is kept."""

    name = "inverted_residual"
    Options = InvertedResidualOptions

    def problems(self, position: Position, options: InvertedResidualOptions) -> list[str]:
        hidden, groups, found = options.hidden(position), options.groups, []
        channels = position.in_channels, hidden, position.out_channels
        bad = ", ".join(str(each) for each in channels if each % groups)
        if bad:
            found.append(f"has {groups} groups, which do not divide {bad} channels")
        if options.squeezed(position) == 0 < options.se:
            found.append(f"squeezes {hidden} hidden channels to none (se {options.se})")
        return found

    def ops(self, position: Position, options: InvertedResidualOptions) -> tuple[Op, ...]:
        return inverted_residual_ops(
            in_channels=position.in_channels,
            hidden=options.hidden(position),
            out_channels=position.out_channels,
            kernel=options.kernel,
            stride=position.stride,
            input_size=position.input_size,
            activation=position.activation,
            squeezed=options.squeezed(position),
            groups=options.groups,
        )

    def build(self, position: Position, options: InvertedResidualOptions) -> nn.Module:
        from torch import nn

        from dnas.layers.layers import Block, ConvBNAct, SqueezeExcite

        into, hidden, out = position.in_channels, options.hidden(position), position.out_channels
        groups, act, squeezed = options.groups, position.activation, options.squeezed(position)
        return Block(
            {
                "expand": ConvBNAct(into, hidden, groups=groups, activation_name=act),
                "shuffle": nn.ChannelShuffle(groups) if groups > 1 else nn.Identity(),
                "depthwise": ConvBNAct(
                    hidden,
                    hidden,
                    kernel=options.kernel,
                    stride=position.stride,
                    groups=hidden,
                    activation_name=act,
                ),
                "se": SqueezeExcite(hidden, squeezed, act) if squeezed else nn.Identity(),
                "project": ConvBNAct(hidden, out, groups=groups),
            },
            residual=position.keeps_shape,
        )

    def glyphs(self, options: InvertedResidualOptions) -> tuple[Glyph, ...]:
        outline = "squeeze-excite" if options.se else ""
        hatch = "grouped convolutions" if options.groups > 1 else ""
        return (Glyph(options.expansion, options.kernel, outline, hatch),)

    def column_names(self) -> tuple[str, ...]:
        return "hidden", "kernel", "squeezed", "groups", "residual"

    def columns(self, position: Position, options: InvertedResidualOptions) -> dict[str, Any]:
        hidden, squeezed = options.hidden(position), options.squeezed(position)
        values = hidden, options.kernel, squeezed, options.groups, position.keeps_shape
        return dict(zip(self.column_names(), values, strict=True))

    def slices(self) -> Slices:
        from dnas.blocks.inverted_residual_sharing import InvertedResidualSlices

        return InvertedResidualSlices()

    def together(self) -> Together:
        from dnas.blocks.inverted_residual_sharing import InvertedResidualsTogether

        return InvertedResidualsTogether()


def hidden_channels(in_channels: int, expansion: float) -> int:
    """Hidden channels of an inverted residual: input channels times expansion, rounded, at least 1."""
    return max(1, round(in_channels * expansion))


def inverted_residual_ops(
    *,
    in_channels: int,
    hidden: int,
    out_channels: int,
    kernel: int,
    stride: int,
    input_size: int,
    activation: str,
    squeezed: int = 0,
    groups: int = 1,
    expand: bool = True,
    se_activation: str | None = None,
) -> tuple[Op, ...]:
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1, residual when the shape is kept.

    Args:
        expand: False leaves out the first convolution (the first block of MobileNetV2 and V3).
        se_activation: activation inside the squeeze-excite; the block's own when None.
    """
    size = output_size(input_size, stride)
    ops: list[Op] = []
    if expand:
        # Also of groups equal to its channels this is a 1x1 convolution, and no depthwise one.
        ops.append(
            Op("conv", in_channels, hidden, input_size, groups=groups, norm=True, activation=activation)
        )
    if groups > 1:
        ops.append(Op("shuffle", hidden, hidden, input_size))
    ops.append(depthwise_op(hidden, input_size, kernel=kernel, stride=stride, activation=activation))
    if squeezed:
        ops += squeeze_excite_ops(hidden, squeezed, size, se_activation or activation)
    ops.append(Op("conv", hidden, out_channels, size, groups=groups, norm=True))
    if stride == 1 and in_channels == out_channels:
        ops.append(Op("add", out_channels, out_channels, size))
    return tuple(ops)
