"""One searchable layer of a supernet: all its choices behind a narrow interface.

``forward`` takes the layer's row of the mask and computes sum_i mask_i block_i(x) over the choices that are active;
``extract`` gives one choice as a plain block. How choices share weights is the subclass's business:

* :class:`IndependentBlock`: one block per choice, as MoGA, FairNAS and FBNet have it;
* :class:`EntangledBlock`: every choice is a slice of one largest block, as in single-path NAS (arXiv 1904.02877),
  Once-for-All (arXiv 1908.09791) and BigNAS (arXiv 2003.11142).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnas.nn.blocks import ConvBNAct, InvertedResidual, SqueezeExcite, build_block, build_skip, pointwise
from dnas.space import Choice, Layer


class MixedBlock(nn.Module, ABC):
    """All choices of one searchable layer."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    @abstractmethod
    def run(self, x: Tensor, choice: int) -> Tensor:
        """The output of one choice: (N, in, h, w) to (N, out, h', w')."""

    @abstractmethod
    def extract(self, choice: int) -> nn.Module:
        """A plain block with a copy of the choice's weights and statistics, computing what :meth:`run` does."""

    def forward(self, x: Tensor, weights: Tensor | None, active: Sequence[int]) -> Tensor:
        """sum over ``active`` of weights[i] * block_i(x); with ``weights`` None, the one active block itself.

        Args:
            x: (N, in, h, w).
            weights: (C,) the layer's row of the mask; entries outside ``active`` are not looked at.
            active: the choices to execute, at least one.
        """
        if weights is None:
            return self.run(x, active[0])
        weights = weights.to(x.dtype)
        total = weights[active[0]] * self.run(x, active[0])
        for choice in active[1:]:
            total = total + weights[choice] * self.run(x, choice)
        return total


class IndependentBlock(MixedBlock):
    """Each choice has weights and batch-norm statistics of its own."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.blocks = nn.ModuleList(build_block(layer, choice) for choice in layer.choices)

    def run(self, x: Tensor, choice: int) -> Tensor:
        return self.blocks[choice](x)

    def extract(self, choice: int) -> nn.Module:
        return copy.deepcopy(self.blocks[choice])


class EntangledBlock(MixedBlock):
    """Every choice is a slice of one largest block: centre of the largest kernel, first hidden channels, first
    squeezed channels.

    Batch norms: scale and shift are shared slices like the weights; running statistics are kept per choice, because
    kernels of different size have different output distributions. Choices with grouped 1x1 convolutions share only
    with choices of equal groups and expansion, since slicing channels would cut through the groups. A skip has its
    own weights, if any.
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
        if spec.skip:
            return block(x)
        hidden, margin = (
            self.layer.hidden_channels(spec),
            (block.depthwise.conv.kernel_size[0] - spec.kernel) // 2,
        )
        y = self._norm(
            "expand",
            choice,
            block.expand,
            pointwise(x, block.expand.conv.weight[:hidden], groups=spec.groups),
        )
        kernel = block.depthwise.conv.weight[
            :hidden, :, margin : margin + spec.kernel, margin : margin + spec.kernel
        ]
        y = F.conv2d(block.shuffle(y), kernel, None, self.layer.stride, spec.kernel // 2, groups=hidden)
        y = self._norm("depthwise", choice, block.depthwise, y)
        if spec.se:
            y = _sliced_squeeze_excite(block.se, y, self.layer.squeezed_channels(spec))
        width = hidden // spec.groups
        y = pointwise(y, block.project.conv.weight[:, :width], groups=spec.groups)
        y = self._norm("project", choice, block.project, y)
        return x + y if block.residual else y

    def _norm(self, part: str, choice: int, conv: ConvBNAct, y: Tensor) -> Tensor:
        channels, bn = y.shape[1], conv.bn
        mean, var = getattr(self, f"{part}_mean_{choice}"), getattr(self, f"{part}_var_{choice}")
        scale, shift = bn.weight[:channels], bn.bias[:channels]
        return conv.act(F.batch_norm(y, mean, var, scale, shift, self.training, bn.momentum, bn.eps))

    @torch.no_grad()
    def extract(self, choice: int) -> nn.Module:
        block, spec = self.shared[self.family[choice]], self.layer.choices[choice]
        if spec.skip:
            return copy.deepcopy(block)
        target = build_block(self.layer, spec).to(block.project.conv.weight)
        target.load_state_dict(
            {name: _slice(block.state_dict().get(name), value) for name, value in target.state_dict().items()}
        )
        for part in ("expand", "depthwise", "project"):
            bn = getattr(target, part).bn
            bn.running_mean.copy_(getattr(self, f"{part}_mean_{choice}"))
            bn.running_var.copy_(getattr(self, f"{part}_var_{choice}"))
        return target.train(self.training)


def _family(choice: Choice) -> str:
    if choice.skip:
        return "skip"
    return (
        "dense"
        if choice.groups == 1
        else f"groups{choice.groups}_expansion{choice.expansion:g}".replace(".", "_")
    )


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


def _sliced_squeeze_excite(se: SqueezeExcite, y: Tensor, squeezed: int) -> Tensor:
    channels = y.shape[1]
    gate = pointwise(
        y.mean((2, 3), keepdim=True), se.reduce.weight[:squeezed, :channels], se.reduce.bias[:squeezed]
    )
    gate = pointwise(se.act(gate), se.expand.weight[:channels, :squeezed], se.expand.bias[:channels])
    return y * se.gate(gate)


def _slice(source: Tensor, like: Tensor) -> Tensor:
    """The part of a larger tensor that a choice uses: first channels, centre of the kernel."""
    if source.ndim == 0:
        return source
    cut = [slice(0, size) for size in like.shape[:2]]
    margins = [(large - small) // 2 for large, small in zip(source.shape[2:], like.shape[2:], strict=True)]
    cut += [slice(margin, margin + size) for margin, size in zip(margins, like.shape[2:], strict=True)]
    return source[tuple(cut)]


SHARINGS: dict[str, type[MixedBlock]] = {"independent": IndependentBlock, "entangled": EntangledBlock}
