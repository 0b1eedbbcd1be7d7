"""The inverted residual with squeeze-excite (MobileNetV3, arXiv 1905.02244), grouped and shuffled on demand
(FBNet, arXiv 1812.03443).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dnas.blocks.base import BlockType, Glyph, Position, option, residual_option
from dnas.blocks.ops import Op, depthwise_op, output_size, squeeze_excite_ops
from dnas.blocks.widths import check_width, hidden_channels, hidden_option, rounded

if TYPE_CHECKING:
    from torch import nn

    from dnas.blocks.sharing import Slices, Together


@dataclass(frozen=True)
class InvertedResidualOptions:
    """Options of an inverted residual."""

    kernel: int = option("odd side of the depthwise kernel", short="kernel", minimum=1, odd=True)
    expansion: float | None = option(
        "hidden channels / input channels", default=None, short="exp", exclusiveMinimum=0
    )
    se: float = option(
        "squeezed channels / channels that 'se_of' names; 0: no squeeze-excite",
        default=0.0,
        short="SE",
        flag=True,
        minimum=0,
        maximum=1,
    )
    groups: int = option(
        "groups of both 1x1 convolutions, with a channel shuffle after the first", default=1, minimum=1
    )
    hidden: int | None = hidden_option()
    se_of: Literal["hidden", "input"] = option(
        "the channels that 'se' is a part of", default="hidden", quiet=True
    )
    se_divisor: int = option(
        "squeezed channels are rounded to a multiple of it, not below 90 %; 0: rounded down",
        default=0,
        quiet=True,
        minimum=0,
    )
    se_activation: Literal["relu", "relu6", "hswish", "swish"] | None = option(
        "activation inside the squeeze-excite; null: the layer's", default=None, quiet=True
    )
    se_gate: Literal["hardsigmoid", "sigmoid"] = option(
        "gate of the squeeze-excite", default="hardsigmoid", quiet=True
    )
    expand_always: bool = option(
        "false: no first 1x1 convolution where hidden and input channels are equal", default=True, quiet=True
    )
    residual: bool = residual_option()

    def __post_init__(self) -> None:
        check_width(self.expansion, self.hidden)

    def hidden_channels(self, position: Position) -> int:
        """Channels between expansion and projection."""
        return hidden_channels(position.in_channels, self.expansion, position.divisor, hidden=self.hidden)

    def squeezed_channels(self, position: Position) -> int:
        """Channels between the two squeeze-excite layers; 0 without."""
        whole = position.in_channels if self.se_of == "input" else self.hidden_channels(position)
        if self.se and self.se_divisor:
            return rounded(whole * self.se, self.se_divisor)
        return int(whole * self.se)

    def expands(self, position: Position) -> bool:
        """Whether there is a first 1x1 convolution."""
        return self.expand_always or self.hidden_channels(position) != position.in_channels

    def adds_input(self, position: Position) -> bool:
        """Whether there is a residual connection."""
        return self.residual and position.keeps_shape

    def activation_of_se(self, position: Position) -> str:
        """The activation inside the squeeze-excite."""
        return self.se_activation or position.activation


class InvertedResidual(BlockType):
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1; residual when the shape is kept."""

    name = "inverted_residual"
    Options = InvertedResidualOptions

    def problems(self, position: Position, options: InvertedResidualOptions) -> list[str]:
        hidden, groups, found = options.hidden_channels(position), options.groups, []
        channels = position.in_channels, hidden, position.out_channels
        bad = ", ".join(str(each) for each in channels if each % groups)
        if bad:
            found.append(f"has {groups} groups, which do not divide {bad} channels")
        if options.squeezed_channels(position) == 0 < options.se:
            whole = f"{hidden} hidden" if options.se_of == "hidden" else f"{position.in_channels} input"
            found.append(f"squeezes {whole} channels to none (se {options.se})")
        return found

    def ops(self, position: Position, options: InvertedResidualOptions) -> tuple[Op, ...]:
        return inverted_residual_ops(
            in_channels=position.in_channels,
            hidden=options.hidden_channels(position),
            out_channels=position.out_channels,
            kernel=options.kernel,
            stride=position.stride,
            input_size=position.input_size,
            activation=position.activation,
            squeezed=options.squeezed_channels(position),
            groups=options.groups,
            expand=options.expands(position),
            residual=options.residual,
            se_activation=options.se_activation,
            se_gate=options.se_gate,
        )

    def build(self, position: Position, options: InvertedResidualOptions) -> nn.Module:
        from torch import nn

        from dnas.layers.layers import Block, ConvBNAct, SqueezeExcite

        into, hidden, out = position.in_channels, options.hidden_channels(position), position.out_channels
        groups, act, squeezed = options.groups, position.activation, options.squeezed_channels(position)
        expands = options.expands(position)
        gating = options.activation_of_se(position), options.se_gate
        return Block(
            {
                "expand": ConvBNAct(into, hidden, groups=groups, activation_name=act)
                if expands
                else nn.Identity(),
                "shuffle": nn.ChannelShuffle(groups) if expands and groups > 1 else nn.Identity(),
                "depthwise": ConvBNAct(
                    hidden,
                    hidden,
                    kernel=options.kernel,
                    stride=position.stride,
                    groups=hidden,
                    activation_name=act,
                ),
                "se": SqueezeExcite(hidden, squeezed, *gating) if squeezed else nn.Identity(),
                "project": ConvBNAct(hidden, out, groups=groups),
            },
            residual=options.adds_input(position),
        )

    def glyphs(self, options: InvertedResidualOptions) -> tuple[Glyph, ...]:
        outline = "squeeze-excite" if options.se else ""
        hatch = "grouped convolutions" if options.groups > 1 else ""
        return (Glyph(options.expansion or 0, options.kernel, outline, hatch, options.hidden),)

    def column_names(self) -> tuple[str, ...]:
        # ``expand`` is written where the first convolution is left out.
        return "hidden", "kernel", "squeezed", "groups", "residual", "expand"

    def columns(self, position: Position, options: InvertedResidualOptions) -> dict[str, Any]:
        hidden, squeezed = options.hidden_channels(position), options.squeezed_channels(position)
        values = hidden, options.kernel, squeezed, options.groups, options.adds_input(position)
        columns = dict(zip(self.column_names(), values, strict=False))
        return columns if options.expands(position) else {**columns, "expand": False}

    def slices(self) -> Slices:
        from dnas.blocks.inverted_residual_sharing import InvertedResidualSlices

        return InvertedResidualSlices()

    def together(self) -> Together:
        from dnas.blocks.inverted_residual_sharing import InvertedResidualsTogether

        return InvertedResidualsTogether()


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
    residual: bool = True,
    se_activation: str | None = None,
    se_gate: str = "hardsigmoid",
) -> tuple[Op, ...]:
    """Expand 1x1, depthwise, optional squeeze-excite, project 1x1, residual when the shape is kept.

    Args:
        expand: False leaves out the first convolution and its shuffle (first block of MobileNetV2 and V3).
        residual: False leaves out the addition.
        se_activation: activation inside the squeeze-excite; the block's own when None.
    """
    size = output_size(input_size, stride)
    ops: list[Op] = []
    if expand:
        # Also of groups equal to its channels this is a 1x1 convolution, and no depthwise one.
        ops.append(
            Op("conv", in_channels, hidden, input_size, groups=groups, norm=True, activation=activation)
        )
    if expand and groups > 1:
        ops.append(Op("shuffle", hidden, hidden, input_size))
    ops.append(depthwise_op(hidden, input_size, kernel=kernel, stride=stride, activation=activation))
    if squeezed:
        ops += squeeze_excite_ops(hidden, squeezed, size, se_activation or activation, se_gate)
    ops.append(Op("conv", hidden, out_channels, size, groups=groups, norm=True))
    if residual and stride == 1 and in_channels == out_channels:
        ops.append(Op("add", out_channels, out_channels, size))
    return tuple(ops)
