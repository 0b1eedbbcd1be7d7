"""What a space consists of: choices, the layers that they stand in, and the fixed operations around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnas import blocks
from dnas.blocks import BlockType
from dnas.blocks.ops import Op, conv_op, depthwise_op, max_pool_op, output_size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Choice:
    """One candidate block: a block type and its options."""

    name: str
    type: BlockType
    options: Any

    @classmethod
    def of(cls, name: str, type: str = "inverted_residual", **options: Any) -> Choice:
        """A choice from what YAML gives; raises :class:`dnas.blocks.BlockError` for an unknown type."""
        block = blocks.get(type)
        return cls(name, block, block.Options(**options))

    @property
    def skip(self) -> bool:
        """Whether the block is left out."""
        return self.type.is_skip

    def ops(self, layer: Layer) -> tuple[Op, ...]:
        """The operations of the block in ``layer``; none for an identity."""
        return self.type.ops(layer, self.options)

    def build(self, layer: Layer) -> nn.Module:
        """The module of the block in ``layer``."""
        return self.type.build(layer, self.options)


@dataclass(frozen=True)
class Layer:
    """One searchable position: shapes that every choice must keep, and the choices allowed there.

    ``divisor`` is what hidden channels are rounded to a multiple of; with 1 they are whole numbers.
    """

    index: int
    in_channels: int
    out_channels: int
    stride: int
    input_size: int
    activation: str
    choices: tuple[Choice, ...]
    divisor: int = 1

    @property
    def name(self) -> str:
        """Field convention: L1 is the first searchable layer."""
        return f"L{self.index + 1}"

    @property
    def output_size(self) -> int:
        """Side of the output map in pixels (padding is kernel // 2)."""
        return output_size(self.input_size, self.stride)

    @property
    def keeps_shape(self) -> bool:
        """Whether a residual connection is possible: stride 1 and equal channels."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True)
class FixedOp:
    """One operation of the stem or head.

    ``type`` is ``conv``, ``separable``, ``max_pool``, ``pool`` (global average), ``linear`` or ``dropout``;
    ``bias`` None: a ``linear`` has one, a ``conv`` has none.
    """

    type: str
    in_channels: int
    out_channels: int
    input_size: int
    kernel: int = 1
    stride: int = 1
    activation: str = "none"
    norm: bool = True
    bias: bool | None = None
    rate: float = 0.0

    @property
    def has_bias(self) -> bool:
        return self.type == "linear" if self.bias is None else self.bias

    @property
    def output_size(self) -> int:
        return 1 if self.type == "pool" else output_size(self.input_size, self.stride)

    @property
    def ops(self) -> tuple[Op, ...]:
        """It in the vocabulary of operations."""
        into, out, size = self.in_channels, self.out_channels, self.input_size
        strided: dict[str, Any] = {
            "kernel": self.kernel,
            "stride": self.stride,
            "activation": self.activation,
        }
        if self.type == "pool":
            return (Op("pool", into, out, size),)
        if self.type == "dropout":
            return ()
        if self.type == "max_pool":
            return (max_pool_op(into, size, kernel=self.kernel, stride=self.stride),)
        if self.type == "linear":
            return (Op("linear", into, out, 1, bias=self.has_bias, activation=self.activation),)
        if self.type == "separable":
            return depthwise_op(into, size, **strided), conv_op(into, out, self.output_size)
        return (conv_op(into, out, size, **strided, norm=self.norm, bias=self.has_bias),)


def choice_of(name: str, given: Mapping[str, Any]) -> Choice:
    """A choice from its entry in a file; in version 1 of the format ``skip: true`` stands for the type."""
    if given.get("skip"):
        return Choice.of(name, "skip")
    return Choice.of(name, **given)


def fixed_ops(entries: list[dict[str, Any]], channels: int, size: int) -> tuple[FixedOp, ...]:
    """The operations of a stem or head, from ``channels`` maps of side ``size`` on."""
    ops: list[FixedOp] = []
    for entry in entries:
        options = {key: value for key, value in entry.items() if key != "out"}
        out = entry.get("out", channels)
        ops.append(FixedOp(in_channels=channels, out_channels=out, input_size=size, **options))
        channels, size = out, ops[-1].output_size
    return tuple(ops)
