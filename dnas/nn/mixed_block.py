"""One searchable layer of a supernet: all its choices behind a narrow interface.

``forward`` takes the layer's row of the mask and computes sum_i mask_i block_i(x) over the choices that are
active; ``extract`` gives one choice as a plain block. How choices share weights is the subclass's business:
:mod:`dnas.nn.sharing`.

In training, choices that have a mask are computed together where their block type offers it
(docs/performance.md); everything else runs choice by choice: evaluation, single paths, batch norms that
somebody exchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dnas.blocks.sharing import Projections, Together
from dnas.layers.fused.checkpointing import Turn, recomputed, twice
from dnas.layers.fused.rows import Shape, without_autocast, working_dtype
from dnas.layers.fused.statistics import Norm, Running, mix, update
from dnas.layers.fused.weighted_sum import weighted_sum
from dnas.layers.layers import ConvBNAct
from dnas.space import Layer, output_size

# Two choices are as fast one after the other.
FEWEST_TOGETHER = 3
# On a CPU the maps of choices that are computed together should stay in its last cache; larger ones would
# also be given back to the system after every use, and asked for again page by page.
TILE_BYTES = 12 * 2**20


class Joint(NamedTuple):
    """Choices of one type that can be computed together, and how."""

    together: Together
    choices: tuple[int, ...]


class MixedBlock(nn.Module, ABC):
    """All choices of one searchable layer; block types see it as :class:`dnas.blocks.sharing.Mixed`.

    ``checkpointing`` tells what training keeps for the backward pass: everything (``none``), the input of the
    layer and the projections of every choice (``choice``), or the input of the layer alone (``block``; when
    the layer is computed again it is with ``choice``, so that it never holds all its choices at a time).
    ``tile_bytes`` limits, on a CPU, the maps of choices that are computed together.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.checkpointing = "none"
        self.tile_bytes: float = TILE_BYTES
        self._joints = _joints(layer)

    @abstractmethod
    def run(self, x: Tensor, choice: int) -> Tensor:
        """The output of one choice: (N, in, h, w) to (N, out, h', w')."""

    @abstractmethod
    def extract(self, choice: int) -> nn.Module:
        """A plain block with the choice's weights and statistics; it computes what :meth:`run` does."""

    @abstractmethod
    def block_of(self, choice: int) -> nn.Module:
        """The module that holds the weights of a choice: its own, or the one it is a slice of."""

    @abstractmethod
    def project(self, together: Together, x: Tensor, choices: Sequence[int]) -> Projections:
        """Several choices at once, up to their projections; x is (N, in, h, w), channels last."""

    def running(self, part: str, choice: int) -> Running:
        """Running statistics of the batch normalisation of a part of a choice."""
        return Running.of(self.part(part, choice).norm)

    def part(self, name: str, choice: int) -> ConvBNAct:
        """A part of :meth:`block_of`, a convolution with batch normalisation."""
        found = getattr(self.block_of(choice), name)
        assert isinstance(found, ConvBNAct)
        return found

    def normalised(self, part: str, choice: int, y: Tensor) -> Tensor:
        """Batch normalisation and activation of a part, with the statistics of the choice."""
        found = self.part(part, choice)
        return found.act(found.norm(y))

    @property
    def position(self) -> Layer:
        """The shapes that every choice keeps."""
        return self.layer

    def options(self, choice: int) -> Any:
        """The options of a choice."""
        return self.layer.choices[choice].options

    def forward(self, x: Tensor, weights: Tensor | None, active: Sequence[int]) -> Tensor:
        """sum over ``active`` of weights[i] * block_i(x); with ``weights`` None, the one active block itself.

        Args:
            x: (N, in, h, w).
            weights: (C,) the layer's row of the mask; entries outside ``active`` are not looked at.
            active: the choices to execute, at least one.
        """
        if self.checkpointing == "block" and torch.is_grad_enabled():
            return recomputed(self, self._mixture, x, weights, active)
        return self._mixture(x, weights, active)

    def _mixture(self, x: Tensor, weights: Tensor | None, active: Sequence[int]) -> Tensor:
        if weights is None:
            return self._one(x, active[0])
        each = weights.unbind()
        joints = self._computed_together(x, active)
        parts = [self._together(x, each, *joint) for joint in joints]
        done = {choice for joint in joints for choice in joint.choices}
        alone = [choice for choice in active if choice not in done]
        if alone:
            maps = [self._one(x, choice) for choice in alone]
            parts.append(weighted_sum(maps, [each[choice] for choice in alone]))
        return sum(parts[1:], parts[0])

    def _one(self, x: Tensor, choice: int) -> Tensor:
        if self.checkpointing == "choice" and torch.is_grad_enabled():
            return recomputed(self, self.run, x, choice)
        return self.run(x, choice)

    def unless_kept(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(turn, *inputs)``, computed again in the backward pass unless everything is kept."""
        if self.checkpointing != "none" and torch.is_grad_enabled():
            return twice(function, *inputs)
        return function(Turn.ONLY, *inputs)

    def _computed_together(self, x: Tensor, active: Sequence[int]) -> list[Joint]:
        # A single value per channel has no variance: the plain path refuses it.
        if not (self.training and x.numel() // x.shape[1] // self.layer.stride**2 > 1):
            return []
        joints = [
            Joint(together, tuple(choice for choice in active if choice in choices))
            for together, choices in self._joints
        ]
        joints = [joint for joint in joints if len(joint.choices) >= FEWEST_TOGETHER]
        # Looking at every module comes last: a single path must not pay for it.
        return joints if joints and self._has_plain_norms() else []

    def _has_plain_norms(self) -> bool:
        return all(
            type(norm) is nn.BatchNorm2d and norm.momentum is not None and norm.track_running_stats
            for norm in self.modules()
            if isinstance(norm, nn.modules.batchnorm._NormBase)
        )

    def _together(
        self, x: Tensor, weights: Sequence[Tensor], together: Together, choices: Sequence[int]
    ) -> Tensor:
        dtype = working_dtype(x)
        with without_autocast(x):
            x = x.to(dtype, memory_format=torch.channels_last)
            rows, order, tracked = self.project(together, x, choices)
            chosen = torch.stack([weights[choice] for choice in order])
            norms = [self.part(together.last, choice).norm for choice in order]
            running = [self.running(together.last, choice) for choice in order]
            scale, shift = (
                torch.stack([getattr(norm, part) for norm in norms]) for part in ("weight", "bias")
            )
            height, width = (output_size(size, self.layer.stride) for size in x.shape[2:])
            shape = Shape(len(x), height, width)
            y, batch = mix(rows, Norm(scale, shift, norms[0].eps), chosen, shape)
            split = batch.split([self.layer.out_channels] * len(order))
            update([*tracked, *zip(running, split, strict=True)])
            return y + x * chosen.sum() if self.layer.keeps_shape else y


def _joints(layer: Layer) -> list[Joint]:
    found = []
    for block in dict.fromkeys(choice.type for choice in layer.choices):
        together = block.together()
        if together is not None:
            members = [
                index
                for index, choice in enumerate(layer.choices)
                if choice.type == block and together.joins(choice.options)
            ]
            found.append(Joint(together, tuple(members)))
    return found
