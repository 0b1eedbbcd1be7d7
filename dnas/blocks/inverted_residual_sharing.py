"""How inverted residuals share weights, and how a layer computes many at once (docs/performance.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dnas.blocks.base import Position
from dnas.blocks.inverted_residual import InvertedResidual, InvertedResidualOptions
from dnas.blocks.sharing import Mixed, Projections
from dnas.layers.activations import ACTIVATIONS
from dnas.layers.depthwise import depthwise
from dnas.layers.fused.checkpointing import Turn
from dnas.layers.fused.expand_depthwise import expand_depthwise
from dnas.layers.fused.project import Member, project
from dnas.layers.fused.rows import Shape, to_maps, to_rows, with_ones
from dnas.layers.fused.statistics import Moments, Norm, Running, Statistics, fold, moments, normalise
from dnas.layers.layers import GATES, Block, ConvBNAct, SqueezeExcite, centre_cut, pointwise


class InvertedResidualSlices:
    """The centre of the largest kernel, the first hidden channels and the first squeezed channels.

    Choices with grouped 1x1 convolutions share only with choices of equal groups and expansion, since slicing
    channels would cut through the groups.
    """

    def family(self, options: InvertedResidualOptions) -> str:
        if options.groups == 1:
            return "dense"
        width = f"expansion{options.expansion}" if options.hidden is None else f"hidden{options.hidden}"
        return f"groups{options.groups}_{width}".replace(".", "_")

    def largest(self, position: Position, members: Sequence[InvertedResidualOptions]) -> nn.Module:
        widest = replace(
            members[0],
            expansion=None,
            hidden=max(each.hidden_channels(position) for each in members),
            kernel=max(each.kernel for each in members),
            se=0.0,
            expand_always=any(each.expands(position) for each in members),
        )
        block = InvertedResidual().build(position, widest)
        squeezed = max(each.squeezed_channels(position) for each in members)
        if squeezed:
            # Wide enough for all: with unequal ratios the widest squeeze need not be the widest block's.
            # Activation and gate have no weights: each choice brings its own.
            hidden = widest.hidden_channels(position)
            block.se = SqueezeExcite(hidden, squeezed, position.activation)
        return block

    def norms(self, position: Position, options: InvertedResidualOptions) -> dict[str, int]:
        hidden = options.hidden_channels(position)
        norms = {"depthwise": hidden, "project": position.out_channels}
        return {"expand": hidden, **norms} if options.expands(position) else norms

    def run(self, mixed: Mixed, x: Tensor, choice: int) -> Tensor:
        block, options, position = _block(mixed, choice), _options(mixed, choice), mixed.position
        hidden, groups, y = options.hidden_channels(position), options.groups, x
        if options.expands(position):
            y = pointwise(x, block.expand.conv.weight[:hidden], groups=groups)
            y = block.shuffle(mixed.normalised("expand", choice, y))
        kernel = centre_cut(block.depthwise.conv.weight, (hidden, 1, options.kernel, options.kernel))
        y = depthwise(y, kernel, position.stride)
        y = mixed.normalised("depthwise", choice, y)
        if options.se:
            y = y * _gates(mixed, choice, y.mean((2, 3)))[..., None, None]
        y = pointwise(y, block.project.conv.weight[:, : hidden // groups], groups=groups)
        y = mixed.normalised("project", choice, y)
        return x + y if options.adds_input(position) else y


class InvertedResidualsTogether:
    """Choices without groups, by kernel; those of one kernel run as one wide block."""

    last = "project"

    def joins(self, options: InvertedResidualOptions) -> bool:
        if options.groups > 1 or not options.residual:
            return False
        # Twice the input's channels are never rounded to as many as the input has.
        return options.expand_always or (options.expansion is not None and options.expansion >= 2)

    def independent(self, mixed: Mixed, x: Tensor, choices: Sequence[int]) -> Projections:
        rows = to_rows(x)
        ones, inputs = with_ones(rows), moments(rows)
        projected, order = [], []
        tracked: list[tuple[Running, Statistics]] = []
        for tile in _tiles(mixed, x, choices):
            y, expanded, filtered = mixed.unless_kept(_tile, mixed, ones, inputs, Shape.of(x), tile)
            projected.append(y)
            order += tile
            hidden = _hidden(mixed, tile)
            for part, batch in (("expand", expanded), ("depthwise", filtered)):
                running = [mixed.running(part, choice) for choice in tile]
                tracked += zip(running, batch.split(hidden), strict=True)
        return Projections(torch.cat(projected, 1), order, tracked)

    def entangled(self, mixed: Mixed, x: Tensor, choices: Sequence[int]) -> Projections:
        order = sorted(choices, key=lambda choice: _options(mixed, choice).kernel)
        rows, expanded, filtered = mixed.unless_kept(_slices, mixed, x, order)
        tracked = []
        for choice in order:
            options = _options(mixed, choice)
            hidden = options.hidden_channels(mixed.position)
            batch = {"expand": expanded, "depthwise": filtered[options.kernel]}
            tracked += [
                (mixed.running(part, choice), statistics.first(hidden)) for part, statistics in batch.items()
            ]
        return Projections(rows, order, tracked)


def _tile(
    turn: Turn, mixed: Mixed, rows: Tensor, inputs: Moments, shape: Shape, choices: list[int]
) -> tuple[Tensor, Statistics, Statistics]:
    """Projections of independent choices of one kernel, all with squeeze-excite or all without."""
    blocks, position = [_block(mixed, choice) for choice in choices], mixed.position
    weight = torch.cat([block.expand.conv.weight.flatten(1) for block in blocks])
    kernels = torch.cat([block.depthwise.conv.weight for block in blocks])
    weight, expanded = fold(weight, _joined([block.expand for block in blocks]), inputs, len(rows))
    weight, kernels = weight.to(rows.dtype), kernels.to(rows.dtype)
    maps = expand_depthwise(rows, weight, kernels, shape, position.stride, position.activation, turn)
    maps, filtered = normalise(maps, _joined([block.depthwise for block in blocks]))
    maps = ACTIVATIONS[position.activation].apply_(maps)
    return project(maps, _side_by_side(mixed, maps, choices), turn), expanded, filtered


def _side_by_side(mixed: Mixed, maps: Tensor, choices: list[int]) -> list[Member]:
    hidden, start, members = _hidden(mixed, choices), 0, []
    means: Sequence[Tensor | None] = [None] * len(choices)
    if _squeezed(mixed, choices[0]):
        means = to_rows(maps).view(len(maps), -1, maps.shape[1]).mean(1).split(hidden, 1)
    for choice, mean, channels in zip(choices, means, hidden, strict=True):
        block, gate = _block(mixed, choice), None
        if mean is not None:
            assert isinstance(block.se, SqueezeExcite)
            gate = block.se.gates(mean)
        projection = block.project.conv.weight.flatten(1).to(maps.dtype)
        members.append(Member(start, start + channels, gate, projection))
        start += channels
    return members


def _tiles(mixed: Mixed, x: Tensor, choices: Sequence[int]) -> list[list[int]]:
    """The choices in groups of one kernel, with or without squeeze-excite, on a CPU of limited size."""
    tiles: dict[tuple[int, bool], list[list[int]]] = {}
    limit = mixed.tile_bytes if x.device.type == "cpu" else float("inf")
    per_channel = x.numel() // x.shape[1] * x.element_size()
    for choice in choices:
        key = _options(mixed, choice).kernel, _squeezed(mixed, choice) > 0
        group = tiles.setdefault(key, [[]])
        if group[-1] and sum(_hidden(mixed, [*group[-1], choice])) * per_channel > limit:
            group.append([])
        group[-1].append(choice)
    return [tile for group in tiles.values() for tile in group]


def _slices(
    turn: Turn, mixed: Mixed, x: Tensor, order: list[int]
) -> tuple[Tensor, Statistics, dict[int, Statistics]]:
    """Projections of choices that are slices of one block, sorted by kernel.

    With them the statistics after the expansion and, by kernel, after the depthwise convolution.
    """
    tiles: dict[int, list[int]] = {}
    for choice in order:
        tiles.setdefault(_options(mixed, choice).kernel, []).append(choice)
    widths = {kernel: max(_hidden(mixed, tile)) for kernel, tile in tiles.items()}
    block, rows, width = _block(mixed, order[0]), to_rows(x), max(widths.values())
    weight = block.expand.conv.weight[:width].flatten(1)
    weight, statistics = fold(weight, _first(block.expand, width), moments(rows), len(rows))
    weight, rows = weight.to(x.dtype), with_ones(rows)
    stride, activation = mixed.position.stride, mixed.position.activation
    expanded = None
    if len(tiles) > 1 and len(set(widths.values())) == 1:
        # One expansion serves all kernels; otherwise each makes the channels that it needs.
        expanded = to_maps(ACTIVATIONS[activation].apply_(rows @ weight.t()), Shape.of(x))
    projected, filtered = [], {}
    for kernel, tile in tiles.items():
        hidden = widths[kernel]
        kernels = centre_cut(block.depthwise.conv.weight, (hidden, 1, kernel, kernel)).to(x.dtype)
        if expanded is None:
            maps = expand_depthwise(rows, weight[:hidden], kernels, Shape.of(x), stride, activation, turn)
        else:
            maps = depthwise(expanded, kernels, stride)
        maps, filtered[kernel] = normalise(maps, _first(block.depthwise, hidden))
        maps = ACTIVATIONS[activation].apply_(maps)
        projected.append(project(maps, _within_each_other(mixed, maps, tile), turn))
    return torch.cat(projected, 1), statistics, filtered


def _within_each_other(mixed: Mixed, maps: Tensor, choices: list[int]) -> list[Member]:
    block = _block(mixed, choices[0])
    projection = block.project.conv.weight.flatten(1).to(maps.dtype)
    squeezes = any(_squeezed(mixed, choice) for choice in choices)
    means = to_rows(maps).view(len(maps), -1, maps.shape[1]).mean(1) if squeezes else None
    members = []
    for choice, hidden in zip(choices, _hidden(mixed, choices), strict=True):
        gate = None
        if _squeezed(mixed, choice):
            assert means is not None
            gate = _gates(mixed, choice, means[:, :hidden])
        members.append(Member(0, hidden, gate, projection[:, :hidden]))
    return members


def _block(mixed: Mixed, choice: int) -> Block:
    block = mixed.block_of(choice)
    assert isinstance(block, Block)
    return block


def _options(mixed: Mixed, choice: int) -> InvertedResidualOptions:
    options = mixed.options(choice)
    assert isinstance(options, InvertedResidualOptions)
    return options


def _hidden(mixed: Mixed, choices: Sequence[int]) -> list[int]:
    return [_options(mixed, choice).hidden_channels(mixed.position) for choice in choices]


def _squeezed(mixed: Mixed, choice: int) -> int:
    return _options(mixed, choice).squeezed_channels(mixed.position)


def _gates(mixed: Mixed, choice: int, means: Tensor) -> Tensor:
    """Those of a choice that is a slice: (N, C) from means (N, C)."""
    options, se = _options(mixed, choice), _block(mixed, choice).se
    assert isinstance(se, SqueezeExcite)
    activation = ACTIVATIONS[options.activation_of_se(mixed.position)].apply_
    return se.gates(means, _squeezed(mixed, choice), activation, GATES[options.se_gate].apply)


def _joined(parts: Sequence[ConvBNAct]) -> Norm:
    norms = [part.norm for part in parts]
    scale, shift = (torch.cat([getattr(norm, name) for norm in norms]) for name in ("weight", "bias"))
    return Norm(scale, shift, norms[0].eps)


def _first(conv: ConvBNAct, channels: int) -> Norm:
    return Norm(conv.norm.weight[:channels], conv.norm.bias[:channels], conv.norm.eps)
