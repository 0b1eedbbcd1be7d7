"""What a block type may offer to a supernet: slices of one largest block, and a faster step for many choices.

Both are optional. Their tensors make this file one that imports torch; types import it when they are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from dnas.blocks.base import Position
from dnas.layers.fused.statistics import Running, Statistics


class Projections(NamedTuple):
    """Several choices up to the batch normalisation of their projections.

    rows: (M, K * out), the projections side by side.
    order: the K choices they belong to.
    tracked: running statistics so far, each with this batch's.
    """

    rows: Tensor
    order: list[int]
    tracked: list[tuple[Running, Statistics]]


class Mixed(Protocol):
    """What a type may ask of the mixed block of a layer; choices are the columns of the layer.

    ``tile_bytes`` limits the maps that are held at a time, on a CPU.
    """

    tile_bytes: float

    @property
    def position(self) -> Position: ...
    def options(self, choice: int) -> Any:
        """The options of a choice."""

    def block_of(self, choice: int) -> nn.Module:
        """The module that holds the weights of a choice: its own, or the one it is a slice of."""

    def running(self, part: str, choice: int) -> Running:
        """Running statistics of the batch normalisation of a part of a choice."""

    def normalised(self, part: str, choice: int, y: Tensor) -> Tensor:
        """Batch normalisation and activation of a part, with the statistics of the choice."""

    def unless_kept(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(turn, *inputs)``, computed again in the backward pass unless everything is kept."""


class Slices(Protocol):
    """Every choice of a family is a slice of one block: first channels, centre of the kernels.

    Weights, scale and shift of batch norms are shared; running statistics are kept for each choice, because
    slices of different size have different output distributions.
    """

    def family(self, options: Any) -> str:
        """Choices of one family share a block; letters, digits and _, not the family of another type."""

    def largest(self, position: Position, members: Sequence[Any]) -> nn.Module:
        """The block that every member is a slice of."""

    def norms(self, position: Position, options: Any) -> Mapping[str, int]:
        """Part with a batch normalisation -> its channels in a choice."""

    def run(self, mixed: Mixed, x: Tensor, choice: int) -> Tensor:
        """The output of one choice as a slice of ``mixed.block_of(choice)``."""


class Together(Protocol):
    """Many choices in one pass: their projections side by side, which the mixed block weighs and adds up.

    For blocks that end in a 1x1 convolution with batch normalisation, to which the input is added where the
    shape is kept. ``last`` is the name of that part.
    """

    last: str

    def joins(self, options: Any) -> bool:
        """Whether a choice can be computed so."""

    def independent(self, mixed: Mixed, x: Tensor, choices: Sequence[int]) -> Projections:
        """Of choices with weights of their own; ``x`` is channels-last."""

    def entangled(self, mixed: Mixed, x: Tensor, choices: Sequence[int]) -> Projections:
        """Of choices that are slices of one block."""
