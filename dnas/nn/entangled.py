"""Every choice of a layer as a slice of one largest block, as in single-path NAS (arXiv 1904.02877),
Once-for-All (arXiv 1908.09791) and BigNAS (arXiv 2003.11142).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnas.layers.activations import ACTIVATIONS
from dnas.layers.depthwise import depthwise
from dnas.layers.fused.checkpointing import Turn
from dnas.layers.fused.expand_depthwise import expand_depthwise
from dnas.layers.fused.project import Member, project
from dnas.layers.fused.rows import Shape, to_maps, to_rows, with_ones
from dnas.layers.fused.statistics import Norm, Running, Statistics, fold, moments, normalise
from dnas.layers.layers import ConvBNAct, InvertedResidual, SqueezeExcite, build_block, build_skip, pointwise
from dnas.nn.mixed_block import MixedBlock, Projections
from dnas.space import Choice, Layer


class EntangledBlock(MixedBlock):
    """Every choice is a slice of one largest block.

    It is the centre of the largest kernel, the first hidden channels and the first squeezed channels.

    Batch norms: scale and shift are shared slices like the weights; running statistics are kept per choice,
    because kernels of different size have different output distributions. Choices with grouped 1x1
    convolutions share only with choices of equal groups and expansion, since slicing channels would cut
    through the groups. A skip has its own weights, if any.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.family = [_family(choice) for choice in layer.choices]
        self.shared = nn.ModuleDict({name: _largest(layer, name) for name in dict.fromkeys(self.family)})
        for index, choice in enumerate(layer.choices):
            if not choice.skip:
                self._add_statistics(index, layer.hidden_channels(choice))

    def _add_statistics(self, choice: int, hidden: int) -> None:
        sizes = {"expand": hidden, "depthwise": hidden, "project": self.layer.out_channels}
        for part, size in sizes.items():
            self.register_buffer(f"{part}_mean_{choice}", torch.zeros(size))
            self.register_buffer(f"{part}_var_{choice}", torch.ones(size))

    def run(self, x: Tensor, choice: int) -> Tensor:
        block, spec = self.shared[self.family[choice]], self.layer.choices[choice]
        if not isinstance(block, InvertedResidual):
            return block(x)
        hidden, groups = self.layer.hidden_channels(spec), spec.groups
        y = pointwise(x, block.expand.conv.weight[:hidden], groups=groups)
        y = self._norm("expand", choice, block.expand, y)
        kernel = _cut(block.depthwise.conv.weight, (hidden, 1, spec.kernel, spec.kernel))
        y = depthwise(block.shuffle(y), kernel, self.layer.stride)
        y = self._norm("depthwise", choice, block.depthwise, y)
        if spec.se:
            assert isinstance(block.se, SqueezeExcite)
            y = y * block.se.gates(y.mean((2, 3)), self.layer.squeezed_channels(spec))[..., None, None]
        y = pointwise(y, block.project.conv.weight[:, : hidden // groups], groups=groups)
        y = self._norm("project", choice, block.project, y)
        return x + y if block.residual else y

    def projection_norm(self, choice: int) -> tuple[nn.BatchNorm2d, Running]:
        return self._dense().project.norm, self._running("project", choice)

    def project(self, x: Tensor, choices: Sequence[int]) -> Projections:
        order = sorted(choices, key=lambda choice: self.layer.choices[choice].kernel)
        rows, expanded, filtered = self._unless_kept(self._tiles, x, order)
        tracked = []
        for choice in order:
            hidden = self.layer.hidden_channels(self.layer.choices[choice])
            batch = {"expand": expanded, "depthwise": filtered[self.layer.choices[choice].kernel]}
            tracked += [
                (self._running(part, choice), statistics.first(hidden)) for part, statistics in batch.items()
            ]
        return Projections(rows, order, tracked)

    def _tiles(
        self, turn: Turn, x: Tensor, order: list[int]
    ) -> tuple[Tensor, Statistics, dict[int, Statistics]]:
        """Projections of choices, sorted by kernel.

        With them the statistics after the expansion and, by kernel, after the depthwise convolution.
        """
        tiles: dict[int, list[int]] = {}
        for choice in order:
            tiles.setdefault(self.layer.choices[choice].kernel, []).append(choice)
        widths = {kernel: self._width(tile) for kernel, tile in tiles.items()}
        block, rows, width = self._dense(), to_rows(x), max(widths.values())
        weight = block.expand.conv.weight[:width].flatten(1)
        weight, statistics = fold(weight, _norm(block.expand, width), moments(rows), len(rows))
        weight, rows = weight.to(x.dtype), with_ones(rows)
        expanded = None
        if len(tiles) > 1 and len(set(widths.values())) == 1:
            # One expansion serves all kernels; otherwise each makes the channels that it needs.
            activate_ = ACTIVATIONS[self.layer.activation].apply_
            expanded = to_maps(activate_(rows @ weight.t()), Shape.of(x))
        projected, filtered = [], {}
        for kernel, tile in tiles.items():
            hidden = widths[kernel]
            kernels = _cut(block.depthwise.conv.weight, (hidden, 1, kernel, kernel)).to(x.dtype)
            if expanded is None:
                stride, activation = self.layer.stride, self.layer.activation
                maps = expand_depthwise(rows, weight[:hidden], kernels, Shape.of(x), stride, activation, turn)
            else:
                maps = depthwise(expanded, kernels, self.layer.stride)
            maps, filtered[kernel] = normalise(maps, _norm(block.depthwise, hidden))
            maps = ACTIVATIONS[self.layer.activation].apply_(maps)
            projected.append(project(maps, self._members(maps, tile), turn))
        return torch.cat(projected, 1), statistics, filtered

    def _members(self, maps: Tensor, choices: list[int]) -> list[Member]:
        block, specs = self._dense(), [self.layer.choices[choice] for choice in choices]
        projection = block.project.conv.weight.flatten(1).to(maps.dtype)
        squeezes = any(self.layer.squeezed_channels(spec) for spec in specs)
        means = to_rows(maps).view(len(maps), -1, maps.shape[1]).mean(1) if squeezes else None
        members = []
        for spec in specs:
            hidden, squeezed = self.layer.hidden_channels(spec), self.layer.squeezed_channels(spec)
            gate = None
            if squeezed:
                assert means is not None and isinstance(block.se, SqueezeExcite)
                gate = block.se.gates(means[:, :hidden], squeezed)
            members.append(Member(0, hidden, gate, projection[:, :hidden]))
        return members

    def _dense(self) -> InvertedResidual:
        block = self.shared["dense"]
        assert isinstance(block, InvertedResidual)
        return block

    def _width(self, choices: Sequence[int]) -> int:
        return max(self.layer.hidden_channels(self.layer.choices[choice]) for choice in choices)

    def _running(self, part: str, choice: int) -> Running:
        momentum = getattr(self._dense(), part).norm.momentum
        mean, var = self.get_buffer(f"{part}_mean_{choice}"), self.get_buffer(f"{part}_var_{choice}")
        return Running(mean, var, momentum, None)

    def _norm(self, part: str, choice: int, conv: ConvBNAct, y: Tensor) -> Tensor:
        channels, bn = y.shape[1], conv.norm
        assert bn.momentum is not None
        mean, var = self.get_buffer(f"{part}_mean_{choice}"), self.get_buffer(f"{part}_var_{choice}")
        scale, shift = bn.weight[:channels], bn.bias[:channels]
        return conv.act(F.batch_norm(y, mean, var, scale, shift, self.training, bn.momentum, bn.eps))

    @torch.no_grad()
    def extract(self, choice: int) -> nn.Module:
        block, spec = self.shared[self.family[choice]], self.layer.choices[choice]
        if spec.skip:
            return copy.deepcopy(block)
        # On the meta device nothing is initialised, so that no random numbers are drawn.
        with torch.device("meta"):
            target = build_block(self.layer, spec)
        whole = block.state_dict()
        for part in ("expand", "depthwise", "project"):
            for statistic in ("mean", "var"):
                whole[f"{part}.bn.running_{statistic}"] = self.get_buffer(f"{part}_{statistic}_{choice}")
        cut = {name: _cut(whole[name], value.shape).clone() for name, value in target.state_dict().items()}
        target.load_state_dict(cut, assign=True)
        return target.train(self.training)


def _family(choice: Choice) -> str:
    if choice.skip:
        return "skip"
    if choice.groups == 1:
        return "dense"
    return f"groups{choice.groups}_expansion{choice.expansion}".replace(".", "_")


def _largest(layer: Layer, family: str) -> nn.Module:
    members = [choice for choice in layer.choices if _family(choice) == family]
    if family == "skip":
        return build_skip(layer)
    largest = replace(
        members[0],
        expansion=max(choice.expansion for choice in members),
        kernel=max(choice.kernel for choice in members),
        se=0.0,
    )
    block = build_block(layer, largest)
    assert isinstance(block, InvertedResidual)
    squeezed = max(layer.squeezed_channels(choice) for choice in members)
    if squeezed:
        # Wide enough for every member: with unequal ratios the widest squeeze need not be the widest block's.
        block.se = SqueezeExcite(layer.hidden_channels(largest), squeezed, layer.activation)
    return block


def _norm(conv: ConvBNAct, channels: int) -> Norm:
    return Norm(conv.norm.weight[:channels], conv.norm.bias[:channels], conv.norm.eps)


def _cut(whole: Tensor, shape: Sequence[int]) -> Tensor:
    """The part of a larger tensor that a choice uses: first channels, centre of the kernel."""
    channels = [slice(0, size) for size in shape[:2]]
    margins = [(large - small) // 2 for large, small in zip(whole.shape[2:], shape[2:], strict=True)]
    centre = [slice(margin, margin + size) for margin, size in zip(margins, shape[2:], strict=True)]
    return whole[(*channels, *centre)]
