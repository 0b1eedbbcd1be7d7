"""One searchable layer of a supernet: all its choices behind a narrow interface.

``forward`` takes the layer's row of the mask and computes sum_i mask_i block_i(x) over the choices that are
active; ``extract`` gives one choice as a plain block. How choices share weights is the subclass's business:
:mod:`dnas.nn.independent`, :mod:`dnas.nn.entangled`.

In training, choices that have a mask are computed together (docs/performance.md); everything else runs choice
by choice: evaluation, single paths, grouped convolutions, skips, batch norms that somebody exchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dnas.layers.fused.checkpointing import Turn, recomputed, twice
from dnas.layers.fused.rows import Shape, without_autocast, working_dtype
from dnas.layers.fused.statistics import Norm, Running, Statistics, mix, update
from dnas.layers.fused.weighted_sum import weighted_sum
from dnas.space import Layer, output_size

# Two choices are as fast one after the other.
FEWEST_TOGETHER = 3


class Projections(NamedTuple):
    """Several choices up to the batch normalisation of their projections.

    rows: (M, K * out), the projections side by side.
    order: the K choices they belong to.
    tracked: running statistics so far, each with this batch's.
    """

    rows: Tensor
    order: list[int]
    tracked: list[tuple[Running, Statistics]]


class MixedBlock(nn.Module, ABC):
    """All choices of one searchable layer.

    ``checkpointing`` tells what training keeps for the backward pass: everything (``none``), the input of the
    layer and the projections of every choice (``choice``), or the input of the layer alone (``block``; when
    the layer is computed again it is with ``choice``, so that it never holds all its choices at a time).
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.checkpointing = "none"

    @abstractmethod
    def run(self, x: Tensor, choice: int) -> Tensor:
        """The output of one choice: (N, in, h, w) to (N, out, h', w')."""

    @abstractmethod
    def extract(self, choice: int) -> nn.Module:
        """A plain block with the choice's weights and statistics; it computes what :meth:`run` does."""

    @abstractmethod
    def project(self, x: Tensor, choices: Sequence[int]) -> Projections:
        """Several ungrouped choices at once, up to their projections; x is (N, in, h, w), channels last."""

    @abstractmethod
    def projection_norm(self, choice: int) -> tuple[nn.BatchNorm2d, Running]:
        """The batch normalisation after a choice's projection, and the running statistics it moves."""

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
        together = self._computed_together(x, active)
        alone = [choice for choice in active if choice not in together]
        parts = [self._together(x, each, together)] if together else []
        if alone:
            maps = [self._one(x, choice) for choice in alone]
            parts.append(weighted_sum(maps, [each[choice] for choice in alone]))
        return sum(parts[1:], parts[0])

    def _one(self, x: Tensor, choice: int) -> Tensor:
        if self.checkpointing == "choice" and torch.is_grad_enabled():
            return recomputed(self, self.run, x, choice)
        return self.run(x, choice)

    def _unless_kept(self, function: Callable[..., Any], *inputs: Any) -> Any:
        """``function(turn, *inputs)``, computed again in the backward pass unless everything is kept."""
        if self.checkpointing != "none" and torch.is_grad_enabled():
            return twice(function, *inputs)
        return function(Turn.ONLY, *inputs)

    def _computed_together(self, x: Tensor, active: Sequence[int]) -> list[int]:
        choices = self.layer.choices
        dense = [choice for choice in active if not choices[choice].skip and choices[choice].groups == 1]
        # A single value per channel has no variance: the plain path refuses it.
        many = x.numel() // x.shape[1] // self.layer.stride**2 > 1
        # Looking at every module comes last: a single path must not pay for it.
        together = self.training and len(dense) >= FEWEST_TOGETHER and many and self._has_plain_norms()
        return dense if together else []

    def _has_plain_norms(self) -> bool:
        return all(
            type(norm) is nn.BatchNorm2d and norm.momentum is not None and norm.track_running_stats
            for norm in self.modules()
            if isinstance(norm, nn.modules.batchnorm._NormBase)
        )

    def _together(self, x: Tensor, weights: Sequence[Tensor], choices: Sequence[int]) -> Tensor:
        dtype = working_dtype(x)
        with without_autocast(x):
            x = x.to(dtype, memory_format=torch.channels_last)
            rows, order, tracked = self.project(x, choices)
            chosen = torch.stack([weights[choice] for choice in order])
            norms, running = zip(*map(self.projection_norm, order), strict=True)
            scale, shift = (
                torch.stack([getattr(norm, part) for norm in norms]) for part in ("weight", "bias")
            )
            height, width = (output_size(size, self.layer.stride) for size in x.shape[2:])
            shape = Shape(len(x), height, width)
            y, batch = mix(rows, Norm(scale, shift, norms[0].eps), chosen, shape)
            split = batch.split([self.layer.out_channels] * len(order))
            update([*tracked, *zip(running, split, strict=True)])
            return y + x * chosen.sum() if self.layer.keeps_shape else y
