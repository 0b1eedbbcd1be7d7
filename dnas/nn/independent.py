"""One block per choice, as MoGA, FairNAS and FBNet have it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dnas.layers.activations import ACTIVATIONS
from dnas.layers.fused.checkpointing import Turn
from dnas.layers.fused.expand_depthwise import expand_depthwise
from dnas.layers.fused.project import Member, project
from dnas.layers.fused.rows import Shape, to_rows, with_ones
from dnas.layers.fused.statistics import Moments, Norm, Running, Statistics, fold, moments, normalise
from dnas.layers.layers import ConvBNAct, InvertedResidual, SqueezeExcite, build_block
from dnas.nn.mixed_block import MixedBlock, Projections
from dnas.space import Layer

# On a CPU the expanded maps of choices that are computed together should stay in its last cache; larger ones
# would also be given back to the system after every use, and asked for again page by page.
TILE_BYTES = 12 * 2**20


class IndependentBlock(MixedBlock):
    """Each choice has weights and batch-norm statistics of its own.

    ``tile_bytes`` limits, on a CPU, the expanded maps of choices that are computed together.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.blocks = nn.ModuleList(build_block(layer, choice) for choice in layer.choices)
        self.tile_bytes: float = TILE_BYTES

    def run(self, x: Tensor, choice: int) -> Tensor:
        return self.blocks[choice](x)

    def extract(self, choice: int) -> nn.Module:
        return copy.deepcopy(self.blocks[choice])

    def projection_norm(self, choice: int) -> tuple[nn.BatchNorm2d, Running]:
        norm = self._block(choice).project.norm
        return norm, _running(norm)

    def project(self, x: Tensor, choices: Sequence[int]) -> Projections:
        rows = to_rows(x)
        ones, inputs = with_ones(rows), moments(rows)
        projected, order = [], []
        tracked: list[tuple[Running, Statistics]] = []
        for tile in self._tiles(x, choices):
            y, expanded, filtered = self._unless_kept(self._tile, ones, inputs, Shape.of(x), tile)
            projected.append(y)
            order += tile
            blocks, hidden = [self._block(choice) for choice in tile], self._hidden(tile)
            for norms, batch in (
                ([block.expand.norm for block in blocks], expanded),
                ([block.depthwise.norm for block in blocks], filtered),
            ):
                tracked += zip(map(_running, norms), batch.split(hidden), strict=True)
        return Projections(torch.cat(projected, 1), order, tracked)

    def _tile(
        self, turn: Turn, rows: Tensor, inputs: Moments, shape: Shape, choices: list[int]
    ) -> tuple[Tensor, Statistics, Statistics]:
        """Projections of choices of one kernel, all with squeeze-excite or all without."""
        blocks = [self._block(choice) for choice in choices]
        weight = torch.cat([block.expand.conv.weight.flatten(1) for block in blocks])
        kernels = torch.cat([block.depthwise.conv.weight for block in blocks])
        weight, expanded = fold(weight, _norm([block.expand for block in blocks]), inputs, len(rows))
        weight, kernels = weight.to(rows.dtype), kernels.to(rows.dtype)
        activation = self.layer.activation
        maps = expand_depthwise(rows, weight, kernels, shape, self.layer.stride, activation, turn)
        maps, filtered = normalise(maps, _norm([block.depthwise for block in blocks]))
        maps = ACTIVATIONS[activation].apply_(maps)
        return project(maps, self._members(maps, choices), turn), expanded, filtered

    def _members(self, maps: Tensor, choices: list[int]) -> list[Member]:
        hidden, start, members = self._hidden(choices), 0, []
        means: Sequence[Tensor | None] = [None] * len(choices)
        if self.layer.squeezed_channels(self.layer.choices[choices[0]]):
            means = to_rows(maps).view(len(maps), -1, maps.shape[1]).mean(1).split(hidden, 1)
        for choice, mean, channels in zip(choices, means, hidden, strict=True):
            block, gate = self._block(choice), None
            if mean is not None:
                assert isinstance(block.se, SqueezeExcite)
                gate = block.se.gates(mean)
            projection = block.project.conv.weight.flatten(1).to(maps.dtype)
            members.append(Member(start, start + channels, gate, projection))
            start += channels
        return members

    def _block(self, choice: int) -> InvertedResidual:
        block = self.blocks[choice]
        assert isinstance(block, InvertedResidual)
        return block

    def _hidden(self, choices: Sequence[int]) -> list[int]:
        return [self.layer.hidden_channels(self.layer.choices[choice]) for choice in choices]

    def _tiles(self, x: Tensor, choices: Sequence[int]) -> list[list[int]]:
        """The choices in groups of one kernel, with or without squeeze-excite, on a CPU of limited size."""
        tiles: dict[tuple[int, bool], list[list[int]]] = {}
        limit = self.tile_bytes if x.device.type == "cpu" else float("inf")
        per_channel = x.numel() // x.shape[1] * x.element_size()
        for choice in choices:
            spec = self.layer.choices[choice]
            group = tiles.setdefault((spec.kernel, self.layer.squeezed_channels(spec) > 0), [[]])
            if group[-1] and sum(self._hidden([*group[-1], choice])) * per_channel > limit:
                group.append([])
            group[-1].append(choice)
        return [tile for group in tiles.values() for tile in group]


def _norm(parts: Sequence[ConvBNAct]) -> Norm:
    norms = [part.norm for part in parts]
    scale, shift = (torch.cat([getattr(norm, name) for norm in norms]) for name in ("weight", "bias"))
    return Norm(scale, shift, norms[0].eps)


def _running(norm: nn.BatchNorm2d) -> Running:
    assert norm.running_mean is not None and norm.running_var is not None and norm.momentum is not None
    return Running(norm.running_mean, norm.running_var, norm.momentum, norm.num_batches_tracked)
