"""Pooling by maxima as a layer, as between the stem and the blocks of ResNet (arXiv 1512.03385)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnas.blocks.base import BlockType, Position, option
from dnas.blocks.ops import Op, max_pool_op

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class MaxPoolOptions:
    """Options of a max-pooling."""

    kernel: int = option("odd side of the window", default=3, short="kernel", minimum=1, odd=True)


class MaxPool(BlockType):
    """The largest value of every k x k window, padded by k // 2; the channels stay."""

    name = "max_pool"
    Options = MaxPoolOptions

    def problems(self, position: Position, options: MaxPoolOptions) -> list[str]:
        if position.in_channels != position.out_channels:
            return [f"cannot make {position.out_channels} channels of {position.in_channels}"]
        return []

    def ops(self, position: Position, options: MaxPoolOptions) -> tuple[Op, ...]:
        channels, size = position.in_channels, position.input_size
        return (max_pool_op(channels, size, kernel=options.kernel, stride=position.stride),)

    def build(self, position: Position, options: MaxPoolOptions) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(options.kernel, position.stride, options.kernel // 2)
